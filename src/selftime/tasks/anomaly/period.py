"""How long a series takes to repeat itself, from the part that is taken to be normal."""

import numpy as np
from jaxtyping import Float

LONGEST, SHORTEST = 300, 6
"""Periods that are looked for, in steps; TSB-AD looks up to 300 too (Liu & Paparrizos 2024)."""
USUAL = 125
"""Where nothing repeats within reach (TSB-AD)."""
ENOUGH = 20_000
"""Steps that are looked at."""
LEAST_WINDOW = 32
"""Windows of fewer steps hold too little to be told apart."""


def period_of(x: Float[np.ndarray, "T"]) -> int:
    """The lag of the highest peak of the autocorrelation between `SHORTEST` and `LONGEST` steps.

    125 where there is no peak; never more than half of the series, and at least 1.
    """
    most = max(len(x) // 2, 1)
    correlation = autocorrelation(x[:ENOUGH], min(LONGEST + 1, most))
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:]))
    peaks = peaks[peaks >= SHORTEST]
    best = peaks[correlation[peaks].argmax()] if len(peaks) else USUAL
    return int(min(best, most))


def window_of(x: Float[np.ndarray, "T"]) -> int:
    """The fewest periods that make `LEAST_WINDOW` steps; never more than half the series."""
    period = period_of(x)
    return max(min(period * -(-LEAST_WINDOW // period), len(x) // 2), 1)


def autocorrelation(x: Float[np.ndarray, "T"], lags: int) -> Float[np.ndarray, "L"]:
    """Σ (xₜ − x̄)(xₜ₊ₖ − x̄) / Σ (xₜ − x̄)² for k = 0 … ``lags``, by FFT; 0 where x is constant."""
    T = len(x)
    centred = x - x.mean()
    power = np.abs(np.fft.rfft(centred, 2 * T)) ** 2
    sums = np.fft.irfft(power, 2 * T)[: min(lags, T - 1) + 1]
    spread = float(centred @ centred)
    return np.asarray(sums / spread if spread > 1e-12 * T else np.zeros_like(sums))
