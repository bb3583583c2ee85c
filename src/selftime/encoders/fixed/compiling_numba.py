"""Compiled loops, kept on disk where that can be done, and shared out to threads."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import numba
import numpy as np
import torch
from numba.core.caching import FunctionCache

from selftime.data.graph import is_traced
from selftime.door import tell

Function = TypeVar("Function", bound=Callable[..., Any])


LANES = 16
"""Series or rows that are worked on side by side: two vector registers of eight floats."""
UNKEPT = (
    "compiled loops are not kept for other processes ({}), which takes each of them some seconds: "
    "set NUMBA_CACHE_DIR to a folder that can be written"
)
"""Said once, as all loops share their fate."""
_said: list[str] = []


class KernelCache(FunctionCache):
    """Machine code on disk, without which a loop is compiled: no file is needed to go on."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for a signature, or None; an index that is damaged is emptied."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # of a damaged file anything may come
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code if that can be done."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            _tell_once(error.strerror or "they cannot be written")


def _tell_once(why: str) -> None:
    if not _said:
        _said.append(UNKEPT.format(why))
        tell(_said)


def compile_kernel(*, reorder: bool = False) -> Callable[[Function], Function]:
    """Compile to machine code that is kept on disk; only with ``reorder`` may sums be reordered."""
    # Reordered sums are fused and vectorised; the others are those of `rocket_torch` to the bit.
    flags = {"reassoc", "nsz", "contract"} if reorder else False
    # Inlined, or a process that compiles runs another copy of an inner loop than those that load.
    compiled = numba.njit(nogil=True, error_model="numpy", fastmath=flags, forceinline=True)

    def decorate(function: Function) -> Function:
        fast: Any = compiled(function)
        try:
            fast._cache = KernelCache(function)  # type: ignore[no-untyped-call]
        except RuntimeError:  # no folder of numba's can be written
            _tell_once("no folder for them can be written")
        return fast  # type: ignore[no-any-return]

    return decorate


def runs_compiled(values: torch.Tensor) -> bool:
    """Return whether compiled loops can be run on values: on the CPU, and in no graph."""
    return values.device.type == "cpu" and not is_traced()


def parallel_over_series(
    work: Callable[..., None], count: int, *arguments: Any, abreast: int = 1
) -> None:
    """Run ``work(start, stop, *arguments)`` over all series, on as many threads as torch has.

    Where there are enough for all threads, runs are whole numbers of those that go ``abreast``.
    """
    # Plain threads instead of ``prange``: they survive a fork, and several callers at a time.
    threads = torch.get_num_threads()  # asking numba would start its own and change torch's
    if threads == 1:
        work(0, count, *arguments)
        return
    unit = abreast if count >= abreast * threads else 1
    units = -(-count // unit)
    runs = min(units, 8 * threads)  # 8: evens out unequal lengths
    edges = np.minimum(np.linspace(0, units, max(runs, 1) + 1).astype(np.int64) * unit, count)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, a, b, *arguments) for a, b in itertools.pairwise(edges)]:
            done.result()
