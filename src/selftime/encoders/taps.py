"""Dilated convolution as a few plain matrix products, without padding or unfolding."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

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

    Args:
        x: (R,I) rows.
        weight: (K,O,I), one matrix a tap.
        start: what the taps are added to: a bias (O,), or one row for each (R,O).
        shifts: rows that each tap reads ahead (positive) or behind (negative).
        bias: (O,) that is added where ``start`` is rows.
    """
    y: Tensor = Taps.apply(x, weight, start, tuple(shifts), bias)  # type: ignore[no-untyped-call]
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
        """Start + bias + Σₖ x[r + shiftₖ] weight[k]ᵀ, each product added in place."""
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
