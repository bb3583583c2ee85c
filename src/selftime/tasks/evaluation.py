"""What became of every test series under a classifier, and every figure that follows from it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from selftime.data.files import write_json
from selftime.tasks import reliability
from selftime.tasks.lookalikes import Mistake, mistake_from_dict, mistake_to_dict
from selftime.tasks.reliability import ReliabilityBin, reliability_bins

_EVALUATION_FORMAT = 1
"""Of ``evaluation.json``; raised whenever an older reader would misread a newer file."""
ABOUT = ("run", "train", "test")
"""What such a file says of the model and the series, beside the figures."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """A classifier judged on test series; M of them, K classes.

    All figures are worked out from these arrays, so a file that holds them holds every figure.

    Attributes:
        classes: (K,) names.
        ids: (M,) of the test series.
        truth: (M,) number of the true class of each.
        predicted: (M,) number of the class it was given.
        probabilities: (M,K) to 6 significant digits, so that a file gives them back exactly.
        labelled: how many labelled series the classifier was fitted on.
        mistakes: wrong predictions, the most confident first, some of them.
        about: of which series it is ("train", "test"), and by what model ("run").

    Raises:
        ValueError: arrays that do not fit one another.
    """

    classes: np.ndarray
    ids: np.ndarray
    truth: Int64[np.ndarray, "..."]
    predicted: Int64[np.ndarray, "..."]
    probabilities: Float[np.ndarray, "..."]
    labelled: int
    mistakes: tuple[Mistake, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

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
        """Which series were classified right."""
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
        """How many series of class k (row) were given class j (column)."""
        return np.asarray(
            confusion_matrix(self.truth, self.predicted, labels=np.arange(len(self.classes)))
        )

    @property
    def balanced_accuracy(self) -> float:
        """Accuracy within each class, mean over the classes that there are test series of."""
        known = np.unique(self.truth)
        return float(recall_score(self.truth, self.predicted, labels=known, average="macro"))

    @property
    def macro_f1(self) -> float:
        """F₁ of each class, mean over the classes that occur."""
        return float(f1_score(self.truth, self.predicted, average="macro"))

    @property
    def negative_log_likelihood(self) -> float:
        """Of the true classes, in nats a series; one held to be impossible costs 36, not ∞.

        Rows of probabilities need not add up to 1, as scikit-learn's ``log_loss`` wants them: they
        are rounded.
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
        """What the calibration error of true probabilities would stay under in 19 of 20 sets."""
        return reliability.calibration_luck(self.confidence)

    @property
    def bins(self) -> tuple[ReliabilityBin, ...]:
        """Series by confidence: how sure and how right each bin is."""
        return reliability_bins(self.confidence, self.right)

    def figures(self) -> dict[str, float | list[float]]:
        """The key figures by name."""
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; classes of series as numbers into ``classes``."""
        return {
            "format": _EVALUATION_FORMAT,
            "test_series": len(self.ids),
            "labelled": self.labelled,
            "figures": self.figures(),
            "bins": [part._asdict() for part in self.bins],
            "classes": self.classes.tolist(),
            "confusion": self.confusion.tolist(),
            "mistakes": [mistake_to_dict(mistake) for mistake in self.mistakes],
            "ids": self.ids.tolist(),
            "truth": self.truth.tolist(),
            "predicted": self.predicted.tolist(),
            "probabilities": self.probabilities.tolist(),
        }

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write all of it to a JSON file, which :func:`selftime.read_run` reads.

        Raises:
            FileExistsError: the file is there and ``overwrite`` is False.
        """
        if os.path.lexists(path) and not overwrite:
            raise FileExistsError(f"{path} exists: choose another path, or overwrite=True")
        return write_json(path, {**self.about, **self.to_dict()}, rows=True)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Evaluation":
        """What :meth:`to_dict` made; figures are worked out anew.

        Raises:
            ValueError: another format, or something is missing or does not fit.
        """
        if content.get("format") != _EVALUATION_FORMAT:
            raise ValueError(
                f"got an evaluation of format {content.get('format')}, wanted {_EVALUATION_FORMAT}"
            )
        try:
            return cls(
                classes=np.array(content["classes"], str),
                ids=np.array(content["ids"], str),
                truth=np.array(content["truth"], np.int64),
                predicted=np.array(content["predicted"], np.int64),
                probabilities=np.array(content["probabilities"], np.float64),
                labelled=int(content["labelled"]),
                mistakes=tuple(mistake_from_dict(found) for found in content["mistakes"]),
                about={name: content[name] for name in ABOUT if name in content},
            )
        except (LookupError, TypeError) as error:
            raise ValueError(f"the evaluation is damaged ({error}): evaluate again") from None
