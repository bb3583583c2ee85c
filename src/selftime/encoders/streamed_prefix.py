"""The vector of a series as it grows step by step."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.dilated import Dilated
from selftime.encoders.recurrent import GRU, LSTM
from selftime.encoders.streamed import Memory, Streamed
from selftime.shapes import Tokens

Running = Float[Tensor, "S D"]
"""What is made of all tokens so far, in double precision."""


class Prefix(Streamed):
    """At each step what the encoder says of the series up to there: ``embed(x[:, :, : t + 1])``.

    A series ends with the last step at which anything was observed, so tokens of later steps wait
    until there is one again.

    Attributes:
        running: (S,D), of all tokens so far.
        held: (S,D), up to the last step at which something was observed; before there was one,
            what the encoder says of a series without any.
    """

    def __init__(self, inner: Streamed, encoder: Dilated | LSTM | GRU, streams: int) -> None:
        self.inner, self.growth, self.reach = inner, growth_of(encoder), inner.reach
        like = next(encoder.parameters())
        nothing = torch.zeros(1, encoder.channels, 1, dtype=like.dtype)
        with torch.no_grad():
            blank = encoder.embed(Batch(nothing, torch.zeros_like(nothing, dtype=torch.bool)))
        self.held = blank.repeat(streams, 1)
        self.running = torch.full_like(self.held, LOWEST, dtype=torch.float64)

    def advance(self, x: Batch, time: int) -> Tokens:
        """The vector of all that came before and at each of the next steps (S,k,D)."""
        running = self.growth(self.running, self.inner.advance(x, time).double(), time)
        steps = torch.arange(1, running.shape[1] + 1)
        last = (x.observed.any(dim=1) * steps).cummax(dim=1).values  # (S,k), 0: none of these
        known = torch.cat([self.held[:, None], running.to(self.held.dtype)], dim=1)
        vectors = known.gather(1, last[:, :, None].expand(-1, -1, known.shape[2]))
        self.running.copy_(running[:, -1])
        self.held.copy_(vectors[:, -1])
        return vectors

    def memory(self) -> Memory:
        """That of the encoder, and of what was pooled."""
        return {**self.inner.memory(), "running": self.running, "held": self.held}


LOWEST = torch.finfo(torch.float64).min
"""Below every token: the maximum of none."""
Growth = Callable[[Running, Tokens, int], Tokens]
"""From what was made of the first ``time`` tokens, and the next k, to that after each (S,k,D)."""


def maximum_so_far(running: Running, tokens: Tokens, time: int) -> Tokens:  # noqa: ARG001
    """The maximum of all tokens."""
    return torch.cat([running[:, None], tokens], dim=1).cummax(dim=1).values[:, 1:]


def mean_so_far(running: Running, tokens: Tokens, time: int) -> Tokens:
    """The mean of all tokens."""
    counts = torch.arange(time + 1, time + 1 + tokens.shape[1])[:, None]  # (k,1)
    before = running[:, None] * time if time else 0.0
    return (before + tokens.cumsum(dim=1)) / counts


def last_so_far(running: Running, tokens: Tokens, time: int) -> Tokens:  # noqa: ARG001
    """The last token."""
    return tokens


def growth_of(encoder: Dilated | LSTM | GRU) -> Growth:
    """How the vector of a series grows, as the encoder pools its tokens."""
    if isinstance(encoder, Dilated):
        return maximum_so_far
    return {"mean": mean_so_far, "last": last_so_far}[encoder.pooling]
