"""Several scores as one: a step is as odd as the scores that find it oddest say."""

import numpy as np
from jaxtyping import Bool, Float


def fused(scores: Float[np.ndarray, "M T"], known: Bool[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Root mean square over the scores of what their :func:`robust_z` exceeds 0 by.

    Between the mean, in which one sure score drowns, and the greatest, which the least steady
    score decides.

    Args:
        scores: of M methods.
        known: steps from which what is usual of each is measured.
    """
    above = np.maximum(robust_z(scores, known), 0)
    return np.asarray(np.sqrt(np.square(above).mean(axis=0)))


def robust_z(
    scores: Float[np.ndarray, "M T"], known: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "M T"]:
    """Less the median, by the distance of the quartiles.

    Ranks would bring every score to the same height at its top and so hide which of them is sure.
    """
    low, middle, high = np.quantile(scores[:, known], [0.25, 0.5, 0.75], axis=1)[..., None]
    floor = 1e-3 * scores[:, known].std(axis=1, keepdims=True) + 1e-9
    return np.asarray((scores - middle) / np.maximum(high - low, floor))
