"""Reliability of figures: interval of the accuracy, calibration error and its bins."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

RESAMPLES = 2000
"""Redrawn test sets for the interval of an accuracy."""
MOST_BINS = 15  # Guo et al. 2017, section 5
_SIMULATED_SETS = 1000
"""Simulated test sets for the calibration error that chance alone makes."""


class ReliabilityBin(NamedTuple):
    """Test series of similar confidence, which is the probability of the predicted class."""

    low: float  # lowest confidence
    high: float  # highest confidence
    series: int  # number of series
    confidence: float  # mean confidence
    accuracy: float  # share of series that is right


def calibration_error(
    confidence: Float[np.ndarray, "M"], right: Bool[np.ndarray, "... M"]
) -> Float[np.ndarray, "..."]:
    """Return the calibration error Σ_b (|B_b| / M) · |acc(B_b) − conf(B_b)| (Guo 2017, eq. 3).

    B_b are the series of bin b, acc(B_b) the share of them that is right, conf(B_b) their mean
    confidence; so each term is |Σ_{i ∈ B_b} (rightᵢ − confidenceᵢ)| / M. Bins are adaptive, see
    :func:`bin_starts`. ``right`` may hold several test sets at once.
    """
    order = np.argsort(confidence, kind="stable")
    surplus = right[..., order] - confidence[order]  # (…,M)
    parts = np.add.reduceat(surplus, bin_starts(confidence[order]), axis=-1)  # (…,bins)
    return np.asarray(np.abs(parts).sum(axis=-1) / len(confidence))


def calibration_luck(confidence: Float[np.ndarray, "M"], *, seed: int = 0) -> float:
    """Return the error that 1 in 20 test sets would exceed if every confidence were exactly true.

    Series i is drawn to be right with its confidence as probability (consistency resampling,
    Bröcker & Smith 2007), so a measured error below this is no evidence against the probabilities.
    """
    drawn = np.random.default_rng(seed).random((_SIMULATED_SETS, len(confidence))) < confidence
    return float(np.quantile(calibration_error(confidence, drawn), 0.95))


def reliability_bins(
    confidence: Float[np.ndarray, "M"], right: Bool[np.ndarray, "M"]
) -> tuple[ReliabilityBin, ...]:
    """Return the bins of :func:`calibration_error`, the least confident first."""
    order = np.argsort(confidence, kind="stable")
    starts = bin_starts(confidence[order])
    parts = (np.split(values[order], starts[1:]) for values in (confidence, right))
    return tuple(
        ReliabilityBin(float(p.min()), float(p.max()), len(p), float(p.mean()), float(hits.mean()))
        for p, hits in zip(*parts, strict=True)
    )


def bin_starts(ascending: Float[np.ndarray, "M"]) -> Int64[np.ndarray, "bins"]:
    """Return the first rows of bins of sorted confidences, each with about as many series.

    There are √M bins, at most :data:`MOST_BINS`. Equal widths would leave most bins nearly empty
    where a classifier is confident (Nguyen & O'Connor 2015, section 3.2). Equal confidences stay
    together, so few distinct ones make fewer bins.
    """
    M = len(ascending)
    bins = int(np.clip(round(M**0.5), 1, MOST_BINS))
    cuts = np.arange(bins) * M // bins
    return np.unique(np.searchsorted(ascending, ascending[cuts], side="left"))


def bootstrap_interval(right: Bool[np.ndarray, "M"], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the share that is right (bootstrap, Efron 1979).

    Of M series drawn with replacement the number that is right is binomial. Where all series are
    right, or none, redrawing never shows another share: the ends are then those of Clopper &
    Pearson (1934), 0.025^(1/M) and 1, or 0 and one minus it.
    """
    M, share = len(right), float(right.mean())
    if share in (0.0, 1.0):
        end = 0.025 ** (1 / M)
        return (end, 1.0) if share else (0.0, 1 - end)
    drawn = np.random.default_rng(seed).binomial(M, share, size=RESAMPLES) / M
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
