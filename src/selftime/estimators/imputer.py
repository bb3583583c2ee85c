"""An imputer for scikit-learn: series with holes in, the same series without holes out."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
from jaxtyping import Bool, Float
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from selftime.data.arrays import as_array
from selftime.data.frames import frame_head, frame_like, frame_with
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.engine.defaults import check_task
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.estimators.inputs import tags_of_series
from selftime.estimators.keeping import Kept
from selftime.progress import Progress, open_progress
from selftime.tasks.imputation.fitting import FittedImputer, ImputeConfig, fit_imputer
from selftime.tasks.imputation.imputations import Imputation

log = logging.getLogger(__name__)


class Imputer(
    Kept,
    TransformerMixin,  # type: ignore[misc] # scikit-learn has no types
    BaseEstimator,  # type: ignore[misc]
):
    """Fills missing values by what was observed before, after and beside them.

    Example:
        >>> import numpy as np, selftime as st
        >>> wave = np.sin(np.arange(400) / 6)
        >>> holed = np.where((np.arange(400) % 50) < 10, np.nan, wave)
        >>> filled = st.Imputer().fit_transform(holed[None])  # (1, 400), as it came in
        >>> bool(np.abs(filled[0] - wave).max() < 0.05)
        True

    What is expected of a value given all that was observed follows in closed form: from chains, in
    which every step depends on those before it, on whole seasons and on the other channels; from
    whole series, where there are many of one length; from seasons and from straight lines. How far
    each is believed at every kind of gap, and how wide intervals are, is measured on values that
    are hidden from it. Rows that are absent from the rule of the times count as missing, but no
    rows are added. Nothing is filled in below 0 where nothing that was observed is. A channel that
    a series lacks altogether is filled from its other channels.

    Args:
        model: a pretrained model, or its folder, whose vectors of the steps may help; one that was
            made for a single channel sees each channel by itself.
        quantiles: levels between 0 and 1, ascending.
        random_state: fixes everything random, an integer.
        progress: a bar for ``fit`` where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        fitted_: all that was learned.
        channels_: names of the channels.
        reason_: what is believed how far, in words.
    """

    fitted_: FittedImputer
    _keeps = "Of the series that it was fitted on, whole ones of one length are in this folder."

    def __init__(
        self,
        model: ModelOrFolder | None = None,
        *,
        quantiles: Sequence[float] = (0.025, 0.1, 0.9, 0.975),
        random_state: int = 0,
        progress: bool | Progress | None = None,
    ) -> None:
        self.model = model
        self.quantiles = quantiles
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> "Imputer":  # noqa: ARG002
        """Learn from series, with holes or without.

        Args:
            X: whatever :func:`selftime.read` takes: frames, arrays (N,C,T), paths, a SeriesSet.
            y: not read.

        Raises:
            ValueError: bad input, pictures, texts or sounds, levels out of range, a channel without
                any value, or a model made for other channels.
        """
        check_levels(self.quantiles)
        series = read(X)
        check_task("impute", series.kind)
        model = None if self.model is None else model_at(self.model)
        config = ImputeConfig(tuple(map(float, self.quantiles)), self.random_state, model)
        with open_progress(self.progress) as progress:
            self.fitted_ = fit_imputer(series, config, progress)
        self._complete(model)
        return self

    @property
    def _used(self) -> Model | None:
        return self.fitted_.config.model

    def _complete(self, model: Model | None) -> None:  # noqa: ARG002
        self.channels_, self.reason_ = self.fitted_.channels, self.fitted_.reason

    def transform(self, X: Any, *, return_std: bool = False) -> Any:
        """Fill the holes of series.

        Args:
            X: series of the channels of ``fit``.
            return_std: whether the deviations of the values come too.

        Returns:
            What came in, with values in its holes and all else as it was to the bit: an array of
            the same shape and type, a list of arrays, a frame or Series of the same kind, a
            SeriesSet; of a path a SeriesSet. Missing values at the end of a row of a wide frame are
            no steps, and stay. With ``return_std`` a pair of such, the second with the deviation
            of each value in its place, 0 where it was observed.

        Raises:
            ValueError: bad input, or other channels than in ``fit``.
        """
        found = self.imputation(X)
        filled = _put_back(X, found)
        return (filled, _std_like(X, found)) if return_std else filled

    def imputation(self, X: Any) -> Imputation:
        """Fill the holes of series, with quantiles, as a result with columns and a picture.

        Raises:
            ValueError: bad input, or other channels than in ``fit``.
        """
        check_is_fitted(self)
        series = read(X)
        check_task("impute", series.kind)
        found = self.fitted_.imputation(series)
        for note in found.notes:
            log.warning(note)
        return found

    def __sklearn_tags__(self) -> Tags:
        return tags_of_series(super().__sklearn_tags__())


def check_levels(quantiles: Sequence[float]) -> None:
    """Raise a ValueError for levels that are not ascending between 0 and 1."""
    ascending = list(quantiles) == sorted(set(quantiles))
    if not ascending or not all(0 < q < 1 for q in quantiles):
        raise ValueError(
            f"got quantiles {tuple(quantiles)}, wanted ascending levels between 0 and 1, such as "
            "(0.1, 0.9)"
        )


def _put_back(X: Any, found: Imputation) -> Any:
    """Return what came in with the values that were filled in."""
    if _is_frame(X):
        cells = _cells_of(X, found, found.spread(found.values), found.missing)
        if cells is None:
            return frame_like(frame_head(X), found.series.to_columns())
        return frame_with(X, cells)
    if (arrays := _arrays_in(X)) is None:
        return found.series
    cube = found.spread(found.values, np.nan)
    made = [
        np.where(np.isnan(old), new, old).astype(old.dtype) if np.isnan(old).any() else old.copy()
        for old, new in zip(arrays, _like_arrays(arrays, cube, found), strict=True)
    ]
    return made if isinstance(X, list | tuple) else made[0]


def _std_like(X: Any, found: Imputation) -> Any:
    """Return the deviation of every value in the form of what came in, 0 where it was observed."""
    std = found.spread(found.std)
    if _is_frame(X):
        cells = _cells_of(X, found, std, np.ones_like(found.missing))
        if cells is not None:
            return frame_with(X, cells)
    series = replace(found.series, steps=std.astype(np.float32), origin=None)
    if _is_frame(X):
        return frame_like(frame_head(X), series.to_columns())
    if (arrays := _arrays_in(X)) is None:
        return series
    made = _like_arrays(arrays, std, found)
    return made if isinstance(X, list | tuple) else made[0]


def _is_frame(X: Any) -> bool:
    return not isinstance(X, SeriesSet | np.ndarray | list | tuple) and frame_head(X) is not None


def _arrays_in(X: Any) -> list[np.ndarray] | None:
    """Return arrays of floats as they came in; None where something else did."""
    parts = list(X) if isinstance(X, list | tuple) else [X]
    if not all(isinstance(part, np.ndarray | list) or hasattr(part, "detach") for part in parts):
        return None
    found = [as_array(part, "X") for part in parts]
    if not all(part.dtype.kind in "fiub" for part in found):
        return None
    return [part if part.dtype.kind == "f" else part.astype(np.float64) for part in found]


def _like_arrays(
    arrays: Sequence[np.ndarray], values: Float[np.ndarray, "S C"], found: Imputation
) -> list[np.ndarray]:
    """Return values of steps in the shapes of arrays, of which one holds all series or one each."""
    if len(arrays) == 1:
        cube = values.reshape(len(found.series), -1, values.shape[1]).transpose(0, 2, 1)
        return [cube.reshape(arrays[0].shape)]
    parts = np.split(values, found.series.offsets[1:-1])
    return [part.T.reshape(old.shape) for part, old in zip(parts, arrays, strict=True)]


def _cells_of(
    X: Any, found: Imputation, values: Float[np.ndarray, "S C"], where: Bool[np.ndarray, "S C"]
) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
    """Return rows and numbers of every column of a frame; None where its cells cannot be told.

    A frame with a row a step has a column for each channel; one with a row a series has one for
    each step.
    """
    series, head = found.series, frame_head(X)
    columns = dict(nw.from_native(head, eager_only=True).schema)
    numeric = {name for name, kind in columns.items() if kind.is_numeric()}
    steps = [column.name for column in series.columns if column.role == "measurement"]
    length = len(X) if hasattr(X, "__len__") else -1
    if set(series.channels) <= numeric and (series.rows is not None or length == len(values)):
        rows = np.arange(len(values)) if series.rows is None else series.rows
        return {
            name: (rows[where[:, c]], values[where[:, c], c])
            for c, name in enumerate(series.channels)
        }
    if series.n_channels > 1 or length != len(series) or not set(steps) <= numeric:
        return None
    owners = np.repeat(np.arange(len(series)), series.lengths)
    at = np.arange(len(owners)) - series.offsets[owners]
    cells = {}
    for t, name in enumerate(steps[: int(series.lengths.max())]):
        mine = where[:, 0] & (at == t)
        cells[name] = owners[mine], values[mine, 0]
    return cells
