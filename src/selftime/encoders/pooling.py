"""Poolings: from the tokens of a series that are there to one vector."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selftime.encoders.steps import masked_mean
from selftime.shapes import Embedding, Tokens

TokenMask = Bool[Tensor, "B N"]
"""Which tokens are there, at least one in each series; the others count nowhere."""
_VARIANCE_EPS = 1e-8
"""Added to variances, so that the deviation of a single token has a gradient."""


def mean(tokens: Tokens, valid: TokenMask) -> Embedding:
    """The mean over the tokens that are there."""
    return masked_mean(tokens, valid)


def maximum(tokens: Tokens, valid: TokenMask) -> Embedding:
    """The maximum of each feature over the tokens that are there."""
    return tokens.masked_fill(~valid[:, :, None], -torch.inf).amax(dim=1)


def last(tokens: Tokens, valid: TokenMask) -> Embedding:
    """The last token that is there."""
    places = torch.arange(valid.shape[1], device=valid.device) * valid
    end = places.amax(dim=1)[:, None, None].expand(-1, 1, tokens.shape[2])  # (B,1,D)
    return tokens.gather(1, end)[:, 0]


def first(tokens: Tokens, valid: TokenMask) -> Embedding:  # noqa: ARG001 - it always is
    """The first token, which is there in every series."""
    return tokens[:, 0]


def mean_and_maximum(tokens: Tokens, valid: TokenMask) -> Float[Tensor, "B E"]:
    """Mean, then maximum: E = 2·D."""
    return torch.cat([mean(tokens, valid), maximum(tokens, valid)], dim=1)


def mean_and_deviation(tokens: Tokens, valid: TokenMask) -> Float[Tensor, "B E"]:
    """Mean, then standard deviation over the tokens that are there: E = 2·D."""
    centre = mean(tokens, valid)
    variance = mean((tokens - centre[:, None]).square(), valid)
    return torch.cat([centre, (variance + _VARIANCE_EPS).sqrt()], dim=1)


POOLINGS: dict[str, Callable[[Tokens, TokenMask], Tensor]] = {
    "mean": mean,
    "max": maximum,
    "last": last,
    "first": first,
    "mean+max": mean_and_maximum,
    "mean+deviation": mean_and_deviation,
}
"""Poolings by the names that settings hold."""
