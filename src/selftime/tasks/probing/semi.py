"""Heads that learn from the unlabelled vectors beside the few labelled ones."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.reference_bank import most_confident, unit_vectors

_Vectors = Float[np.ndarray, "_ D"]


class SemiSupervised(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc] # no types there
    """A classifier of vectors that learns from unlabelled ones too."""

    unlabelled: _Vectors | None
    classes_: Shaped[np.ndarray, "K"]
    n_features_in_: int

    def fit(self, X: Any, y: Any, unlabelled: _Vectors | None = None) -> "SemiSupervised":
        """Fit on vectors (n,D), labels (n,) and unlabelled vectors (M,D), given here or before."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        given = self.unlabelled if unlabelled is None else unlabelled
        U = X if given is None else np.asarray(given, np.float64)
        if U.ndim != 2 or U.shape[1] != X.shape[1]:
            raise ValueError(
                f"got unlabelled vectors of shape {U.shape}, wanted (any, {X.shape[1]}): "
                "embed them with the same model"
            )
        self.classes_, index = np.unique(y, return_inverse=True)
        self._learn(X, index, U)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely class (n,)."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n K"]:
        """Return the probability of each class (n,K), calibrated by ``self_training`` alone."""
        check_is_fitted(self)
        return self._probabilities(validate_data(self, X, dtype=np.float64, reset=False))

    @abstractmethod
    def _learn(self, X: _Vectors, index: np.ndarray, U: _Vectors) -> None:
        """Learn from labelled vectors (n,D), their classes (n,) and unlabelled vectors (M,D)."""

    @abstractmethod
    def _probabilities(self, X: _Vectors) -> Float[np.ndarray, "n K"]:
        """Return the probability of each class."""


class Prototypes(SemiSupervised):
    """Nearest class mean, the means moved towards the unlabelled vectors near them.

    Soft k-means from the labelled means (Ren et al. 2018, *Meta-Learning for Semi-Supervised
    Few-Shot Classification*, section 3.1.1). Scores are cosines to the means; those of each class
    are brought to mean 0 and deviation 1 over the unlabelled vectors, as in ``Probe``, less the
    more unequal the numbers of labels are.
    ``temperature`` is that of the softmax that shares unlabelled vectors (M,D) out among classes.
    """

    centre_: Float[np.ndarray, "D"]
    strength_: float
    means_: Float[np.ndarray, "K D"]
    over_: Float[np.ndarray, "M K"]

    def __init__(
        self, *, temperature: float = 0.35, rounds: int = 1, unlabelled: _Vectors | None = None
    ) -> None:
        self.temperature = temperature
        self.rounds = rounds
        self.unlabelled = unlabelled

    def _learn(self, X: _Vectors, index: np.ndarray, U: _Vectors) -> None:
        self.centre_ = U.mean(axis=0)
        X, U = directions(X, self.centre_), directions(U, self.centre_)
        shares = np.eye(index.max() + 1)[index]  # (n,K)
        counts = shares.sum(axis=0)
        self.strength_ = counts.min() / counts.max()
        self.means_ = unit_vectors((shares / counts).T @ X)
        for _ in range(self.rounds):
            assigned = self._soft_assignments(U, U @ self.means_.T)  # (M,K)
            total = shares.T @ X + assigned.T @ U
            self.means_ = unit_vectors(total / (counts + assigned.sum(axis=0))[:, None])
        self.over_ = U @ self.means_.T

    def _probabilities(self, X: _Vectors) -> Float[np.ndarray, "n K"]:
        return self._soft_assignments(directions(X, self.centre_), self.over_)

    def _soft_assignments(self, X: _Vectors, over: np.ndarray) -> Float[np.ndarray, "n K"]:
        scores = balanced_scores(X @ self.means_.T, over, self.strength_)
        return np.asarray(softmax(scores / self.temperature, axis=1))


class SelfTraining(SemiSupervised):
    """The probe, fitted again on its most confident labels of unlabelled vectors.

    Equally many are taken of each class, more from round to round, with the label that the probe
    of the round before gave them (Yarowsky 1995; pseudo-labels, Lee 2013). This head gains more
    than the probe, which trains itself more cautiously, where classes are equally frequent, and
    loses where they are not.
    ``share`` of the unlabelled vectors (M,D) have a label in the last round.
    """

    probe_: Probe

    def __init__(
        self, *, share: float = 0.6, rounds: int = 1, unlabelled: _Vectors | None = None
    ) -> None:
        self.share = share
        self.rounds = rounds
        self.unlabelled = unlabelled

    def _learn(self, X: _Vectors, index: np.ndarray, U: _Vectors) -> None:
        self.probe_ = Probe(rounds=0, reference_bank=U).fit(X, index)
        classes = len(self.classes_)
        for k in range(1, self.rounds + 1):
            each = max(1, int(self.share * k / self.rounds * len(U) / classes))
            rows, given = most_confident(self.probe_.scores(U) / self.probe_.temperature_, each)
            both = np.concatenate([X, U[rows]]), np.concatenate([index, given])
            self.probe_ = Probe(rounds=0, reference_bank=U).fit(*both)

    def _probabilities(self, X: _Vectors) -> Float[np.ndarray, "n K"]:
        return self.probe_.predict_proba(X)


