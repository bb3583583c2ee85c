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
    """Quantiles so far, and comparisons of the last windows whose truths are still to come.

    Attributes:
        begin: (C,H,Q) the first quantiles.
        unit: (C,H) of moves.
        levels: (Q,) in ascending order.
        reach: (Q,) how far each moves, where a middling one moves by 1.
        weights: (H,) of each future step in what all of them learn together.
        exceeded: (H,C,H,Q) True where the residual was above, of the last H windows, a ring.
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
    """Write the quantiles in force when each window was made, ascending, into ``found`` (N,C,H,Q).

    ``ratios`` (N,C,H) are residuals, window after window; those not known yet are not used.
    ``made`` windows came before the first of these. The state moves on.
    """
    for i in range(len(ratios)):
        _record_quantiles(state, ratios[i], made + i, found[i])
        _move_quantiles(state, made + i + 1)


@compile_kernel()
def _record_quantiles(
    state: QuantileState, ratios: np.ndarray, made: int, found: np.ndarray
) -> None:
    """Write the quantiles of one window, and note which of them its residuals exceed."""
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
