"""Departures of a channel from what the others say of it, whatever it looks like by itself.

Every channel is reconstructed from all others by ridge, in closed form. How wrong that may be is
read off the normal windows in which the others look most alike: the residual less the mean of
theirs, in units of their spread. So a relation may be bent, and be looser where there is more
motion. Leaving a channel out is the conditional normality of Gaussian graphical models (as in Idé,
Papadimitriou & Vlachos 2007, ICDM, "Computing Correlation Anomaly Scores Using Stochastic Nearest
Neighbors", whose neighbours are channels); neighbours among windows are conditional anomaly
detection (Song et al. 2007, TKDE 19) without a model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from selftime.tasks.anomaly.record import ChannelRecord, smooth_steps
from selftime.tasks.anomaly.scores.distances import draw_each, principal
from selftime.tasks.probing.ridge import mean_variance, residual_maps

LAGS = 9
"""Steps of the other channels that a step is reconstructed from: as many before it as behind it,
or all of them before where later ones may not count."""
_MOST_INPUTS = 512
"""Channels times lags, at most; more channels have fewer lags."""
_PENALTIES = 10.0 ** np.arange(-7, 1)
"""Ridge penalties that are tried, in units of the mean variance of an input."""
_HELD_OUT = 4
"""The last of so many parts of the normal steps chooses the penalty of each channel."""
_THIRD = 3
"""Windows are a third as long as those of single channels: relations are of the moment."""
_COMPONENTS = 8
"""Principal coordinates of the windows of a channel."""
_NEAREST = 5
"""Normal windows in which the other channels look most alike."""
_MOST_ALIKE = 2000
"""Normal windows that these are sought among."""
_FEWEST = 2 * _NEAREST
"""Normal windows, none of which overlap, without which nothing is known of relations."""
_FLOOR = 0.01
"""Share of the median squared residual below which a spread is chance."""
_ROUNDING = 1e-3
"""Residuals of so many normal stds are rounding."""
_FAR = 1e3
"""Scaled values are held within this."""
_ROWS, _STEPS = 512, 8192
"""Windows that are compared at a time, and steps that are reconstructed."""


def departures(
    records: Sequence[ChannelRecord], observed: Bool[np.ndarray, "C T"]
) -> Float[np.ndarray, "C T"] | None:
    """Return how far each channel departs from what the others say, smoothed over a window.

    It is the logarithm of a ratio: 0 where a window is as far off as normal ones are from each
    other. Minus infinity where some channel has no value nearby, and where a channel never varied
    in its normal part. None where nothing is known: of a single channel, or of few normal windows.
    """
    varied = np.array([np.ptp(r.values[: r.train]) > 0 for r in records])
    if varied.sum() < 2:
        return None
    among = [r for r, varies in zip(records, varied, strict=True) if varies]
    record = replace(among[0], width=int(np.median([r.width for r in among])))
    width = max(record.width // _THIRD, 1)
    if record.train < _FEWEST * width:
        return None
    starts = record.starts(width)
    normal = starts + width <= record.train
    values = np.clip(np.stack([r.values for r in among]), -_FAR, _FAR)
    residuals = values - reconstructions(values, record)
    seen, left = (_coordinates(x, starts, width, normal) for x in (values, residuals))
    found = np.full(observed.shape, -np.inf)
    ratios = _ratios(seen, left, starts, width, normal)
    for c, ratio in zip(np.flatnonzero(varied), ratios, strict=True):
        found[c] = record.smooth(record.over_steps(ratio, starts, width))
    reach = width + record.width + LAGS
    gaps = (~observed[varied].all(axis=0)).astype(np.float64)
    near = smooth_steps(gaps, 2 * reach + 1, past_only=record.past_only) > 0
    return np.where(near, -np.inf, found)


def reconstructions(
    values: Float[np.ndarray, "C T"], record: ChannelRecord
) -> Float[np.ndarray, "C T"]:
    """Reconstruct every step of each channel from steps of all others around it, or before it.

    The ridge regression of a channel on the others is fitted on the normal part; its penalty is the
    best of the last quarter.
    """
    C, n = len(values), max(min(LAGS, _MOST_INPUTS // len(values)), 1)
    lags = np.arange(n) - (n - 1 if record.past_only else n // 2)
    own, cut = int(np.flatnonzero(lags == 0)[0]), record.train - record.train // _HELD_OUT
    fit, held = np.zeros((C * n, C * n)), np.zeros((C * n, C * n))
    for steps, inputs in _surroundings(values, lags, record):
        for sums, part in ((fit, steps < cut), (held, (steps >= cut) & (steps < record.train))):
            sums += inputs[:, part] @ inputs[:, part].T
    unit = mean_variance(fit)
    tried = np.stack([residual_maps(fit, C, unit * p)[:, own] for p in _PENALTIES])  # (A,C,D)
    best = np.einsum("acd,de,ace->ac", tried, held, tried, optimize=True).argmin(axis=0)
    whole, maps = fit + held, np.empty((C, C * n))
    for a in np.unique(best):
        maps[best == a] = residual_maps(whole, C, mean_variance(whole) * _PENALTIES[a])[:, own][
            best == a
        ]
    out = np.empty_like(values)
    for steps, inputs in _surroundings(values, lags, record):
        out[:, steps] = values[:, steps] - maps @ inputs
    return out


def _surroundings(
    values: Float[np.ndarray, "C T"], lags: Int[np.ndarray, "n"], record: ChannelRecord
) -> Iterator[tuple[Int[np.ndarray, "S"], Float[np.ndarray, "D S"]]]:
    """Yield steps, and the values around each, channel by channel, a block at a time."""
    for first, stop in pairwise([0, *record.boundaries, record.steps]):
        for start in range(first, stop, _STEPS):
            steps = np.arange(start, min(start + _STEPS, stop))
            places = np.clip(steps + lags[:, None], first, stop - 1)
            yield steps, values[:, places].reshape(-1, len(steps))


def _coordinates(
    values: Float[np.ndarray, "C T"],
    starts: Int[np.ndarray, "W"],
    width: int,
    normal: Bool[np.ndarray, "W"],
) -> list[Float[np.ndarray, "W _"]]:
    """Return the windows of each channel in principal coordinates of its normal ones."""
    windows = (sliding_window_view(row, width)[starts] for row in values)
    return [principal(own, normal, most=_COMPONENTS).astype(np.float64) for own in windows]


def _ratios(
    seen: list[Float[np.ndarray, "W _"]],
    left: list[Float[np.ndarray, "W _"]],
    starts: Int[np.ndarray, "W"],
    width: int,
    normal: Bool[np.ndarray, "W"],
) -> Float[np.ndarray, "C W"]:
    """Return log ratios of residuals to their spread where the other channels look alike.

    Args:
        seen: coordinates of the windows of each channel.
        left: those of what the others leave of it.
        starts: first steps of the windows.
        width: their steps.
        normal: which of them are normal.
    """
    among = draw_each(0, int(normal.sum()), _MOST_ALIKE)
    floors = [_FLOOR * np.median(np.square(r[normal]).sum(axis=1)) + _ROUNDING**2 for r in left]
    out = np.empty((len(seen), len(starts)))
    for first in range(0, len(starts), _ROWS):
        rows = slice(first, first + _ROWS)
        banned = np.abs(starts[rows, None] - starts[among]) < width
        apart = np.stack([_squares(x[rows], x[among]) for x in seen])  # (C,R,K)
        every = apart.sum(axis=0)
        every[banned] = np.inf
        for c, x in enumerate(left):
            near = among[np.argpartition(every - apart[c], _NEAREST - 1, axis=1)[:, :_NEAREST]]
            usual = x[near].mean(axis=1)
            spread = np.square(x[near] - usual[:, None]).sum(axis=(1, 2)) / (_NEAREST - 1)
            off = np.square(x[rows] - usual).sum(axis=1)
            out[c, rows] = np.log((off + floors[c]) / (spread + floors[c])) / 2
    return out


def _squares(x: Float[np.ndarray, "R D"], y: Float[np.ndarray, "K D"]) -> np.ndarray:
    """Return squared distances of all pairs."""
    return np.asarray(np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1) - 2 * x @ y.T)
