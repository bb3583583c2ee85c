"""What X and y may be, and frames out where frames came in."""

from typing import Any

import narwhals as nw
import numpy as np
from narwhals.dependencies import is_into_dataframe
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import column_or_1d, validate_data

from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.tasks.forecasting.fitting import Forecasts


def series_in(estimator: BaseEstimator, X: Any, y: Any = None, *, first: bool = False) -> SeriesSet:
    """The series in X with labels y; ``first`` in fit, which fixes the width of 2-D arrays."""
    if first:
        vars(estimator).pop("n_features_in_", None)
    if _is_matrix(X):
        X = validate_data(
            estimator,
            X,
            reset=first,
            dtype=np.float32,
            ensure_all_finite="allow-nan",
            ensure_min_samples=2 if first else 1,
        )
    return read(X, labels=None if y is None else column_or_1d(y, warn=True))


def _is_matrix(X: Any) -> bool:
    """Whether X is an array that scikit-learn checks as ever; the reader judges all else."""
    if isinstance(X, list):
        return all(isinstance(row, list) for row in X) and len({len(row) for row in X}) == 1
    if isinstance(X, str) or is_into_dataframe(X) or not (issparse(X) or hasattr(X, "__array__")):
        return False
    array = X if issparse(X) else np.asarray(X)
    return array.ndim < 3 and not (array.ndim == 1 and array.dtype == object)


def tags_of_series(tags: Tags) -> Tags:
    """What scikit-learn should know about input."""
    tags.input_tags.allow_nan = True
    tags.input_tags.three_d_array = True
    return tags


def target_matrix(y: Any) -> np.ndarray | None:
    """Targets (N,K) of several columns; None where there is one value a series, or none."""
    if y is None or isinstance(y, list) and len({np.ndim(row) for row in y}) > 1:
        return None
    array = np.asarray(y)
    return array if array.ndim == 2 and array.shape[1] > 1 else None


def frame_like(source: Any, forecasts: Forecasts) -> Any:
    """A frame of the same kind as the source (pandas, polars, arrow), else the array (N,C,H)."""
    if not is_into_dataframe(source):
        return forecasts.mean
    kind = nw.from_native(source).implementation
    return nw.from_dict(forecasts.columns(), backend=kind).to_native()
