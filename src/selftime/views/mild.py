"""Mild, the default view of small changes; and many copies of series under a view."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from torch import Generator

from selftime.data.batch import Batch
from selftime.settings import check_count, check_strength
from selftime.views.amplitude import jitter, magnitude_warp
from selftime.views.draws import either_way, normal
from selftime.views.timing import identity_positions, resample, shifted, stretched, warped

View = Callable[[Batch, Generator], Batch]
"""Maps series to changed series."""


@dataclass(frozen=True, kw_only=True)
class Mild:
    """Small changes as between recordings: stretch, shift, warp, gain and noise.

    The five deformations with which the closed-form objective was first tried, after those of
    Um et al. 2017. Drawn anew for every series; three changes of time are interpolated once.
    ``Mild(strength=0.0)`` leaves series as they are; time must not stop or run backwards.
    """

    strength: float = 1.0  # multiplies all the others
    stretch: float = 0.08  # most that speed changes by, as a share; uniform
    shift: float = 0.04  # most that time moves by, as a share of the length; uniform
    time_warp: float = 0.02  # deviation of a smooth move through 6 knots, a share of the length
    magnitude_warp: float = 0.10  # deviation of a smooth gain through 5 knots, as a share
    jitter: float = 0.03  # deviation of the noise, in standard deviations of the channel

    def __post_init__(self) -> None:
        for field in fields(self):
            check_strength(field.name, getattr(self, field.name))
        if self.strength * self.stretch >= 1:
            raise ValueError(
                f"got strength * stretch = {self.strength * self.stretch:g}, wanted less than 1 "
                f"(time would run backwards): use strength < {1 / self.stretch:g}"
            )

    def __call__(self, x: Batch, rng: Generator) -> Batch:
        """Return the view of every series in ``x``."""
        B, lengths, strength = len(x.values), x.lengths, self.strength
        factor = 1 + strength * self.stretch * either_way(B, rng=rng, like=x.values)
        by = strength * self.shift * either_way(B, rng=rng, like=x.values)
        moves = strength * self.time_warp * normal(B, 6, rng=rng, like=x.values)
        positions = shifted(stretched(identity_positions(x), lengths, factor), lengths, by)
        moved = resample(x, warped(positions, lengths, moves))
        bent = magnitude_warp(moved, rng, strength=strength * self.magnitude_warp, knots=5)
        return jitter(bent, rng, strength=strength * self.jitter)


def copies(x: Batch, n: int, view: View, rng: Generator) -> Batch:
    """Return ``n`` views of each series: rows i*n to i*n+n-1 are those of series i.

    The view is applied once, to the whole batch of B*n series.
    """
    check_count("n", n, 1)
    return view(Batch(*(part.repeat_interleave(n, dim=0) for part in x)), rng)
