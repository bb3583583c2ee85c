"""A segmenter on top of representations: a class for every step of each series."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.estimators.inputs import series_in, tags_of_series
from selftime.objectives.supervised.targets import StepClasses
from selftime.progress import Progress, open_progress
from selftime.tasks.transfer.choose import fit_strategy
from selftime.tasks.transfer.strategies import TransferConfig, check_transfer


class Segmenter(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Classifies every step, such as which exercise is done when, or which sleep stage it is.

    Args:
        model: a pretrained model with tokens along time, such as one of ``objective="ts2vec"``.
        strategy: as in :class:`selftime.Classifier`; the number of labels is that of series.
        head: "linear", "mlp", "deep_mlp" or "normed_linear".
        budget: how long a network is trained, such as "200 steps"; None goes by the number of
            series.
        config: how it is trained; what it leaves open goes by the number of series.
        random_state: fixes everything random, an integer.
        progress: a bar for ``fit`` where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        model_: the model in use; after fine-tuning the one that came of it.
        solution_: what answers.
        strategy_: the strategy in use.
        why_: why it was chosen.
        classes_: (K,) class labels.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that people decide
        self,
        model: Model,
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

    def fit(self, X: Any, y: Sequence[Any]) -> "Segmenter":
        """Learn from series with a label a step.

        Args:
            X: the series.
            y: N arrays (T,), the classes of the steps of each series.

        Raises:
            ValueError: bad input, not a label a step, an unknown strategy or head, a model that
                sees a series only as a whole, or series of other channels than the model's.
        """
        labels = [np.asarray(own) for own in y]
        series = series_in(self, X, first=True)
        _check_steps(series, labels)
        target_type = StepClasses(np.unique(np.concatenate(labels)))
        config = TransferConfig(
            self.strategy,
            self.head,
            budget=self.budget,
            config=self.config,
            seed=self.random_state,
        )
        check_transfer(config, target_type)
        with open_progress(self.progress) as tell:
            found = fit_strategy(self.model, series, labels, target_type, config, tell)
        self.strategy_, self.why_, self.solution_ = found
        self.model_, self.classes_ = self.solution_.model, target_type.classes
        return self

    def predict(self, X: Any) -> list[np.ndarray]:
        """The class of every step: N arrays (T,).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        check_is_fitted(self)
        return list(self.solution_.predict(series_in(self, X)))

    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Probability of each class at every step: N arrays (T,K).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        check_is_fitted(self)
        return list(self.solution_.probabilities(series_in(self, X)))

    def score(self, X: Any, y: Sequence[Any]) -> float:
        """Share of all steps that are right."""
        said, wanted = np.concatenate(self.predict(X)), np.concatenate(list(map(np.asarray, y)))
        return float((said == wanted).mean())

    def __sklearn_tags__(self) -> Tags:
        return tags_of_series(super().__sklearn_tags__())


def _check_steps(series: SeriesSet, y: list[np.ndarray]) -> None:
    """A label a step.

    Raises:
        ValueError: other numbers of them.
    """
    if len(y) != len(series):
        raise ValueError(f"got labels for {len(y)} series, wanted {len(series)}: an array each")
    for name, own, length in zip(series.ids, y, series.lengths, strict=True):
        if own.shape != (length,):
            raise ValueError(
                f"series {str(name)!r} has {length} steps and labels of shape {own.shape}: wanted "
                "one a step"
            )
