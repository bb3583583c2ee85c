"""A classifier on top of representations."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.estimators.inputs import series_in, tags_of_series, target_matrix
from selftime.objectives.supervised.targets import AnyClasses, OneClass, TargetType
from selftime.progress import Progress, open_progress
from selftime.tasks.comparison.leaks import Leaks
from selftime.tasks.transfer.choose import fit_strategy
from selftime.tasks.transfer.strategies import TransferConfig, check_transfer


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # no types there
    """Classifies series on top of a pretrained model; a few labels are enough.

    Args:
        model: what :func:`selftime.pretrain` returned; it is used as it is. None pretrains on the
            series given to ``fit`` alone, so pretrain first where there are more without labels.
        strategy: how the model is used: "probe" leaves it as it is, "partial", "full", "staged"
            and "adapter" fine-tune it, "scratch" forgets what it learned
            (:data:`selftime.tasks.transfer.strategies.STRATEGIES`); "auto" chooses by the number
            of labels and, from 1,000 on, by a race on held-out series.
        head: "linear" (with a frozen model the calibrated
            :class:`selftime.tasks.probing.probe.Probe`), "mlp", "deep_mlp", "normed_linear" or "attention";
            with a frozen model also those of :data:`selftime.tasks.probing.heads.HEAD_NAMES`, such as "knn",
            the labels of the nearest vectors by cosine.
        n_neighbors: how many labels "knn" asks; None asks 5, or all where there are fewer.
        budget: how long a network is trained, such as "200 steps"; None goes by the number of
            labels.
        config: how it is trained; what it leaves open goes by the number of labels.
        random_state: fixes everything random, an integer.
        progress: a bar for ``fit`` where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        model_: the model in use; after fine-tuning the one that came of it.
        solution_: what answers.
        strategy_: the strategy in use.
        why_: why it was chosen.
        classes_: (K,) class labels; with several labels a series their numbers.
        n_features_in_: steps of a series, where ``fit`` was given a 2-D array.
    """

    def __init__(  # noqa: PLR0913 - a front door: each is one thing that people decide
        self,
        model: Model | None = None,
        *,
        strategy: str = "auto",
        head: str = "linear",
        n_neighbors: int | None = None,
        budget: Budget | str | None = None,
        config: TrainingConfig | None = None,
        random_state: int = 0,
        progress: bool | Progress | None = None,
    ) -> None:
        self.model = model
        self.strategy = strategy
        self.head = head
        self.n_neighbors = n_neighbors
        self.budget = budget
        self.config = config
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> "Classifier":
        """Learn from labelled series.

        Args:
            X: the series.
            y: (N,) labels, or (N,K) of 0 and 1 where a series has several; those that the series
                carry when None.

        Raises:
            ValueError: bad input, no labels, labels that are not classes, an unknown strategy or
                head, or series of other channels than the model's.
        """
        config = TransferConfig(
            strategy=self.strategy,
            head=self.head,
            neighbours=self.n_neighbors,
            budget=self.budget,
            config=self.config,
            seed=self.random_state,
        )
        check_transfer(config)
        several = target_matrix(y)
        series = series_in(self, X, y if several is None else None, first=True)
        labels = _classes_in(series) if several is None else _labels_in(several, series)
        target_type = _target_type(labels)
        with open_progress(self.progress) as tell:
            model = self.model or pretrain(series, seed=self.random_state, progress=tell)
            found = fit_strategy(model, series, labels, target_type, config, tell)
        self.strategy_, self.why_, self.solution_ = found
        self.model_ = self.solution_.model
        self.classes_ = (
            target_type.classes
            if isinstance(target_type, OneClass)
            else np.arange(target_type.size)
        )
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each series (N,); 0 or 1 for each of several labels (N,K).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        check_is_fitted(self)
        return np.asarray(self.solution_.predict(series_in(self, X)))

    def predict_proba(self, X: Any) -> Float[np.ndarray, "N K"]:
        """Probability of each class or label; with "knn" its share among the neighbours.

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        check_is_fitted(self)
        return np.asarray(self.solution_.probabilities(series_in(self, X)))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of series that are right.

        A model that was given and had some of them in its pretraining gets a ``UserWarning``:
        such a result is transductive.

        Raises:
            ValueError: as :meth:`predict`.
        """
        check_is_fitted(self)
        seen = None if self.model is None else self.model.seen(series_in(self, X))
        if seen is not None:
            for sentence in Leaks(test=len(seen), seen=int(seen.sum())).sentences():
                warnings.warn(sentence, UserWarning, stacklevel=2)
        return float(super().score(X, y, sample_weight))

    def __sklearn_tags__(self) -> Tags:
        return tags_of_series(super().__sklearn_tags__())


def _target_type(labels: np.ndarray) -> TargetType:
    """One class of several, or any of several labels."""
    return AnyClasses(labels.shape[1]) if labels.ndim == 2 else OneClass(np.unique(labels))


def _classes_in(series: SeriesSet) -> np.ndarray:
    """The labels, if they are classes."""
    if series.labels is None:
        raise ValueError(
            "Classifier requires y to be passed, but the target y is None and the series carry no "
            "labels: give y, or a source with labels"
        )
    assert_all_finite(series.labels, input_name="y")
    check_classification_targets(series.labels)
    return series.labels


def _labels_in(several: np.ndarray, series: SeriesSet) -> np.ndarray:
    """0 and 1 (N,K), a row a series."""
    if len(several) != len(series):
        raise ValueError(f"got {len(several)} rows of labels for {len(series)} series: one each")
    if not np.isin(several, (0, 1)).all():
        raise ValueError("got several columns of labels with other values than 0 and 1")
    return several
