"""Encoder: the map from a batch of series to vectors."""

import itertools
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.data.graph import is_whole
from selftime.door import option
from selftime.settings import describe
from selftime.shapes import Embedding, Tokens


def _use_one_thread() -> None:
    """In a forked process the other threads of libraries are gone: waiting would never end."""
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    threadpool_limits(1)  # of numpy, scipy and scikit-learn


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)


class LayerShape(NamedTuple):
    """Width D of the tokens after a layer, and steps between their beginnings (None: one token)."""

    width: int
    stride: int | None


class Encoder(nn.Module, ABC):
    """Maps a batch of series to tokens (B,N,D) and to one vector a series (B,D).

    Values where ``observed`` is False, and the amount of padding, never change the result.
    Constructor arguments are plain values (or encoders) kept under their own names; everything
    learned lives in parameters and buffers, so that the two together are the whole encoder.
    """

    dim: int
    """D, the length of the vectors."""
    channels: int
    """C, of the series it reads; networks have it."""
    stride: int | None = None
    """Steps from one token to the next, N = ceil(T / stride); None where a series is one token."""
    causal: bool = False
    """True where no token depends on steps that come after its own."""
    by_channel: bool = False
    """True where tokens hold D / C features of the first channel alone, then of the second, …"""
    symbols: int | None = None
    """V, where values are symbols 0 to V − 1 and not measurements."""
    columns: int | None = None
    """Tokens in a row, where they lie in rows on a grid; None where they follow in time."""

    @property
    def is_stepwise(self) -> bool:
        """True where there is one token for every step (N = T)."""
        return self.stride == 1

    @abstractmethod
    def forward(self, x: Batch) -> Tokens:
        """Tokens (B,N,D): N = 1 for encoders that see a series only as a whole."""

    def span(self, x: Batch, start: int, stop: int) -> Tokens:
        """Return tokens ``start`` to ``stop``, which some encoders make without the others."""
        tokens: Tensor = self(x)[:, start:stop]
        return tokens

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Return tokens (B,K,D) at some places, which some encoders make without the others."""
        tokens: Tensor = self(x)
        return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.shape[2]))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Yield the tokens after each layer; the last are those of :meth:`forward`, to the bit."""
        yield self(x)

    def layers(self, x: Batch) -> list[Tokens]:
        """The tokens (B,N,D) after each layer; the last ones are those of :meth:`forward`."""
        return list(self.stages(x))

    def layer_shapes(self) -> list[LayerShape]:
        """Return the shape of the tokens after each layer."""
        return [LayerShape(self.dim, self.stride)]

    def blocks(self) -> list[nn.Module]:
        """Return the trained modules from input to output: every weight is in one of them."""
        return [self] if any(True for _ in self.parameters()) else []

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:  # noqa: ARG002
        """One vector a series (B,D) from its tokens."""
        return tokens[:, 0] if tokens.shape[1] == 1 else tokens.mean(dim=1)

    def embed(self, x: Batch) -> Embedding:
        """One vector a series (B,D)."""
        return self.pool(self(x), x)

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Set all that depends on a sample of series but is not learned."""

    def __repr__(self) -> str:
        return describe(self)


def device_of(encoder: Encoder) -> torch.device:
    """Return the device of an encoder's tensors; the CPU where it has none."""
    tensors = itertools.chain(encoder.parameters(), encoder.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def on_device(encoder: Encoder, device: str) -> Encoder:
    """Return an encoder with its tensors on a device: itself, or a copy where they are elsewhere.

    Raises:
        ValueError: a device that this machine has not.
    """
    try:
        place = torch.device(device)
        return encoder if device_of(encoder) == place else deepcopy(encoder).to(place)
    except (RuntimeError, AssertionError) as error:  # of torch: an unknown word, no driver, no GPU
        raise ValueError(
            f"got {option('device', device)}, wanted one that torch finds here, such as 'cpu', or "
            f"'cuda' with a GPU and its driver: {str(error).splitlines()[0]}"
        ) from None


def valid_tokens(encoder: Encoder, x: Batch) -> Bool[Tensor, "B N"]:
    """True for tokens that begin within their series; the first one always counts."""
    return token_mask(x, encoder.stride)


def token_mask(x: Batch, stride: int | None) -> Bool[Tensor, "B N"]:
    """True for tokens, one every ``stride`` steps or a single one, that begin in their series."""
    T = x.values.shape[2]
    begin = torch.arange(0, T, stride or T, device=x.values.device)  # (N,)
    return begin < x.lengths.clamp(min=1)[:, None]


def last_of(stages: Iterator[Tokens]) -> Tokens:
    """Return the tokens after the last layer, and keep no others in memory."""
    return deque(stages, maxlen=1).pop()


def network_input(x: Batch) -> Float[Tensor, "B C T"]:
    """Values as networks read them: 0 where nothing was observed."""
    return x.values.where(x.observed, 0.0)


def masked_mean(tokens: Tokens, valid: Bool[Tensor, "B N"]) -> Embedding:
    """The mean (B,D) over the valid tokens, at least one in each series."""
    if is_whole(valid):
        return tokens.mean(dim=1)
    return (tokens * valid[:, :, None]).sum(dim=1) / valid.sum(dim=1, keepdim=True)


def check_least(encoder: Encoder, least: Mapping[str, int]) -> None:
    """Raise a ValueError where a setting of an encoder, unless it is None, is too small."""
    for name, smallest in least.items():
        got = getattr(encoder, name)
        if got is not None and got < smallest:
            raise ValueError(f"got {name}={got}, wanted at least {smallest}: raise it")


def check_channels(encoder: Encoder, x: Batch) -> None:
    """Raise a ValueError where series have other channels than the encoder was built for."""
    found, name = x.values.shape[1], type(encoder).__name__
    if found != encoder.channels:
        raise ValueError(
            f"got series with {found} channels, wanted {encoder.channels}: "
            f"build {name} with channels={found} or select channels"
        )


class Wrapper(nn.Module):
    """All that encoders around another one share: they change its input, its tokens, or both."""

    encoder: Encoder

    def enter(self, x: Batch) -> Batch:
        """Return the series as the inner encoder sees them."""
        return x

    def leave(self, tokens: Tokens) -> Tokens:
        """Return the tokens of the inner encoder as they come out."""
        return tokens

    def forward(self, x: Batch) -> Tokens:
        """Tokens (B,N,D)."""
        return self.leave(self.encoder(self.enter(x)))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Yield the tokens after each layer of the inner encoder."""
        return map(self.leave, self.encoder.stages(self.enter(x)))

    def layer_shapes(self) -> list[LayerShape]:
        """Those of the inner encoder."""
        return self.encoder.layer_shapes()

    def span(self, x: Batch, start: int, stop: int) -> Tokens:
        """Tokens ``start`` to ``stop``."""
        return self.leave(self.encoder.span(self.enter(x), start, stop))

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places."""
        return self.leave(self.encoder.tokens_at(self.enter(x), places))

    def blocks(self) -> list[nn.Module]:
        """Those of the inner encoder."""
        return self.encoder.blocks()

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare the inner encoder on the series as it sees them."""
        self.encoder.prepare(self.enter(x), rng)


class Joined(Encoder):
    """Several encoders side by side: their vectors, each times its weight, are concatenated.

    Attributes:
        weights: one factor per encoder; None is 1 for each.
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
        """Return blocks; those that are equally far from the vectors are one, side by side."""
        chains = [part.blocks()[::-1] for part in self.encoders]
        levels = itertools.zip_longest(*chains)  # the last blocks of all parts first
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
