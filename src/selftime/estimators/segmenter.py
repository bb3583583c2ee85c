"""A segmenter on top of representations: a class for every timepoint of each series."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from selftime.data.arrays import are_known, label_column, number_classes
from selftime.data.series import SeriesSet
from selftime.door import option
from selftime.estimators.inputs import TransferEstimator, series_in
from selftime.estimators.keeping import Kept
from selftime.objectives.supervised.targets import StepClasses
from selftime.tasks.evaluation.predictions import Predictions
from selftime.tasks.transfer.strategies import check_transfer


class Segmenter(TransferEstimator, Kept):
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
        model: a pretrained model with tokens along time, such as one of ``objective="ts2vec"``, or
            its folder.
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
        channels_: names of the channels.
    """

    classes_: Shaped[np.ndarray, "K"]

    def fit(self, X: Any, y: Sequence[Any] | None = None) -> "Segmenter":
        """Learn from series with labels of timepoints.

        Args:
            X: the series.
            y: N arrays (T,), the classes of the timepoints of each series; those that the series
                carry when None. Timepoints with None, NaN or a blank have no label and are not
                learned from.

        Raises:
            ValueError: bad input, no labels, a single class, labels of other lengths than the
                series, an unknown strategy or head, no model or one that sees a series only as a
                whole, or series of other channels than the model's.
        """
        if self.model is None:
            raise ValueError('Segmenter requires a model, such as one of objective="ts2vec"')
        series = series_in(self, X, first=True)
        labels = _labels_of_steps(series, y)
        known = np.array([are_known(own).any() for own in labels])
        target_type = StepClasses(number_classes(np.concatenate(labels))[0])
        config = self._transfer_config()
        check_transfer(config, target_type)
        if target_type.size < 2:
            raise ValueError(
                f"got steps of one class only ({target_type.classes[0]}), wanted at least 2"
            )
        own = [labels[i] for i in np.flatnonzero(known)]
        self._fit_strategy(series, known, own, target_type, config)
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

    def predictions(self, X: Any) -> Predictions:
        """Return the class of every timepoint as a table, in the order of the rows that came in.

        Raises:
            ValueError: as :meth:`predict`.
        """
        series = series_in(self, X)
        found = {"p": np.concatenate(self.predict_proba(series))}  # (S,K)
        if series.step_labels is not None:
            found["y"] = series.step_labels
        keys = series.step_columns(found)
        probabilities, labels = keys.pop("p"), keys.pop("y", None)
        predicted = self.classes_[probabilities.argmax(axis=1)]
        return Predictions(
            keys=keys,
            predicted=predicted,
            probabilities=probabilities,
            classes=self.classes_,
            labels=labels,
        )

    def score(self, X: Any, y: Sequence[Any] | None = None) -> float:
        """Return the share of labelled timepoints that are classified right."""
        series = series_in(self, X)
        wanted = np.concatenate(_labels_of_steps(series, y))
        right = np.concatenate(self.predict(series)) == wanted
        return float(right[are_known(wanted)].mean())


def _labels_of_steps(series: SeriesSet, y: Sequence[Any] | None) -> list[np.ndarray]:
    """Return labels of the steps of each series, None where there is none."""
    column = series.step_labels
    if y is not None:
        own = [np.asarray(labels) for labels in y]
        _check_steps(series, own)
        column = label_column(np.concatenate(own))
    if column is None:
        raise ValueError(
            "got no labels of steps, wanted an array of them for each series, or series read "
            f"with them, such as from a file of id, start, end and label, {option('labels')}"
        )
    return np.split(column, series.offsets[1:-1])


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
