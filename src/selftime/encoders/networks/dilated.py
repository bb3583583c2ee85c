"""Dilated convolutions: the encoder of TS2Vec, in the order of time and as matrix products."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn
from torch.autograd.function import once_differentiable

from selftime.data.batch import Batch
from selftime.data.graph import is_traced, is_whole
from selftime.encoders.base import Encoder, LayerShape, network_input
from selftime.shapes import Embedding, Lengths, Tokens

Rows = Float[Tensor, "R _"]
"""Steps of all series, time first: row t·B + b is step t of series b."""


def taps(
    x: Rows,
    weight: Float[Tensor, "K O I"],
    start: Float[Tensor, "R O"] | Float[Tensor, " O"],
    shifts: Sequence[int],
    bias: Float[Tensor, " O"] | None = None,
) -> Float[Tensor, "R O"]:
    """A convolution of K taps over rows: y[r] = start[r] + bias + Σₖ weight[k] x[r + shifts[k]].

    Rows before the first and after the last count as 0. With time-first rows a dilation of d steps
    is a shift of d·B rows, the same for all series, so every tap is one product of two plain
    matrices. Taps that reach beyond all rows cost nothing; an ordinary convolution multiplies
    their zeros, which at dilations beyond the length of the series is two thirds of its work.
    """
    if is_traced():
        return shifted_products(x, weight, start, shifts, bias)
    y: Tensor = Taps.apply(x, weight, start, tuple(shifts), bias)  # type: ignore[no-untyped-call]
    return y


def shifted_products(
    x: Rows,
    weight: Float[Tensor, "K O I"],
    start: Tensor,
    shifts: Sequence[int],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "R O"]:
    """:func:`taps` for a graph, in which nothing is written in place and sizes are open."""
    y = start if bias is None else start + bias
    for matrix, shift in zip(weight, shifts, strict=True):
        there = F.pad(x, (0, 0, max(-shift, 0), max(shift, 0)))
        y = y + there[max(shift, 0) : max(shift, 0) + x.shape[0]] @ matrix.T
    return y


class Taps(torch.autograd.Function):
    """:func:`taps` with its gradient, which again is one matrix product a tap."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        start: Tensor,
        shifts: tuple[int, ...],
        bias: Tensor | None,
    ) -> Tensor:
        """Return start + bias + Σₖ x[r + shiftₖ] weight[k]ᵀ, each product added in place."""
        ctx.save_for_backward(x, weight)
        ctx.shifts, ctx.is_bias, ctx.has_bias = shifts, start.ndim == 1, bias is not None
        y = x.new_zeros(weight.shape[1]) if bias is None else bias
        y = (start + y).expand(len(x), -1).contiguous()
        for matrix, shift in zip(weight, shifts, strict=True):
            to, source = overlap(len(x), shift)
            y[to].addmm_(x[source], matrix.T)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, None, Tensor | None]:
        """Gradients of x, weight, start and bias."""
        x, weight = ctx.saved_tensors
        dy = dy.contiguous()
        dx, dweight = torch.zeros_like(x), torch.zeros_like(weight)
        for k, shift in enumerate(ctx.shifts):
            to, source = overlap(len(x), shift)
            dx[source].addmm_(dy[to], weight[k])
            dweight[k].addmm_(dy[to].T, x[source])
        total = dy.sum(dim=0) if ctx.is_bias or ctx.has_bias else None
        start = total if ctx.is_bias and total is not None else dy
        return dx, dweight, start, None, total if ctx.has_bias else None


def overlap(rows: int, shift: int) -> tuple[slice, slice]:
    """Rows that a tap writes to and those that it reads; both empty where it reaches beyond."""
    kept = max(rows - abs(shift), 0)
    first, second = slice(0, kept), slice(rows - kept, rows)
    return (first, second) if shift > 0 else (second, first)


