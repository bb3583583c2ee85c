"""Doors that write are ended right before some of their operations, killed, and run out of disk.

A short form of ``python -m benchmarks.faults``, which says how it works and takes every operation.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = ("Model.save, overwrite", "closed form, --f", "steps, --force", "race, --f")
DOORS += ("embed, --f", "detect, --f", "predict, --f")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_nothing_is_lost_and_everything_goes_on(tmp_path):
    words = ["--points", "2", "--kills", "4", "--processes", "1", "--out", tmp_path / "found.json"]
    command = [sys.executable, "-m", "benchmarks.faults", *words, "--doors", *DOORS]
    alone = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    alone["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    ran = subprocess.run(
        list(map(str, command)), env=alone, cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())["totals"]
    for what in ("crashes", "kills", "disks"):
        wrong = {k: found[what].get(k, 0) for k in ("lost", "unresumable", "drafts", "claims")}
        assert not any(wrong.values()), ran.stderr[-3000:]
    assert found["crashes"]["points"] >= 2 * len(DOORS) and found["kills"]["kills"] == 4
    assert found["disks"]["refused"] == 3 and not found["disks"].get("not one line")
