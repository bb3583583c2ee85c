"""How sure a difference between two classifiers is, and how to say it in words."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

Hits = Bool[np.ndarray, "R M"]
"""Which of M test series were classified right, in each of R draws of labels."""


class Gain(NamedTuple):
    """A difference in accuracy and its 95 % interval, in points (percent of test series).

    Attributes:
        points: mean difference.
        low: lower end of the interval.
        high: upper end.
    """

    points: float
    low: float
    high: float

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.points:+.1f} ± {self.margin:.1f}"


def gain(ours: Hits, theirs: Hits, *, resamples: int = 2000, seed: int = 0) -> Gain:
    """Paired difference of two rows that saw the same draws and the same test series.

    The interval comes from a bootstrap that redraws both the draws of labels and the test series
    (two-way bootstrap, Owen 2007), so it covers luck in either. With a single draw, as when all
    labels are used, only the test series are redrawn.
    """
    rng = np.random.default_rng(seed)
    difference = ours.astype(np.float64) - theirs  # (R,M)
    R, M = difference.shape
    draws = rng.multinomial(R, np.full(R, 1 / R), size=resamples) / R  # (n,R)
    cases = rng.multinomial(M, np.full(M, 1 / M), size=resamples) / M  # (n,M)
    means = ((draws @ difference) * cases).sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Gain(*(100 * float(value) for value in (difference.mean(), low, high)))


def gain_in_words(difference: Gain) -> str:
    """What a difference to the untrained encoder says about self-supervision."""
    if not difference.is_clear:
        return f"self-supervision made no clear difference ({difference} points)"
    size = f"{abs(difference.points):.1f} ± {difference.margin:.1f} points"
    if difference.points > 0:
        return f"self-supervision helped by {size}"
    return f"self-supervision did not help: it cost {size}"
