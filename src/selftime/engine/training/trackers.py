"""Trackers that are told of every step: TensorBoard and MLflow, through accelerate."""

import os
from collections.abc import Callable
from pathlib import Path

from accelerate.state import PartialState
from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker
from accelerate.utils import is_mlflow_available, is_tensorboard_available

from selftime.engine.training.trainer import StepRecord

Log = Callable[[StepRecord], None]
"""Called with what is known of a step, after every step of a gradient run."""

TRACKERS = ("tensorboard", "mlflow")


def tracker(name: str, folder: Path) -> Log:
    """Tells a tracker of every step.

    Args:
        name: "tensorboard" (events in ``folder/tensorboard``) or "mlflow" (a store in
            ``folder/mlflow``, or where MLFLOW_TRACKING_URI points).
        folder: of the run.

    Raises:
        ValueError: an unknown name, or one that is not installed.
    """
    available = {"tensorboard": is_tensorboard_available, "mlflow": is_mlflow_available}
    if name not in available:
        raise ValueError(f"got tracker {name!r}, wanted one of {', '.join(TRACKERS)}")
    if not available[name]():
        raise ValueError(f"{name} is not installed: pip install 'selftime[track]'")
    made: list[GeneralTracker] = []

    def log(record: StepRecord) -> None:
        if not made:  # only now: a run is begun in a folder that holds nothing yet
            made.append(start_tracker(name, folder))
        made[0].log(scalars(record), step=record["step"])

    return log


def start_tracker(name: str, folder: Path) -> GeneralTracker:
    """A tracker that writes already."""
    PartialState()  # trackers ask it whether they are the first process
    if name == "tensorboard":
        made = TensorBoardTracker(name, logging_dir=folder)
    else:
        if "MLFLOW_TRACKING_URI" not in os.environ:  # no server: files in the run folder
            os.environ["MLFLOW_TRACKING_URI"] = (folder / name).absolute().as_uri()
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        made = MLflowTracker("selftime")
    made.start()
    return made


def scalars(record: StepRecord) -> dict[str, float]:
    """The numbers of a step under flat names: loss, parts/instance, monitors/spread."""
    flat = {name: value for name, value in record.items() if isinstance(value, float)}
    for group in ("parts", "monitors"):
        flat |= {f"{group}/{name}": value for name, value in record.get(group, {}).items()}
    return flat
