"""Frozen: heads in closed form on the vectors of a model, for every type of target."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.objectives.answers import Amount, AnyClasses, StepClasses, TargetType
from selftime.tasks.heads import NEIGHBOURS, make_head
from selftime.tasks.probe import Probe
from selftime.tasks.ridge_heads import LabelsProbe, ValueProbe
from selftime.tasks.transfer.solution import FrozenSolution, token_vectors

_MAX_PROBE_STEPS = 100_000
"""Most labelled steps that a probe of steps is fitted on, evenly spaced."""


def fit_head(
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    *,
    head: str = "probe",
    neighbours: int = NEIGHBOURS,
) -> FrozenSolution:
    """The model as it is, and a head fitted on its vectors.

    Args:
        model: makes the vectors.
        series: labelled ones.
        y: what is known of each, as the answer takes it.
        target_type: what is asked.
        head: "probe" or another of :data:`selftime.tasks.heads.HEAD_NAMES`, for classes of series.
        neighbours: how many "knn" asks.

    Raises:
        ValueError: steps are asked of a model that has no vector for a step.
    """
    made: BaseEstimator
    if isinstance(target_type, StepClasses):
        rows, labels = labelled_steps(model, series, y)
        return FrozenSolution(
            model, target_type, make_pipeline(StandardScaler(), Probe()).fit(rows, labels)
        )
    if isinstance(target_type, AnyClasses | Amount):
        made = ValueProbe() if isinstance(target_type, Amount) else LabelsProbe()
    else:
        made = make_head(head, model.reference_bank, neighbours=neighbours)
    return FrozenSolution(model, target_type, made.fit(model.embed(series, progress=False), y))


def labelled_steps(model: Model, series: SeriesSet, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n,D) and labels (n,) of steps, at most :data:`_MAX_PROBE_STEPS` of them."""
    labels = np.concatenate(list(y))
    every = -(-len(labels) // _MAX_PROBE_STEPS)
    rows = np.concatenate(list(token_vectors(model, series)))
    return rows[::every], labels[::every]