class LabelSpreading(SemiSupervised):
    """Labels that spread over the graph of nearest neighbours of all vectors, to new ones too.

    F = (1 - α)(I - αS)⁻¹Y with S the symmetrically normalised similarity of neighbours (Zhou et al.
    2004, *Learning with Local and Global Consistency*, section 2). Y is 1 over the number of
    labels of a class, and each column of F is scaled to sum 1, so that classes weigh the same. A
    new vector takes the mean of its neighbours, weighted by similarity; where no label reached any
    of them, of all vectors.
    ``alpha`` is the share of its class that a vector takes from its neighbours.
    """

    centre_: Float[np.ndarray, "D"]
    known_: _Vectors
    shares_: Float[np.ndarray, "N K"]

    def __init__(
        self, *, neighbours: int = 10, alpha: float = 0.5, unlabelled: _Vectors | None = None
    ) -> None:
        self.neighbours = neighbours
        self.alpha = alpha
        self.unlabelled = unlabelled

    def _learn(self, X: _Vectors, index: np.ndarray, U: _Vectors) -> None:
        self.centre_ = U.mean(axis=0)
        self.known_ = directions(np.concatenate([X, U]), self.centre_)
        Y = np.zeros((len(self.known_), index.max() + 1))
        Y[np.arange(len(X)), index] = 1
        graph = neighbour_graph(self.known_, self.neighbours)
        F = propagate_labels(graph, Y / Y.sum(axis=0), self.alpha)
        self.shares_ = F / F.sum(axis=0)

    def _probabilities(self, X: _Vectors) -> Float[np.ndarray, "n K"]:
        cosines = directions(X, self.centre_) @ self.known_.T
        similarity = direction_similarity(cosines)
        votes = np.where(are_nearest(cosines, self.neighbours), similarity, 0) @ self.shares_
        reached = votes.sum(axis=1, keepdims=True) > 0
        votes = np.where(reached, votes, similarity @ self.shares_)
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def directions(X: _Vectors, centre: Float[np.ndarray, "D"]) -> _Vectors:
    """Return vectors from the centre, of length 1."""
    return unit_vectors(X - centre)


def balanced_scores(
    scores: Float[np.ndarray, "n K"], over: Float[np.ndarray, "M K"], strength: float
) -> Float[np.ndarray, "n K"]:
    """Subtract the mean of scores over unlabelled vectors, and divide by their deviation there.

    At strength 1 each class has its own; at 0 means stay, and all classes share one deviation.
    """
    shift, scale = balance_of(over, strength)
    return np.asarray((scores - shift) / scale)


def balance_of(over: Float[np.ndarray, "M K"], strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Return shift and scale (K,) of :func:`balanced_scores`."""
    deviation = over.std(axis=0)
    common = max(float(np.sqrt((deviation**2).mean())), 1e-12)
    scale = np.where(deviation > 0, deviation, common) ** strength * common ** (1 - strength)
    return strength * over.mean(axis=0), scale


def are_nearest(cosines: Float[np.ndarray, "n M"], k: int) -> Bool[np.ndarray, "n M"]:
    """Return a mask (n,M) of the k nearest of each, and of all as near as the last of them."""
    k = min(k, cosines.shape[1])
    last = np.partition(cosines, -k, axis=1)[:, -k]
    return np.asarray(cosines >= last[:, None])


def direction_similarity(cosines: Float[np.ndarray, "n M"]) -> Float[np.ndarray, "n M"]:
    """Return exp(-|a - b|²) of directions, 1 for equal ones."""
    return np.asarray(np.exp(2 * (cosines - 1)))


def neighbour_graph(known: Float[np.ndarray, "N D"], k: int) -> Float[np.ndarray, "N N"]:
    """Return similarities where one vector is among the k nearest of the other; 0 elsewhere."""
    cosines = known @ known.T
    np.fill_diagonal(cosines, -np.inf)
    near = are_nearest(cosines, min(k, len(known) - 1))
    return np.asarray(np.where(near | near.T, direction_similarity(cosines), 0))


def propagate_labels(
    graph: Float[np.ndarray, "N N"], Y: Float[np.ndarray, "N K"], alpha: float
) -> Float[np.ndarray, "N K"]:
    """Return F = (1 - α)(I - αS)⁻¹Y, S the graph over the roots of the sums of both its ends."""
    root = np.sqrt(graph.sum(axis=1))
    S = graph / root[:, None] / root
    return np.asarray((1 - alpha) * np.linalg.solve(np.eye(len(S)) - alpha * S, Y))
