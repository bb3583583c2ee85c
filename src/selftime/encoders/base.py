"""Encoder: what turns a batch of series into vectors."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.settings import describe
from selftime.shapes import Embedding, Tokens


class LayerShape(NamedTuple):
    """What the tokens after a layer are like.

    Attributes:
        width: D, of each.
        stride: steps from the beginning of one token to that of the next; None for a single one.
    """

    width: int
    stride: int | None


class Encoder(nn.Module, ABC):
    """Maps a batch of series to tokens (B,N,D) and to one vector a series (B,D).

    Values where ``observed`` is False, and the amount of padding, never change what comes out.
    Constructor arguments are plain values (or encoders) kept under their own names; everything
    learned lives in parameters and buffers, so that the two together are the whole encoder.
    """

    dim: int
    """D, the length of the vectors."""
    channels: int
    """C, of the series it reads; networks have it."""
    stride: int | None = None
    """Steps from the beginning of one token to that of the next, N = ceil(T / stride); None where
    a series is seen only as a whole, in one token."""
    causal: bool = False
    """Whether no token depends on steps that come after its own."""
    by_channel: bool = False
    """Whether tokens hold D / C features of the first channel alone, then of the second, …"""

    @property
    def is_stepwise(self) -> bool:
        """Whether there is one token for every step (N = T)."""
        return self.stride == 1

    @abstractmethod
    def forward(self, x: Batch) -> Tokens:
        """Tokens (B,N,D): N = 1 for encoders that see a series only as a whole."""

    def span(self, x: Batch, start: int, stop: int) -> Tokens:
        """Tokens ``start`` to ``stop``, which some encoders make without the others."""
        tokens: Tensor = self(x)[:, start:stop]
        return tokens

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places, which some encoders make without looking at the others."""
        tokens: Tensor = self(x)
        return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.shape[2]))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """The tokens after each layer, one layer after another, as they are made.

        The last ones are those of :meth:`forward`, to the bit; those before may be of another
        shape (:meth:`layer_shapes`).
        """
        yield self(x)

    def layers(self, x: Batch) -> list[Tokens]:
        """The tokens (B,N,D) after each layer; the last ones are those of :meth:`forward`."""
        return list(self.stages(x))

    def layer_shapes(self) -> list[LayerShape]:
        """What the tokens after each layer are like."""
        return [LayerShape(self.dim, self.stride)]

    def blocks(self) -> list[nn.Module]:
        """What is trained, from input to output: every weight is in one of them."""
        return [self] if any(True for _ in self.parameters()) else []

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:  # noqa: ARG002
        """One vector a series (B,D) from its tokens."""
        return tokens.mean(dim=1)

    def embed(self, x: Batch) -> Embedding:
        """One vector a series (B,D)."""
        return self.pool(self(x), x)

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Set what depends on the data but is not learned, from a sample of series."""

    def __repr__(self) -> str:
        return describe(self)


def valid_tokens(encoder: Encoder, x: Batch) -> Bool[Tensor, "B N"]:
    """Which tokens begin within their series; the first one always counts."""
    return token_mask(x, encoder.stride)


def token_mask(x: Batch, stride: int | None) -> Bool[Tensor, "B N"]:
    """Which tokens, one every ``stride`` steps or a single one, begin within their series."""
    T = x.values.shape[2]
    begin = torch.arange(0, T, stride or T, device=x.values.device)  # (N,)
    return begin < x.lengths.clamp(min=1)[:, None]


def last_of(stages: Iterator[Tokens]) -> Tokens:
    """The tokens after the last layer; those of the layers before are let go as they are made."""
    return deque(stages, maxlen=1).pop()


class Joined(Encoder):
    """Several encoders side by side: their vectors, each times its weight, are concatenated.

    Attributes:
        weights: one factor an encoder; None is 1 for each.
    """

    def __init__(
        self, *, encoders: Sequence[Encoder], weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if weights is not None and len(weights) != len(encoders):
            raise ValueError(f"got {len(weights)} weights for {len(encoders)} encoders: one each")
        self.parts = nn.ModuleList(encoders)
        self.weights = None if weights is None else [float(weight) for weight in weights]
        self.dim = sum(encoder.dim for encoder in encoders)

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D)."""
        weights = self.weights or [1.0] * len(self.parts)
        vectors = [w * part.embed(x) for w, part in zip(weights, self.encoders, strict=True)]
        return torch.cat(vectors, dim=1)[:, None]

    def blocks(self) -> list[nn.Module]:
        """Blocks that are equally far from the vectors are one, side by side."""
        chains = [part.blocks()[::-1] for part in self.encoders]
        levels = zip_longest(*chains)  # the last blocks of all parts first
        together: list[nn.Module] = [nn.ModuleList(filter(None, level)) for level in levels]
        return together[::-1]

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare each of them."""
        for part in self.encoders:
            part.prepare(x, rng)

    @property
    def encoders(self) -> list[Encoder]:
        """The parts, in the order of their vectors."""
        return [part for part in self.parts if isinstance(part, Encoder)]
