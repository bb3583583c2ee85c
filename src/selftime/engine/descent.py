"""Learning by gradient: a run from its first or last state to an encoder that is ready to use."""

from typing import Any

import numpy as np
import torch

from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.projected import Standardised, UnitLength
from selftime.engine.checkpoint import State, newest
from selftime.engine.fit import Aside, fit
from selftime.engine.runs import Log, Run, metrics_in
from selftime.engine.solve import generator, sample_of
from selftime.engine.training import Record, Training
from selftime.engine.watching import Watcher
from selftime.progress import Progress

WATCHED = 32
"""Series whose embeddings the gauges read."""


def descended(
    training: Training, run: Run | None, facts: dict[str, Any], progress: Progress
) -> Encoder:
    """Train to the end of the budget, from the last state of the run if it has one.

    Args:
        training: what is trained.
        run: where states and metrics are kept, if anywhere.
        facts: settings, data and seed, which the states of the run must have been made with.
        progress: called after each step.
    """
    watcher = watcher_of(training)
    log = log_of(training, progress)
    aside = Aside(log=log, watcher=watcher)
    if run:
        state = begun(training, run, facts)
        if state:
            training.restore(state)
            watcher.recall([r["gauges"] for r in metrics_in(run.folder) if "gauges" in r])
        aside = Aside(
            log=both(run.tell, log),
            watcher=watcher,
            checkpoints=run.checkpoints,
            how_to_resume=run.how_to_resume,
        )
    fit(training, aside)
    return vectors_of(training.learned(), training.series, training.scaling, training.seed)


def begun(training: Training, run: Run, facts: dict[str, Any]) -> State | None:
    """The state to go on from; the first process makes the folder, the others read from it."""
    first = training.accelerator.is_main_process
    state = run.begin(facts) if first else None
    training.accelerator.wait_for_everyone()
    return state if first else newest(run.checkpoints)


def watcher_of(training: Training) -> Watcher:
    """Gauges on some of the series; labels, where there are any, are only looked at."""
    series = training.series
    rows = sample_of(len(series), training.seed, WATCHED)
    labels = None
    if series.labels is not None:
        labels = torch.from_numpy(np.unique(series.labels[rows], return_inverse=True)[1])
    x = training.scaling.apply(batch_of(series, rows))
    return Watcher(x, generator(training.seed, 0), labels=labels)


@torch.no_grad()
def vectors_of(encoder: Encoder, series: SeriesSet, scaling: Scaling, seed: int) -> Encoder:
    """The encoder with features standardised on a sample of the series, and of length 1.

    Trained features share a large mean and differ in size by orders of magnitude; a probe with
    few labels would see little else.
    """
    ready = UnitLength(encoder=Standardised(encoder=encoder))
    ready.prepare(scaling.apply(batch_of(series, sample_of(len(series), seed))), generator(seed, 0))
    return ready


def both(first: Log, second: Log) -> Log:
    """Told to one, then to the other."""

    def log(record: Record) -> None:
        first(record)
        second(record)

    return log


def log_of(training: Training, progress: Progress) -> Log:
    """Tell progress in steps, or hundredths where the clock decides, with loss and online probe."""
    latest: dict[str, float] = {}

    def log(record: Record) -> None:
        known = record.get("gauges", {}) | record
        latest.update({name: known[name] for name in ("loss", "knn") if name in known})
        done, of = record["step"], training.steps
        if of is None:
            done, of = min(int(100 * training.progress), 100), 100
        progress("training", done, of, ", ".join(f"{k} {v:.3g}" for k, v in latest.items()))

    return log
