"""Causal dilated convolutions a step at a time, with a ring of past inputs for each of them."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.dilated import Block, Convolution, Dilated
from selftime.encoders.steps import entering
from selftime.encoders.streamed import Memory, Streamed, untouched
from selftime.encoders.streamed_dilated_numba import advance
from selftime.shapes import Tokens

Inputs = Float[Tensor, "k S I"]
"""Features of some steps of all streams, time first."""
Past = Float[Tensor, "P S I"]
"""The ring of a convolution: its last P = 2d rows."""
FEW = 64
"""Steps of streams up to which the compiled loop is faster than tensor operations."""
ROWS = 1024
"""Steps of streams that go through all layers together: enough for products at full speed, few
enough for what they carry to stay in the cache."""


class StreamedDilated(Streamed):
    """Tokens of a causal :class:`~selftime.encoders.dilated.Dilated`, a step at a time.

    A convolution with taps t − 2d, t − d and t needs its last 2d inputs, whatever else came
    before, so a ring of 2d rows for each is all the memory there is, and a step costs the same
    however many came before it (the caching of Paine et al. 2016, "Fast WaveNet Generation
    Algorithm", section 2, with a ring in the place of a queue). The weights are those the encoder
    has when the stream begins.

    Attributes:
        widths: features after the entry and after each block.
        weights: all weights in the order of use.
        past: all rings in the order of use; those of the convolutions are parts of it.
    """

    def __init__(self, encoder: Dilated, streams: int) -> None:
        self.streams, self.dim = streams, encoder.dim
        self.entry = flat(encoder.entry), encoder.entry.bias.detach().clone()
        blocks = [block for block in encoder.stack if isinstance(block, Block)]
        self.blocks = [StreamedBlock(block, 2**k, streams) for k, block in enumerate(blocks)]
        self.widths = np.array([encoder.hidden, *(len(block.second.bias) for block in blocks)])
        self.weights, self.past = weights_of(encoder), self._joined()
        self.reach = sum(len(ring.past) for ring in self.rings().values())
        if streams <= FEW:  # compiled now, so that no step waits for it
            none = torch.zeros(streams, encoder.channels, 0)
            self.advance(Batch(none, none == 0), 0)

    def _joined(self) -> Float32[np.ndarray, " R"]:
        """One memory for all rings."""
        rings = list(self.rings().values())
        sizes = [ring.past.numel() for ring in rings]
        past = untouched(sum(sizes), dtype=torch.float32)
        for ring, part in zip(rings, torch.split(past, sizes), strict=True):
            ring.past = part.view(ring.past.shape)
        return past.numpy()

    def advance(self, x: Batch, time: int) -> Tokens:
        """The token of each of the next steps (S,k,D)."""
        S, _, k = x.values.shape
        if k * S > FEW:
            return self.by_tensors(x, time)
        tokens = np.zeros((k, S, self.dim), np.float32)
        steps = x.values.contiguous().numpy(), x.observed.contiguous().numpy(), time
        advance(*steps, self.widths, self.weights, self.past, tokens)
        return torch.from_numpy(tokens).transpose(0, 1)

    def by_tensors(self, x: Batch, time: int) -> Tokens:
        """The same by a few tensor operations a layer, which pays for many steps or streams."""
        matrix, bias = self.entry
        seen = x.observed.any(dim=1).T[:, :, None]  # (k,S,1)
        h = (entering(x).permute(2, 0, 1) @ matrix + bias) * seen  # (k,S,H)
        tokens = h.new_empty(*h.shape[:2], self.dim)
        for steps, some in portions(*h.shape[:2]):
            part = h[steps, some]
            for block in self.blocks:
                part = block(part, time + steps.start, some)
            tokens[steps, some] = part
        return tokens.transpose(0, 1)

    def rings(self) -> dict[str, "Ring"]:
        """The convolutions by name, e.g. ``3.first``."""
        return {
            f"{k}.{name}": ring
            for k, block in enumerate(self.blocks)
            for name, ring in (("first", block.first), ("second", block.second))
        }

    def memory(self) -> Memory:
        """The past of every convolution (2d,S,I)."""
        return {name: ring.past for name, ring in self.rings().items()}


def portions(steps: int, streams: int) -> Iterator[tuple[slice, slice]]:
    """Steps and streams that go together, at most :data:`ROWS`, in the order of time."""
    wide = min(streams, ROWS)
    long = max(ROWS // wide, 1)
    for j in range(0, steps, long):
        for s in range(0, streams, wide):
            yield slice(j, min(j + long, steps)), slice(s, min(s + wide, streams))


class StreamedBlock:
    """A residual block whose two convolutions remember."""

    def __init__(self, block: Block, dilation: int, streams: int) -> None:
        self.first = Ring(block.first, dilation, streams)
        self.second = Ring(block.second, dilation, streams)
        beside = block.beside
        self.beside = None if beside is None else (flat(beside), beside.bias.detach().clone())

    def __call__(self, x: Inputs, time: int, some: slice) -> Float[Tensor, "k S O"]:
        """What follows from the next steps of some streams, as the block says it of all steps."""
        y = self.second(self.first(x, time, some), time, some)
        beside = x if self.beside is None else x @ self.beside[0] + self.beside[1]
        return y.add_(beside)


class Ring:
    """A causal convolution of three taps over gelu(x), and the last 2d rows that it read.

    The row of step t lies at t modulo 2d, where that of step t − 2d was.

    Attributes:
        past: (2d,S,I), zeros before the first step, as offline.
    """

    def __init__(self, layer: Convolution, dilation: int, streams: int) -> None:
        self.dilation, self.matrix, self.bias = dilation, flat(layer), layer.bias.detach().clone()
        inner = layer.weight.shape[2]
        self.past: Past = untouched(2 * dilation, streams, inner, dtype=layer.weight.dtype)

    def __call__(self, x: Inputs, time: int, some: slice) -> Float[Tensor, "k S O"]:
        """The convolution at the next steps of some streams, whose rows are remembered."""
        past = self.past[:, some]
        if len(x) == 1:
            return self.at_one_step(x[0], past, time)[None]
        x, at = F.gelu(x), torch.arange(time, time + len(x)) % len(past)
        earlier = [before(x, past, at, back) for back in (2 * self.dilation, self.dilation)]
        rows = torch.cat([*earlier, x], dim=2).flatten(0, 1)  # (k·S,3I)
        past[at[-len(past) :]] = x[-len(past) :]
        return torch.addmm(self.bias, rows, self.matrix).view(len(x), x.shape[1], -1)

    def at_one_step(self, x: Float[Tensor, "S I"], past: Past, time: int) -> Float[Tensor, "S O"]:
        """The same without indices and copies: most steps come alone."""
        now, middle = past[time % len(past)], past[(time + self.dilation) % len(past)]
        taps = torch.split(self.matrix, x.shape[1])
        y = torch.addmm(self.bias, now, taps[0]).addmm_(middle, taps[1])
        now.copy_(F.gelu(x))
        return y.addmm_(now, taps[2])


def before(x: Inputs, past: Past, at: Int[Tensor, " k"], back: int) -> Inputs:
    """The rows ``back`` steps before each of ``x``: first those in the ring, then those in x.

    Args:
        x: the new rows, not yet in the ring.
        past: the ring.
        at: where in the ring the new rows will be.
        back: at most as many steps as the ring has rows.
    """
    kept = min(back, len(x))
    return torch.cat([past[(at[:kept] - back) % len(past)], x[: len(x) - kept]])


def flat(layer: Convolution) -> Float[Tensor, "_ O"]:
    """A copy of the matrices of the taps of a convolution, one above the other."""
    taps = layer.weight.detach().transpose(1, 2).flatten(0, 1)
    return taps.clone(memory_format=torch.contiguous_format)


def weights_of(encoder: Dilated) -> Float32[np.ndarray, " W"]:
    """Matrix and bias of every layer one after the other, in the order of use."""
    blocks = [block for block in encoder.stack if isinstance(block, Block)]
    layers = [encoder.entry, *(layer for block in blocks for layer in block.children())]
    parts = [(flat(layer).flatten(), layer.bias.detach()) for layer in layers]  # type: ignore
    return torch.cat([part for both in parts for part in both]).numpy()
