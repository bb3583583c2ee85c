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
from selftime.engine.precision import warn_of
from selftime.engine.runs import Log, Run, metrics_in
from selftime.engine.solve import Watch, generator, sample_of
from selftime.engine.training import Record, Training
from selftime.engine.watching import Watcher

WATCHED = 32
"""Series whose embeddings the gauges read."""


def descended(
    training: Training, run: Run | None, facts: dict[str, Any], watch: Watch | None
) -> Encoder:
    """Train to the end of the budget, from the last state of the run if it has one.

    Args:
        training: what is trained.
        run: where states and metrics are kept, if anywhere.
        facts: settings, data and seed, which the states of the run must have been made with.
        watch: told of progress.
    """
    if not (run and run.log) and training.accelerator.is_main_process:
        warn_of(training.refused)
    watcher = watcher_of(training)
    aside = Aside(log=told(training, watch), watcher=watcher)
    if run:
        state = begun(training, run, facts)
        if state:
            training.restore(state)
            watcher.recall([r["gauges"] for r in metrics_in(run.folder) if "gauges" in r])
        aside = Aside(
            log=both(run.tell, aside.log),
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


def both(first: Log, second: Log | None) -> Log:
    """Told to one, then to the other."""

    def log(record: Record) -> None:
        first(record)
        if second:
            second(record)

    return log


def told(training: Training, watch: Watch | None) -> Log | None:
    """Progress as (done, of): steps, or hundredths where the clock decides."""
    if watch is None:
        return None

    def log(record: Record) -> None:
        if training.steps is None:
            watch(min(int(100 * training.progress), 100), 100)
        else:
            watch(record["step"], training.steps)

    return log
