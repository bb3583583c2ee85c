"""Gain in accuracy of one classifier over another, and the labels it saves, with words for both."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

Hits = Bool[np.ndarray, "R M"]
"""True where a test series (of M) was classified right in a draw of labels (of R)."""


class Gain(NamedTuple):
    """A mean difference in accuracy and its 95 % interval, in points (percent of test series)."""

    points: float
    low: float
    high: float

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    @property
    def is_clear(self) -> bool:
        """True where the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.points:+.1f} ± {self.margin:.1f}"


def gain(ours: Hits, theirs: Hits, *, resamples: int = 2000, seed: int = 0) -> Gain:
    """Return the paired difference of two rows that saw the same draws and the same test series.

    The interval comes from a bootstrap that redraws both the draws of labels and the test series
    (two-way bootstrap, Owen 2007), so it covers chance in either. With a single draw, as when all
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
    """Return the effect of self-supervision as words, from the gain over the untrained encoder."""
    if not difference.is_clear:
        return f"self-supervision made no clear difference ({difference} points)"
    size = f"{abs(difference.points):.1f} ± {difference.margin:.1f} points"
    if difference.points > 0:
        return f"self-supervision helped by {size}"
    return f"self-supervision did not help: it cost {size}"


Count = int | float
"""Labels per class; a mean over classes where some have fewer."""


class Savings(NamedTuple):
    """The worth of a model's labels beside another row, both in labels per class."""

    labels: Count  # that the model had
    equivalent: Count  # with which the other row is as good
    at_least: bool  # True where the other row is worse even so, with the most it was given

    @property
    def factor(self) -> float:
        """Labels that the other row needs for each one of the model."""
        return self.equivalent / self.labels

    def in_words(self, other: str) -> str:
        """Return the saving as a sentence; ``other`` is the name of the other row."""
        noun = "label" if self.labels == 1 else "labels"
        had = f"with {two_digits(self.labels)} {noun} per class"
        theirs = f"{other} with {two_digits(self.equivalent)}"
        if self.factor <= 1 and not self.at_least:
            as_good = f"{other} is as good with {two_digits(self.equivalent)}"
            return f"{had} self-supervision did not save labels here: {as_good}"
        times = f"{two_digits(self.factor)} times fewer labels"
        if not self.at_least:
            return f"{had} this model is as good as {theirs}: {times}"
        rest = f": at least {times}" if self.factor > 1 else ""
        return f"{had} this model is better than {theirs}, the most that was tried{rest}"


def savings(
    labels: Sequence[Count], ours: Sequence[float], counts: Sequence[Count], theirs: Sequence[float]
) -> list[Savings]:
    """Return the worth of each number of labels of a model beside another row.

    The other row's accuracy is taken to grow along straight lines between the numbers of labels
    it was measured with, on a logarithmic scale of labels. It is as good from the first number on
    at which it reaches the model's accuracy, at the lowest the fewest labels it was measured with.
    The model had ``labels`` per class (A,), the other row ``counts`` (B,), both ascending.
    """
    check_curve(labels, ours)
    check_curve(counts, theirs)
    return [worth(*point, counts, theirs) for point in zip(labels, ours, strict=True)]


def worth(
    labels: Count, accuracy: float, counts: Sequence[Count], theirs: Sequence[float]
) -> Savings:
    """Return the worth of one number of labels, with which a model reaches an accuracy."""
    reached = np.flatnonzero(np.asarray(theirs) >= accuracy)
    if not len(reached):
        return Savings(labels, counts[-1], at_least=True)
    at = int(reached[0])
    if at == 0:
        return Savings(labels, counts[0], at_least=False)
    share = (accuracy - theirs[at - 1]) / (theirs[at] - theirs[at - 1])
    equivalent = counts[at - 1] * (counts[at] / counts[at - 1]) ** share
    return Savings(labels, float(equivalent), at_least=False)


def check_curve(counts: Sequence[Count], accuracies: Sequence[float]) -> None:
    """Check that there is one accuracy for each number of labels, from few to many."""
    if not len(counts) or len(counts) != len(accuracies):
        raise ValueError(
            f"got {len(counts)} numbers of labels and {len(accuracies)} accuracies, wanted one "
            "accuracy for each number, and at least one"
        )
    if counts[0] <= 0 or (np.diff(counts) <= 0).any():
        raise ValueError(
            f"got numbers of labels {list(counts)}, wanted positive ones in ascending order: "
            "sort them, and leave out those that come twice"
        )


def two_digits(value: Count) -> str:
    """Format with two digits below 10, and without decimals above."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
