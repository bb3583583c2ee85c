"""Poolings: from the tokens of a series that are there to one vector."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selftime.encoders.steps import average
from selftime.shapes import Embedding, Tokens

There = Bool[Tensor, "B N"]
"""Which tokens are there, at least one in each series; the others count nowhere."""
LEAST = 1e-8
"""Added to variances, so that the deviation of a single token has a gradient."""


def mean(tokens: Tokens, there: There) -> Embedding:
    """The mean over the tokens that are there."""
    return average(tokens, there)


def highest(tokens: Tokens, there: There) -> Embedding:
    """The maximum of each feature over the tokens that are there."""
    return tokens.masked_fill(~there[:, :, None], -torch.inf).amax(dim=1)


def last(tokens: Tokens, there: There) -> Embedding:
    """The last token that is there."""
    places = torch.arange(there.shape[1], device=there.device) * there
    end = places.amax(dim=1)[:, None, None].expand(-1, 1, tokens.shape[2])  # (B,1,D)
    return tokens.gather(1, end)[:, 0]


def first(tokens: Tokens, there: There) -> Embedding:  # noqa: ARG001 - it always is
    """The first token, which is there in every series."""
    return tokens[:, 0]


def mean_and_highest(tokens: Tokens, there: There) -> Float[Tensor, "B E"]:
    """Mean, then maximum: E = 2·D."""
    return torch.cat([mean(tokens, there), highest(tokens, there)], dim=1)


def mean_and_deviation(tokens: Tokens, there: There) -> Float[Tensor, "B E"]:
    """Mean, then standard deviation over the tokens that are there: E = 2·D."""
    centre = mean(tokens, there)
    variance = mean((tokens - centre[:, None]).square(), there)
    return torch.cat([centre, (variance + LEAST).sqrt()], dim=1)


POOLINGS: dict[str, Callable[[Tokens, There], Tensor]] = {
    "mean": mean,
    "max": highest,
    "last": last,
    "first": first,
    "mean+max": mean_and_highest,
    "mean+deviation": mean_and_deviation,
}
"""Poolings by the names that settings hold."""
