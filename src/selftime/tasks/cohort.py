"""What unlabelled vectors tell a probe: which are near a vector, and of which it is sure."""

import numpy as np
from jaxtyping import Float, Int

Vectors = Float[np.ndarray, "n D"]


def neighbours(X: Vectors, cohort: Float[np.ndarray, "M D"], count: int) -> Vectors:
    """Mean (n,D) of the nearest vectors of the cohort by cosine, never of a vector itself.

    Args:
        X: (n,D) vectors.
        cohort: (M,D) vectors to choose from.
        count: how many of them; at most half of the cohort.
    """
    cosine = unit(X) @ unit(cohort).T  # (n,M)
    cosine[cosine > ITSELF] = -np.inf
    count = max(min(count, len(cohort) // 2), 1)
    nearest = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
    shares = np.zeros_like(cosine)
    np.put_along_axis(shares, nearest, 1 / count, axis=1)
    return np.asarray(shares @ cohort)


def unit(X: Vectors) -> Vectors:
    """Vectors of length 1; zeros stay zeros."""
    return np.asarray(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), TINY))


def surest(
    scores: Float[np.ndarray, "M K"], each: int | Int[np.ndarray, "K"]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the surest ``each`` of every class, or of all it has, and their classes.

    Sure is who has little left for other classes: Σ exp(sⱼ - s) over them, s the highest score.
    Probabilities order alike, but near 1 they round to equal ones.
    """
    given = scores.argmax(axis=1)
    others = np.exp(scores - scores.max(axis=1, keepdims=True))
    others[np.arange(len(given)), given] = 0
    order = np.lexsort((others.sum(axis=1), given))  # class by class, the surest first
    counts = np.bincount(given, minlength=scores.shape[1])
    place = np.arange(len(given)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[place < np.broadcast_to(each, counts.shape)[given[order]]]
    return rows, given[rows]


def surest_share(scores: Float[np.ndarray, "M K"], share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the surest share of each class's own, and their classes."""
    counts = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
    return surest(scores, np.ceil(share * counts).astype(int))


ITSELF = 1 - 1e-6
"""Cosine above which two vectors are those of one series, to the precision of float32."""
TINY = 1e-12
