"""Evaluation of a classifier: the prediction for every test series, and all figures from it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int64
from sklearn.base import clone
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from selftime.data.files import write_json
from selftime.data.frames import Tabular
from selftime.data.labels import labelled_part, share_in_words
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesSet
from selftime.door import option, tell
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.engine.training.run_folder import as_finished, run_record
from selftime.progress import Progress, open_progress
from selftime.tasks.comparison.compare import Shots, check_labels, draw_labels
from selftime.tasks.comparison.rows import model_row
from selftime.tasks.evaluation import reliability
from selftime.tasks.evaluation.lookalikes import (
    Mistake,
    mistake_from_dict,
    mistake_to_dict,
    mistakes_in,
)
from selftime.tasks.evaluation.predictions import Predictions
from selftime.tasks.evaluation.reliability import ReliabilityBin, reliability_bins

_EVALUATION_FORMAT = 1
"""Of ``evaluation.json``; raised whenever an older reader would misread a newer file."""
ABOUT = ("run", "train", "test")
"""Facts on the model and the series that such a file holds beside the figures."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Evaluation(Tabular):
    """A classifier judged on M test series of K classes; made by :func:`selftime.evaluate`.

    All figures follow from these arrays, so a file that holds them holds every figure.

    Attributes:
        classes: (K,) names.
        ids: (M,) of the test series.
        truth: (M,) number of the true class.
        predicted: (M,) number of the predicted class.
        probabilities: (M,K) to 6 significant digits, so that a file gives them back exactly.
        labelled: number of labelled series that the classifier was fitted on.
        mistakes: some of the wrong predictions, the most confident first.
        about: source and fingerprint of the series ("train", "test"), and the model's "run".
        id_name: name of the column of ids in the table that the test series came from.

    Raises:
        ValueError: arrays do not fit one another.

    Example:
        >>> import numpy as np
        >>> import selftime as st
        >>> found = st.Evaluation(
        ...     classes=np.array(["a", "b"]),
        ...     ids=np.array(["x", "y", "z"]),
        ...     truth=np.array([0, 1, 1]),
        ...     predicted=np.array([0, 1, 0]),
        ...     probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]),
        ...     labelled=8,
        ... )
        >>> round(found.accuracy, 3), round(found.balanced_accuracy, 3)
        (0.667, 0.75)
        >>> found.confusion
        array([[1, 0],
               [1, 1]])
    """

    classes: np.ndarray
    ids: np.ndarray
    truth: Int64[np.ndarray, "..."]
    predicted: Int64[np.ndarray, "..."]
    probabilities: Float[np.ndarray, "..."]
    labelled: int
    mistakes: tuple[Mistake, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    id_name: str = "unique_id"

    def __post_init__(self) -> None:
        M, K = len(self.ids), len(self.classes)
        shapes = (len(self.truth), len(self.predicted), *self.probabilities.shape)
        if shapes != (M, M, M, K) or not M:
            raise ValueError(
                f"got {shapes[0]} true and {shapes[1]} predicted classes and probabilities "
                f"{shapes[2:]} for {M} series and {K} classes: one each, of at least one series"
            )
        numbers = np.concatenate([self.truth, self.predicted])
        if numbers.min() < 0 or numbers.max() >= K:
            raise ValueError(f"got class numbers outside 0 to {K - 1}: they count the {K} classes")

    @property
    def right(self) -> Bool[np.ndarray, "M"]:
        """Mask of series that were classified right."""
        return np.asarray(self.truth == self.predicted)

    @property
    def confidence(self) -> Float[np.ndarray, "M"]:
        """Probability of the class that was predicted."""
        return np.asarray(self.probabilities[np.arange(len(self.ids)), self.predicted])

    @property
    def accuracy(self) -> float:
        """Share of series classified right."""
        return float(self.right.mean())

    @cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of the accuracy, see :func:`.reliability.bootstrap_interval`."""
        return reliability.bootstrap_interval(self.right)

    @property
    def confusion(self) -> Int64[np.ndarray, "K K"]:
        """Number of series of class k (row) with prediction j (column)."""
        return np.asarray(
            confusion_matrix(self.truth, self.predicted, labels=np.arange(len(self.classes)))
        )

    @property
    def balanced_accuracy(self) -> float:
        """Accuracy within each class, mean over the classes of the test series."""
        known = np.unique(self.truth)
        return float(recall_score(self.truth, self.predicted, labels=known, average="macro"))

    @property
    def macro_f1(self) -> float:
        """F₁ of each class, mean over the classes that occur."""
        return float(f1_score(self.truth, self.predicted, average="macro"))

    @property
    def negative_log_likelihood(self) -> float:
        """Mean over series in nats; a true class of probability 0 costs 36, not ∞.

        Rounded probabilities need not add up to 1, which scikit-learn's ``log_loss`` demands.
        """
        given = self.probabilities[np.arange(len(self.ids)), self.truth]
        return float(-np.log(given.clip(min=float(np.finfo(np.float64).eps))).mean())

    @property
    def brier_score(self) -> float:
        """Squared error of the probabilities, 0 to 2, of all classes (Brier 1950, equation 2)."""
        wanted = self.truth[:, None] == np.arange(len(self.classes))
        return float(((self.probabilities - wanted) ** 2).sum(axis=1).mean())

    @property
    def calibration_error(self) -> float:
        """Expected calibration error over :attr:`bins`."""
        return float(reliability.calibration_error(self.confidence, self.right))

    @cached_property
    def calibration_luck(self) -> float:
        """Bound of the calibration error of true probabilities in 19 of 20 test sets."""
        return reliability.calibration_luck(self.confidence)

    @property
    def bins(self) -> tuple[ReliabilityBin, ...]:
        """Mean confidence and accuracy of series of similar confidence."""
        return reliability_bins(self.confidence, self.right)

    def figures(self) -> dict[str, float | list[float]]:
        """Return the key figures by name."""
        return {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "negative_log_likelihood": self.negative_log_likelihood,
            "brier_score": self.brier_score,
            "calibration_error": self.calibration_error,
            "calibration_luck": self.calibration_luck,
        }

    def to_columns(self) -> dict[str, Any]:
        """Return the prediction for every test series, all probabilities, and the true class."""
        return Predictions(
            keys={self.id_name: self.ids},
            predicted=self.classes[self.predicted],
            probabilities=self.probabilities,
            classes=self.classes,
            labels=self.classes[self.truth],
        ).to_columns()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; classes of series as numbers into ``classes``."""
        return {
            "format": _EVALUATION_FORMAT,
            "test_series": len(self.ids),
            "labelled": self.labelled,
            "figures": self.figures(),
            "bins": [part._asdict() for part in self.bins],
            "classes": self.classes.tolist(),
            "confusion": self.confusion.tolist(),
            "mistakes": [mistake_to_dict(mistake) for mistake in self.mistakes],
            "id_name": self.id_name,
            "ids": self.ids.tolist(),
            "truth": self.truth.tolist(),
            "predicted": self.predicted.tolist(),
            "probabilities": self.probabilities.tolist(),
        }

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the evaluation to a JSON file, which :func:`selftime.read_run` reads.

        Raises:
            FileExistsError: the file is there and ``overwrite`` is False.
        """
        if os.path.lexists(path) and not overwrite:
            replacing = option("overwrite", True)
            raise FileExistsError(f"{path} exists: choose another path, or {replacing}")
        return write_json(path, {**self.about, **self.to_dict()}, rows=True)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Evaluation":
        """Return the evaluation that :meth:`to_dict` wrote; figures are computed anew."""
        if content.get("format") != _EVALUATION_FORMAT:
            raise ValueError(
                f"got an evaluation of format {content.get('format')}, wanted {_EVALUATION_FORMAT}"
            )
        try:
            return cls(
                classes=np.array(content["classes"]),
                ids=np.array(content["ids"]),
                truth=np.array(content["truth"], np.int64),
                predicted=np.array(content["predicted"], np.int64),
                probabilities=np.array(content["probabilities"], np.float64),
                labelled=int(content["labelled"]),
                mistakes=tuple(mistake_from_dict(found) for found in content["mistakes"]),
                about={name: content[name] for name in ABOUT if name in content},
                id_name=str(content.get("id_name", "unique_id")),
            )
        except (LookupError, TypeError) as error:
            raise ValueError(f"the evaluation is damaged ({error}): evaluate again") from None


@runtime_checkable
class FittedClassifier(Protocol):
    """A classifier fitted on labelled series, such as :class:`selftime.Classifier`."""

    classes_: np.ndarray

    def predict_proba(self, X: SeriesSet) -> np.ndarray:
        """Return the probability (M,K) of each class."""
        ...


def evaluate(
    model: ModelOrFolder,
    classifier: FittedClassifier,
    train: Any,
    test: Any,
    *,
    probabilities: np.ndarray | None = None,
    progress: bool | Progress | None = None,
) -> Evaluation:
    """Judge a fitted classifier on labelled test series.

    Args:
        model: or its folder, whose embeddings find the most similar training series.
        classifier: fitted on ``train``.
        train: N labelled series it was fitted on, whatever :func:`selftime.read` takes.
        test: M labelled series that it never saw; unlabelled ones are not judged. A class that
            ``train`` lacks has probability 0.
        probabilities: (M,K) of the test series, where they are known already.
        progress: shows a bar where None and on a terminal, or is called with each step.

    Raises:
        SeriesError: train or test has no label at all.

    Example:
        >>> import selftime as st
        >>> train = st.sample("JapaneseVowels", "train")[:60:6]
        >>> test = st.sample("JapaneseVowels", "test")[:60]
        >>> model = st.pretrain(train, encoder="quantiles")
        >>> classifier = st.Classifier(model).fit(train)
        >>> found = st.evaluate(model, classifier, train, test)
        >>> found.labelled, found.probabilities.shape
        (10, (60, 2))
        >>> found.accuracy > 0.9
        True
    """
    model = model_at(model)
    whole = (
        read(train, kind=kind_for(train, model.kind)),
        read(test, kind=kind_for(test, model.kind)),
    )
    train, test = labelled_part(whole[0], "train"), labelled_part(whole[1], "test")
    tell(share_in_words(whole[1].labelled, "test", whole[1].notes))
    if probabilities is None:
        probabilities = classifier.predict_proba(test)
    probabilities = np.asarray(probabilities, np.float64)
    if len(probabilities) == len(whole[1]):
        probabilities = probabilities[whole[1].labelled]
    with open_progress(progress) as show:
        spaces = model.embed(train, progress=show), model.embed(test, progress=show)
    found = evaluation_of(probabilities, classifier.classes_, spaces, train, test)
    found = replace(found, about=origins(*whole))
    record = run_record(model.card, command="classify", source=whole[0].source)
    return replace(found, about={"run": as_finished(record | {"seconds": None}), **found.about})


def evaluate_shots(
    model: Model, train: SeriesSet, test: SeriesSet, *, shots: Shots = None
) -> Evaluation:
    """Judge the model's row of a comparison at some labels per class, with its first draw."""
    about = origins(train, test)
    train, test = check_labels(train, test)
    labels = np.asarray(train.labels)
    row, pick = model_row(model, train, test), draw_labels(labels, shots, 1)[0]
    head = clone(row.head).fit(row.train[pick], labels[pick])
    probabilities, spaces = head.predict_proba(row.test), (row.train[pick], row.test)
    found = evaluation_of(probabilities, head.classes_, spaces, train[pick], test)
    return replace(found, about=about)


def evaluation_of(
    probabilities: Float[np.ndarray, "M K"],
    known: np.ndarray,
    spaces: tuple[np.ndarray, np.ndarray],
    train: SeriesSet,
    test: SeriesSet,
) -> Evaluation:
    """Return the evaluation of ``known`` classes, with embeddings of train (N,D) and test (M,D)."""
    classes, truth = number_classes(known, test.labels)
    predicted = probabilities.argmax(axis=1)
    unknown = np.zeros((len(probabilities), len(classes) - len(known)))
    found = Evaluation(
        classes=classes,
        ids=test.ids,
        truth=truth,
        predicted=predicted,
        probabilities=six_digits(np.hstack([probabilities, unknown])),
        labelled=len(train),
        id_name=test.name_of("id", "unique_id"),
    )
    names = (classes[found.truth], classes[predicted])
    mistakes = mistakes_in(test, names, found.confidence, spaces, train)
    return replace(found, mistakes=mistakes, about=origins(train, test))


def origins(train: SeriesSet, test: SeriesSet) -> dict[str, Any]:
    """Return source and fingerprint of both parts."""
    return {
        name: ({"source": series.source} if series.source else {})
        | {"fingerprint": series.fingerprint()}
        for name, series in (("train", train), ("test", test))
    }


def number_classes(known: np.ndarray, labels: Any) -> tuple[np.ndarray, Int64[np.ndarray, "M"]]:
    """Return names of all classes, those that training lacked last, and each label's number."""
    names, given = known.astype(str), np.asarray(labels).astype(str)
    classes = np.concatenate([names, np.setdiff1d(given, names)])
    numbers = {name: k for k, name in enumerate(classes.tolist())}
    return classes, np.array([numbers[name] for name in given.tolist()], np.int64)


def six_digits(probabilities: Float[np.ndarray, "M K"]) -> Float[np.ndarray, "M K"]:
    """Round to 6 significant digits."""
    rounded = [float(f"{value:.6g}") for value in probabilities.ravel().tolist()]
    return np.array(rounded).reshape(probabilities.shape)
