"""Frozen: heads in closed form on the vectors of a model, for every kind of answer."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.objectives.answers import Amount, Answer, AnyClasses, StepClasses
from selftime.tasks.heads import head_of
from selftime.tasks.probe import Probe
from selftime.tasks.ridge_heads import LabelsProbe, ValueProbe
from selftime.tasks.transfer.solution import Frozen, step_vectors

STEPS = 100_000
"""Most labelled steps that a probe of steps is fitted on, evenly spaced."""


def probed(
    model: Model,
    series: SeriesSet,
    y: Any,
    answer: Answer,
    *,
    head: str = "probe",
    neighbours: int = 1,
) -> Frozen:
    """The model as it is, and a head fitted on its vectors.

    Args:
        model: makes the vectors.
        series: labelled ones.
        y: what is known of each, as the answer takes it.
        answer: what is asked.
        head: "probe" or another of :data:`selftime.tasks.heads.HEADS`, for classes of series.
        neighbours: how many "knn" asks.

    Raises:
        ValueError: steps are asked of a model that has no vector for a step.
    """
    made: BaseEstimator
    if isinstance(answer, StepClasses):
        rows, labels = labelled_steps(model, series, y)
        return Frozen(model, answer, make_pipeline(StandardScaler(), Probe()).fit(rows, labels))
    if isinstance(answer, AnyClasses | Amount):
        made = ValueProbe() if isinstance(answer, Amount) else LabelsProbe()
    else:
        made = head_of(head, model.cohort, neighbours=neighbours)
    return Frozen(model, answer, made.fit(model.embed(series, progress=False), y))


def labelled_steps(model: Model, series: SeriesSet, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n,D) and labels (n,) of steps, at most :data:`STEPS` of them."""
    labels = np.concatenate(list(y))
    every = -(-len(labels) // STEPS)
    rows = np.concatenate(list(step_vectors(model, series)))
    return rows[::every], labels[::every]
