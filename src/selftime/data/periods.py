"""Periods of series and seasons of their changes, from the autocorrelation."""

import numpy as np
from jaxtyping import Float

LONGEST, SHORTEST = 300, 6
"""Range of periods, in steps; TSB-AD also searches up to 300 (Liu & Paparrizos 2024)."""
USUAL = 125
"""The period of a series without a peak (TSB-AD)."""
ENOUGH = 20_000
"""Steps that the period is found from."""
CLEAR = 0.2
"""Smallest correlation of steps a season apart that counts as one; random walks stay below."""
NEAR = 0.9
"""The shortest season counts whose correlation is this share of the highest."""


def period_of(x: Float[np.ndarray, "T"]) -> int:
    """Return the lag of the highest autocorrelation peak between `SHORTEST` and `LONGEST` steps.

    125 where there is no peak; never more than half of the series, and at least 1.
    """
    most = max(len(x) // 2, 1)
    correlation = autocorrelation(x[:ENOUGH, None])[: min(LONGEST + 1, most) + 1]
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:]))
    peaks = peaks[peaks >= SHORTEST]
    best = peaks[correlation[peaks].argmax()] if len(peaks) else USUAL
    return int(min(best, most))


def season_of(values: Float[np.ndarray, "T C"]) -> int:
    """Return the steps after which changes from step to step repeat; 1 where they do not.

    The autocorrelation of first differences, mean over channels, is searched for local maxima at
    2 to T/3 steps. Differences, since random walks are correlated at every lag.
    """
    found = autocorrelation(np.diff(values, axis=0))[: max(len(values) // 3, 2)]
    inner = np.arange(2, len(found) - 1)
    peaks = inner[(found[inner] >= found[inner - 1]) & (found[inner] >= found[inner + 1])]
    peaks = peaks[found[peaks] > CLEAR]
    if not len(peaks):
        return 1
    return int(peaks[found[peaks] >= NEAR * found[peaks].max()][0])


def autocorrelation(x: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T"]:
    """Return Σ (xₜ − x̄)(xₜ₊ₖ − x̄) / Σ (xₜ − x̄)² for all lags k, mean over the channels that vary.

    By FFT; 0 where no channel varies.
    """
    centred = x - x.mean(axis=0)
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(x), axis=0)) ** 2
    sums = np.fft.irfft(spectrum, axis=0)[: len(x)]  # (T,C)
    varied = sums[0] > 1e-12 * (1 + (x**2).sum(axis=0))
    if not varied.any():
        return np.zeros(len(x))
    return np.asarray((sums[:, varied] / sums[0, varied]).mean(axis=1))
