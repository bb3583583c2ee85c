"""Steps that are odd by themselves: the most similar normal window does not explain them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter1d

from selftime.tasks.anomaly.record import ChannelRecord, since_windows
from selftime.tasks.anomaly.scores.distances import (
    compared_windows,
    nearest_windows,
    principal,
)

_COMPONENTS = 32
"""Principal coordinates that stand for the values of a window, as in the score "window kNN"."""
STANDS_OUT = 3.0
"""A step stands out if its residual is so many times one that 1 normal step in 100 reaches."""
_USUAL = 0.99
SHARE = 0.25
"""Beside it those are odd that reach so much of the greatest residual within a window, and half of
what stands out."""
FLOOR = 1e-3
"""Residuals below this share of the normal std are rounding, or too small to be an anomaly."""


class Odd(NamedTuple):
    """The steps that an alarm may lie on.

    Where some step that reaches into the score stands out, it and others that nearly do; elsewhere,
    as where a shape is odd and no single step, all.

    Attributes:
        alone: (T,) for what a channel shows by itself; none where all steps agree with normal ones
            up to rounding.
        beside: (T,) for what it shows beside other channels, where that is no matter.
    """

    alone: Bool[np.ndarray, "T"]
    beside: Bool[np.ndarray, "T"]


def odd_steps(record: ChannelRecord) -> Odd:
    """Return the steps that an alarm may lie on."""
    residuals = normal_residuals(record)
    beside = record.width + record.width // 4  # a window and the steps to the next one
    greatest = _greatest_near(residuals, beside, record.past_only)
    reach = record.double + record.width // 2  # of windows, and of smoothing or the last that ended
    usual = float(np.quantile(residuals[: record.train], _USUAL))
    limit = max(STANDS_OUT * usual, FLOOR)
    nearly = residuals >= np.maximum(SHARE * greatest, limit / 2)
    around = _greatest_near(residuals, reach, record.past_only)
    relations = nearly | (around <= limit)
    return Odd(relations & (around > FLOOR), relations)


def normal_residuals(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Return how far each step is from its place in the most similar normal window.

    In units of the normal std. It is the mean over the windows that cover the step; with
    ``record.past_only`` the greatest of the newest steps of the last window that has ended.
    """
    starts = _starts_to_the_end(record)
    windows = sliding_window_view(record.values, record.width)[starts]
    vectors = principal(windows, record.usual(starts, record.width), most=_COMPONENTS)
    _, places = nearest_windows(vectors, starts, record.width, record, normal=True)
    others = _best_aligned(record, starts, places)
    gaps = np.abs(windows - others)  # (W,L)
    if record.past_only:
        new = np.diff(starts, prepend=-record.width)[:, None]  # steps that no window covered before
        newest = np.where(np.arange(record.width) >= record.width - new, gaps, 0.0).max(axis=1)
        return since_windows(newest, starts, record.width, record.steps)
    steps = (starts[:, None] + np.arange(record.width)).ravel()
    counts = np.bincount(steps, minlength=record.steps)
    return np.asarray(np.bincount(steps, gaps.ravel(), record.steps) / np.maximum(counts, 1))


def _best_aligned(
    record: ChannelRecord, starts: Int[np.ndarray, "W"], places: Int[np.ndarray, "W"]
) -> Float[np.ndarray, "W L"]:
    """Return the normal window most similar to each, to the step; zeros where there is none.

    Compared windows begin every few steps; a window between two of them may fit better, and
    exactly where a signal repeats.
    """
    every, inside = sliding_window_view(record.values, record.width), record.whole(record.width)
    windows, nearest = every[starts], starts[places]
    best, others = np.full(len(starts), np.inf), np.zeros_like(windows)  # the normal mean is 0
    reach = int(np.diff(record.starts(record.width)).max(initial=1)) - 1
    among, every_one = compared_windows(starts, record.width, record, normal=True)
    if len(among) < len(every_one):  # as far as from one of these to the next, up to a window
        reach = max(reach, min(reach * -(-len(every_one) // len(among)), record.width))
    for shift in sorted(range(-reach, reach + 1), key=abs):
        moved = np.clip(nearest + shift, 0, max(record.train - record.width, 0))
        found = every[moved]
        gap = np.abs(windows - found).sum(axis=1)
        fits = (places >= 0) & inside[moved] & (np.abs(moved - starts) >= record.width)
        better = fits & (gap < best)
        best[better], others[better] = gap[better], found[better]
    return np.asarray(others)


def _starts_to_the_end(record: ChannelRecord) -> Int[np.ndarray, "W"]:
    """Return the first steps of windows, the last window of each recording among them."""
    ends = np.array([*record.boundaries, record.steps])
    last = ends[np.diff(ends, prepend=0) >= record.width] - record.width
    return np.unique(np.concatenate([record.starts(record.width), last]))


def _greatest_near(x: Float[np.ndarray, "T"], reach: int, past: bool) -> Float[np.ndarray, "T"]:
    """Return the greatest value less than ``reach`` steps away, or before."""
    if past:
        return np.asarray(maximum_filter1d(x, reach, origin=(reach - 1) // 2, mode="nearest"))
    return np.asarray(maximum_filter1d(x, 2 * reach - 1, mode="nearest"))
