"""Rows of a comparison for the ways to use a model: fine-tuned on the labels of each draw."""

from typing import Any

import numpy as np
from jaxtyping import Int
from sklearn.base import BaseEstimator, ClassifierMixin

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.objectives.answers import OneClass
from selftime.tasks.references import Row
from selftime.tasks.transfer.choosing import fit_strategy
from selftime.tasks.transfer.strategies import TransferConfig


class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A strategy as a classifier of rows, which are numbers of series.

    Args:
        model: what is used.
        series: that the rows are numbers of.
        config: how it is used.

    Attributes:
        classes_: (K,) class labels.
    """

    def __init__(self, *, model: Model, series: SeriesSet, config: TransferConfig) -> None:
        self.model = model
        self.series = series
        self.config = config

    def fit(self, X: Int[np.ndarray, "n 1"], y: Any) -> "TransferClassifier":
        """Learn from some of the series and their labels."""
        self.classes_ = np.unique(y)
        target_type, rows = OneClass(self.classes_), self.series[X[:, 0]]
        self.solution_ = fit_strategy(
            self.model, rows, np.asarray(y), target_type, self.config
        ).solution
        return self

    def predict(self, X: Int[np.ndarray, "n 1"]) -> np.ndarray:
        """The likeliest class of each (n,)."""
        return np.asarray(self.solution_.predict(self.series[X[:, 0]]))


def strategy_row(model: Model, train: SeriesSet, test: SeriesSet, config: TransferConfig) -> Row:
    """A row whose head is fine-tuned anew on the labelled series of every draw."""
    both = concatenate_sets(train, test)
    rows = np.arange(len(both))[:, None]
    head = TransferClassifier(model=model, series=both, config=config)
    return Row(strategy_row_name(config.strategy), rows[: len(train)], rows[len(train) :], head)


PREFIX = "selftime, "


def strategy_row_name(strategy: str) -> str:
    """What a strategy's row is called."""
    return PREFIX + strategy


def strategy_in(name: str) -> str:
    """The strategy whose row is called so."""
    return name.removeprefix(PREFIX)


def is_strategy(name: str) -> bool:
    """Whether a row is the model itself, used in another way."""
    return name.startswith(PREFIX)


def concatenate_sets(first: SeriesSet, second: SeriesSet) -> SeriesSet:
    """The series of two sets as one, without what only one of them has."""
    parts = (first, second)
    seen = [
        np.ones(part.steps.shape, bool) if part.observed is None else part.observed
        for part in parts
    ]
    return SeriesSet(
        steps=np.concatenate([part.steps for part in parts]),
        offsets=np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        channels=first.channels,
        ids=np.arange(len(first) + len(second)).astype(str),
        observed=None if all(own.all() for own in seen) else np.concatenate(seen),
    )
