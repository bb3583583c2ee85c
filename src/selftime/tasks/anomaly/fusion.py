"""Several scores as one: a step is as odd as the scores that find it oddest say."""

import numpy as np
from jaxtyping import Bool, Float

POWER = 3
"""Of the mean over scores: 1 drowns one sure score, 2 still does where several others stir, and the
greatest score alone is the least steady."""


def fused(scores: Float[np.ndarray, "M T"], known: Bool[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Power mean over the scores of what their :func:`robust_z` exceeds 0 by: (Σ z³ / M)^(1/3).

    Args:
        scores: of M methods.
        known: steps from which what is usual of each is measured.
    """
    above = np.maximum(robust_z(scores, known), 0)
    return np.asarray(np.power(np.power(above, POWER).mean(axis=0), 1 / POWER))


def robust_z(
    scores: Float[np.ndarray, "M T"], known: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "M T"]:
    """Less the median, by the distance of the quartiles.

    Ranks would bring every score to the same height at its top and so hide which of them is sure.
    """
    low, middle, high = np.quantile(scores[:, known], [0.25, 0.5, 0.75], axis=1)[..., None]
    floor = 1e-3 * scores[:, known].std(axis=1, keepdims=True) + 1e-9
    return np.asarray((scores - middle) / np.maximum(high - low, floor))
