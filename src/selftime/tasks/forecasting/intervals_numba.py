"""Quantiles of every future step that follow residuals, window by window."""

from typing import NamedTuple

import numpy as np

from selftime.encoders.fixed.compiling_numba import compile_kernel

SHARED_STEP, SHARED_POWER = 12.0, 0.75
"""Quantiles of all future steps move together by 12 t^(-3/4) typical residuals after t windows."""
WARM = 60
"""Windows until such moves are made in full: few windows tell of chance."""
OWN_STEP, OWN_STRETCHES = 0.05, 20
"""Those of one future step move by themselves by this over the root of the delay, in full once so
many stretches as long as the delay have been seen."""


class QuantileState(NamedTuple):
    """Where quantiles are, and what of the last windows is still to come.

    Attributes:
        begin: (C,H,Q) where they began.
        unit: (C,H) what moves are measured in.
        levels: (Q,) in ascending order.
        reach: (Q,) how far each moves, where a middling one moves by 1.
        weights: (H,) of each future step in what all of them learn together.
        exceeded: (H,C,H,Q) whether those in force were, of the last H windows, a ring.
        pooled: (C,Q) moves that are shared so far.
        own: (C,H,Q) moves of each future step by itself so far.
    """

    begin: np.ndarray
    unit: np.ndarray
    levels: np.ndarray
    reach: np.ndarray
    weights: np.ndarray
    exceeded: np.ndarray
    pooled: np.ndarray
    own: np.ndarray


@compile_kernel()
def follow(state: QuantileState, ratios: np.ndarray, made: int, found: np.ndarray) -> None:
    """Quantiles in force when each window was made, in ascending order, written into ``found``.

    Args:
        state: moved on.
        ratios: (N,C,H) residuals, window after window; what is not known yet is not used.
        made: windows before the first of these.
        found: (N,C,H,Q).
    """
    for i in range(len(ratios)):
        _record_quantiles(state, ratios[i], made + i, found[i])
        _move_quantiles(state, made + i + 1)


@compile_kernel()
def _record_quantiles(
    state: QuantileState, ratios: np.ndarray, made: int, found: np.ndarray
) -> None:
    """Quantiles of one window; whether they are exceeded is kept until it is known."""
    C, H, Q = state.begin.shape
    exceeded = state.exceeded[made % H]
    for c in range(C):
        for h in range(H):
            for q in range(Q):
                moved = state.pooled[c, q] + state.own[c, h, q]
                value = state.begin[c, h, q] + state.unit[c, h] * moved
                exceeded[c, h, q] = ratios[c, h] > value
                at = q
                while at > 0 and found[c, h, at - 1] > value:
                    found[c, h, at] = found[c, h, at - 1]
                    at -= 1
                found[c, h, at] = value


@compile_kernel()
def _move_quantiles(state: QuantileState, made: int) -> None:
    """Move by the truth about step h + 1 of the window h + 1 ago, for every h."""
    C, H, Q = state.begin.shape
    known = min(made, H)
    shared = SHARED_STEP * made**-SHARED_POWER * min(1.0, made / WARM)
    shared /= state.weights[:known].sum()
    for h in range(known):
        delay = h + 1
        exceeded = state.exceeded[(made - delay) % H]
        own = OWN_STEP / np.sqrt(delay) * min(1.0, made / (OWN_STRETCHES * delay))
        for c in range(C):
            for q in range(Q):
                move = state.reach[q] * (state.levels[q] - (not exceeded[c, h, q]))
                state.pooled[c, q] += shared * state.weights[h] * move
                state.own[c, h, q] += own * move
