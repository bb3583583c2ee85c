"""A regressor on top of representations: a value, or several, for each series."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.validation import check_is_fitted

from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.estimators.inputs import series_in, tags_of_series, target_matrix
from selftime.objectives.supervised.targets import Amount
from selftime.progress import Progress, open_progress
from selftime.tasks.transfer.choose import fit_strategy
from selftime.tasks.transfer.strategies import TransferConfig, check_transfer


class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc] # no types there
    """Tells a value of each series, such as the remaining life of a machine, or several values.

    Args:
        model: what :func:`selftime.pretrain` returned. None pretrains on the series given to
            ``fit`` alone.
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
        model_: the model in use; after fine-tuning the one that came of it.
        solution_: what answers.
        strategy_: the strategy in use.
        why_: why it was chosen.
        n_features_in_: steps of a series, where ``fit`` was given a 2-D array.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that people decide
        self,
        model: Model | None = None,
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

    def fit(self, X: Any, y: Any = None) -> "Regressor":
        """Learn from series and their values.

        Args:
            X: the series.
            y: (N,) values, or (N,K) where there are several; the labels of the series when None.

        Raises:
            ValueError: bad input, no values, an unknown strategy or head, or series of other
                channels than the model's.
        """
        config = TransferConfig(
            self.strategy,
            self.head,
            budget=self.budget,
            config=self.config,
            seed=self.random_state,
        )
        check_transfer(config)
        several = target_matrix(y)
        series = series_in(self, X, y if several is None else None, first=True)
        values = _values_of(series.labels if several is None else several)
        if len(values) != len(series):
            raise ValueError(f"got {len(values)} rows of values for {len(series)} series: one each")
        self._is_one = several is None
        with open_progress(self.progress) as tell:
            model = self.model or pretrain(series, seed=self.random_state, progress=tell)
            found = fit_strategy(model, series, values, Amount(values), config, tell)
        self.strategy_, self.why_, self.solution_ = found
        self.model_ = self.solution_.model
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The value of each series (N,), or its values (N,K).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        check_is_fitted(self)
        values = np.asarray(self.solution_.predict(series_in(self, X)))
        return values[:, 0] if self._is_one else values

    def __sklearn_tags__(self) -> Tags:
        return tags_of_series(super().__sklearn_tags__())


def _values_of(y: np.ndarray | None) -> np.ndarray:
    """Numbers (N,K), a row a series."""
    if y is None:
        raise ValueError(
            "Regressor requires y to be passed, but the target y is None and the series carry no "
            "values: give y, or a source with a value a series"
        )
    try:
        values = np.asarray(y, np.float64)
    except ValueError:
        raise ValueError(f"got {str(y[0])!r} for a value, wanted numbers: use Classifier") from None
    assert_all_finite(values, input_name="y")
    return values.reshape(len(values), -1)
