"""A run that is killed again and again ends in the same bits and leaves no torn checkpoint."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from killed_run import KILLS

SCRIPT = Path(__file__).parents[2] / "support" / "killed_run.py"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_twenty_kills_change_nothing(tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path), "20"]
    alone = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(command, env=alone, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["killed_at"]) >= KILLS
    assert found["torn"] == []
    assert found["ends"] and all(found["ends"])
