"""Principal axes: the directions in which vectors vary most."""

import numpy as np
from jaxtyping import Float


def principal_axes(
    moments: Float[np.ndarray, "D D"],
) -> tuple[Float[np.ndarray, "D"], Float[np.ndarray, "D D"]]:
    """Return the variance along each axis, largest first, none below 0, and the axes as columns."""
    variances, axes = np.linalg.eigh(moments)
    return np.maximum(variances[::-1], 0.0), axes[:, ::-1]


def principal_coordinates(vectors: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N R"]:
    """Return coordinates along the principal axes, by the smaller of both Gram matrices."""
    N, D = vectors.shape
    if D <= N:
        return np.asarray(vectors @ principal_axes(vectors.T @ vectors)[1])
    squares, axes = principal_axes(vectors @ vectors.T)
    return np.asarray(axes * np.sqrt(squares))
