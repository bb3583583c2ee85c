"""Thresholds that keep a promised share of false alarms without labels."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.door import option
from selftime.tasks.anomaly.ordered_numba import (
    exchange_numbers,
    fill_blocks,
    number_at,
    ordered_in,
)

RATE = 0.01
"""Share of normal steps in alarm where no other is asked for."""
TAIL = 0.1
"""Share of the normal scores from which the tail beyond them is extrapolated."""
_MIN_EXCEEDANCES = 10
"""Normal scores beyond a threshold that make it certain enough without extrapolation."""
UPDATE_EVERY = 8
"""Steps after which the threshold is set anew."""
MEMORY = 1000
"""Latest scores that it is set from, or as many as are normal if that is more."""
PACE = 0.01
"""Move of the level in each step, as a share of the rate (Gibbs & Candès 2021, section 2.1)."""
BAND = 4.0
"""Levels are held between the rate divided by this and the rate times this."""
_HIGHEST = 0.95
"""Level above which none is tried."""
CAP = 2.0
"""A score in alarm counts as at most so many times the threshold that raised the alarm …"""
PATIENCE = 500
"""… for so many steps: what lasts longer is learned as the new normal."""
LEAST = 1e-6
"""Least threshold: scores below it are rounding."""


class Tail(NamedTuple):
    """Generalised Pareto distribution of the scores above a base.

    Shape 0 is exponential, more is heavier, less ends somewhere.
    """

    base: float
    scale: float
    shape: float

    def beyond(self, chance: float) -> float:
        """Return the score that an excess reaches with some chance."""
        if abs(self.shape) < 1e-6:
            return self.base - self.scale * float(np.log(chance))
        return self.base + self.scale / self.shape * (float(chance**-self.shape) - 1)


def threshold_at(normal: Float[np.ndarray, "N"], rate: float) -> float:
    """Fit the threshold that a share ``rate`` of normal steps reaches.

    Where at least 10 normal scores lie beyond it, the conformal quantile, which is the
    ⌈(N + 1)(1 − rate)⌉-th smallest (Vovk, Gammerman & Shafer 2005, section 2.2); else the extreme
    value extrapolation of the highest tenth (Siffer et al. 2017, KDD, section 3).
    """
    check_rate(rate)
    return _threshold_in(np.sort(normal), rate)


class LatestScores:
    """The latest of scores, in order: ``scores[-1]`` is the highest of them.

    A new one is put in its place in about as many steps as the root of their number, so that
    thresholds take time that is nearly linear in the length of a recording.

    Args:
        scores: (n,) the first, in the order of time.
        most: of more than so many the oldest are forgotten; n or more.
    """

    def __init__(self, scores: Float[np.ndarray, "N"], most: int) -> None:
        self._times, self._added = np.empty(most), len(scores)
        self._times[: len(scores)] = scores
        side = math.isqrt(most)  # of blocks, each less than half full when they are filled
        self._blocks = np.empty((most // side + 1, 2 * side + 2))
        self._counts = np.zeros(len(self._blocks), np.int64)
        fill_blocks(np.sort(scores), self._blocks, self._counts)

    def add(self, scores: Float[np.ndarray, "K"]) -> None:
        """Add the next scores, and forget as many of the oldest as there are too many."""
        places = np.arange(self._added, self._added + len(scores))
        old = places[places >= len(self._times)] % len(self._times)
        exchange_numbers(self._blocks, self._counts, self._times[old], scores)
        self._times[places % len(self._times)] = scores
        self._added += len(scores)

    def __len__(self) -> int:
        return min(self._added, len(self._times))

    def __getitem__(self, place: int) -> float:
        return float(number_at(self._blocks, self._counts, place % len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(ordered_in(self._blocks, self._counts), dtype)


def _threshold_in(ordered: Float[np.ndarray, "N"] | LatestScores, rate: float) -> float:
    """Return :func:`threshold_at` of sorted scores."""
    N = len(ordered)
    if N * rate >= _MIN_EXCEEDANCES:
        return float(ordered[min(math.ceil((N + 1) * (1 - rate)), N) - 1])
    share = max(TAIL, rate)
    tail = tail_of(np.asarray(ordered), share)
    return max(tail.beyond(rate / share), tail.base)


def tail_of(ordered: Float[np.ndarray, "N"], share: float) -> Tail:
    """Fit the tail of sorted scores by probability-weighted moments (Hosking & Wallis 1987).

    With excesses y₁ ≤ … ≤ yₙ, a = ȳ and b = Σ (1 − pⱼ) yⱼ / n where pⱼ = (j − 0.35) / n, the shape
    is 2 − a / (a − 2b) and the scale 2ab / (a − 2b). The shape is held within ±0.5, where the
    moments exist.
    """
    place, rest = divmod((len(ordered) - 1) * (1 - share), 1)  # np.quantile takes ten times longer
    low, high = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    base = float(low + rest * (high - low))
    excess = ordered[np.searchsorted(ordered, base, side="right") :] - base
    if len(excess) == 0:
        return Tail(base, 0.0, 0.0)
    places = (np.arange(1, len(excess) + 1) - 0.35) / len(excess)
    a, b = float(excess.mean()), float(((1 - places) * excess).mean())
    if a - 2 * b <= 1e-3 * a:
        return Tail(base, a / 2, 0.5)
    shape = float(np.clip(2 - a / (a - 2 * b), -0.5, 0.5))
    return Tail(base, a * (1 - shape), shape)


class AdaptiveThreshold:
    """A threshold that follows drifts, so that alarms keep their share, and failures do not.

    It is the threshold of the latest scores, the normal ones of the beginning first, at a level α
    that makes up for alarms that were too many or too few: α ← α + 0.01 rate (rate − alarm) at
    each step (adaptive conformal inference; Gibbs & Candès 2021, NeurIPS, equation 2), held between
    a quarter of and four times the rate. A failure deafens it to none that is worse: for 500 steps
    of an alarm a score counts as at most twice the threshold that raised it, and no threshold lies
    above the first one and the highest score that counted. A threshold depends on earlier scores
    alone.

    Args:
        normal: (n,) scores of normal steps in the order of time.
        rate: promised share of alarms among normal steps.

    Attributes:
        threshold: scores above it are alarms.

    Raises:
        ValueError: a rate that is not between 0 and 1.
    """

    def __init__(self, normal: Float[np.ndarray, "N"], rate: float) -> None:
        check_rate(rate)
        self._latest = LatestScores(normal, max(MEMORY, len(normal)))
        self._rate, self._level = rate, rate
        self._first = self.threshold = max(_threshold_in(self._latest, rate), LEAST)
        self._limit, self._lasting = math.inf, 0

    def follow(self, scores: Float[np.ndarray, "K"]) -> None:
        """Move the threshold by the next scores, 8 of them as a rule."""
        above = int((scores > self.threshold).sum())
        change = PACE * self._rate * (self._rate * len(scores) - above)
        low, high = self._rate / BAND, min(self._rate * BAND, _HIGHEST)
        self._level = float(np.clip(self._level + change, low, high))
        self._latest.add(self._bounded(scores, above > 0))
        limit = max(self._first, self._latest[-1])
        self.threshold = max(min(_threshold_in(self._latest, self._level), limit), LEAST)

    def _bounded(self, scores: Float[np.ndarray, "K"], alarm: bool) -> Float[np.ndarray, "K"]:
        """Return what scores count as."""
        if not alarm:
            self._limit, self._lasting = math.inf, 0
            return scores
        self._limit = min(self._limit, CAP * self.threshold)
        self._lasting += len(scores)
        return scores if self._lasting > PATIENCE else np.minimum(scores, self._limit)


def adaptive_thresholds(
    scores: Float[np.ndarray, "T"], train: int, rate: float
) -> Float[np.ndarray, "T"]:
    """Return the threshold of each step, set anew by :class:`AdaptiveThreshold` every 8 steps.

    The first ``train`` scores are those of normal steps.
    """
    current = AdaptiveThreshold(scores[:train], rate)
    out = np.full(len(scores), current.threshold)
    for start in range(train, len(scores), UPDATE_EVERY):
        rows = slice(start, start + UPDATE_EVERY)
        out[rows] = current.threshold
        current.follow(scores[rows])
    return out


def check_rate(rate: float) -> None:
    """Check that a rate is a share strictly between 0 and 1."""
    if not 0 < rate < 1:
        raise ValueError(f"got rate={rate}, wanted a share between 0 and 1: 0.01 is 1 step in 100")


WINDOWS = 4
"""Windows of normal steps in alarm that a rate needs, to be kept within a factor of 1.5."""


def settle_rate(rate: float | None, normal: int, width: int) -> tuple[float, tuple[str, ...]]:
    """Return the rate that alarms go by, and a note where the normal part cannot promise it.

    Scores hang together over a window, so that the share of normal steps above a threshold is known
    as from ``normal / width`` steps that do not.

    Raises:
        ValueError: a rate that was asked for and cannot be promised.
    """
    settled = RATE if rate is None else rate
    check_rate(settled)
    wanted = math.ceil(WINDOWS * width / settled)
    if normal >= wanted:
        return settled, ()
    least = math.ceil(1000 * WINDOWS * width / max(normal, 1)) / 1000
    more = f"a rate of {least} or more, " if least <= 0.5 else ""
    if rate is None:
        return settled, (
            f"{normal:,} normal steps are too few to promise that 1 normal step in 100 is in "
            f"alarm: scores hang together over windows of {width} steps, which needs about "
            f"{wanted:,} steps; so it may be more",
        )
    raise ValueError(
        f"got {normal:,} normal steps, wanted about {wanted:,} to promise "
        f"{option('rate', settled)}, as scores hang together over windows of {width} steps: give "
        f"more normal steps, {more}or leave it out for 1 in 100 without a promise"
    )
