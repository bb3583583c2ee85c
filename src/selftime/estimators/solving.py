"""What estimators that learn from labels share: targets of several columns, and the strategy."""

from typing import Any

import numpy as np

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.objectives.answers import Answer
from selftime.tasks.transfer.choosing import choose
from selftime.tasks.transfer.solution import Solution
from selftime.tasks.transfer.strategies import Way, transfer


def matrix_in(y: Any) -> np.ndarray | None:
    """Targets (N,K) of several columns; None where there is one value a series, or none."""
    if y is None or isinstance(y, list) and len({np.ndim(row) for row in y}) > 1:
        return None
    array = np.asarray(y)
    return array if array.ndim == 2 and array.shape[1] > 1 else None


def solved(  # noqa: PLR0913
    model: Model, series: SeriesSet, y: Any, answer: Answer, way: Way, strategy: str
) -> tuple[str, str, Solution]:
    """The strategy that was given or chosen, why, and what came of it."""
    why = "given"
    if strategy == "auto":
        strategy, why, _ = choose(model, series, y, answer, way)
    return strategy, why, transfer(model, series, y, answer, way._replace(strategy=strategy))
