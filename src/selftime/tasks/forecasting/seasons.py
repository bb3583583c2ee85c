"""How many steps the season of a series has."""

import numpy as np
from jaxtyping import Float

CLEAR = 0.2
"""Smallest correlation of steps a season apart that counts as one; random walks stay below."""
NEAR = 0.9
"""The shortest season counts whose correlation is this share of the highest."""


def season_of(values: Float[np.ndarray, "T C"]) -> int:
    """Steps of the season: where changes from step to step repeat themselves; 1 without one.

    The autocorrelation of first differences, mean over channels, is searched for local maxima at
    2 to T/3 steps. Differences, since levels that wander are correlated at every lag.
    """
    found = autocorrelation(np.diff(values, axis=0))[: max(len(values) // 3, 2)]
    inner = np.arange(2, len(found) - 1)
    peaks = inner[(found[inner] >= found[inner - 1]) & (found[inner] >= found[inner + 1])]
    peaks = peaks[found[peaks] > CLEAR]
    if not len(peaks):
        return 1
    return int(peaks[found[peaks] >= NEAR * found[peaks].max()][0])


def autocorrelation(x: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T"]:
    """Correlation of steps 0, 1, 2, … apart, mean over the channels that vary."""
    centred = x - x.mean(axis=0)
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(x), axis=0)) ** 2
    sums = np.fft.irfft(spectrum, axis=0)[: len(x)]  # (T,C)
    varied = sums[0] > 1e-12 * (1 + (x**2).sum(axis=0))
    if not varied.any():
        return np.zeros(len(x))
    return np.asarray((sums[:, varied] / sums[0, varied]).mean(axis=1))
