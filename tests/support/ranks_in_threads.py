"""Several processes of one run, pretended by threads: enough for what objectives ask of them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from unittest.mock import patch

import torch
from torch import Tensor

from selftime.objectives import distributed as ranks

Result = TypeVar("Result")


class Ranks:
    """Stands in for ``torch.distributed``: each thread is a rank.

    Attributes:
        world: how many there are.
    """

    def __init__(self, world: int) -> None:
        self.world = world
        self.here = threading.local()
        self.meeting = threading.Barrier(world, timeout=60)
        self.given: list[Tensor | None] = [None] * world

    def is_available(self) -> bool:
        return True

    is_initialized = is_available

    def get_world_size(self) -> int:
        return self.world

    def get_rank(self) -> int:
        rank: int = self.here.rank
        return rank

    def all_gather(self, parts: list[Tensor], own: Tensor) -> None:
        """Every rank gets what all of them give."""
        self.given[self.get_rank()] = own
        self.meeting.wait()
        for part, given in zip(parts, self.given, strict=True):
            part.copy_(given)
        self.meeting.wait()  # nobody gives anew before all have read

    def all_gather_into_tensor(self, whole: Tensor, own: Tensor) -> None:
        """The same end to end."""
        self.all_gather(list(whole.view(self.world, -1)), own)

    def all_to_all_single(self, got: Tensor, own: Tensor) -> None:
        """Every rank gets its own share of what each of them gives."""
        parts = [own.clone() for _ in range(self.world)]
        self.all_gather(parts, own)
        shares = [part.view(self.world, -1)[self.get_rank()] for part in parts]
        got.copy_(torch.cat(shares))


def on_ranks(world: int, work: Callable[[int], Result]) -> list[Result]:
    """What ``work(rank)`` gives on each of the ranks, run at the same time."""
    pretended = Ranks(world)

    def as_rank(rank: int) -> Result:
        pretended.here.rank = rank
        try:
            return work(rank)
        except BaseException:
            pretended.meeting.abort()  # the others would wait for ever
            raise

    with patch.object(ranks, "dist", pretended), ThreadPoolExecutor(world) as threads:
        futures = [threads.submit(as_rank, rank) for rank in range(world)]
        failed = [error for f in futures if (error := f.exception()) is not None]
        own = [e for e in failed if not isinstance(e, threading.BrokenBarrierError)]
        if failed:
            raise (own or failed)[0]
        return [future.result() for future in futures]
