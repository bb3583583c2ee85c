"""The only training loop: progress, gauges, checkpoints, a safe stop and exact resume."""

import time
from dataclasses import dataclass
from pathlib import Path

from selftime.engine import checkpoint
from selftime.engine.interruption import Request, Stopped, interruptible
from selftime.engine.precision import in_words
from selftime.engine.runs import Log
from selftime.engine.training import Record, Training
from selftime.engine.watching import Watcher


class Collapsed(ValueError):
    """A run that was stopped because its embeddings collapsed."""


@dataclass(frozen=True, kw_only=True)
class Aside:
    """What goes on beside the steps of a run; none of it changes what is learned.

    Attributes:
        log: told of every step.
        watcher: reads the gauges now and then.
        checkpoints: folder that states are saved to; None saves nothing.
        how_to_resume: said to people when a run is stopped.
    """

    log: Log | None = None
    watcher: Watcher | None = None
    checkpoints: Path | None = None
    how_to_resume: str = "begin it again with resume=True"


def fit(training: Training, aside: Aside) -> None:
    """Advance a run to the end of its budget.

    Raises:
        Stopped: Ctrl-C or SIGTERM came; the step in flight was finished and saved.
        Collapsed: embeddings collapsed and the plan says to stop then.
        Diverged: the loss is not finite.
    """
    saver = Saver(training, aside.checkpoints)
    with interruptible() as request:
        if training.step == 0:
            report(training, aside, opening(training))
        while training.progress < 1:
            report(training, aside, training.advance())
            if asked_to_stop(training, request):
                break
            saver.save_if_due()
        saver.save()
        if asked_to_stop(training, request):
            raise Stopped(stopped_text(training, aside), request.signum)


def opening(training: Training) -> Record:
    """What is known before the first step."""
    record: Record = {"step": 0, "steps": training.steps or 0, "seconds": 0.0}
    if training.refused:
        told = {"gauge": "precision", "message": in_words(training.refused)}
        record["warnings"] = [told]
    return record


def report(training: Training, aside: Aside, record: Record) -> None:
    """Read the gauges if it is time, tell the log, and stop a collapsed run if that is wanted.

    Raises:
        Collapsed: the plan says to stop.
    """
    if not training.accelerator.is_main_process:
        return
    alarms: list[Record] = []
    if aside.watcher and is_reading_due(training):
        readings = aside.watcher.read(training.objective.encoder, training.step)
        record = record | {"gauges": readings.gauges}
        alarms = [warning._asdict() for warning in readings.warnings]
        warnings = record.get("warnings", []) + alarms
        record = record | ({"warnings": warnings} if warnings else {})
    if aside.log:
        aside.log(record)
    if alarms and training.plan.on_collapse == "stop":
        raise Collapsed(f"stopped at step {training.step}: {alarms[0]['message']}")


EARLY, EVERY = 10, 50
"""Gauges are read every 10 steps up to step 50, then every 50 steps or 5 % of the run."""


def is_reading_due(training: Training) -> bool:
    """Whether the gauges are read after this step: often while a run may still go wrong."""
    if training.step <= EVERY:
        return training.step % EARLY == 0
    return training.step % max(EVERY, (training.steps or 0) // 20) == 0 or training.progress >= 1


def asked_to_stop(training: Training, request: Request) -> bool:
    """Whether any process of the run was asked to: all must stop after the same step."""
    if training.accelerator.num_processes == 1:
        return request.signum != 0
    import torch

    asked = torch.tensor([float(request.signum)], device=training.accelerator.device)
    request.signum = int(training.accelerator.reduce(asked, "sum").item() > 0) * 15
    return request.signum != 0


def stopped_text(training: Training, aside: Aside) -> str:
    """Where a run was stopped, and how to go on."""
    of = "" if training.steps is None else f" of {training.steps}"
    if aside.checkpoints is None:
        return f"stopped after step {training.step}{of}; nothing was saved: give run=folder"
    return f"stopped after step {training.step}{of}, which is saved; {aside.how_to_resume}"


@dataclass
class Saver:
    """Saves states now and then: as often as costs at most :data:`SHARE` of the time.

    Attributes:
        training: what is saved.
        folder: where to; None saves nothing.
        last: time of the last save.
        cost: seconds that it took.
    """

    training: Training
    folder: Path | None
    last: float = 0.0
    cost: float = 0.0

    def save_if_due(self) -> None:
        """Save if the last save is long enough ago for what it cost."""
        if time.perf_counter() - self.last >= self.cost / SHARE:
            self.save()

    def save(self) -> None:
        """Save; in a run of several processes the first does."""
        if self.folder is None or not self.training.accelerator.is_main_process:
            return
        start = time.perf_counter()
        checkpoint.save(self.folder, self.training.state())
        self.last = time.perf_counter()
        self.cost = self.last - start


SHARE = 0.02
"""Most of the time that is spent on saving."""
