"""How often a classifier is right: of all series, class by class, and within what interval."""

import numpy as np
from jaxtyping import Bool, Int64

RESAMPLES = 2000


def balanced_accuracy(confusion: Int64[np.ndarray, "K K"]) -> float:
    """Mean over classes k of n_kk / Σⱼ n_kj, leaving out classes without a series.

    Args:
        confusion: n_kj, how many series of class k (row) were given class j (column).
    """
    sizes = confusion.sum(axis=1)
    there = sizes > 0
    return float((np.diag(confusion)[there] / sizes[there]).mean())


def macro_f1(confusion: Int64[np.ndarray, "K K"]) -> float:
    """Mean over classes k of F₁ = 2 n_kk / (Σⱼ n_kj + Σⱼ n_jk).

    F₁ is the harmonic mean of recall and precision (van Rijsbergen 1979, chapter 7).
    Classes that are neither there nor predicted are left out.
    """
    sizes = confusion.sum(axis=1) + confusion.sum(axis=0)
    there = sizes > 0
    return float((2 * np.diag(confusion)[there] / sizes[there]).mean())


def bootstrap_interval(right: Bool[np.ndarray, "M"], *, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the share that is right, over redrawn series (Efron 1979).

    Of M series drawn with replacement the number that is right is binomial. Where all series are
    right, or none, redrawing them never shows another share: the ends are then those of Clopper &
    Pearson (1934), 0.025^(1/M) and 1, or 0 and one minus it.
    """
    M, share = len(right), float(right.mean())
    if share in (0.0, 1.0):
        end = 0.025 ** (1 / M)
        return (end, 1.0) if share else (0.0, 1 - end)
    drawn = np.random.default_rng(seed).binomial(M, share, size=RESAMPLES) / M
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
