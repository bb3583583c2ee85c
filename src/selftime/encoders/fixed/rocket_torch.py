"""MiniRocket and MultiRocket in tensor operations: the twin of `rocket_numba`.

Responses are made of the same sums in the same order, so both agree to the bit on which values
exceed a bias. Shifts and sums instead of a convolution also keep reduced-precision matrix units
(TF32) out of it. Batches are cut so that no intermediate has more than `CELLS` numbers.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from selftime.data.graph import is_traced, is_whole, latest
from selftime.encoders.fixed.rocket_numba import ROCKET_POOLINGS, TAPS
from selftime.shapes import Lengths, Values

_Rows = Float[Tensor, "*B T"]
Plan = tuple[Sequence[int], Sequence[int], Int[Tensor, "E84 M"]]

CELLS = 2**25


def differences(series: Values, lengths: Lengths) -> tuple[Float[Tensor, "B C S"], Lengths]:
    """First differences and how many there are; a single step has one, 0."""
    steps, T = (lengths - 1).clamp(min=1), series.shape[2]
    if is_traced():  # a step more, that is none, as there may be a single one
        beyond = torch.arange(1, T + 1, device=series.device) >= lengths[:, None]
        return F.pad(series.diff(dim=2), (0, 1)).masked_fill(beyond[:, None], 0.0), steps
    if T == 1:
        return torch.zeros_like(series), steps
    beyond = torch.arange(1, T, device=series.device) >= lengths[:, None]
    return series.diff(dim=2).masked_fill(beyond[:, None], 0.0), steps


def sum_channels(series: Values, subsets: Int[Tensor, "K M"]) -> Float[Tensor, "B _ T"]:
    """Sum of the channels in each subset (B,K,T); −1 selects none; one channel stays (B,1,T)."""
    if series.shape[1] == 1:
        return series
    total = series[:, subsets[:, 0]]
    for column in subsets.T[1:]:
        total = total + series[:, column.clamp(min=0)] * (column >= 0)[:, None]
    return total


def strides_for(lengths: Lengths, most_steps: int | None) -> Int[Tensor, "B"]:
    """Every how many-th step of each series responses are taken at: at ``most_steps`` or more."""
    return torch.ones_like(lengths) if most_steps is None else (lengths // most_steps).clamp(min=1)


def steps_at(lengths: Lengths, strides: Int[Tensor, "B"]) -> Int[Tensor, "B"]:
    """Steps 0, stride, 2·stride, … of each series: how many there are."""
    return (lengths + strides - 1) // strides


def centred_shifts(x: _Rows, dilation: int) -> Float[Tensor, "*B 9 T"]:
    """``out[k, t] = x[t + (k − 4)·dilation] − x[t]``, where x is 0 before and after its steps."""
    T = x.shape[-1]
    padded = F.pad(x, (4 * dilation, 4 * dilation))
    shifts = [padded[..., k * dilation : k * dilation + T] - x for k in range(9)]
    return torch.stack(shifts, dim=-2)


def every(
    rows: Float[Tensor, "B *K T"], strides: Int[Tensor, "B"], T: int
) -> Float[Tensor, "B *K S"]:
    """Steps 0, stride, 2·stride, … of rows of T steps or fewer, 0 beyond them."""
    if is_traced() or is_whole(strides == 1):
        return rows
    steps = torch.arange(int(steps_at(torch.full_like(strides, T), strides).max()))
    at = steps.to(rows.device) * strides.view(-1, *[1] * (rows.ndim - 1))  # (B,…,S)
    within = at < T
    return rows.gather(-1, at.clamp(max=T - 1).expand(*rows.shape[:-1], -1)) * within


def weigh(shifts: Float[Tensor, "*B 9 T"]) -> Float[Tensor, "*B 9 T"]:
    """Rows of which any three add up to thrice these three minus all nine: to a response."""
    total = shifts[..., 0, :]
    for k in range(1, 9):
        total = total + shifts[..., k, :]
    return 3 * shifts - (total / 3).unsqueeze(-2)


def _responses(rows: Float[Tensor, "B K T"], dilation: int) -> Float[Tensor, "B _ T"]:
    """Response (B,84,T) of every kernel to its own row, or of all kernels to the one row."""
    weighed = weigh(centred_shifts(rows, dilation))
    kernels = torch.arange(84, device=rows.device) % rows.shape[1]
    i, j, k = torch.from_numpy(TAPS.T).to(rows.device)
    return (weighed[:, kernels, i] + weighed[:, kernels, j]) + weighed[:, kernels, k]


def _valid_windows(lengths: Lengths, e: int, dilation: int) -> tuple[Int[Tensor, "B K"], ...]:
    """First step and number of steps (B,84) of each kernel that count at the e-th dilation."""
    unpadded = (torch.arange(84, device=lengths.device) + e) % 2 == 1
    valid = unpadded & (lengths > 8 * dilation)[:, None]
    lo = valid * (4 * dilation)
    return lo, lengths[:, None] - 2 * lo


def minirocket_on_device(
    series: Values,
    lengths: Lengths,
    plan: Plan,
    biases: Float[Tensor, "F"],
    poolings: Sequence[str],
) -> Float[Tensor, "B P F"]:
    """Features of all series by a plan: dilations, biases of each kernel at each, channels."""

    def whole(x: Values, n: Lengths) -> Float[Tensor, "B P F"]:
        return _chunk(x, n, plan, biases, poolings)

    return in_chunks(whole, 84 * max(9, *plan[1]) * series.shape[2], series, lengths)


def in_chunks(
    function: Callable[..., Float[Tensor, "B *F"]], cells: int, *parts: Tensor
) -> Float[Tensor, "B *F"]:
    """Apply a function to so many series at a time that it makes no more than `CELLS` numbers.

    It makes ``cells`` for each. A graph has any number of series and takes all at once.
    """
    if is_traced():
        return function(*parts)
    cut = (torch.split(part, max(1, CELLS // cells)) for part in parts)
    return torch.cat([function(*some) for some in zip(*cut, strict=True)])


def _chunk(
    series: Values,
    lengths: Lengths,
    plan: Plan,
    biases: Float[Tensor, "F"],
    poolings: Sequence[str],
) -> Float[Tensor, "B P F"]:
    dilations, counts, subsets = plan
    steps = torch.arange(series.shape[2], device=series.device)
    found = []
    ends = [84 * sum(counts[:e]) for e in range(len(counts) + 1)]
    for e, dilation in enumerate(dilations):
        rows = sum_channels(series, subsets[84 * e : 84 * (e + 1)])
        lo, n = (v[..., None] for v in _valid_windows(lengths, e, dilation))  # (B,84,1)
        outside = (steps < lo) | (steps >= lo + n)
        response = _responses(rows, dilation).masked_fill(outside, -torch.inf)
        own = biases[ends[e] : ends[e + 1]].view(84, -1, 1)
        found.append(_pool(response[:, :, None], own, (lo, n), poolings))
    return torch.cat(found, dim=2)


def _pool(
    response: Float[Tensor, "B 84 1 T"],
    biases: Float[Tensor, "84 J 1"],
    window: tuple[Int[Tensor, "B 84 1"], Int[Tensor, "B 84 1"]],
    poolings: Sequence[str],
) -> Float[Tensor, "B P _"]:
    """One number (B,P,84·J) for the steps at which the response exceeds a bias."""
    lo, n = window
    above = response > biases  # (B,84,J,T)
    share = 1 / n.float()
    return torch.stack(
        [_POOLS[name](response, biases, above, lo, share).flatten(1) for name in poolings], dim=1
    )


_Above = Bool[Tensor, "B K J T"]
_Pooled = Float[Tensor, "B K J"]
_Start = Int[Tensor, "B K 1"]
_Share = Float[Tensor, "B K 1"]


def _ppv(response: Tensor, biases: Tensor, above: _Above, lo: _Start, share: _Share) -> _Pooled:
    return above.sum(dim=-1) * share


def _mpv(response: Tensor, biases: Tensor, above: _Above, lo: _Start, share: _Share) -> _Pooled:
    return (response - biases).clamp(min=0).sum(dim=-1) / above.sum(dim=-1).clamp(min=1)


def _mipv(response: Tensor, biases: Tensor, above: _Above, lo: _Start, share: _Share) -> _Pooled:
    steps = torch.arange(above.shape[-1], device=above.device) - lo[..., None]
    count = above.sum(dim=-1)
    mean = (above * steps).sum(dim=-1) / count.clamp(min=1)
    return mean.masked_fill(count == 0, -1.0) * share


def _lspv(response: Tensor, biases: Tensor, above: _Above, lo: _Start, share: _Share) -> _Pooled:
    steps = torch.arange(above.shape[-1], device=above.device)
    return (steps - latest(~above)).amax(dim=-1) * share


_POOLS = dict(zip(ROCKET_POOLINGS, (_ppv, _mpv, _mipv, _lspv), strict=True))
