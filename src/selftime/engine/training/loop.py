"""The only training loop: restore; while not done: step, monitor, log, save; a safe stop."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from selftime.engine.monitoring.monitors import CollapseMonitor
from selftime.engine.training import checkpoint
from selftime.engine.training.checkpoint import State
from selftime.engine.training.precision import refusal_message
from selftime.engine.training.trainer import Callback, StepRecord, Trainer
from selftime.progress import Progress

EARLY, READ_EVERY = 10, 50
"""Monitors are read every 10 steps up to step 50, then every 50 steps or 5 % of the run."""
SAVING_SHARE = 0.02
"""Most of the time that is spent on saving."""


class Stopped(KeyboardInterrupt):
    """A run that a signal stopped, after its state was saved; ``signum`` is that signal."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum


class Collapsed(ValueError):
    """A run that was stopped because its embeddings collapsed."""


class StopRequest:
    """The signal that asked to stop; 0 while none did."""

    def __init__(self) -> None:
        self.signum = 0

    def __call__(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take note; a second signal does not wait for the step."""
        if self.signum:
            raise KeyboardInterrupt
        self.signum = signum


@contextmanager
def interruptible() -> Iterator[StopRequest]:
    """Take note of SIGINT and SIGTERM for a while, instead of ending the process at once.

    Outside the main thread signals cannot be handled, and nothing changes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {s: signal.signal(s, request) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def run_training(
    training: Trainer,
    *,
    state: State | None = None,
    monitor: CollapseMonitor | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoints: Path | None = None,
    how_to_resume: str = "begin it again with resume=True",
) -> None:
    """Advance a run to its end. Nothing but the first two arguments changes what is learned.

    It goes on from ``state``, or begins. Callbacks are called after every step, and once before
    the first; states are saved to the folder ``checkpoints``, if given. On Ctrl-C or SIGTERM the
    step in flight is finished and saved; then :class:`Stopped` is raised, with ``how_to_resume`` in
    its message. A collapse raises :class:`Collapsed` where the config says so, and a loss that is
    not finite :class:`Diverged`.
    """
    if state is not None:
        training.restore(state)
    saver = Saver(training, checkpoints)
    with interruptible() as request:
        if training.step == 0:
            record = read_monitor(training, monitor) | opening_record(training)
            log_step(training, record, callbacks)
        while not training.is_done:
            record = training.advance()
            record |= read_monitor(training, monitor)
            log_step(training, record, callbacks)
            if is_asked_to_stop(training, request):
                break
            saver.save_if_due()
        saver.save()
        if is_asked_to_stop(training, request):
            raise Stopped(stop_message(training, checkpoints, how_to_resume), request.signum)


def opening_record(training: Trainer) -> StepRecord:
    """Return the record before the first step."""
    record: StepRecord = {"step": 0, "steps": training.steps or 0, "seconds": 0.0}
    record |= training.held_out_record()
    if training.refused:
        refusal = {"monitor": "precision", "message": refusal_message(training.refused)}
        record["warnings"] = [refusal]
    return record


def read_monitor(training: Trainer, monitor: CollapseMonitor | None) -> StepRecord:
    """Return readings and warnings of this step, where they are due."""
    if monitor is None or not is_reading_due(training):
        return {}
    with training.as_whole() as objective:
        if not training.is_main_process:
            return {}
        readings = monitor.read(objective.encoder, training.step)
    warnings = [warning._asdict() for warning in readings.warnings]
    return {"monitors": readings.monitors} | ({"warnings": warnings} if warnings else {})


def is_reading_due(training: Trainer) -> bool:
    """Return whether monitors are read after this step: often while a run may still go wrong."""
    if training.step <= READ_EVERY:
        return training.step % EARLY == 0
    every = max(READ_EVERY, (training.steps or 0) // 20)
    return training.step % every == 0 or training.progress >= 1


def log_step(training: Trainer, record: StepRecord, callbacks: Sequence[Callback]) -> None:
    """Call the callbacks in the main process; a warning ends the run if the config says so."""
    if not training.is_main_process:
        return
    for callback in callbacks:
        callback(record)
    if "warnings" in record and record["step"] and training.config.on_collapse == "stop":
        message = record["warnings"][0]["message"]
        raise Collapsed(f"stopped at step {training.step}: {message}")


def is_asked_to_stop(training: Trainer, request: StopRequest) -> bool:
    """Return whether any process of the run was asked to: all must stop after the same step."""
    if training.accelerator.num_processes > 1:
        asked = torch.tensor([float(request.signum)], device=training.accelerator.device)
        request.signum = int(training.accelerator.reduce(asked, "sum").item() > 0) * 15
    return request.signum != 0


def stop_message(training: Trainer, checkpoints: Path | None, how_to_resume: str) -> str:
    """Return where a run was stopped, and how to go on."""
    of = "" if training.steps is None else f" of {training.steps}"
    if training.targets is not None:
        return f"stopped after step {training.step}{of} of training on labels; nothing was saved"
    if checkpoints is None:
        return f"stopped after step {training.step}{of}; nothing was saved: give run=folder"
    return f"stopped after step {training.step}{of}, which is saved; {how_to_resume}"


def progress_callback(training: Trainer, progress: Progress, what: str) -> Callback:
    """Report progress in steps, or hundredths where the clock decides, with loss and probe."""
    latest: dict[str, float] = {}

    def report(record: StepRecord) -> None:
        known = record.get("monitors", {}) | record
        latest.update({name: known[name] for name in ("loss", "knn") if name in known})
        done, of = record["step"], training.steps
        if of is None:
            done, of = min(int(100 * training.progress), 100), 100
        progress(what, done, of, ", ".join(f"{k} {v:.3g}" for k, v in latest.items()))

    return report


@dataclass
class Saver:
    """Saves states now and then: as often as costs at most :data:`SAVING_SHARE` of the time.

    ``last`` is the time of the last save and ``cost`` the seconds that it took.
    """

    training: Trainer
    folder: Path | None
    last: float = 0.0
    cost: float = 0.0

    def save_if_due(self) -> None:
        """Save if the last save is long enough ago for what it cost."""
        due = time.perf_counter() - self.last >= self.cost / SAVING_SHARE
        if self.training.agreed(due) if self.training.is_sharded else due:
            self.save()

    def save(self) -> None:
        """Save to the folder, if there is one; in a run of several processes the first does."""
        writes = self.training.is_main_process
        if self.folder is None or not (writes or self.training.is_sharded):
            return
        start = time.perf_counter()
        state = self.training.state()
        if writes:
            checkpoint.save_checkpoint(self.folder, state)
        self.last = time.perf_counter()
        self.cost = self.last - start
