"""A segmenter on top of representations: a class for every timepoint of each series."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from selftime.data.series import SeriesSet
from selftime.estimators.inputs import TransferEstimator, series_in
from selftime.objectives.supervised.targets import StepClasses
from selftime.tasks.transfer.strategies import check_transfer


class Segmenter(TransferEstimator):
    """Classifies every timepoint, such as the exercise done at each moment, or the sleep stage.

    Example:
        The beginning and the rest of each series:

        >>> import numpy as np
        >>> import selftime as st
        >>> series = st.sample("JapaneseVowels", "train")[:20]
        >>> labels = [np.arange(length) > 5 for length in series.lengths]
        >>> model = st.pretrain(series, objective="ts2vec", budget="2 steps")
        >>> segmenter = st.Segmenter(model).fit(series, labels)
        >>> segmenter.predict_proba(series[:1])[0].shape  # 20 timepoints, 2 classes
        (20, 2)

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
        solution_: the fitted backbone and head.
        strategy_: the strategy in use.
        why_: the reason for it.
        classes_: (K,) class labels.
    """

    def fit(self, X: Any, y: Sequence[Any]) -> "Segmenter":
        """Learn from series with a label for each timepoint.

        Args:
            X: the series.
            y: N arrays (T,), the classes of the timepoints of each series.

        Raises:
            ValueError: bad input, labels of other lengths than the series, an unknown strategy or
                head, no model or one that sees a series only as a whole, or series of other
                channels than the model's.
        """
        if self.model is None:
            raise ValueError('Segmenter requires a model, such as one of objective="ts2vec"')
        labels = [np.asarray(own) for own in y]
        series = series_in(self, X, first=True)
        _check_steps(series, labels)
        target_type = StepClasses(np.unique(np.concatenate(labels)))
        config = self._transfer_config()
        check_transfer(config, target_type)
        self._fit_strategy(series, labels, target_type, config)
        self.classes_ = target_type.classes
        return self

    def predict(self, X: Any) -> list[np.ndarray]:
        """Return the class of every timepoint: N arrays (T,).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        return list(self._predict(X))

    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Return the probability of each class at every timepoint: N arrays (T,K).

        Raises:
            ValueError: bad input, or series of other channels than the model's.
        """
        return list(self._probabilities(X))

    def score(self, X: Any, y: Sequence[Any]) -> float:
        """Return the share of all timepoints that are classified right."""
        predicted = np.concatenate(self.predict(X))
        wanted = np.concatenate(list(map(np.asarray, y)))
        return float((predicted == wanted).mean())


def _check_steps(series: SeriesSet, y: list[np.ndarray]) -> None:
    """Raise a ValueError unless there is a label for each timepoint."""
    if len(y) != len(series):
        raise ValueError(f"got labels for {len(y)} series, wanted {len(series)}: an array each")
    for name, own, length in zip(series.ids, y, series.lengths, strict=True):
        if own.shape != (length,):
            raise ValueError(
                f"series {str(name)!r} has {length} steps and labels of shape {own.shape}: wanted "
                "one a step"
            )
