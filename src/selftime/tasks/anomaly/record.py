"""One channel of a recording: scaled, cut into windows, their scores spread over steps."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.periods import period_of

_STARTS_PER_WINDOW = 8
"""Windows begin at least this often within the length of one …"""
COMPARED = 4000
"""… unless there would be more of them than this: of so many windows all pairs are compared, of
more each with so many."""
PAIRED = 32 * COMPARED
"""Steps of recordings of which all pairs are compared. In longer ones windows begin at least …"""
_STARTS_PER_WINDOW_LONG, _LONG_STRIDE = 4, 8
"""… this often within the length of one, or every so many steps, so that none is left out."""
_StepValues = Float[np.ndarray, "T"]
LEAST_WINDOW = 32
"""Windows of fewer steps hold too little to be told apart."""
FLAT_SHARE = 0.1
"""Std below which a window counts as flat, as a share of that of the whole."""
_FAR = 2.0**14
"""Levels so many times the std are taken out first; below, rounding is that of 32-bit input."""
_CLIP = 1e6
"""Scaled values are held within this, so that their squares can be added up."""


def _untold(share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class ChannelRecord:
    """A channel of T steps of which the first ``train`` are taken to be normal.

    Attributes:
        values: finite, scaled by :func:`standardise`.
        train: normal steps, at least 1.
        width: steps of a window, at most T.
        past_only: True where later steps may not count for the score of a step. Those of the normal
            part always may.
        boundaries: steps at which another recording begins; no window lies across one.
        mean, std: what was subtracted, and what the rest was divided by.
        paired: a recording of more steps is long: its windows are compared with some others only.
        advance: is called with the share of a score that is done, by scores that take long.
    """

    values: Float[np.ndarray, "T"]
    train: int
    width: int
    past_only: bool = False
    boundaries: tuple[int, ...] = ()
    mean: float = 0.0
    std: float = 1.0
    paired: int = PAIRED
    advance: Callable[[float], None] = _untold

    @property
    def steps(self) -> int:
        """T."""
        return len(self.values)

    @property
    def long(self) -> bool:
        """True where not all windows are compared with all others."""
        return self.steps > self.paired

    @property
    def compared(self) -> int:
        """Windows that each is compared with in a long recording, at most."""
        return self.paired * COMPARED // PAIRED * (3 if self.past_only else 2) // 2

    @property
    def refined(self) -> int:
        """Windows of a long recording that are then compared with all others: work as of half."""
        return 0 if self.past_only else self.compared // 2

    @property
    def double(self) -> int:
        """Twice the width, as far as the normal part holds two of them; no less than the width."""
        return max(min(2 * self.width, self.train // 2), self.width)

    @property
    def known(self) -> Float[np.ndarray, "S"]:
        """The steps that may be used before any is scored."""
        return self.values[: self.train] if self.past_only else self.values

    def starts(self, width: int) -> Int[np.ndarray, "W"]:
        """Return the first steps of windows that lie across no boundary."""
        stride = -(-self.steps // COMPARED)
        if self.long:
            stride = min(stride, max(width // _STARTS_PER_WINDOW_LONG, _LONG_STRIDE))
        stride = max(1, width // _STARTS_PER_WINDOW, stride)
        starts = np.arange(0, max(self.steps - width, 0) + 1, stride)
        inside = self.whole(width)[starts]
        return starts[inside] if inside.any() else starts

    def whole(self, width: int) -> Bool[np.ndarray, "W"]:
        """Return True for each of all windows that lies across no boundary."""
        inside = np.ones(max(self.steps - width, 0) + 1, bool)
        for boundary in self.boundaries:
            inside[max(boundary - width + 1, 0) : boundary] = False
        return inside

    def cut(self, width: int) -> tuple[Int[np.ndarray, "W"], Float[np.ndarray, "W L"]]:
        """Return the first steps of windows, and the windows of ``width`` steps."""
        starts = self.starts(width)
        return starts, np.asarray(sliding_window_view(self.values, width)[starts])

    def usual(self, starts: Int[np.ndarray, "W"], width: int) -> Bool[np.ndarray, "W"]:
        """Return True for windows that scales and directions come from before any is scored."""
        within = starts + width <= self.train
        return within if self.past_only and within.any() else np.ones(len(starts), bool)

    def over_steps(
        self, scores: Float[np.ndarray, "W"], starts: Int[np.ndarray, "W"], width: int
    ) -> Float[np.ndarray, "T"]:
        """Score each step by the windows that cover it, or by the last that ended."""
        spread_scores = since_windows if self.past_only else over_windows
        return spread_scores(scores, starts, width, self.steps)

    def smooth(self, scores: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
        """Average over a window around each step, or over the one that ends with it."""
        return smooth_steps(scores, self.width, past_only=self.past_only)


def standardise(
    x: Float[np.ndarray, "T"], train: int, *, past_only: bool
) -> tuple[Float[np.ndarray, "T"], float, float]:
    """Subtract the mean of the normal part, divide by its std, or that of the whole if it is 0.

    A level far above it, the median of the normal part, is taken out first, so that nothing depends
    on it. Returns the values, the mean, and what they were divided by.
    """
    level = float(np.median(x[:train]))
    level = level if abs(level) > _FAR * float(x[:train].std()) else 0.0
    x = x - level
    normal, known = x[:train], x[:train] if past_only else x
    std, mean = max(float(normal.std()), 1e-3 * float(known.std())), float(normal.mean())
    least = max(1e-9 * abs(mean), 4 * np.finfo(np.float64).eps * abs(level))
    std = std if std > least else 1.0
    return np.clip((x - mean) / std, -_CLIP, _CLIP), level + mean, std


def window_of(x: Float[np.ndarray, "T"]) -> int:
    """Return the fewest periods that make `LEAST_WINDOW` steps; at most half the series."""
    period = period_of(x)
    return max(min(period * -(-LEAST_WINDOW // period), len(x) // 2), 1)


def moving_mean(x: _StepValues, width: int) -> Float[np.ndarray, "W"]:
    """Return the mean of each of the T − width + 1 windows."""
    sums = np.concatenate([[0.0], np.cumsum(x)])
    return np.asarray((sums[width:] - sums[:-width]) / width)


def mean_between(
    x: Float[np.ndarray, "W"], first: Int[np.ndarray, "T"], last: Int[np.ndarray, "T"]
) -> _StepValues:
    """Return the mean of ``x[first : last + 1]`` for each pair."""
    sums = np.concatenate([[0.0], np.cumsum(x)])
    return np.asarray((sums[last + 1] - sums[first]) / (last + 1 - first))


def smooth_steps(x: _StepValues, width: int, *, past_only: bool) -> _StepValues:
    """Average over the ``width`` steps around each step, or over those that end with it."""
    steps = np.arange(len(x))
    ahead = 0 if past_only else width // 2
    first = np.maximum(steps + ahead - width + 1, 0)
    return mean_between(x, first, np.minimum(steps + ahead, len(x) - 1))


def over_windows(
    scores: Float[np.ndarray, "W"], starts: Int[np.ndarray, "W"], width: int, steps: int
) -> _StepValues:
    """Return the mean score of the windows that cover each step.

    Windows that were not scored get what lies on the line between their scored neighbours.
    """
    count = max(steps - width, 0) + 1
    dense = np.interp(np.arange(count), starts, scores)
    at = np.arange(steps)
    return mean_between(dense, np.clip(at - width + 1, 0, count - 1), np.minimum(at, count - 1))


def since_windows(
    scores: Float[np.ndarray, "W"], starts: Int[np.ndarray, "W"], width: int, steps: int
) -> _StepValues:
    """Return the score of the last window that has ended at each step; else of the first one."""
    latest = np.searchsorted(starts + width - 1, np.arange(steps), side="right") - 1
    return np.asarray(scores[np.maximum(latest, 0)])
