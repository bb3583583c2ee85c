"""Automatic choice: which objective and encoder suit the data, the task and the time, and why."""

from dataclasses import dataclass

import numpy as np

from selftime.data.series import SeriesSet
from selftime.engine.plan import Plan

TASKS = ("classify", "search", "cluster", "forecast", "detect")
STEP_BY_STEP = ("forecast", "detect")
"""Tasks that read a vector for every step, not one for the whole series."""
BEST = "vicreg"
"""The objective learned by gradient that did best in the open benchmark (results/roster.json)."""
LONG = 2000
"""Median length from which patches are cheaper than a token a step."""


@dataclass(frozen=True)
class Choice:
    """A setting and why it has its value."""

    value: object
    reason: str


ROCKET = Choice("rocket", "random convolutions: no training, strong features")
DILATED = Choice("dilated", "one token a step, fast to train; the encoder of TS2Vec")
CAUSAL = Choice("dilated_causal", "next_step may not see what it predicts")


@dataclass(frozen=True, kw_only=True)
class Auto:
    """Choose for me: what ``objective="auto"`` stands for.

    Attributes:
        task: what the model is for, one of :data:`TASKS`.

    Raises:
        ValueError: another task.
    """

    task: str = "classify"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"got task {self.task!r}, wanted one of {', '.join(TASKS)}")

    def objective(self, plan: Plan | str | None) -> Choice:
        """The objective: closed form, unless steps of learning or of series are asked for."""
        if self.task in STEP_BY_STEP:
            return Choice("ts2vec", f"to {self.task} takes a vector for every step")
        if plan is not None:
            return Choice(BEST, "a budget was given: the best measured of those that take steps")
        return Choice(
            "spectral", "learns in one pass on a CPU, and was best at every number of labels"
        )


def usual_encoder(objective: str, series: SeriesSet) -> Choice:
    """The encoder for an objective that is learned by gradient."""
    if "next_step" in objective:
        return CAUSAL
    length = int(np.median(series.lengths))
    if length >= LONG and "ts2vec" not in objective:
        return Choice("transformer", f"{length:,} steps: a token for every 8 of them costs less")
    return DILATED
