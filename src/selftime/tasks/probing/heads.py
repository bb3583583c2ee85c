"""Heads on embeddings by the names people type, for classes, values and several labels."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.neighbors import KNeighborsClassifier

from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.ridge import ridge_leave_one_out
from selftime.tasks.probing.semi import LabelSpreading, Prototypes, SelfTraining, SemiSupervised
from selftime.tasks.probing.temperature import logistic_temperature

_VALUE_PENALTIES = 10.0 ** np.arange(-4, 3)
"""Shares of the mean squared length that a value's penalty is chosen from."""
_LABEL_PENALTY = 0.05
"""That of labels, as of the probe for classes."""


class ValueProbe(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Ridge regression of values on vectors, its penalty chosen by leave-one-out.

    Attributes:
        penalty_: the chosen share of the mean squared length.
        coef_: (K,D) weights.
        intercept_: (K,) offsets.
    """

    def fit(self, X: Float[np.ndarray, "n D"], Y: Float[np.ndarray, "n K"]) -> "ValueProbe":
        """Fit on vectors and their values."""
        X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
        Xm, Ym = X.mean(axis=0), Y.mean(axis=0)
        fits = [ridge_leave_one_out(X - Xm, Y - Ym, penalty) for penalty in _VALUE_PENALTIES]
        errors = [float(np.square(held_out - (Y - Ym)).mean()) for _, held_out in fits]
        best = int(np.argmin(errors))
        self.penalty_, self.coef_ = float(_VALUE_PENALTIES[best]), fits[best][0]
        self.intercept_ = Ym - self.coef_ @ Xm
        return self

    def predict(self, X: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K"]:
        """Values (n,K)."""
        return np.asarray(X @ self.coef_.T + self.intercept_)


class LabelsProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # no types there
    """Ridge regression of each label, 1 where it is there and -1 where it is not.

    Probabilities are the logistic function of scores over a temperature that is fitted on
    leave-one-out scores, as in :class:`selftime.tasks.probing.probe.Probe`.

    Attributes:
        coef_: (K,D) weights.
        intercept_: (K,) offsets.
        temperature_: scores are divided by it.
    """

    def fit(self, X: Float[np.ndarray, "n D"], Y: Any) -> "LabelsProbe":
        """Fit on vectors and 0 or 1 for each label (n,K)."""
        X, signs = np.asarray(X, np.float64), 2.0 * np.asarray(Y) - 1
        Xm, Ym = X.mean(axis=0), signs.mean(axis=0)
        self.coef_, held_out = ridge_leave_one_out(X - Xm, signs - Ym, _LABEL_PENALTY)
        self.intercept_ = Ym - self.coef_ @ Xm
        self.temperature_ = logistic_temperature(held_out + Ym, signs)
        return self

    def decision_function(self, X: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K"]:
        """Scores (n,K), over 0 where a label is likelier there than not."""
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def predict(self, X: Float[np.ndarray, "n D"]) -> np.ndarray:
        """0 or 1 for each label (n,K)."""
        return (self.decision_function(X) > 0).astype(np.int64)

    def predict_proba(self, X: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K"]:
        """Probability of each label (n,K)."""
        return np.asarray(expit(self.decision_function(X) / self.temperature_))


SEMI: dict[str, type[Prototypes] | type[SelfTraining] | type[LabelSpreading]] = {
    "prototypes": Prototypes,
    "self_training": SelfTraining,
    "spread": LabelSpreading,
}
NEIGHBOURS = 5
"""How many labelled vectors "knn" asks, the nearer with more weight; all where there are fewer."""
HEAD_NAMES = ("probe", "knn", *SEMI)


def check_head(name: str) -> None:
    """Whether there is such a head.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in HEAD_NAMES:
        raise ValueError(f"got head {name!r}, wanted one of {', '.join(HEAD_NAMES)}")


def make_head(
    name: str, reference_bank: Float32[np.ndarray, "M D"] | None, *, neighbours: int = NEIGHBOURS
) -> Probe | KNeighborsClassifier | SemiSupervised:
    """A classifier of vectors, not yet fitted.

    Args:
        name: "probe" (:class:`selftime.tasks.probing.probe.Probe`), "knn" (nearest by cosine), or one that
            learns from unlabelled vectors too (:mod:`selftime.tasks.probing.semi`): "prototypes",
            "self_training", "spread".
        cohort: vectors of unlabelled series, such as those a model keeps, or None.
        neighbours: how many of them "knn" asks, the nearer the more weight.

    Raises:
        ValueError: there is no head of that name.
    """
    check_head(name)
    if name == "probe":
        return Probe(reference_bank=reference_bank)
    if name in SEMI:
        return SEMI[name](unlabelled=reference_bank)
    return KNeighborsClassifier(neighbours, metric="cosine", weights="distance")
