"""Several processes, one batch: each encodes its share of the series, all get all results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from selftime.data.batch import Batch

_ALONE = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Encode whole batches in this process for a while, whatever the others do."""
    before = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(before)


def distribute(encode: Callable[..., Tensor], x: Batch, *beside: Tensor) -> Tensor:
    """Return ``encode(x, *beside)``, its rows divided among the processes of a run.

    Every process holds the whole batch, which is cheap beside encoding it, and computes the whole
    loss. So views, negatives and loss are those of a single process, whatever their number, and so
    is the gradient that the processes average (Chen et al. 2020, section 2.2: global batch). The
    price is an all-gather of 4·B·N·D bytes for each encoding of B series as N tokens of D numbers,
    and a loss of B series in every process; `TrainingConfig(negatives="own")` does without both.
    ``encode`` works on each row by itself; ``beside`` are tensors with one row per series.
    """
    rank, world = place()
    if _ALONE.get() or world == 1:
        return encode(x, *beside)
    B = len(x.values)
    share = -(-B // world)  # rounded up; the last shares repeat the last series
    rows = torch.arange(rank * share, (rank + 1) * share, device=x.values.device).clamp(max=B - 1)
    own = encode(Batch(x.values[rows], x.observed[rows]), *(part[rows] for part in beside))
    whole: Tensor = Gathered.apply(own)  # type: ignore[no-untyped-call]
    return whole[:B]


def place() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def summed(own: Tensor) -> Tensor:
    """Return the sum of what all processes have, the same bits in each.

    Each process adds up one share of the numbers, so that it gets and holds about twice what it
    has, however many they are.
    """
    world = place()[1]
    if world == 1:
        return own
    width = -(-own.numel() // world)
    sent = torch.zeros(world * width, dtype=own.dtype, device=own.device)
    sent[: own.numel()] = own.flatten()
    share = torch.empty_like(sent)
    dist.all_to_all_single(share, sent)
    total = torch.empty_like(sent)
    dist.all_gather_into_tensor(total, share.view(world, width).sum(dim=0))
    return total[: own.numel()].view(own.shape)


class Gathered(torch.autograd.Function):
    """The rows of all processes, in their order."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        """Rows of this process to rows of all."""
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """This process's rows of the gradient."""
        # every process computes the gradient of all rows, and gradients of weights are averaged
        own = grad.chunk(dist.get_world_size())[dist.get_rank()]
        return own * dist.get_world_size()
