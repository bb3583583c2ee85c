"""Data of any size in bounded memory: a short form of `python -m benchmarks.larger_than_memory`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is asked of Linux")
def test_eight_times_the_data_take_the_same_memory(tmp_path):
    words = ["--gigabytes", "0.032", "--times", "1", "8", "--minutes", "0.02", "--limit", "2"]
    command = [sys.executable, "-m", "benchmarks.larger_than_memory", *words, "--out"]
    alone = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    alone["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    out = tmp_path / "found.json"
    ran = subprocess.run([*command, str(out)], env=alone, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(out.read_text())
    assert found["limit_gb"] == 2 and len(found["sizes"]) == 2
    for job, growth in found["growth_of_peak"].items():
        assert growth < 1.25, (job, found["peak_mb"][job])
    for job, shares in found["share_of_speed_in_memory"].items():
        assert min(shares.values()) > 0.5, (job, shares)  # of the processor; 0.8 and more at rest
    assert all(size["classify"]["right"] > 0.95 for size in found["sizes"].values())
