"""Eigenvectors of symmetric matrices, without threads that wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float64
from torch import Tensor


def eigh(matrix: Float64[Tensor, "d d"]) -> tuple[Float64[Tensor, "d"], Float64[Tensor, "d d"]]:
    """Eigenvalues in ascending order, and eigenvectors as columns.

    On one thread: LAPACK's reduction to tridiagonal form synchronises its threads at every
    column. On two cores 1500 × 1500 takes 2.0 s with two threads and 0.9 s with one, and with
    other processes beside it 8 to 16 s against 1 to 3 s.
    """
    with one_thread():
        e, Q = torch.linalg.eigh(matrix)
    return e, Q


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on a single thread for the time being."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
