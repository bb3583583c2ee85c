"""Threads: work that is done sooner by one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread meanwhile.

    Solvers synchronise their threads at every column. On two cores the eigenvectors of 1500 × 1500
    take 2.0 s with two threads and 0.9 s with one; where other programs want the cores too, those
    of 1440 × 1440 took 27 s and 1.6 s, and eight of Cholesky's factors 41 s and 1.3 s.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
