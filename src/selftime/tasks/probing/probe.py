"""One linear probe for every number of labels, and the temperatures of its probabilities."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from selftime.data.splits import draw_stratified
from selftime.tasks.probing.reference_bank import MIN_NORM, most_confident_share, neighbour_mean
from selftime.tasks.probing.ridge import (
    class_signs,
    ridge_of_least_error,
    ridge_with_intercept,
)


class Probe(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Ridge classifier whose penalty fits any number of labels.

    Targets are 1 for the class and -1 for the rest (least-squares classification, Suykens &
    Vandewalle 1999). The penalty is a share of the mean squared length of the centred vectors, a
    fixed one (:data:`FEW_PENALTY`) where labels are few: leave-one-out is too noisy to choose by.
    From :data:`_MANY_LABELS` per class on it is that of :data:`PENALTIES` with the least squared
    error on cases left out; with about as many labels as a vector has numbers a large one matters.

    A reference bank of unlabelled vectors helps in three ways where labels are few.

    A vector is moved towards its nearest neighbours in the bank, which even out its peculiarities
    (database-side augmentation, Turcot & Lowe 2009; alpha query expansion, Radenović et al.
    2019): by half their mean with one label per class, less the more labels there are.

    Scores of each class are brought to mean 0 and deviation 1 over the bank, or classes whose
    labelled vectors lie near the middle of all series would win too often (test normalisation of
    speaker verification, Auckenthaler et al. 2000): fully with one label per class, less the more
    labels there are and the more unequal their numbers.

    The probe is fitted again with its own labels for the bank, the most confident nine of ten of
    each class (self-training, Yarowsky 1995; pseudo-labels, Lee 2013). Its scores are the mean of
    both fits: half comes from the first one, more the more of the bank is labelled.

    Probabilities are a softmax of the scores; its temperature is fitted on leave-one-out scores
    (Guo et al. 2017, section 4.2), so that calibration costs no labels. One or two labels per class
    say next to nothing about it. So labels are also drawn from the bank as if the answers of the
    probe were the truth, as many as there are; probes fitted on them are judged on the rest of the
    bank, as in a parametric bootstrap (Efron 1979). They count as :data:`_SIMULATED_LABELS` labels.

    ``penalty`` fixes it for any number of labels. Fitted, ``coef_`` (K,D) are weights of vectors
    moved towards their neighbours, ``own_coef_`` (K,D) those learned from pseudo-labels, of vectors
    as they are. Some hundreds of vectors in the bank are enough; time grows with the cube of their
    number.
    """

    classes_: Shaped[np.ndarray, "K"]
    penalty_: float
    reach_: float
    coef_: Float[np.ndarray, "K D"]
    own_coef_: Float[np.ndarray, "K D"]
    intercept_: Float[np.ndarray, "K"]
    temperature_: float
    n_features_in_: int

    def __init__(
        self,
        *,
        penalty: float | None = None,
        rounds: int = 2,
        simulations: int = 0,
        reference_bank: Float[np.ndarray, "M D"] | None = None,
    ) -> None:
        self.penalty = penalty
        self.rounds = rounds
        self.simulations = simulations
        self.reference_bank = reference_bank

    def fit(self, X: Any, y: Any) -> "Probe":
        """Fit on embeddings (n,D) and their labels (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        with warnings.catch_warnings():  # few labels per class are what this is for
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        labels = np.bincount(index)
        self.reach_ = 0.0 if self.reference_bank is None else _SHIFT_SHARE / float(labels.mean())
        signs = class_signs(index, len(self.classes_))
        near = self._move_to_neighbours(X)
        among = penalties_for(labels) if self.penalty is None else (self.penalty,)
        best = ridge_of_least_error(near, signs, among)
        self.penalty_, self.coef_, self.intercept_, held_out = best
        bank = X[:0] if self.reference_bank is None else self.reference_bank.astype(np.float64)
        moved = self._move_to_neighbours(bank)
        shift, scale = self._normalisation(labels, moved)
        self.coef_ = self.coef_ / scale[:, None]
        self.intercept_ = (self.intercept_ - shift) / scale
        left_out = (held_out - shift) / scale
        self.temperature_ = softmax_temperature(left_out, index)
        self.own_coef_ = np.zeros_like(self.coef_)
        if len(X) < len(bank):
            self._learn_from_itself((X, index), bank, moved)
            if len(X) <= _FEW_LABELS:
                drawn = [self._simulate(labels, bank, seed) for seed in range(self.simulations)]
                self.temperature_ = softmax_temperature(left_out, index, tuple(filter(None, drawn)))
        return self

    def _simulate(
        self, labels: np.ndarray, bank: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return scores and answers of the bank but for drawn labels, by a probe that has these.

        None where the bank is of one class by the answers of this probe.
        """
        given = self.scores(bank).argmax(axis=1)
        sizes = np.bincount(given, minlength=len(labels))
        wanted = np.minimum(labels, sizes - 1).clip(min=0)  # of each class some are judged
        drawn = draw_stratified(given, lambda _: wanted[sizes > 0], np.random.default_rng(seed))
        if len(np.unique(given[drawn])) < 2:
            return None
        twin = Probe(penalty=self.penalty, rounds=self.rounds, reference_bank=self.reference_bank)
        twin.fit(bank[drawn], given[drawn])
        judged = np.setdiff1d(np.flatnonzero(np.isin(given, twin.classes_)), drawn)
        return twin.scores(bank[judged]), np.searchsorted(twin.classes_, given[judged])

    def _learn_from_itself(
        self, labelled: tuple[np.ndarray, np.ndarray], reference_bank: np.ndarray, moved: np.ndarray
    ) -> None:
        """Mix in a fit on pseudo-labels of the reference bank, on the same scale."""
        X, index = labelled
        share = _SELF_TRAINING_SHARE * (1 - len(X) / len(reference_bank))
        coef, intercept = self.coef_, self.intercept_
        first = scores = moved @ coef.T + intercept
        for _ in range(self.rounds):
            rows, given = most_confident_share(scores / self.temperature_, _CONFIDENT_SHARE)
            vectors = np.concatenate([X, reference_bank[rows]])
            signs = class_signs(np.concatenate([index, given]), len(self.classes_))
            weights, offsets, _ = ridge_with_intercept(vectors, signs, self.penalty_)
            second = reference_bank @ weights.T + offsets
            size = share * first.std() / max(second.std(), MIN_NORM)
            scores = (1 - share) * first + size * second
            self.coef_, self.own_coef_ = (1 - share) * coef, size * weights
            self.intercept_ = (1 - share) * intercept + size * offsets

    def _move_to_neighbours(self, X: np.ndarray) -> np.ndarray:
        """Add a share of the mean of their neighbours to vectors (n,D)."""
        if self.reference_bank is None:
            return X
        bank = self.reference_bank.astype(np.float64)
        return X + self.reach_ * neighbour_mean(X, bank, NEIGHBOURS_AVERAGED)

    def _normalisation(
        self, labels: np.ndarray, moved: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return shift (K,) and scale (K,) of scores, by labels per class and over a moved bank."""
        if not len(moved):
            return np.zeros(len(labels)), np.ones(len(labels))
        scores = moved @ self.coef_.T + self.intercept_
        strength = labels.min() / labels.max() / labels.mean()
        deviation = scores.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0) ** strength
        return strength * scores.mean(axis=0), scale

    def decision_function(self, X: Any) -> Float[np.ndarray, "n ..."]:
        """Return scores (n,K); for two classes (n,), that of the second as scikit-learn has it."""
        scores = self.scores(X)
        return np.asarray(scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores)

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of highest score (n,)."""
        scores = self.scores(X)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n K"]:
        """Return calibrated probabilities (n,K)."""
        return np.asarray(softmax(self.scores(X) / self.temperature_, axis=1))

    def scores(self, X: Any) -> Float[np.ndarray, "n K"]:
        """Return scores of all classes (n,K), before they become probabilities."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        own = X @ self.own_coef_.T + self.intercept_
        return np.asarray(self._move_to_neighbours(X) @ self.coef_.T + own)

    def scores_beside(
        self, X: Float[np.ndarray, "n D"], near: Int[np.ndarray, "n k"] | None
    ) -> Float[np.ndarray, "n K"]:
        """Return :meth:`scores` to rounding, of many vectors in their own precision.

        Args:
            X: the vectors.
            near: rows of their neighbours in the bank (``neighbour_rows``), found once for
                however many probes; None without a bank.
        """
        check_is_fitted(self)
        both = X @ (self.coef_ + self.own_coef_).T.astype(X.dtype)
        found = both.astype(np.float64) + self.intercept_
        if near is None or self.reference_bank is None:
            return np.asarray(found)
        moved = self.reference_bank.astype(np.float64) @ self.coef_.T  # (M,K)
        return np.asarray(found + self.reach_ * moved[near].mean(axis=1))


FEW_PENALTY = 0.05
"""Of few labels: a share of the mean squared length of the centred vectors."""
PENALTIES = (FEW_PENALTY, 0.1, 0.2, 0.4)
_MANY_LABELS = 20
"""Labels per class, on the mean, from which on leave-one-out chooses among the penalties."""


def penalties_for(labels: Int[np.ndarray, "K"]) -> tuple[float, ...]:
    """Return the penalties to choose from with so many labels of each class."""
    return PENALTIES if labels.mean() >= _MANY_LABELS else (FEW_PENALTY,)


NEIGHBOURS_AVERAGED = 5
"""Vectors of the reference bank that a vector is moved towards."""
_SHIFT_SHARE = 0.5
"""Share of their mean that is added with one label per class."""
_SELF_TRAINING_SHARE = 0.5
"""Share of the scores that comes from pseudo-labels where hardly any of the bank is labelled."""
_CONFIDENT_SHARE = 0.9
"""Share of the pseudo-labels of a class that the probe learns from, the most confident ones."""
_SIMULATED_LABELS = 30
"""What simulated labels count for beside those that there are."""
_FEW_LABELS = 200
"""Labels up to which some are simulated; more speak for themselves."""
DEFAULT_TEMPERATURE = 0.3
"""Temperature where one label per class leaves nothing to fit it on."""


def fit_temperature(loss: Callable[[float], float], *, highest: float = 3.0) -> float:
    """Return the temperature t of least loss, log t between -4 and ``highest``."""
    found = minimize_scalar(
        lambda log_t: loss(float(np.exp(log_t))), bounds=(-4.0, highest), method="bounded"
    )
    return float(np.exp(found.x))


def softmax_temperature(
    scores: Float[np.ndarray, "n K"],
    index: Int[np.ndarray, "n"],
    simulated: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> float:
    """Return the softmax temperature of highest likelihood on left-out scores.

    Cases whose class has no other label do not count; with none left it is the default.
    Simulated cases count as :data:`_SIMULATED_LABELS` in all. With them, so many cases that are
    all right promise no more than about 1 - 1 / (cases + 2) (Platt 1999, section 2.2).
    """
    known = np.bincount(index)[index] > 1
    if not known.any() and not simulated:
        return DEFAULT_TEMPERATURE
    cases = [(scores[known], index[known], 1.0)]
    number = sum(len(rows) for _, rows in simulated)
    cases += [(found, rows, _SIMULATED_LABELS / number) for found, rows in simulated]
    total = known.sum() + (_SIMULATED_LABELS if simulated else 0)

    doubt = 1 / (known.sum() + number + 2) if simulated else 0.0

    def loss(t: float) -> float:
        sums = [share * _log_loss(found / t, rows, doubt) for found, rows, share in cases]
        return float(sum(sums) / total)

    return fit_temperature(loss, highest=1.5 if simulated else 3.0)


def _log_loss(scores: Float[np.ndarray, "n K"], index: Int[np.ndarray, "n"], doubt: float) -> float:
    """Return the sum of -log softmax of the true classes; others share the doubt."""
    logs = log_softmax(scores, axis=1)
    right = float(logs[np.arange(len(index)), index].sum())
    if not doubt:
        return -right
    others = (float(logs.sum()) - right) / max(logs.shape[1] - 1, 1)
    return float(-(1 - doubt) * right - doubt * others)


def logistic_temperature(
    scores: Float[np.ndarray, "n K"], signs: Float[np.ndarray, "n K"]
) -> float:
    """Return the temperature of least mean log(1 + exp(−sign · score / t))."""
    return fit_temperature(lambda t: float(np.logaddexp(0, -signs * scores / t).mean()))
