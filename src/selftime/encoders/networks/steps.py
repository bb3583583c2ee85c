"""Steps: which of them count, and what is taken over those alone."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.shapes import Embedding, Tokens

Features = Float[Tensor, "B D T"]
"""Features of each step, time last, as convolutions take them."""


class StepMasks(NamedTuple):
    """Which steps of each series count.

    Attributes:
        seen: (B,1,T), at which something was observed.
        within: (B,1,T), up to the last one seen; None where no series ends before the others.
    """

    seen: Bool[Tensor, "B 1 T"]
    within: Bool[Tensor, "B 1 T"] | None

    def clear(self, h: Features, value: float = 0.0) -> Features:
        """What lies beyond the end of a series is a constant, however much of it there is."""
        if self.within is None:
            return h
        return h * self.within if value == 0 else h.masked_fill(~self.within, value)

    def halved(self) -> "StepMasks":
        """Pairs of steps: one counts where either step does."""
        return StepMasks(
            _any_of_pairs(self.seen), None if self.within is None else _any_of_pairs(self.within)
        )


def step_masks(x: Batch) -> StepMasks:
    """The steps of a batch."""
    T, lengths = x.values.shape[2], x.lengths
    seen = x.observed.any(dim=1, keepdim=True)  # (B,1,T)
    if bool((lengths == T).all()):
        return StepMasks(seen, None)
    within = torch.arange(T, device=lengths.device) < lengths[:, None]  # (B,T)
    return StepMasks(seen, within[:, None])


def network_input(x: Batch) -> Features:
    """Values (B,C,T) as networks read them: 0 where nothing was observed."""
    return x.values.where(x.observed, 0.0)


def max_pool_pairs(h: Features) -> Float[Tensor, "B D _"]:
    """The maximum of steps 2n and 2n + 1, (B,D,⌈T/2⌉); the last step stands alone if T is odd."""
    return F.max_pool1d(h, 2, ceil_mode=True)


def masked_mean(tokens: Tokens, valid: Bool[Tensor, "B N"]) -> Embedding:
    """The mean (B,D) over the tokens that are there, at least one in each series."""
    if bool(valid.all()):
        return tokens.mean(dim=1)
    return (tokens * valid[:, :, None]).sum(dim=1) / valid.sum(dim=1, keepdim=True)


def _any_of_pairs(flags: Bool[Tensor, "B 1 T"]) -> Bool[Tensor, "B 1 _"]:
    return max_pool_pairs(flags.float()) > 0
