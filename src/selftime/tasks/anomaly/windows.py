"""Windows of a recording, and how their scores become scores of steps."""

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view

SHARE = 8
"""Windows begin at least this often within the length of one …"""
MOST = 4000
"""… unless there would be more of them than this: comparing all pairs stays a matter of seconds."""

Steps = Float[np.ndarray, "T"]


def starts_of(steps: int, width: int, *, most: int = MOST) -> Int[np.ndarray, "W"]:
    """Evenly spaced beginnings of windows, the first at 0."""
    stride = max(1, width // SHARE, -(-steps // most))
    return np.arange(0, max(steps - width, 0) + 1, stride)


def windows_at(x: Steps, width: int, starts: Int[np.ndarray, "W"]) -> Float[np.ndarray, "W L"]:
    """Windows of ``width`` steps that begin at ``starts``."""
    return np.asarray(sliding_window_view(x, width)[starts])


def moving_mean(x: Steps, width: int) -> Float[np.ndarray, "W"]:
    """Mean of each of the T − width + 1 windows."""
    sums = np.concatenate([[0.0], np.cumsum(x)])
    return np.asarray((sums[width:] - sums[:-width]) / width)


def mean_between(
    x: Float[np.ndarray, "W"], first: Int[np.ndarray, "T"], last: Int[np.ndarray, "T"]
) -> Steps:
    """Mean of ``x[first : last + 1]`` for each pair."""
    sums = np.concatenate([[0.0], np.cumsum(x)])
    return np.asarray((sums[last + 1] - sums[first]) / (last + 1 - first))


def smoothed(x: Steps, width: int, *, past_only: bool) -> Steps:
    """Mean over the ``width`` steps around each step, or over those that end with it."""
    steps = np.arange(len(x))
    ahead = 0 if past_only else width // 2
    first = np.maximum(steps + ahead - width + 1, 0)
    return mean_between(x, first, np.minimum(steps + ahead, len(x) - 1))


def over_windows(
    scores: Float[np.ndarray, "W"], starts: Int[np.ndarray, "W"], width: int, steps: int
) -> Steps:
    """Mean score of the windows that cover each step.

    Windows that were not scored get what lies on the line between their scored neighbours.
    """
    count = max(steps - width, 0) + 1
    dense = np.interp(np.arange(count), starts, scores)
    at = np.arange(steps)
    return mean_between(dense, np.clip(at - width + 1, 0, count - 1), np.minimum(at, count - 1))


def since_windows(
    scores: Float[np.ndarray, "W"], starts: Int[np.ndarray, "W"], width: int, steps: int
) -> Steps:
    """Score of the last window that has ended at each step; the first one's before that."""
    latest = np.searchsorted(starts + width - 1, np.arange(steps), side="right") - 1
    return np.asarray(scores[np.maximum(latest, 0)])
