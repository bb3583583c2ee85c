"""Series with holes: where the gaps are, and the plain ways to bridge them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from selftime.data.arrays import spans
from selftime.data.periods import CLEAR, autocorrelation

LONGEST_SEASON = 400
"""Longest season that is looked for beyond the first, in steps."""
_STRONGER = 0.02
"""A longer season counts where changes repeat so much more clearly after it."""
_NEAR = 0.7
"""The first season has so much of the correlation of the best."""
_SHORTEST = 4
"""Shortest season, in steps or means: noise alone makes a peak at two."""
_WIDTHS = (1, 2, 4, 8)
"""Steps that are averaged to find a season."""
_FEWEST = 12
"""Steps in which a season is looked for."""
_ENOUGH = 20_000
"""Steps that seasons are found from."""


class Holes(NamedTuple):
    """Series end to end, of which some values are missing.

    Attributes:
        steps: (S,C), 0 where not observed.
        observed: (S,C), True where a value was measured.
        lengths: (N,) steps of each series.
    """

    steps: Float[np.ndarray, "S C"]
    observed: Bool[np.ndarray, "S C"]
    lengths: Int64[np.ndarray, "N"]

    @classmethod
    def of(
        cls,
        steps: Float[np.ndarray, "S C"],
        observed: Bool[np.ndarray, "S C"],
        lengths: Int64[np.ndarray, "N"],
    ) -> "Holes":
        """Return series with 0 wherever nothing was observed."""
        return cls(np.where(observed, steps, 0.0), observed, np.asarray(lengths, np.int64))

    @property
    def starts(self) -> Int64[np.ndarray, "N"]:
        """Row at which each series begins."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    @property
    def owners(self) -> Int64[np.ndarray, "S"]:
        """Series of each row."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def positions(self) -> Int64[np.ndarray, "S"]:
        """Step of each row within its series."""
        return np.asarray(np.arange(len(self.steps)) - self.starts[self.owners])

    def take(self, rows: Int64[np.ndarray, "R"], lengths: Int64[np.ndarray, "M"]) -> "Holes":
        """Return rows as other series."""
        return Holes(self.steps[rows], self.observed[rows], lengths)

    def series(self, which: Int64[np.ndarray, "M"]) -> "Holes":
        """Return some of the series."""
        return self.cut(self.starts[which], self.lengths[which])

    def cut(self, first: Int64[np.ndarray, "M"], lengths: Int64[np.ndarray, "M"]) -> "Holes":
        """Return spans of rows as series of their own."""
        return self.take(spans(first, lengths), lengths)

    def without(self, hidden: Bool[np.ndarray, "S C"]) -> "Holes":
        """Return the same series with more holes."""
        return Holes.of(self.steps, self.observed & ~hidden, self.lengths)

    def filled(self, values: Float[np.ndarray, "S C"]) -> "Holes":
        """Return series without holes, with these values in them."""
        whole = np.where(self.observed, self.steps, values)
        return Holes(whole, np.ones_like(self.observed), self.lengths)

    def neighbours(self) -> tuple[Int64[np.ndarray, "S C"], Int64[np.ndarray, "S C"]]:
        """Return the rows of the last and of the next value observed of each channel.

        Before the first and after the last of a series they are -1 and S.
        """
        S = len(self.steps)
        rows = np.arange(S)[:, None]
        first = self.starts[self.owners][:, None]
        stop = first + self.lengths[self.owners][:, None]
        left = np.maximum.accumulate(np.where(self.observed, rows, -1), axis=0)
        right = np.minimum.accumulate(np.where(self.observed, rows, S)[::-1], axis=0)[::-1]
        return np.where(left < first, -1, left), np.where(right >= stop, S, right)


def bridge(holes: Holes) -> Float[np.ndarray, "S C"]:
    """Return series with straight lines between what was observed; ends are held.

    NaN where a channel of a series has no value.

    Example:
        >>> x, seen = np.array([[0.0], [0], [4]]), np.array([[True], [False], [True]])
        >>> bridge(Holes(x, seen, np.array([3]))).ravel()
        array([0., 2., 4.])
    """
    S = len(holes.steps)
    left, right = holes.neighbours()
    never = (left < 0) & (right >= S)
    a = np.where(left < 0, right, left).clip(0, S - 1)
    b = np.where(right >= S, left, right).clip(0, S - 1)
    before, after = (np.take_along_axis(holes.steps, rows, axis=0) for rows in (a, b))
    share = (np.arange(S)[:, None] - a) / np.maximum(b - a, 1)
    made = np.where(b > a, before + share * (after - before), before)
    return np.where(never, np.nan, np.where(holes.observed, holes.steps, made))


def bridge_seasons(holes: Holes, season: int) -> Float[np.ndarray, "S C"]:
    """Return series with straight lines between steps that are whole seasons apart.

    NaN where no value of a channel was observed at that phase.
    """
    order, counts = _by_phase(holes, season)
    made = np.empty_like(holes.steps)
    made[order] = bridge(holes.take(order, counts))
    return made


def bridge_profile(holes: Holes, season: int) -> Float[np.ndarray, "S C"]:
    """Return series as their mean season, and straight lines through what is left of it.

    NaN where no value of a channel was observed at that phase.
    """
    order, counts = _by_phase(holes, season)
    first = np.cumsum(counts) - counts
    seen = np.add.reduceat(holes.observed[order].astype(np.int64), first, axis=0)
    total = np.add.reduceat(holes.steps[order], first, axis=0)
    means = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
    profile = np.empty_like(holes.steps)
    profile[order] = np.repeat(means, counts, axis=0)
    left = Holes.of(holes.steps - np.nan_to_num(profile), holes.observed, holes.lengths)
    return np.asarray(profile + bridge(left))


def _by_phase(holes: Holes, season: int) -> tuple[Int64[np.ndarray, "S"], Int64[np.ndarray, "G"]]:
    """Return rows by series, then phase, then time, and how many each phase of a series has."""
    owners, positions = holes.owners, holes.positions
    phase = positions % season
    order = np.lexsort((positions, phase, owners))
    changes = np.flatnonzero(np.diff((owners * season + phase)[order], prepend=-1))
    return order, np.diff(changes, append=len(order))


def distances(holes: Holes) -> tuple[Int64[np.ndarray, "S C"], Bool[np.ndarray, "S C"]]:
    """Return how far the nearest observed value of the same channel is, and if it is on both sides.

    Without any the distance is that of the whole set.
    """
    S = len(holes.steps)
    left, right = holes.neighbours()
    rows = np.arange(S)[:, None]
    before = np.where(left < 0, S, rows - left)
    after = np.where(right >= S, S, right - rows)
    return np.minimum(before, after), (left >= 0) & (right < S)


def seasons_in(holes: Holes) -> tuple[int, ...]:
    """Return the season of the longest series, and a longer one after which it repeats better.

    Both are peaks of the autocorrelation of changes from step to step, or of means over 2, 4 or 8
    steps where single ones are too noisy. Empty where nothing repeats.
    """
    longest = int(holes.lengths.argmax())
    x = np.nan_to_num(bridge(holes.series(np.array([longest]))))[:_ENOUGH]
    for width in _WIDTHS:
        means = x[: len(x) // width * width].reshape(-1, width, x.shape[1]).mean(axis=1)
        found = _seasons_of(means) if len(means) >= _FEWEST else ()
        if found:
            return tuple(width * season for season in found)
    return ()


def _seasons_of(x: Float[np.ndarray, "T C"]) -> tuple[int, ...]:
    found = autocorrelation(np.diff(x, axis=0))[: min(LONGEST_SEASON + 2, max(len(x) // 3, 2))]
    inner = np.arange(_SHORTEST, len(found) - 1)
    peaks = inner[(found[inner] >= found[inner - 1]) & (found[inner] >= found[inner + 1])]
    peaks = peaks[found[peaks] > CLEAR]
    if not len(peaks):
        return ()
    best = int(peaks[found[peaks].argmax()])
    first = int(peaks[found[peaks] >= _NEAR * found[best]][0])
    return (first, best) if found[best] > found[first] + _STRONGER else (first,)
