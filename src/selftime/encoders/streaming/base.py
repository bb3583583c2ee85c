"""Encoders fed step by step, and all that they remember of the steps before."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import chain
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import network_input
from selftime.encoders.fixed.compiling_numba import parallel_over_series
from selftime.encoders.networks.dilated import Block, Convolution, Dilated
from selftime.encoders.networks.patching import Embedder
from selftime.encoders.networks.recurrent import GRU, LSTM, Layer
from selftime.encoders.streaming.dilated_numba import ROWS_AT_ONCE, advance
from selftime.encoders.wrappers.normalised import split_channels
from selftime.shapes import Tokens

Memory = dict[str, Tensor]
"""All that a streamed encoder remembers, by name: the tensors themselves, not copies."""


class StreamError(ValueError):
    """A model, values or a state that cannot be streamed: the message says why and what to do.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(x, objective="simclr", encoder="dilated_causal", budget="2 steps")
        >>> model.stream(every=0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        selftime...StreamError: got every=0, wanted at least 1, and above 1 only with a window: ...
    """


class Streamed(ABC):
    """An encoder that reads S series a few steps at a time and remembers as much as it needs.

    The vector of a step does not depend on how many steps come at a time, and the memory does not
    grow. ``reach`` steps back nothing has any influence any more, or hardly any.
    """

    reach: int

    @abstractmethod
    def read(self, x: Batch, time: int) -> Tokens:
        """Return one vector a step (S,k,D) for the next k steps (S,C,k), after ``time`` others."""

    @abstractmethod
    def memory(self) -> Memory:
        """Return all that is remembered; writing into these tensors changes it."""


class Mapped(Streamed):
    """A streamed encoder, and a function of each of its vectors."""

    def __init__(self, inner: Streamed, function: Callable[[Tensor], Tensor]) -> None:
        self.inner, self.function, self.reach = inner, function, inner.reach

    def read(self, x: Batch, time: int) -> Tokens:
        """Return the mapped vectors of the next steps (S,k,D)."""
        return self.function(self.inner.read(x, time))

    def memory(self) -> Memory:
        """That of the encoder."""
        return self.inner.memory()


class Apart(Streamed):
    """A streamed encoder of S·C series of one channel, read as S series of C channels."""

    def __init__(self, inner: Streamed, channels: int) -> None:
        self.inner, self.channels, self.reach = inner, channels, inner.reach

    def read(self, x: Batch, time: int) -> Tokens:
        """Return the vectors of the channels of each step side by side (S,k,D)."""
        each = self.inner.read(split_channels(x), time)  # (S·C,k,D/C)
        SC, k, d = each.shape
        grouped = each.view(SC // self.channels, self.channels, k, d)  # (S,C,k,D/C)
        return grouped.transpose(1, 2).flatten(2)

    def memory(self) -> Memory:
        """That of the encoder."""
        return self.inner.memory()


class Fed(Streamed):
    """A streamed encoder, fed with the tokens that an embedder makes of each step by itself."""

    def __init__(self, inner: Streamed, embedder: Embedder) -> None:
        self.inner, self.embedder, self.reach = inner, embedder, inner.reach

    def read(self, x: Batch, time: int) -> Tokens:
        """Return the vectors of the next steps (S,k,D); what is missing has a token too."""
        tokens = self.embedder(x).transpose(1, 2)  # (S,E,k)
        return self.inner.read(Batch(tokens, torch.ones_like(tokens, dtype=torch.bool)), time)

    def memory(self) -> Memory:
        """That of the encoder."""
        return self.inner.memory()


class SideBySide(Streamed):
    """Several streamed encoders, their vectors times a weight each, concatenated."""

    def __init__(self, parts: Sequence[Streamed], weights: Sequence[float]) -> None:
        self.parts, self.weights = list(parts), list(weights)
        self.reach = max(part.reach for part in parts)

    def read(self, x: Batch, time: int) -> Tokens:
        """Return the vectors of all parts for the next steps (S,k,D)."""
        pairs = zip(self.parts, self.weights, strict=True)
        return torch.cat([part.read(x, time) * weight for part, weight in pairs], dim=2)

    def memory(self) -> Memory:
        """That of every part."""
        each = enumerate(self.parts)
        return {f"{k}.{name}": kept for k, part in each for name, kept in part.memory().items()}


class StreamedDilated(Streamed):
    """Tokens of a causal :class:`~selftime.encoders.networks.dilated.Dilated`, a step at a time.

    A convolution with taps t − 2d, t − d and t needs its last 2d inputs, whatever else came
    before, so a ring of 2d rows for each is all the memory there is, and a step costs the same
    however many came before it (the caching of Paine et al. 2016, "Fast WaveNet Generation
    Algorithm", section 2, with a ring in the place of a queue). The weights are those the encoder
    has when the stream begins. ``past`` has all rings (2d,S,I) one after the other; the row of step
    t lies at t modulo 2d.
    """

    def __init__(self, encoder: Dilated, streams: int) -> None:
        blocks = [block for block in encoder.stack if isinstance(block, Block)]
        widths = [len(block.second.bias) for block in blocks]
        self.dim, self.widths = encoder.dim, np.array([encoder.hidden, *widths])
        layers = chain.from_iterable((b.first, b.second, b.beside) for b in blocks)
        self.weights = pack_weights([encoder.entry, *filter(None, layers)])
        self.shapes = ring_shapes(blocks, streams)
        self.past = lazy_zeros(sum(map(prod, self.shapes.values())), dtype=torch.float32).numpy()
        self.reach = sum(steps for steps, _, _ in self.shapes.values())
        none = torch.zeros(streams, encoder.channels, 0)
        self.read(Batch(none, none == 0), 0)  # compiled now, so that no step waits for it

    def read(self, x: Batch, time: int) -> Tokens:
        """Return the token of each of the next steps (S,k,D)."""
        S, _, k = x.values.shape
        tokens = np.zeros((k, S, self.dim), np.float32)
        steps = x.values.contiguous().numpy(), x.observed.contiguous().numpy(), time
        everything = *steps, self.widths, self.weights, self.past, tokens
        if S <= ROWS_AT_ONCE:
            advance(0, S, *everything)
        else:
            parallel_over_series(advance, S, *everything)
        return torch.from_numpy(tokens).transpose(0, 1)

    def memory(self) -> Memory:
        """The past of every convolution (2d,S,I), zeros before the first step, as offline."""
        sizes = list(map(prod, self.shapes.values()))
        parts = torch.split(torch.from_numpy(self.past), sizes)
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view(shape) for (name, shape), part in named}


def ring_shapes(blocks: list[Block], streams: int) -> dict[str, tuple[int, int, int]]:
    """The rings (2d,S,I) of the convolutions in the order of use, by name, e.g. ``3.first``."""
    return {
        f"{k}.{name}": (2 * 2**k, streams, layer.weight.shape[2])
        for k, block in enumerate(blocks)
        for name, layer in (("first", block.first), ("second", block.second))
    }


def pack_weights(layers: list[Convolution]) -> Float32[np.ndarray, " W"]:
    """A copy of the matrix (O,K·I) and the bias of every layer, one after the other."""
    pairs = [(layer.weight.detach().permute(1, 0, 2), layer.bias.detach()) for layer in layers]
    return torch.cat([part.flatten() for pair in pairs for part in pair]).numpy()


def lazy_zeros(*shape: int, dtype: torch.dtype) -> Float[Tensor, "..."]:
    """Zeros that take no memory until they are written to, as far as the system allows."""
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    return torch.from_numpy(np.zeros(shape, kind))


class StreamedRecurrent(Streamed):
    """Tokens of a causal LSTM, whose layers have states (2,1,S,H), or GRU, (1,1,S,H)."""

    reach = 1000
    """States fade at a pace of their own; this is longer than most remember."""

    def __init__(self, encoder: LSTM | GRU, streams: int) -> None:
        self.layers = [layer.ahead for layer in encoder.stack if isinstance(layer, Layer)]
        parts = 2 if isinstance(encoder, LSTM) else 1
        like = next(encoder.parameters())
        self.states: list[Float[Tensor, "P 1 S H"]] = [
            torch.zeros(parts, 1, streams, encoder.hidden, dtype=like.dtype) for _ in self.layers
        ]

    def read(self, x: Batch, time: int) -> Tokens:  # noqa: ARG002 - states know the past
        """Return the states of the last layer at each of the next steps (S,k,H)."""
        h = network_input(x).permute(2, 0, 1)  # (k,S,C)
        with torch.autocast(h.device.type, enabled=False):
            for layer, state in zip(self.layers, self.states, strict=True):
                h, after = layer(h, tuple(state) if len(state) == 2 else state[0])
                state.copy_(torch.stack(after) if isinstance(after, tuple) else after[None])
        return h.transpose(0, 1)

    def memory(self) -> Memory:
        """The states of every layer."""
        return {f"{k}.state": state for k, state in enumerate(self.states)}
