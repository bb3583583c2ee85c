"""A regressor on top of representations: a value, or several, for each series."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import assert_all_finite

from selftime.estimators.inputs import (
    TransferEstimator,
    series_in,
    target_matrix,
    target_numbers,
)
from selftime.estimators.keeping import Kept
from selftime.objectives.supervised.targets import Amount
from selftime.tasks.evaluation.predictions import Predictions, predictions_of
from selftime.tasks.transfer.strategies import check_transfer

_LARGEST = 1e150
"""Squares of larger values are beyond 64 bits."""


class Regressor(RegressorMixin, TransferEstimator, Kept):  # type: ignore[misc] # no types there
    """Predicts a value for each series, such as the remaining life of a machine, or several.

    Example:
        The mean of the first channel of some spoken vowels, from their embeddings:

        >>> import selftime as st
        >>> series = st.sample("JapaneseVowels", "train")[:40]
        >>> means = [series.series(i)[0].mean() for i in range(40)]
        >>> model = st.pretrain(series, encoder="quantiles")
        >>> regressor = st.Regressor(model).fit(series, means)
        >>> regressor.predict(series[:3]).shape
        (3,)

    Args:
        model: what :func:`selftime.pretrain` returned, or its folder. None pretrains on all series
            given to ``fit``.
        strategy: as in :class:`selftime.Classifier`; "probe" is ridge regression with a penalty
            chosen by leave-one-out.
        head: "linear", "mlp", "deep_mlp", "normed_linear" or "attention".
        budget: how long a network is trained, such as "200 steps"; None goes by the number of
            values.
        config: how it is trained; what it leaves open goes by the number of values.
        random_state: fixes everything random, an integer.
        progress: a bar for ``fit`` where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        channels_: names of the channels.
        model_: the model in use; after fine-tuning the one that came of it.
        solution_: the fitted backbone and head.
        strategy_: the strategy in use.
        why_: the reason for it.
        n_features_in_: timepoints of a series, where ``fit`` was given a 2-D array.
    """

    def fit(self, X: Any, y: Any = None) -> "Regressor":
        """Learn from series and their values.

        Args:
            X: the series.
            y: (N,) values, or (N,K) where there are several; the labels of the series when None.
                Series with NaN or None have no value: these are left out, and said.

        Raises:
            ValueError: bad input, no values, an unknown strategy or head, or series of other
                channels than the model's.
        """
        config = self._transfer_config()
        check_transfer(config)
        several = target_matrix(y)
        series = series_in(self, X, y, first=True)
        values = _values_of(series.labels if several is None else several, y)
        if len(values) != len(series):
            raise ValueError(f"got {len(values)} rows of values for {len(series)} series: one each")
        known = ~np.isnan(values).any(axis=1)
        if not known.any():
            raise ValueError("got y without a value for a single series, wanted some numbers")
        assert_all_finite(values[known], input_name="y")
        if (largest := float(np.abs(values[known]).max())) > _LARGEST:
            raise ValueError(f"got {largest:g} in y, wanted values up to {_LARGEST:g}: rescale")
        self._fit_strategy(series, known, values[known], Amount.of(values[known]), config)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the value of each series (N,), or its values (N,K).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        values = np.asarray(self._predict(X))
        return values[:, 0] if self.solution_.target_type.size == 1 else values

    def predictions(self, X: Any) -> Predictions:
        """Return values as a table beside what names the series.

        Raises:
            ValueError: as :meth:`predict`.
        """
        series = series_in(self, X)
        return predictions_of(series, self.predict(series))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return R² over the series with a value, by ``y`` or their own.

        Raises:
            ValueError: as :meth:`predict`, or no values.
        """
        several, series = target_matrix(y), series_in(self, X, y)
        values = _values_of(series.labels if several is None else several, y)
        known = ~np.isnan(values).any(axis=1)
        weight = None if sample_weight is None else np.asarray(sample_weight)[known]
        found = r2_score(values[known], self.predict(series)[known], sample_weight=weight)
        return float(found)


def _values_of(targets: np.ndarray | None, y: Any) -> np.ndarray:
    """Targets as numbers (N,K), a row for each series; NaN where there is none."""
    if targets is None and y is not None:
        raise ValueError("got y without a value for a single series, wanted some numbers")
    if targets is None:
        raise ValueError(
            "Regressor requires y to be passed, but the target y is None and the series carry no "
            "values: give y, or a source with a value for each series"
        )
    values = target_numbers(np.asarray(targets))
    return values.reshape(len(values), -1)
