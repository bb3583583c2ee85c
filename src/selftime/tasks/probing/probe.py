"""One linear probe for every number of labels, from one a class to all of them."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from selftime.tasks.probing.reference_bank import MIN_NORM, most_confident_share, neighbour_mean
from selftime.tasks.probing.ridge import ridge_leave_one_out
from selftime.tasks.probing.temperature import softmax_temperature


class Probe(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Ridge classifier whose penalty fits any number of labels.

    Targets are 1 for the class and -1 for the rest (least-squares classification, Suykens &
    Vandewalle 1999). The penalty is a fixed share of the mean squared length of the centred
    vectors: with one label per class leave-one-out can say nothing about it, and with a few it is
    so noisy that choosing from a wide grid by it costs accuracy. At one label per class this is
    close to the nearest class mean, with many labels to least squares.

    A cohort of unlabelled vectors, if there is one, helps in three ways where labels are few.

    A vector is moved towards its nearest in the cohort, which even out what is peculiar to it
    (database-side augmentation, Turcot & Lowe 2009; alpha query expansion, Radenović et al.
    2019): by half their mean with one label per class, less the more labels there are.

    Some classes win too often, because their labelled vectors happen to lie near the middle of
    all series. So the scores of each class are brought to mean 0 and deviation 1 over the cohort
    (test normalisation of speaker verification, Auckenthaler et al. 2000): fully with one label a
    class, less the more labels there are. This takes classes to be about equally frequent; equal
    numbers of labels per class say nothing of that, unequal ones do, and the more unequal they are
    the less is normalised.

    The probe is fitted again with the labels that it gave itself to the cohort, the surest nine of
    ten of each class (self-training, Yarowsky 1995; pseudo-labels, Lee 2013), and its scores are
    the mean of both: half is kept of what it said before, more the more of the cohort is labelled.

    Probabilities are a softmax of the scores; its temperature is fitted on leave-one-out scores
    (Guo et al. 2017, section 4.2), so that calibration costs no labels.

    Args:
        penalty: share of the mean squared length that is added to every direction.
        rounds: how often it is fitted again with its own labels of the cohort.
        cohort: (M,D) vectors of unlabelled series, or None; some hundreds tell enough, and time
            grows with the cube of M.

    Attributes:
        classes_: (K,) class labels.
        coef_: (K,D) weights, of vectors moved towards their neighbours.
        own_coef_: (K,D) weights learned from its own labels, of vectors as they are.
        intercept_: (K,) offsets.
        reach_: what share of the mean of its neighbours is added to a vector.
        temperature_: scores are divided by it before the softmax.
    """

    def __init__(
        self,
        *,
        penalty: float = 0.05,
        rounds: int = 2,
        reference_bank: Float[np.ndarray, "M D"] | None = None,
    ) -> None:
        self.penalty = penalty
        self.rounds = rounds
        self.reference_bank = reference_bank

    def fit(self, X: Any, y: Any) -> "Probe":
        """Fit on embeddings (n,D) and their labels (n,).

        Raises:
            ValueError: not numbers, or labels that are not classes.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        with warnings.catch_warnings():  # few labels per class are what this is for
            warnings.filterwarnings(
                "ignore", "The number of unique classes is greater", UserWarning
            )
            check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        labels = np.bincount(index)
        self.reach_ = 0.0 if self.reference_bank is None else _SHIFT_SHARE / float(labels.mean())
        self.coef_, self.intercept_, held_out = self._solve_ridge(
            self._move_to_neighbours(X), index
        )
        reference_bank = (
            X[:0] if self.reference_bank is None else self.reference_bank.astype(np.float64)
        )
        moved = self._move_to_neighbours(reference_bank)
        shift, scale = self._normalisation(labels, moved)
        self.coef_ = self.coef_ / scale[:, None]
        self.intercept_ = (self.intercept_ - shift) / scale
        self.temperature_ = softmax_temperature((held_out - shift) / scale, index)
        self.own_coef_ = np.zeros_like(self.coef_)
        if len(X) < len(reference_bank):
            self._learn_from_itself((X, index), reference_bank, moved)
        return self

    def _solve_ridge(
        self, X: np.ndarray, index: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (K,D), offsets (K,) and left-out scores (n,K) for vectors and their classes."""
        Y = np.where(index[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)  # (n,K)
        Xm, Ym = X.mean(axis=0), Y.mean(axis=0)
        weights, held_out = ridge_leave_one_out(X - Xm, Y - Ym, self.penalty)
        return weights, Ym - weights @ Xm, held_out + Ym

    def _learn_from_itself(
        self, labelled: tuple[np.ndarray, np.ndarray], reference_bank: np.ndarray, moved: np.ndarray
    ) -> None:
        """Mix in what is learned from its own labels of the cohort, on the same scale."""
        X, index = labelled
        share = OWN * (1 - len(X) / len(reference_bank))
        coef, intercept = self.coef_, self.intercept_
        first = scores = moved @ coef.T + intercept
        for _ in range(self.rounds):
            rows, given = most_confident_share(scores / self.temperature_, _CONFIDENT_SHARE)
            told = np.concatenate([X, reference_bank[rows]]), np.concatenate([index, given])
            weights, offsets, _ = self._solve_ridge(*told)
            second = reference_bank @ weights.T + offsets
            size = share * first.std() / max(second.std(), MIN_NORM)
            scores = (1 - share) * first + size * second
            self.coef_, self.own_coef_ = (1 - share) * coef, size * weights
            self.intercept_ = (1 - share) * intercept + size * offsets

    def _move_to_neighbours(self, X: np.ndarray) -> np.ndarray:
        """Vectors (n,D) with a share of the mean of their neighbours added."""
        if self.reference_bank is None:
            return X
        return X + self.reach_ * neighbour_mean(
            X, self.reference_bank.astype(np.float64), _NEIGHBOURS_AVERAGED
        )

    def _normalisation(
        self, labels: np.ndarray, moved: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shift (K,) and scale (K,) of scores: by labels per class, over a moved cohort."""
        if not len(moved):
            return np.zeros(len(labels)), np.ones(len(labels))
        scores = moved @ self.coef_.T + self.intercept_
        strength = labels.min() / labels.max() / labels.mean()
        deviation = scores.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0) ** strength
        return strength * scores.mean(axis=0), scale

    def decision_function(self, X: Any) -> Float[np.ndarray, "n ..."]:
        """Scores (n,K); for two classes (n,), that of the second as scikit-learn has it."""
        scores = self.scores(X)
        return np.asarray(scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores)

    def predict(self, X: Any) -> np.ndarray:
        """The class of highest score (n,)."""
        scores = self.scores(X)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n K"]:
        """Calibrated probabilities (n,K)."""
        scores = self.scores(X)
        return np.asarray(softmax(scores / self.temperature_, axis=1))

    def scores(self, X: Any) -> Float[np.ndarray, "n K"]:
        """Scores of all classes (n,K), before they become probabilities."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        own = X @ self.own_coef_.T + self.intercept_
        return np.asarray(self._move_to_neighbours(X) @ self.coef_.T + own)


_NEIGHBOURS_AVERAGED = 5
"""How many of the cohort a vector is moved towards."""
_SHIFT_SHARE = 0.5
"""Share of their mean that is added with one label per class."""
OWN = 0.5
"""What share of the scores comes from its own labels, where hardly any of the cohort has one."""
_CONFIDENT_SHARE = 0.9
"""Share of its own labels of a class that it learns from, the surest ones."""
