"""Principal axes: the directions in which vectors vary most."""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from selftime.data.threads import one_thread


def eigh(matrix: Float64[Tensor, "d d"]) -> tuple[Float64[Tensor, "d"], Float64[Tensor, "d d"]]:
    """Return eigenvalues in ascending order, and eigenvectors as columns."""
    exponent = torch.frexp(matrix.abs().max())[1]
    with one_thread():  # of entries near 1: some solvers give up on those near 1e-13
        e, Q = torch.linalg.eigh(torch.ldexp(matrix, -exponent))
    return torch.ldexp(e, exponent), Q


def principal_axes(
    moments: Float[np.ndarray, "D D"],
) -> tuple[Float[np.ndarray, "D"], Float[np.ndarray, "D D"]]:
    """Return the variance along each axis, largest first, none below 0, and the axes as columns."""
    variances, axes = (found.numpy() for found in eigh(torch.from_numpy(moments)))
    return np.maximum(variances[::-1], 0.0), axes[:, ::-1]


def principal_coordinates(vectors: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N R"]:
    """Return coordinates along the principal axes, by the smaller of both Gram matrices."""
    N, D = vectors.shape
    if D <= N:
        return np.asarray(vectors @ principal_axes(vectors.T @ vectors)[1])
    squares, axes = principal_axes(vectors @ vectors.T)
    return np.asarray(axes * np.sqrt(squares))
