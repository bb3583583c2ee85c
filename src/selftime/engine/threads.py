"""Batches shared out to threads, so that none waits for another within a batch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice
from typing import TypeVar

import numpy as np
import torch

from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.data.windows import batches, by_length

Taken = TypeVar("Taken")
Yielded = TypeVar("Yielded")


def map_on_threads(work: Callable[[Taken], Yielded], items: Iterable[Taken]) -> Iterator[Yielded]:
    """Yield ``work(item)`` of each item in order, several at a time on one thread of torch each.

    There are as many as torch has threads; a single item has them all. Threads that share out the
    operations within one batch meet at the end of each, and spin while compiled loops have threads
    of their own: on two cores that made embedding take 1.6 times as long.

    Example:
        >>> list(map_on_threads(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    threads, waiting = torch.get_num_threads(), iter(items)
    first = list(islice(waiting, 2))
    if threads == 1 or len(first) < 2:
        yield from map(work, chain(first, waiting))
        return
    begun: deque[Future[Yielded]] = deque()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for item in chain(first, waiting):
                begun.append(pool.submit(copy_context().run, work, item))
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
    finally:
        torch.set_num_threads(threads)  # products of matrices have one setting for all threads


def map_batches(
    work: Callable[[Batch], Yielded], series: SeriesSet, device: torch.device, most: int
) -> Iterator[tuple[np.ndarray, Yielded]]:
    """Yield the rows and ``work(batch)`` of series in batches of like lengths, shortest first.

    A CPU has a batch for each of its threads, with at most so many series together; a GPU has one.
    """
    order, on_cpu = by_length(series), device.type == "cpu"
    values = series.n_channels * float(series.lengths.mean())
    size = share_of_thread(len(series), values, most) if on_cpu else most
    rows = (order[i : i + size] for i in range(0, len(order), size))
    found = (map_on_threads if on_cpu else map)(work, batches(series, size=size, order=order))
    return zip(rows, found, strict=True)


def share_of_thread(series: int, values: float, most: int) -> int:
    """Return how many series of so many values make a batch, ``most`` of all threads together.

    Two batches a thread even out their lengths. Series so short that this is not worth handing over
    make larger ones, of ``most`` series each at most.

    Example:
        >>> share_of_thread(100, 1e6, most=256) <= 50
        True
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return most
    share = min(-(-most // threads), -(-series // (2 * threads)))
    return min(max(share, round(_WORTH / max(values, 1))), most)


_WORTH = 2**13
"""Values of a batch from which a thread of its own pays: some milliseconds."""