class Dilated(Encoder):
    """One token a step from residual blocks whose reach doubles: 1, 2, 4, … steps.

    The encoder of TS2Vec (Yue et al. 2022, section 3.1): a linear map of each step, ``depth``
    residual blocks of two convolutions with three taps, and a last one that widens to ``dim``;
    a series is the maximum of its tokens over time (section 3.1, "instance-level").
    Steps at which nothing was observed enter as 0, as TS2Vec's masked timestamps do.

    Attributes:
        channels: C, of the series.
        hidden: width of the blocks.
        depth: blocks before the last one.
        dim: D, width of the last block.
        causal: tokens depend on their own step and earlier ones only.
        seed: draws the initial weights.
    """

    stride = 1

    def __init__(
        self,
        *,
        channels: int,
        hidden: int = 64,
        depth: int = 10,
        dim: int = 320,
        causal: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.channels, self.hidden, self.depth = channels, hidden, depth
        self.dim, self.causal, self.seed = dim, causal, seed
        rng = torch.Generator().manual_seed(seed)
        self.entry = Convolution(channels, hidden, 1, rng)
        self.stack = nn.ModuleList(
            Block(hidden, dim if last else hidden, widens=last, rng=rng)
            for last in [False] * depth + [True]
        )

    def forward(self, x: Batch) -> Tokens:
        """One token a step (B,T,D)."""
        return self.span(x, 0, x.values.shape[2])

    def span(self, x: Batch, start: int, stop: int) -> Tokens:
        """Tokens ``start`` to ``stop``; steps that no block needs any more are left out early."""
        rows = deque(self.run_blocks(x, start, stop), maxlen=1).pop()
        return series_first(rows, x.values.shape[0], stop - start)

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Yield one token a step: its linear map, then after each block."""
        B, _, T = x.values.shape
        return (series_first(rows, B, T) for rows in self.run_blocks(x, 0, T))

    def run_blocks(self, x: Batch, start: int, stop: int) -> Iterator[Rows]:
        """Yield rows after each block; of ``start`` to ``stop`` alone once no other counts."""
        B, _, T = x.values.shape
        h, within = self.entry_rows(x), within_rows(x)
        sliced = start == 0 and stop == T  # all steps are wanted
        for k, block in enumerate(self.stack):
            yield h
            if not sliced and 2**k >= T:  # from here on each step is seen by itself
                h, sliced = h[start * B : stop * B], True
                within = None if within is None else within[start * B : stop * B]
            h = block(h, self.shifts(k, B), within)
        yield h if sliced else h[start * B : stop * B]

    def entry_rows(self, x: Batch) -> Rows:
        """Rows before the first block: a linear map of each step, 0 where nothing was observed."""
        B, _, T = x.values.shape
        valid = x.observed.any(dim=1).T.reshape(T * B, 1)  # (T·B,1)
        rows: Rows = self.entry(network_input(x).permute(2, 0, 1).reshape(T * B, -1), HERE)
        return rows * valid

    def layer_shapes(self) -> list[LayerShape]:
        """All but the last have the width of the blocks."""
        widths = [self.hidden] * (self.depth + 1) + [self.dim]
        return [LayerShape(width, self.stride) for width in widths]

    def blocks(self) -> list[nn.Module]:
        """The linear map of each step, then the residual blocks."""
        return [self.entry, *self.stack]

    def shifts(self, k: int, B: int) -> tuple[int, int, int]:
        """Rows that the three taps of block ``k`` read ahead or behind, for ``B`` series."""
        reach = B * 2**k
        return (-2 * reach, -reach, 0) if self.causal else (-reach, 0, reach)

    def embed(self, x: Batch) -> Embedding:
        """One vector a series (B,D)."""
        # Without gradients some series at a time: features between layers then stay in the cache.
        B, _, T = x.values.shape
        if torch.is_grad_enabled() or is_traced() or B * T <= _MAX_ROWS or x.values.is_cuda:
            return super().embed(x)
        size = max(_MAX_ROWS // T, 1)
        parts = zip(x.values.split(size), x.observed.split(size), strict=True)  # type: ignore
        return torch.cat([super(Dilated, self).embed(Batch(*part)) for part in parts])

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The maximum over the steps of each series (B,D)."""
        return max_over_time(tokens, x.lengths)


def series_first(rows: Rows, series: int, steps: int) -> Float[Tensor, "B T D"]:
    """Rows of so many series and steps, time first, as tokens."""
    return rows.view(steps, series, rows.shape[1]).transpose(0, 1)


def max_over_time(tokens: Tokens, lengths: Lengths) -> Embedding:
    """The maximum over the first tokens of each series (B,D), as many as it has steps, or one."""
    N, lengths = tokens.shape[1], lengths.clamp(min=1)  # nothing observed: a vector all the same
    if is_whole(lengths >= N):
        return tokens.amax(dim=1)
    beyond = torch.arange(N, device=tokens.device) >= lengths[:, None]  # (B,N)
    return tokens.masked_fill(beyond[:, :, None], -torch.inf).amax(dim=1)


def within_rows(x: Batch) -> Bool[Tensor, "R 1"] | None:
    """True for rows within their series, time first; None where all are."""
    T, lengths = x.values.shape[2], x.lengths
    if is_whole(lengths == T):
        return None
    return (torch.arange(T, device=lengths.device)[:, None] < lengths).reshape(-1, 1)


_MAX_ROWS = 2048
"""Rows at a time without gradients: half a megabyte between layers of width 64."""
HERE = (0,)
"""The shifts of a map that reads nothing but the row itself."""


class Block(nn.Module):
    """x + convolution(gelu(convolution(gelu(x)))); the sum is over a linear map where it widens."""

    def __init__(self, inner: int, outer: int, *, widens: bool, rng: Generator) -> None:
        super().__init__()
        self.first = Convolution(inner, outer, 3, rng)
        self.second = Convolution(outer, outer, 3, rng)
        self.beside = Convolution(inner, outer, 1, rng) if widens else None

    def forward(self, x: Rows, shifts: Sequence[int], within: Tensor | None) -> Rows:
        """Rows (R,O) of rows (R,I), as :func:`taps` takes them."""
        beside = x if self.beside is None else self.beside(x, HERE)
        y = self.first(_clear(F.gelu(x), within), shifts)
        out: Tensor = self.second(_clear(F.gelu(y), within), shifts, onto=beside)
        return out


def _clear(x: Rows, within: Tensor | None) -> Rows:
    """Return rows with 0 beyond the end of each series."""
    return x if within is None else x * within


class Convolution(nn.Module):
    """Weights of some taps, drawn as torch draws those of its convolutions."""

    def __init__(self, inner: int, outer: int, taps: int, rng: Generator) -> None:
        super().__init__()
        bound = (inner * taps) ** -0.5
        self.weight = nn.Parameter(uniform_init(taps, outer, inner, bound=bound, rng=rng))
        self.bias = nn.Parameter(uniform_init(outer, bound=bound, rng=rng))

    def forward(self, x: Rows, shifts: Sequence[int], onto: Rows | None = None) -> Rows:
        """Rows (R,O) of rows (R,I), as :func:`taps` takes them, added to the rows ``onto``."""
        if onto is None:
            return taps(x, self.weight, self.bias, shifts)
        return taps(x, self.weight, onto, shifts, self.bias)


def uniform_init(*shape: int, bound: float, rng: Generator) -> Float[Tensor, "..."]:
    """Uniform numbers within ±bound."""
    return (2 * torch.rand(shape, generator=rng) - 1) * bound


def visible_and_masked_tokens(encoder: Dilated, x: Batch) -> tuple[Tokens, Tokens]:
    """Tokens (B,T,D) of all steps, and of each with that step alone masked, of a causal network.

    No step before the masked one knows of it, so only the last tap of each convolution sees another
    input: y′ₜ = yₜ + W (gelu(h′ₜ) − gelu(hₜ)). Masking all steps one by one costs a third more than
    masking none. Tokens behind the end of a series are as if it went on without anything observed.
    """
    if not encoder.causal:
        raise ValueError(
            "got Dilated with causal=False, wanted causal=True: pretrain dilated_causal"
        )
    B, _, T = x.values.shape
    visible = encoder.entry_rows(x)
    masked = visible.new_zeros(visible.shape)
    for k, block in enumerate(encoder.stack):
        assert isinstance(block, Block)
        visible, masked = pass_block(block, visible, masked, encoder.shifts(k, B))
    return series_first(visible, B, T), series_first(masked, B, T)


def pass_block(
    block: Block, visible: Rows, masked: Rows, shifts: tuple[int, int, int]
) -> tuple[Rows, Rows]:
    """Pass rows through a block, and each masked row in the place of the visible one alone."""
    inner = block.first(F.gelu(visible), shifts)
    inner_masked = inner + (F.gelu(masked) - F.gelu(visible)) @ block.first.weight[-1].T
    outer = block.second(F.gelu(inner), shifts)
    outer_masked = outer + (F.gelu(inner_masked) - F.gelu(inner)) @ block.second.weight[-1].T
    if block.beside is None:
        return visible + outer, masked + outer_masked
    return block.beside(visible, HERE) + outer, block.beside(masked, HERE) + outer_masked
