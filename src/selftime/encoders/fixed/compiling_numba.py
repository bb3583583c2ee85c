"""Compiled loops, shared out to threads."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numba
import numpy as np
import torch

Function = TypeVar("Function", bound=Callable[..., Any])


def compile_kernel(*, reorder: bool = False) -> Callable[[Function], Function]:
    """Compile to machine code that is kept on disk; only with ``reorder`` may sums be reordered."""
    # Reordered sums are fused and vectorised; the others are those of `rocket_torch` to the bit.
    flags = {"reassoc", "nsz", "contract"} if reorder else False

    def decorate(function: Function) -> Function:
        fast: Any = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)
        return fast(function)  # type: ignore[no-any-return]

    return decorate


def parallel_over_series(work: Callable[..., None], count: int, *arguments: Any) -> None:
    """Run ``work(start, stop, *arguments)`` over all series, on as many threads as torch has."""
    # Plain threads instead of ``prange``: they survive a fork, and several callers at a time.
    threads = torch.get_num_threads()  # asking numba would start its own and change torch's
    if threads == 1:
        work(0, count, *arguments)
        return
    runs = min(count, 8 * threads)  # 8: evens out unequal lengths
    edges = np.linspace(0, count, max(runs, 1) + 1).astype(np.int64)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, a, b, *arguments) for a, b in itertools.pairwise(edges)]:
            done.result()
