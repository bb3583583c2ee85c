"""Quantiles that follow residuals, window by window."""

import numpy as np

from selftime.encoders.compiling_numba import compiled


@compiled()
def follow(
    residuals: np.ndarray, ahead: int, levels: np.ndarray, steps: np.ndarray, paths: np.ndarray
) -> None:
    """Offsets in force when each window was made, written into ``paths``.

    Args:
        residuals: (N,C) of one future step, window after window.
        ahead: windows after which the truth about one is known.
        levels: (Q,) quantile levels.
        steps: (C,) how far an offset moves.
        paths: (N + 1,C,Q); row 0 is where offsets begin.
    """
    N, C = residuals.shape
    for now in range(1, N + 1):
        made = now - ahead
        for c in range(C):
            for q in range(len(levels)):
                move = 0.0
                if made >= 0:
                    above = residuals[made, c] > paths[made, c, q]
                    move = steps[c] * (levels[q] if above else levels[q] - 1)
                paths[now, c, q] = paths[now - 1, c, q] + move
