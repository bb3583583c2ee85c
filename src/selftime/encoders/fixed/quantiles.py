"""Quantiles of fixed intervals (QUANT): the distribution of the values, and its place in time.

Dempster, Schmidt & Webb 2024, "quant: a minimalist interval method for time series
classification", Data Mining and Knowledge Discovery 38, section 3.

Many channels are mixed first: quantiles along random directions tell distributions of several
values apart (sliced Wasserstein distance; Bonneel et al. 2015, "Sliced and Radon Wasserstein
barycenters of measures", section 2).
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.graph import is_traced, is_whole
from selftime.encoders.base import Encoder, check_channels, check_least
from selftime.encoders.fixed.compiling_numba import LANES, parallel_over_series, runs_compiled
from selftime.encoders.fixed.quantiles_numba import quantiles_of_rows
from selftime.encoders.fixed.rocket_torch import in_chunks
from selftime.shapes import Lengths, Tokens, Values

_Rows = Float[Tensor, "N R"]
"""One row a series and channel: its representations, one after the other."""


class QuantileIndex(NamedTuple):
    """Places of F quantiles in a row of :func:`representations`.

    Intervals (I,4) are columns from and to, features from and to; left and right (F,) the order
    statistics around each quantile, share (F,) its distance from the one to the other.
    """

    intervals: np.ndarray
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray


_MOST_FEATURES = 4_000_000
"""About as many for each representation: those of the longest default series are 1,300."""


class Quantiles(Encoder):
    """Quantiles of dyadic intervals of a series, its differences and its spectrum.

    Nothing is learned, and no gradient flows to the series. Features are ordered by channel, then
    representation (see `representations`), then level, then interval (the shifted ones after the
    others, both from left to right), then rank from the smallest to the greatest.

    A series that has not the reference length is first resampled to it along straight lines, so
    that the number of features is always the same.

    Where an interval is a single step, half of it is no step: the shifted intervals of that level
    repeat its others.

    Args:
        channels: C of the series.
        length: reference length, in steps.
        depth: number of levels, 6 in section 3; level l cuts a representation into 2^l intervals,
            and those with more intervals than steps are left out.
        divisor: m values give 1 + (m−1)//divisor quantiles, evenly spaced in rank; 4 in section 3.
        most_channels: more channels than these are mixed into as many, by weights that are drawn;
            None mixes nothing.
        seed: draws the weights.

    Attributes:
        dim: D, quantiles of all intervals and channels.
        mixing: (M,C) weights of the channels, of mean length 1; None where they stay apart.

    Raises:
        ValueError: an argument is below 1.
    """

    mixing: Tensor | None

    def __init__(  # noqa: PLR0913 - six and self
        self,
        *,
        channels: int,
        length: int,
        depth: int = 6,
        divisor: int = 4,
        most_channels: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.channels, self.length, self.depth, self.divisor = channels, length, depth, divisor
        self.most_channels, self.seed = most_channels, seed
        check_least(
            self, {"channels": 1, "length": 1, "depth": 1, "divisor": 1, "most_channels": 1}
        )
        levels = min(depth, length.bit_length())
        if length + 2**levels + levels * length // divisor > _MOST_FEATURES:
            raise ValueError(
                f"got {levels} levels of {length} steps and quantiles of every {divisor}, wanted "
                f"at most {_MOST_FEATURES:,} features: use a shorter length, it is resampled to"
            )
        self._plan = plan_quantiles(length, depth, divisor)
        rows = min(channels, most_channels or channels)
        mixed = None if rows == channels else random_mixing(rows, channels, seed)
        self.register_buffer("mixing", mixed)
        self.dim = rows * len(self._plan.share)

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D), float32."""
        check_channels(self, x)
        series = x.filled().detach().float()
        if self.mixing is not None:
            series = self.mixing @ series  # (B,M,T)
        series = resample_to_length(series, x.lengths, self.length)  # (B,C,L)
        rows = torch.cat(representations(series), dim=2).flatten(0, 1)  # (B·C,R)
        quantiles = quantiles_on_cpu if runs_compiled(rows) else quantiles_on_device
        return quantiles(rows, self._plan).reshape(-1, 1, self.dim)


def random_mixing(rows: int, channels: int, seed: int) -> Float[Tensor, "M C"]:
    """Normal weights of channels, whose squares sum to about 1 in each row."""
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows, channels, generator=rng)
    return drawn / math.sqrt(channels)


def resample_to_length(values: Values, lengths: Lengths, length: int) -> Float[Tensor, "B C L"]:
    """Stretch or shrink the steps of each series to ``length`` along straight lines.

    The first and the last step stay as they are; steps after the end are not read.
    """
    if is_whole(lengths == length) and values.shape[2] == length:
        return values  # the rest would return the same, to the bit
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
    """Representations that intervals are taken from (section 3), without empty ones.

    The series (T), its first difference smoothed over 5 steps (T−1), its second difference
    (T−2), and the magnitudes of its discrete Fourier transform (T//2 + 1).
    """
    T = series.shape[2]
    found = [series]
    if T > 1:
        found.append(_moving_average(series.diff(dim=2)))
    if T > 2:
        found.append(series.diff(n=2, dim=2))
    return [*found, magnitudes(series)]


