"""Heads on embeddings by name, for classes, values and several labels."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.neighbors import KNeighborsClassifier

from selftime.tasks.probing.probe import FEW_PENALTY, Probe, logistic_temperature
from selftime.tasks.probing.ridge import ridge_of_least_error, ridge_with_intercept
from selftime.tasks.probing.semi import LabelSpreading, Prototypes, SelfTraining, SemiSupervised

_VALUE_PENALTIES: list[float] = (10.0 ** np.arange(-4, 3)).tolist()
"""Shares of the mean squared length that the penalty for values is chosen from."""


class ValueProbe(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Ridge regression of values (n,K) on vectors (n,D), its penalty chosen by leave-one-out."""

    penalty_: float
    coef_: Float[np.ndarray, "K D"]
    intercept_: Float[np.ndarray, "K"]

    def fit(self, X: Float[np.ndarray, "n D"], Y: Float[np.ndarray, "n K"]) -> "ValueProbe":
        """Fit on vectors and their values."""
        X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
        best = ridge_of_least_error(X, Y, _VALUE_PENALTIES)
        self.penalty_, self.coef_, self.intercept_, _ = best
        return self

    def predict(self, X: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K"]:
        """Return values (n,K)."""
        return np.asarray(X @ self.coef_.T + self.intercept_)


class LabelsProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # no types there
    """Ridge regression of each label: 1 where a vector has it and -1 where it does not.

    Probabilities are logistic in the scores, calibrated on leave-one-out scores as in ``Probe``.
    """

    coef_: Float[np.ndarray, "K D"]
    intercept_: Float[np.ndarray, "K"]
    temperature_: float

    def fit(self, X: Float[np.ndarray, "n D"], Y: Any) -> "LabelsProbe":
        """Fit on vectors and 0 or 1 for each label (n,K)."""
        X, signs = np.asarray(X, np.float64), 2.0 * np.asarray(Y) - 1
        self.coef_, self.intercept_, held_out = ridge_with_intercept(X, signs, FEW_PENALTY)
        self.temperature_ = logistic_temperature(held_out, signs)
        return self

    def decision_function(self, X: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K"]:
        """Return scores (n,K), above 0 where a label is more likely than not."""
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def predict(self, X: Float[np.ndarray, "n D"]) -> np.ndarray:
        """Return 0 or 1 for each label (n,K)."""
        return (self.decision_function(X) > 0).astype(np.int64)

    def predict_proba(self, X: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K"]:
        """Return the probability of each label (n,K)."""
        return np.asarray(expit(self.decision_function(X) / self.temperature_))


SEMI: dict[str, type[Prototypes] | type[SelfTraining] | type[LabelSpreading]] = {
    "prototypes": Prototypes,
    "self_training": SelfTraining,
    "spread": LabelSpreading,
}
NEIGHBOURS = 5
"""Labelled vectors that "knn" asks, nearer ones with more weight; all where there are fewer."""
SIMULATIONS = 4
"""Draws of simulated labels by which the probabilities of "probe" are calibrated."""
HEAD_NAMES = ("probe", "knn", *SEMI)


def inverse_distance(distances: Float[np.ndarray, "N k"]) -> Float[np.ndarray, "N k"]:
    """Return 1 / d; vectors nearer than 10⁻⁶, where float32 cosines are rounded, count the same."""
    return np.asarray(1 / np.maximum(distances, NEAREST))


NEAREST = 1e-6
"""Distances below this count as it."""


def make_head(
    name: str, reference_bank: Float32[np.ndarray, "M D"] | None, *, neighbours: int = NEIGHBOURS
) -> Probe | KNeighborsClassifier | SemiSupervised:
    """Return an unfitted classifier of vectors: one of :data:`HEAD_NAMES`, "knn" by cosine."""
    if name not in HEAD_NAMES:
        raise ValueError(f"got head {name!r}, wanted one of {', '.join(HEAD_NAMES)}")
    if name == "probe":
        return Probe(simulations=SIMULATIONS, reference_bank=reference_bank)
    if name in SEMI:
        return SEMI[name](unlabelled=reference_bank)
    return KNeighborsClassifier(neighbours, metric="cosine", weights=inverse_distance)
