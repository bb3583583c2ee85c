"""Encoders that can be fed step by step, exactly, and the reason why others cannot."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.door import option
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.streaming.base import (
    Apart,
    Fed,
    Mapped,
    Memory,
    SideBySide,
    Streamed,
    StreamedDilated,
    StreamedRecurrent,
    StreamError,
)
from selftime.encoders.wrappers.embedded import Embedded
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength
from selftime.shapes import Tokens

Running = Float[Tensor, "S D"]
"""The pooled vector of all tokens so far, in double precision."""


class Prefix(Streamed):
    """The encoder's vector of the series up to each step: ``embed(x[:, :, : t + 1])``.

    A series ends with the last step at which anything was observed, so tokens of later steps wait
    until there is one again. ``running`` is of all tokens so far, ``held`` (S,D) up to that step,
    or the vector of a series without any.
    """

    def __init__(
        self, inner: Streamed, encoder: Dilated | LSTM | GRU | Embedded, streams: int
    ) -> None:
        self.inner, self.reach = inner, inner.reach
        self.growth = growth_of(encoder.encoder if isinstance(encoder, Embedded) else encoder)
        like = next(encoder.parameters())
        nothing = torch.zeros(1, encoder.channels, 1, dtype=like.dtype)
        with torch.no_grad():
            blank = encoder.embed(Batch(nothing, torch.zeros_like(nothing, dtype=torch.bool)))
        self.held = blank.repeat(streams, 1)
        self.running = torch.full_like(self.held, LOWEST, dtype=torch.float64)

    def read(self, x: Batch, time: int) -> Tokens:
        """Return the vector of all steps before and at each of the next ones (S,k,D)."""
        running = self.growth(self.running, self.inner.read(x, time).double(), time)
        steps = torch.arange(1, running.shape[1] + 1)
        last = (x.observed.any(dim=1) * steps).cummax(dim=1).values  # (S,k), 0: none of these
        known = torch.cat([self.held[:, None], running.to(self.held.dtype)], dim=1)
        vectors = known.gather(1, last[:, :, None].expand(-1, -1, known.shape[2]))
        self.running.copy_(running[:, -1])
        self.held.copy_(vectors[:, -1])
        return vectors

    def memory(self) -> Memory:
        """That of the encoder, and the pooled vectors."""
        return {**self.inner.memory(), "running": self.running, "held": self.held}


LOWEST = torch.finfo(torch.float64).min
"""Below every token: the maximum of none."""
Growth = Callable[[Running, Tokens, int], Tokens]
"""Maps the vector of the first ``time`` tokens, and the next k tokens, to k vectors (S,k,D)."""


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


GROWTHS: dict[str, Growth] = {"max": maximum_so_far, "mean": mean_so_far, "last": last_so_far}


def growth_of(network: Encoder) -> Growth:
    """Return how the vector of a network grows with its tokens."""
    return GROWTHS[network.pooling if isinstance(network, LSTM | GRU) else "max"]


def stream_steps(encoder: Encoder, streams: int) -> Streamed:
    """Stream tokens, at step t ``encoder(x)[:, t]``; StreamError where one needs steps to come."""
    if isinstance(encoder, ByChannel):
        return Apart(stream_steps(encoder.encoder, streams * encoder.channels), encoder.channels)
    if isinstance(encoder, Embedded) and encoder.embedder.patch == 1:
        return Fed(stream_steps(encoder.encoder, streams), encoder.embedder)
    if isinstance(encoder, Dilated) and encoder.causal:
        return StreamedDilated(encoder, streams)
    if isinstance(encoder, LSTM | GRU) and encoder.causal:
        return StreamedRecurrent(encoder, streams)
    raise StreamError(f"{reason(encoder)}: {instead()}")


def body_of(encoder: Encoder) -> Encoder:
    """The network within a model learned by gradient, which standardises its whole vectors."""
    while isinstance(encoder, Standardised | UnitLength):
        encoder = encoder.encoder
    return encoder


def stream_series(encoder: Encoder, streams: int) -> Streamed:
    """Stream ``encoder.embed(x[:, :, : t + 1])``; StreamError where old steps are read anew."""
    if isinstance(encoder, ByChannel):
        return Apart(stream_series(encoder.encoder, streams * encoder.channels), encoder.channels)
    if isinstance(encoder, Standardised | Projected | UnitLength):
        return Mapped(stream_series(encoder.encoder, streams), encoder.after)
    if isinstance(encoder, Joined):
        parts = [stream_series(part, streams) for part in encoder.encoders]
        return SideBySide(parts, encoder.weights or [1.0] * len(parts))
    inner = stream_steps(encoder, streams)
    assert isinstance(encoder, Dilated | LSTM | GRU | Embedded)  # the others were refused
    return Prefix(inner, encoder, streams)


def instead() -> str:
    """Return the advice for a model that cannot be fed step by step."""
    return f"{window_instead()}, or pretrain with {option('encoder', 'dilated_causal')}"


def window_instead() -> str:
    """Return the advice for a model of any network, such as one that scales by whole series."""
    return f"use {option('window', 512)}, which encodes the last 512 steps anew"


def reason(encoder: Encoder) -> str:
    """The reason why an encoder cannot be fed step by step."""
    name = type(encoder).__name__
    if isinstance(encoder, Dilated | LSTM | GRU):
        return f"{name} that is not causal looks at steps that are still to come"
    if isinstance(encoder, InstanceNormalised):
        return f"{name} takes mean and std from the whole series"
    if encoder.stride is None:
        return f"{name} sees a series only as a whole"
    if encoder.stride > 1:
        return f"{name} has one token for {encoder.stride} steps"
    if encoder.causal:
        return f"{name} goes back to all that came before at every step"
    return f"{name} looks at steps that are still to come"