def _moving_average(values: Values) -> Values:
    """Moving average over 5 steps; the first and the last value are repeated beyond the ends."""
    padded = F.pad(values, (2, 2), mode="replicate")
    T = values.shape[2]
    total = padded[:, :, :T]
    for k in range(1, 5):
        total = total + padded[:, :, k : k + T]
    return total / 5


def magnitudes(values: Values) -> Float[Tensor, "B C _"]:
    """Magnitudes of the discrete Fourier transform at frequencies 0, 1/T, … up to 1/2."""
    # On the CPU by numpy, a series at a time, so that the others in the batch change no bit.
    if runs_compiled(values):
        return torch.from_numpy(np.abs(np.fft.rfft(values.numpy())))
    if is_traced():  # transforms of other programs round more than this does
        return waves_within(values)
    spectrum: Tensor = torch.fft.rfft(values)
    return spectrum.abs()


def waves_within(values: Values) -> Float[Tensor, "B C _"]:
    """:func:`magnitudes` as one product with sines and cosines, in 64 bits."""
    T = values.shape[2]
    turns = np.outer(np.arange(T), np.arange(T // 2 + 1)) % T * (2 * np.pi / T)
    cos, sin = (torch.from_numpy(wave(turns)) for wave in (np.cos, np.sin))
    exact = values.double()
    return ((exact @ cos).square() + (exact @ sin).square()).sqrt().float()


def plan_quantiles(length: int, depth: int, divisor: int) -> QuantileIndex:
    """Every interval of the `representations` of ``length`` steps, and the quantiles it gives."""
    intervals: list[tuple[int, int, int, int]] = []
    quantiles: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    origin = first = 0
    for T in (length, length - 1, length - 2, length // 2 + 1):
        for start, stop in dyadic_intervals(T, depth):
            count = 1 + (stop - start - 1) // divisor
            intervals.append((origin + start, origin + stop, first, first + count))
            quantiles.append(ranks(stop - start, count))
            first += count
        origin += max(T, 0)
    left, right, share = (np.concatenate(part) for part in zip(*quantiles, strict=True))
    return QuantileIndex(np.array(intervals), left, right, share)


def dyadic_intervals(steps: int, depth: int) -> list[tuple[int, int]]:
    """(start, stop) of the whole, halves, quarters, …, ``depth`` at most; the same half-shifted."""
    found: list[tuple[int, int]] = []
    for pieces in (2**level for level in range(min(depth, max(steps, 0).bit_length()))):
        edges = [j * steps // pieces for j in range(pieces + 1)]
        intervals = list(itertools.pairwise(edges))
        half = edges[1] // 2
        found += intervals + [(start + half, stop + half) for start, stop in intervals[:-1]]
    return found


def ranks(values: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of ``count`` evenly spaced quantiles among sorted values; one is the median.

    The order statistics (count,) before and after each, and the share of the way between, float32.
    """
    places, gaps = (np.arange(count), count - 1) if count > 1 else (np.ones(1, np.int64), 2)
    left, rest = np.divmod(places * (values - 1), gaps)
    return left, np.minimum(left + 1, values - 1), (rest / gaps).astype(np.float32)


def quantiles_on_device(rows: _Rows, plan: QuantileIndex) -> Float[Tensor, "N F"]:
    """Quantiles of each interval of each row; its mean is taken off every second of them.

    Intervals of as many steps have the same ranks, so they are sorted together: a few dozen calls
    instead of thousands.
    """
    sizes = plan.intervals[:, 1] - plan.intervals[:, 0]
    groups = [plan.intervals[sizes == size] for size in np.unique(sizes)]
    most = max(int(np.ptp(group[0, :2])) * len(group) for group in groups)
    firsts, lasts = np.concatenate(groups)[:, 2:].T
    places = np.concatenate([np.arange(a, b) for a, b in zip(firsts, lasts, strict=True)])
    order = torch.from_numpy(np.argsort(places)).to(rows.device)

    def whole(part: _Rows) -> Float[Tensor, "N F"]:
        return torch.cat([_quantiles_of_group(part, group, plan) for group in groups], dim=1)[
            :, order
        ]

    return in_chunks(whole, most, rows)


def _quantiles_of_group(
    rows: _Rows, group: np.ndarray, plan: QuantileIndex
) -> Float[Tensor, "N _"]:
    """Quantiles of intervals (I,4) of the same number of steps, interval after interval."""
    start, stop, first, last = group[0].tolist()
    left, right, share = (torch.from_numpy(part[first:last]).to(rows.device) for part in plan[1:])
    columns = group[:, :1] + np.arange(stop - start)  # (I,S)
    every_second = torch.arange(last - first, device=rows.device) % 2
    ordered = rows[:, torch.from_numpy(columns).to(rows.device)].sort(dim=2).values  # (N,I,S)
    before, after = ordered[:, :, left], ordered[:, :, right]  # (N,I,J)
    centre = ordered.mean(dim=2, keepdim=True) * every_second
    return (before + share * (after - before) - centre).flatten(1)


def quantiles_on_cpu(rows: _Rows, plan: QuantileIndex) -> Float[Tensor, "N F"]:
    """:func:`quantiles_on_device`, compiled, with bits that do not depend on the other rows."""
    out = np.empty((len(rows), len(plan.share)), np.float32)
    blocks = -(-len(rows) // LANES)
    parallel_over_series(quantiles_of_rows, blocks, rows.contiguous().numpy(), plan, out)
    return torch.from_numpy(out)
