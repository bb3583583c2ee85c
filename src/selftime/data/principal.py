"""Principal axes: the directions in which vectors vary most."""

import numpy as np
from jaxtyping import Float


def principal_axes(
    moments: Float[np.ndarray, "D D"],
) -> tuple[Float[np.ndarray, "D"], Float[np.ndarray, "D D"]]:
    """The variance along each axis, the largest first and none below 0, and the axes as columns.

    Args:
        moments: second moments of the vectors, as they are or about their mean.
    """
    variances, axes = np.linalg.eigh(moments)
    return np.maximum(variances[::-1], 0.0), axes[:, ::-1]


def principal_coordinates(
    vectors: Float[np.ndarray, "N D"],
) -> Float[np.ndarray, "N R"]:
    """The vectors by their coordinates along their axes, from the smaller of both Gram matrices."""
    N, D = vectors.shape
    if D <= N:
        return np.asarray(vectors @ principal_axes(vectors.T @ vectors)[1])
    squares, axes = principal_axes(vectors @ vectors.T)
    return np.asarray(axes * np.sqrt(squares))
