"""Graphs of computations: while one is made, no value is known, and no way depends on values."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def is_traced() -> bool:
    """Return whether a graph is being made of what is computed (:func:`torch.export.export`)."""
    return torch.compiler.is_compiling()


def is_whole(mask: Bool[Tensor, "..."]) -> bool:
    """Return whether a mask is known to be True throughout, so that a shorter way may be taken.

    Both ways give the same. In a graph, which is for all values, it is never known.
    """
    return not is_traced() and bool(mask.all())


def latest(mask: Bool[Tensor, "*B T"]) -> Int[Tensor, "*B T"]:
    """Return the last step at which a mask is True, up to each step; -1 where there is none."""
    steps = torch.arange(mask.shape[-1], device=mask.device).expand_as(mask)
    if not is_traced():
        return steps.masked_fill(~mask, -1).cummax(dim=-1).values
    # Other programs sort and count, but have no running maximum.
    count = mask.cumsum(dim=-1)
    found = steps.masked_fill(~mask, mask.shape[-1]).sort(dim=-1).values
    return found.gather(-1, (count - 1).clamp(min=0)).masked_fill(count == 0, -1)
