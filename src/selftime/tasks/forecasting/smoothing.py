"""Exponential smoothing of many short series, by all settings, weighed as the table has them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

_LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
_TRENDS, _DAMPINGS = (0.02, 0.1, 0.3), (0.85, 0.95)
SETTINGS = np.array(
    [
        *((level, 0.0, 1.0) for level in _LEVELS),
        *((level, t, d) for level in _LEVELS[2:] for t in _TRENDS for d in _DAMPINGS),
    ]
)
"""Share of what is new in level and trend, and what is left of the trend at each step."""
_LONGEST = 200
"""Last steps of a series that are smoothed."""
_FIRST = 6
"""Steps whose mean is the first level, a fifth of short series."""
_EXACT = 1e-6
"""Added to the mean square of errors: a series that is met to the bit does not decide alone."""
_ROUNDS = 20
"""Steps of expectation and maximisation."""
_EVEN = 0.1
"""Part of the weight that all settings share alike."""


class Smoothing(NamedTuple):
    """Damped trends (Gardner and McKenzie 1985) by every setting, and how often a table has each.

    Each series weighs settings by the likelihood of its own errors one step ahead, times the share
    of the table that has the setting: those of a few steps are smoothed as the others are.
    """

    prior: Float[np.ndarray, "G"]

    @classmethod
    def of(cls, histories: Sequence[Float[np.ndarray, "_ C"]]) -> "Smoothing":
        """Find the shares by expectation and maximisation (Dempster, Laird and Rubin 1977)."""
        likelihood = _smooth(histories, 0)[0]
        prior = np.full(len(SETTINGS), 1 / len(SETTINGS))
        for _ in range(_ROUNDS):
            found = _weights(likelihood, prior).mean(axis=0)
            prior = (1 - _EVEN) * found + _EVEN / len(SETTINGS)
        return cls(prior)

    def predict(
        self, histories: Sequence[Float[np.ndarray, "_ C"]], horizon: int
    ) -> Float[np.ndarray, "N C H"]:
        """Forecast each channel of each series by the mean of all settings, as they weigh."""
        likelihood, ahead = _smooth(histories, horizon)
        found = np.einsum("rg,rgh->rh", _weights(likelihood, self.prior), ahead)
        return np.asarray(found.reshape(len(histories), -1, horizon))


def _weights(
    likelihood: Float[np.ndarray, "R G"], prior: Float[np.ndarray, "G"]
) -> Float[np.ndarray, "R G"]:
    logs = likelihood + np.log(prior)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _smooth(
    histories: Sequence[Float[np.ndarray, "_ C"]], horizon: int
) -> tuple[Float[np.ndarray, "R G"], Float[np.ndarray, "R G H"]]:
    """Return log likelihoods one step ahead, and forecasts, of every channel by every setting."""
    rows, first = _align_ends(histories)
    T, (alpha, beta, damping) = rows.shape[1], SETTINGS.T
    lengths = T - first
    begin = first + np.clip(lengths // 5, 1, _FIRST)
    early = (np.arange(T) >= first[:, None]) & (np.arange(T) < begin[:, None])
    start = (rows * early).sum(axis=1) / early.sum(axis=1)
    level = np.repeat(start[:, None], len(SETTINGS), axis=1)
    trend, squares = np.zeros_like(level), np.zeros_like(level)
    for t in range(T):  # a recursion over time, all series and settings at once
        seen = (t >= first)[:, None]
        expected = level + damping * trend
        error = np.where(seen, rows[:, t, None] - expected, 0)
        squares += np.square(error)
        level = np.where(seen, expected + alpha * error, level)
        trend = np.where(seen, damping * trend + alpha * beta * error, trend)
    grown = np.cumsum(damping[:, None] ** np.arange(1, horizon + 1), axis=1)  # (G,H)
    n = lengths[:, None]
    return -n / 2 * np.log(squares / n + _EXACT), level[:, :, None] + trend[:, :, None] * grown


def _align_ends(
    histories: Sequence[Float[np.ndarray, "_ C"]],
) -> tuple[Float[np.ndarray, "R T"], Int64[np.ndarray, "R"]]:
    """Return the last steps of every channel, aligned at the end, and where each begins."""
    recent = [history[-_LONGEST:] for history in histories]
    lengths, C = np.array([len(h) for h in recent]), recent[0].shape[1]
    rows = np.zeros((len(recent), lengths.max(), C))
    seen = np.arange(lengths.max()) >= (lengths.max() - lengths)[:, None]
    rows[seen] = np.concatenate(recent)
    whole = np.moveaxis(rows, 2, 1).reshape(len(recent) * C, -1)
    return whole, np.repeat(lengths.max() - lengths, C)
