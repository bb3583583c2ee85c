"""Every job in bounded memory: a short form of `python -m benchmarks.larger_than_memory`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is asked of Linux")
def test_a_store_is_packed_learned_from_embedded_and_classified_under_a_limit(tmp_path):
    words = ["--gigabytes", "0.016", "--times", "1", "--minutes", "0.05", "--limit", "1.2"]
    command = [sys.executable, "-m", "benchmarks.larger_than_memory", *words, "--alone", "--out"]
    alone = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    alone["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    out = tmp_path / "found.json"
    ran = subprocess.run([*command, str(out)], env=alone, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(out.read_text())
    (size,) = found["sizes"].values()
    assert found["limit_gb"] == 1.2 and size["series"] == 4000
    assert size["classify"]["right"] > 0.95
    assert all(size[job]["peak_mb"] < 1200 for job in ("pack", "pretrain", "embed", "steps"))
