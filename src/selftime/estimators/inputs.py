"""Series and targets as scikit-learn gives them; the base of estimators that use a model."""

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from narwhals.dependencies import is_into_dataframe
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from selftime.data.arrays import SeriesError, as_array, real_array
from selftime.data.channels import is_numbered, match_channels
from selftime.data.labels import share_in_words
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements, Signal
from selftime.door import tell
from selftime.engine.model import Model, model_at
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.objectives.supervised.targets import TargetType
from selftime.progress import Progress, open_progress
from selftime.tasks.transfer.choose import fit_strategy
from selftime.tasks.transfer.solution import Solution
from selftime.tasks.transfer.strategies import TransferConfig


class TransferEstimator(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Base of estimators that use a pretrained model by a strategy; see :class:`Classifier`."""

    strategy_: str
    why_: str
    solution_: Solution
    channels_: tuple[str, ...]

    def __init__(  # noqa: PLR0913 - each is one thing that people decide
        self,
        model: Model | str | os.PathLike[str] | None = None,
        *,
        strategy: str = "auto",
        head: str = "linear",
        budget: Budget | str | None = None,
        config: TrainingConfig | None = None,
        random_state: int = 0,
        progress: bool | Progress | None = None,
    ) -> None:
        self.model = model
        self.strategy = strategy
        self.head = head
        self.budget = budget
        self.config = config
        self.random_state = random_state
        self.progress = progress

    def _transfer_config(self, neighbours: int | None = None) -> TransferConfig:
        return TransferConfig(
            strategy=self.strategy,
            head=self.head,
            neighbours=neighbours,
            budget=self.budget,
            config=self.config,
            seed=self.random_state,
        )

    def _fit_strategy(
        self,
        whole: SeriesSet,
        known: np.ndarray,
        targets: Any,
        target_type: TargetType,
        config: TransferConfig,
    ) -> None:
        """Fit the strategy on series with known targets; pretrain on all if no model is given."""
        self._given = None if self.model is None else model_at(self.model)
        series = whole if known.all() else whole[known]
        tell(share_in_words(known, said=whole.notes))
        with open_progress(self.progress) as progress:
            model = self._given or pretrain(whole, seed=self.random_state, progress=progress)
            found = fit_strategy(model, series, targets, target_type, config, progress)
        self.strategy_, self.why_, self.solution_ = found
        self.model_ = self.solution_.model
        named = self.model_.channels if is_numbered(whole.channels) else whole.channels
        self.channels_ = named

    def _predict(self, X: Any) -> Any:
        series = self._new_series(X)
        return self.solution_.predict(series)

    def _probabilities(self, X: Any) -> Any:
        series = self._new_series(X)
        return self.solution_.probabilities(series)

    def _new_series(self, X: Any) -> SeriesSet:
        """Read new series, channels in the order of fit."""
        check_is_fitted(self)
        return match_channels(series_in(self, X), self.channels_)

    @property
    def _used(self) -> Model | None:
        return self.model_

    def _complete(self, model: Model | None) -> None:
        self._given, self.model_ = model if self.model is model else None, self.solution_.model

    def __sklearn_tags__(self) -> Tags:
        return tags_of_series(super().__sklearn_tags__())


def series_in(estimator: BaseEstimator, X: Any, y: Any = None, *, first: bool = False) -> SeriesSet:
    """Return the series in X with labels y.

    ``first`` in fit, which fixes the width of matrices, and whether rows of a frame are series.
    Of y with several columns only the number of rows counts.
    """
    if first:
        for name in ("n_features_in_", "_layout"):
            vars(estimator).pop(name, None)
    if _is_matrix(X):
        matrix = _with_numbers(X)
        if not first:
            _check_width(estimator, matrix)
        X = validate_data(
            estimator,
            matrix,
            reset=first,
            dtype=[np.float64, np.float32],  # the reader takes levels out in 64 bits
            ensure_all_finite="allow-nan",
            ensure_min_samples=2 if first else 1,
        )
    if target_matrix(y) is not None:
        y = np.zeros(len(y)) if is_into_dataframe(X) else None
    labels = None if y is None else _in_order(X, y)
    if not is_into_dataframe(X):
        return read(X, labels=labels, kind=kind_for(X, signal_of(estimator, first=first)))
    layout, kind = vars(estimator).get("_layout"), signal_of(estimator, first=first)
    series = read(X, labels=labels, layout=layout, kind=kind_for(X, kind))
    if first and len(series) == len(X) > 1 and series.n_channels == 1:
        estimator._layout = "wide"
    return series


def _check_width(estimator: BaseEstimator, X: Any) -> None:
    """Refuse a matrix of another width, as scikit-learn wants it, and say what reads it."""
    known = vars(estimator).get("n_features_in_")
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if known and len(shape) == 2 and shape[1] != known:
        name = type(estimator).__name__
        raise ValueError(
            f"X has {shape[1]} features, but {name} is expecting {known} features as input: a "
            "matrix keeps the width of fit, so give series of other lengths as selftime.read(X)"
        )


def signal_of(estimator: BaseEstimator, *, first: bool = False) -> Signal:
    """Return what the model of an estimator reads; measurements without one.

    ``first`` in fit, where the model of an earlier fit counts no more.
    """
    model = None if first else vars(estimator).get("model_")
    model = model or vars(estimator).get("model")
    model = model_at(model) if isinstance(model, str | os.PathLike) else model
    return model.kind if isinstance(model, Model) else Measurements()


def _with_numbers(X: Any) -> Any:
    """Return a matrix as scikit-learn reads it: lists, tensors and objects as numbers."""
    plain = isinstance(X, list) or hasattr(X, "detach") or getattr(X, "dtype", "") == "O"
    return real_array(X, "X") if plain else X


def _in_order(X: Any, y: Any) -> Any:
    """Return labels in the order of X, or a Series as it is where its index names the series.

    Its index counts where X has ids, names of files or an index of its own with the same entries;
    numbers of rows are no names.
    """
    index, rows = getattr(y, "index", None), getattr(X, "index", None)
    if index is None or callable(index) or np.ndim(y) != 1 or type(index).__name__ == "RangeIndex":
        return _column_of(y)
    numbered = index.dtype.kind in "iuf"
    if isinstance(X, SeriesSet):
        same_kind = numbered == (X.ids.dtype.kind in "iuf")
        return y if same_kind and set(X.ids.tolist()) & set(index) else _column_of(y)
    if rows is None or callable(rows):
        listed = [X] if isinstance(X, str | os.PathLike) else X
        named = isinstance(X, Mapping) or all(isinstance(x, str | os.PathLike) for x in listed)
        return y if named and not numbered else _column_of(y)
    if len(rows) != len(index):
        return y
    moved = index.is_unique and not rows.equals(index) and set(rows) == set(index)
    return _column_of(y.reindex(rows) if moved else y)


def _column_of(y: Any) -> Any:
    """Return one label a series, in the type in which they came."""
    column = target_array(y)
    if column.ndim != 1:
        return column_or_1d(column, warn=True)
    return list(y) if isinstance(y, list | tuple) else column


def _is_matrix(X: Any) -> bool:
    """Return whether scikit-learn checks X as it checks any matrix; the reader judges the rest."""
    if isinstance(X, SeriesSet):
        return False
    if isinstance(X, list):
        return all(isinstance(row, list) for row in X) and len({len(row) for row in X}) == 1
    if isinstance(X, str) or is_into_dataframe(X) or not (issparse(X) or hasattr(X, "__array__")):
        return False
    array = X if issparse(X) else as_array(X, "X")
    return array.ndim < 3 and not (array.ndim == 1 and array.dtype == object)


def tags_of_series(tags: Tags) -> Tags:
    """Tell scikit-learn that input may have gaps and channels."""
    tags.input_tags.allow_nan = True
    tags.input_tags.three_d_array = True
    return tags


def target_matrix(y: Any) -> np.ndarray | None:
    """Targets (N,K) of several columns; None where there is one value a series, or none.

    Raises:
        ValueError: targets that are no array, or cells of several columns that are no numbers.
    """
    if y is None:
        return None
    array = target_array(y)
    if array.ndim != 2 or array.shape[1] < 2:
        return None
    return target_numbers(array) if array.dtype == object else array  # None is NaN


def target_array(y: Any) -> np.ndarray:
    """Return targets as an array.

    Raises:
        ValueError: sparse ones, or rows of unequal lengths.
    """
    if issparse(y):
        raise ValueError("got sparse y, wanted one value a series, or an array: y.toarray()")
    try:
        return as_array(y, "y")
    except SeriesError:
        raise
    except ValueError:
        raise ValueError("got y nested unevenly, wanted one value or row a series") from None


def target_numbers(array: np.ndarray) -> Float[np.ndarray, "..."]:
    """Return targets as 64-bit numbers; None is NaN.

    Raises:
        ValueError: cells that are no real numbers, the first of them named.
    """
    if array.dtype.kind == "c":
        raise ValueError("got complex y, wanted real numbers: y.real, or both parts as columns")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        text = str(next(value for value in array.flat if not _is_number(value)))[:_SHOWN]
        raise ValueError(f"got {text!r} for a value, wanted numbers: use Classifier") from None


_SHOWN = 40
"""Letters of a value that a message quotes."""


def _is_number(value: Any) -> bool:
    try:
        return value is None or float(value) < math.inf
    except (TypeError, ValueError, OverflowError):
        return False
