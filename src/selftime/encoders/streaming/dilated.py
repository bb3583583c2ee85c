"""Causal dilated convolutions a step at a time, with a ring of past inputs for each of them."""

from itertools import chain
from math import prod

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.fixed.compiling_numba import parallel_over_series
from selftime.encoders.networks.dilated import Block, Convolution, Dilated
from selftime.encoders.streaming.base import Memory, Streamed, lazy_zeros
from selftime.encoders.streaming.dilated_numba import ROWS_AT_ONCE, advance
from selftime.shapes import Tokens


class StreamedDilated(Streamed):
    """Tokens of a causal :class:`~selftime.encoders.networks.dilated.Dilated`, a step at a time.

    A convolution with taps t − 2d, t − d and t needs its last 2d inputs, whatever else came
    before, so a ring of 2d rows for each is all the memory there is, and a step costs the same
    however many came before it (the caching of Paine et al. 2016, "Fast WaveNet Generation
    Algorithm", section 2, with a ring in the place of a queue). The weights are those the encoder
    has when the stream begins.

    Attributes:
        widths: features after the entry and after each block.
        weights: all weights in the order of use.
        shapes: of the rings (2d,S,I) by name, in the order of use.
        past: all rings one after the other; the row of step t lies at t modulo 2d.
    """

    def __init__(self, encoder: Dilated, streams: int) -> None:
        blocks = [block for block in encoder.stack if isinstance(block, Block)]
        self.dim, self.widths = encoder.dim, np.array([encoder.hidden, *map(_block_width, blocks)])
        self.weights = _pack([encoder.entry, *chain.from_iterable(map(_block_layers, blocks))])
        self.shapes = ring_shapes(blocks, streams)
        self.past = lazy_zeros(sum(map(prod, self.shapes.values())), dtype=torch.float32).numpy()
        self.reach = sum(steps for steps, _, _ in self.shapes.values())
        none = torch.zeros(streams, encoder.channels, 0)
        self.advance(Batch(none, none == 0), 0)  # compiled now, so that no step waits for it

    def advance(self, x: Batch, time: int) -> Tokens:
        """The token of each of the next steps (S,k,D)."""
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


def _block_width(block: Block) -> int:
    """Features that a block says."""
    return len(block.second.bias)


def _block_layers(block: Block) -> list[Convolution]:
    """Its layers in the order of use."""
    beside = [] if block.beside is None else [block.beside]
    return [block.first, block.second, *beside]


def ring_shapes(blocks: list[Block], streams: int) -> dict[str, tuple[int, int, int]]:
    """The rings (2d,S,I) of the convolutions in the order of use, by name, e.g. ``3.first``."""
    return {
        f"{k}.{name}": (2 * 2**k, streams, layer.weight.shape[2])
        for k, block in enumerate(blocks)
        for name, layer in (("first", block.first), ("second", block.second))
    }


def _pack(layers: list[Convolution]) -> Float32[np.ndarray, " W"]:
    """A copy of the matrix (O,K·I) and the bias of every layer, one after the other."""
    return torch.cat([part for layer in layers for part in _flat_weights(layer)]).numpy()


def _flat_weights(layer: Convolution) -> tuple[Tensor, Tensor]:
    """Its matrix, the taps of each output side by side, and its bias."""
    matrix = layer.weight.detach().permute(1, 0, 2)  # (O,K,I)
    return matrix.flatten(), layer.bias.detach()
