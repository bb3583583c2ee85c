"""A run that goes on is held against what was read before its first step."""

import torch

from selftime.data.batch import Batch
from selftime.engine.monitoring.monitors import CollapseMonitor


def monitor() -> CollapseMonitor:
    rng = torch.Generator().manual_seed(0)
    values = torch.randn(8, 1, 16, generator=rng)
    return CollapseMonitor(Batch(values, torch.ones(8, 1, 16, dtype=torch.bool)), rng)


def test_readings_from_before_a_stop_are_the_start_and_the_history():
    early = [{"spread": 0.5, "rank": 6.0}, {"spread": 0.4, "rank": 5.0}]
    later = monitor()
    later.recall(early)
    assert later.start == early[0] and later.history == early
    later.history[0]["spread"] = 0.0
    assert early[0]["spread"] == 0.5, "what was handed over belongs to the caller"


def test_nothing_to_recall_leaves_a_watcher_new():
    new = monitor()
    new.recall([])
    assert new.start == {} and new.history == []
