"""What unlabelled vectors tell a probe: which of them are near a vector."""

import numpy as np
from jaxtyping import Float

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


ITSELF = 1 - 1e-6
"""Cosine above which two vectors are those of one series, to the precision of float32."""
TINY = 1e-12
