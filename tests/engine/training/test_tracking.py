"""Trackers: flat numbers under plain names, begun with the first step, missing ones explained."""

import os

import pytest
from accelerate.tracking import GeneralTracker

from selftime.engine.training import run_folder as tracking
from selftime.engine.training.run_folder import Tracker, scalars

RECORD = {
    "step": 3,
    "steps": 6,
    "seconds": 0.5,
    "loss": 1.5,
    "rate": 0.001,
    "parts": {"instance": 1.0, "temporal": 0.5},
    "monitors": {"std": 0.02},
    "warnings": [{"monitor": "std", "message": "alike"}],
}


class Listening(GeneralTracker):
    """Stands for a tracker of accelerate's."""

    name, requires_logging_directory, tracker = "listening", False, None
    made: list = []

    def __init__(self, name, *, logging_dir=None):
        self.at, self.heard, self.started, self.ended = (name, logging_dir), [], False, False
        self.made.append(self)

    def start(self):
        self.started = True

    def finish(self):
        self.ended = True

    def log(self, values, step):
        self.heard.append((step, values))


def test_numbers_are_flat():
    assert scalars(RECORD) == {
        "seconds": 0.5,
        "loss": 1.5,
        "rate": 0.001,
        "parts/instance": 1.0,
        "parts/temporal": 0.5,
        "monitors/std": 0.02,
    }
    assert scalars({"step": 0, "steps": 6}) == {}


@pytest.mark.parametrize(
    "name, kind", [("tensorboard", "TensorBoardTracker"), ("mlflow", "MLflowTracker")]
)
def test_a_tracker_is_begun_with_the_first_step_and_told_of_all(name, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(Listening, "made", [])
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.setenv(variable, "")  # put back after the test, whatever is set in it
        monkeypatch.delenv(variable)
    monkeypatch.setattr(tracking, f"is_{name}_available", lambda: True)
    monkeypatch.setattr(tracking, kind, Listening)
    tracker = Tracker(name)
    assert Listening.made == []  # a run is begun in an empty folder
    tracker.log(RECORD, tmp_path)
    tracker.log(RECORD | {"step": 4}, tmp_path)
    (made,) = Listening.made
    assert made.started and made.heard == [(3, scalars(RECORD)), (4, scalars(RECORD))]
    where = os.environ["MLFLOW_TRACKING_URI"] if name == "mlflow" else made.at[1].as_uri()
    assert where.startswith(tmp_path.as_uri())
    tracker.close()
    assert made.ended and "MLFLOW_TRACKING_URI" not in os.environ


def test_an_unknown_tracker_is_refused():
    with pytest.raises(ValueError, match="got tracker 'wandb', wanted one of tensorboard, mlflow"):
        Tracker("wandb")


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_missing_package_is_named(name, monkeypatch):
    monkeypatch.setattr(tracking, f"is_{name}_available", lambda: False)
    with pytest.raises(ValueError, match=rf"{name} is not installed: pip install 'selftime\[tra"):
        Tracker(name)


@pytest.mark.skipif(not tracking.is_tensorboard_available(), reason="tensorboard is not installed")
def test_tensorboard_writes_events(tmp_path):
    tracker = Tracker("tensorboard")
    tracker.log(RECORD, tmp_path)
    tracker.close()
    (events,) = (tmp_path / "tensorboard").glob("events.out.tfevents.*")
    assert b"parts/instance" in events.read_bytes()
