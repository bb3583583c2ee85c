"""Quantiles of fixed intervals (QUANT): how the values are distributed, and where.

Dempster, Schmidt & Webb 2024, "quant: a minimalist interval method for time series
classification", Data Mining and Knowledge Discovery 38, section 3.
"""

import itertools
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.quantiles_numba import LANES, quantiles_of_rows
from selftime.encoders.rocket_numba import over_series
from selftime.shapes import Lengths, Tokens, Values

Rows = Float[Tensor, "N R"]
"""One row a series and channel: its representations, one after the other."""


class Interval(NamedTuple):
    """Columns ``start`` to ``stop`` of a row give the features ``first`` to ``last``."""

    start: int
    stop: int
    first: int
    last: int


class Quantiles(Encoder):
    """Quantiles of dyadic intervals of a series, its differences and its spectrum.

    Nothing is learned or drawn. Features are ordered by channel, then representation (see
    `representations`), then level, then interval (the shifted ones after the others, both from
    left to right), then rank from the smallest value to the greatest.

    A series that has not the reference length is first resampled to it along straight lines, so
    that the number of features is always the same.

    Args:
        channels: C of the series.
        length: reference length, in steps.
        depth: number of levels; level l cuts a representation into 2^l intervals.
        divisor: values of an interval to each quantile that is kept.

    Raises:
        ValueError: an argument is below 1.
    """

    def __init__(
        self,
        *,
        channels: int,
        length: int,
        depth: int = 6,  # section 3
        divisor: int = 4,  # section 3
    ) -> None:
        super().__init__()
        self.channels, self.length, self.depth, self.divisor = channels, length, depth, divisor
        for name in ("channels", "length", "depth", "divisor"):
            if getattr(self, name) < 1:
                raise ValueError(f"got {name}={getattr(self, name)}, wanted at least 1: raise it")
        self._intervals = planned(length, depth, divisor)
        self.dim = channels * self._intervals[-1].last

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D), float32.

        Raises:
            ValueError: the series have another number of channels.
        """
        B, C, _ = x.values.shape
        if self.channels != C:
            raise ValueError(
                f"got series with {C} channels, wanted {self.channels}: "
                f"build Quantiles with channels={C} or select channels"
            )
        series = resampled(x.filled().detach().float(), x.lengths, self.length)  # (B,C,L)
        rows = torch.cat(representations(series), dim=2).flatten(0, 1)  # (B·C,R)
        quantiles = on_cpu if rows.device.type == "cpu" else on_device
        return quantiles(rows, self._intervals).reshape(B, 1, self.dim)


def resampled(values: Values, lengths: Lengths, length: int) -> Float[Tensor, "B C L"]:
    """The steps of each series, stretched or shrunk to ``length`` along straight lines.

    The first and the last step stay what they are; a series of that length stays as it is.

    Args:
        values: (B,C,T); what stands after a series' own steps is not read.
        lengths: (B,) steps of each series; none counts as one.
        length: steps of the result.
    """
    if values.shape[2] == length and bool((lengths == length).all()):
        return values  # what the rest would return too, to the bit
    spans = (lengths.clamp(min=1) - 1)[:, None]  # (B,1) from the first step to the last
    gaps = max(length - 1, 1)
    places = torch.arange(length, device=values.device) * spans  # (B,L) in steps / gaps: exact
    left, rest = places // gaps, places % gaps
    share = (rest / gaps)[:, None]  # (B,1,L)
    wide = (-1, values.shape[1], -1)
    before = values.gather(2, left[:, None].expand(wide))
    after = values.gather(2, torch.minimum(left + 1, spans)[:, None].expand(wide))
    return torch.where(share > 0, before * (1 - share) + after * share, before)


def representations(series: Values) -> list[Float[Tensor, "B C _"]]:
    """What intervals are taken from (section 3), without those that would be empty.

    The series (T), its first difference smoothed over 5 steps (T−1), its second difference
    (T−2), and the magnitudes of its discrete Fourier transform (T//2 + 1).
    """
    T = series.shape[2]
    found = [series]
    if T > 1:
        found.append(smoothed(series.diff(dim=2)))
    if T > 2:
        found.append(series.diff(n=2, dim=2))
    return [*found, magnitudes(series)]


def smoothed(values: Values) -> Values:
    """Moving average over 5 steps; the first and the last value are held beyond the ends."""
    held = F.pad(values, (2, 2), mode="replicate")
    T = values.shape[2]
    total = held[:, :, :T]
    for k in range(1, 5):
        total = total + held[:, :, k : k + T]
    return total / 5


def magnitudes(values: Values) -> Float[Tensor, "B C _"]:
    """Magnitudes of the discrete Fourier transform at frequencies 0, 1/T, … up to 1/2.

    On the CPU by numpy: it transforms one series at a time, so that the others in the batch
    change no bit.
    """
    if values.device.type == "cpu":
        return torch.from_numpy(np.abs(np.fft.rfft(values.numpy())))
    spectrum: Tensor = torch.fft.rfft(values)
    return spectrum.abs()


def planned(length: int, depth: int, divisor: int) -> list[Interval]:
    """Every interval of a row of `representations`, with the features that it gives."""
    plan: list[Interval] = []
    origin = first = 0
    for T in (length, length - 1, length - 2, length // 2 + 1):
        for start, stop in dyadic(T, depth):
            last = first + 1 + (stop - start - 1) // divisor
            plan.append(Interval(origin + start, origin + stop, first, last))
            first = last
        origin += max(T, 0)
    return plan


def dyadic(steps: int, depth: int) -> list[tuple[int, int]]:
    """Halves, quarters, … of a stretch of steps, and the same shifted by half an interval.

    Args:
        steps: length of the stretch; it is never cut into more pieces than it has steps.
        depth: the greatest number of levels, the whole stretch being the first.

    Returns:
        (start, stop) of each interval; none for an empty stretch.
    """
    found: list[tuple[int, int]] = []
    for pieces in (2**level for level in range(depth) if 2**level <= steps):
        edges = [j * steps // pieces for j in range(pieces + 1)]
        intervals = list(itertools.pairwise(edges))
        half = edges[1] // 2
        found += intervals + [(start + half, stop + half) for start, stop in intervals[:-1]]
    return found


def ranks(values: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where ``count`` evenly spaced quantiles lie among sorted values; one is the median.

    Returns:
        The order statistics (count,) before and after each, and the share (count,) of the way
        from the one to the other, float32.
    """
    places = np.arange(count) if count > 1 else np.ones(1, int)
    gaps = max(count - 1, 2) if count == 1 else count - 1
    left, rest = np.divmod(places * (values - 1), gaps)
    return left, np.minimum(left + 1, values - 1), (rest / gaps).astype(np.float32)


def on_device(rows: Rows, intervals: list[Interval]) -> Float[Tensor, "N D"]:
    """Quantiles of each interval of each row, by sorting on whichever device holds the rows."""
    return torch.cat([of_interval(rows[:, a:b], d - c) for a, b, c, d in intervals], dim=1)


def of_interval(values: Rows, count: int) -> Float[Tensor, "N Q"]:
    """Evenly spaced quantiles of each row; the row's mean is taken off every second one."""
    left, right, share = (
        torch.from_numpy(part).to(values.device) for part in ranks(values.shape[1], count)
    )
    ordered = values.sort(dim=1).values
    before = ordered[:, left]
    centre = values.mean(dim=1, keepdim=True) * (torch.arange(count, device=values.device) % 2)
    return before + share * (ordered[:, right] - before) - centre


def on_cpu(rows: Rows, intervals: list[Interval]) -> Float[Tensor, "N D"]:
    """The same as `on_device`, compiled, and with the bits of a row its own."""
    parts = [ranks(b - a, d - c) for a, b, c, d in intervals]
    left, right, share = (np.concatenate(part) for part in zip(*parts, strict=True))
    out = np.empty((len(rows), intervals[-1].last), np.float32)
    plan = (np.array(intervals), left, right, share)
    blocks = -(-len(rows) // LANES)
    over_series(quantiles_of_rows, blocks, rows.contiguous().numpy(), plan, out)
    return torch.from_numpy(out)
