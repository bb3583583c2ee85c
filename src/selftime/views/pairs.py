"""Pairs of views of the same series, for methods that compare them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.settings import check_count, check_share
from selftime.shapes import Lengths
from selftime.views.draws import uniform
from selftime.views.mild import Mild, View

Pair = Callable[[Batch, Generator], tuple[Batch, Batch]]
"""Maps series to two views of each."""


@dataclass(frozen=True, kw_only=True)
class Independent:
    """The same view, drawn twice (Chen et al. 2020, section 2.1)."""

    view: View = Mild()

    def __call__(self, x: Batch, rng: Generator) -> tuple[Batch, Batch]:
        """Return two draws of the view."""
        return self.view(x, rng), self.view(x, rng)


@dataclass(frozen=True, kw_only=True)
class WeakStrong:
    """A weak and a strong view (Eldele et al. 2021, section 3.1)."""

    weak: View = Mild(strength=0.5)
    strong: View = Mild(strength=2.0)

    def __call__(self, x: Batch, rng: Generator) -> tuple[Batch, Batch]:
        """Return the weak view and the strong one."""
        return self.weak(x, rng), self.strong(x, rng)


class Crops(NamedTuple):
    """Two crops of each series: some shared steps end the first and begin the second.

    They are ``shared`` (B,) steps, from ``start`` (B,) of the first crop and 0 of the second on.
    """

    first: Batch
    second: Batch
    start: Int[Tensor, "B"]
    shared: Lengths

    @property
    def valid(self) -> Bool[Tensor, "B S"] | None:
        """True at the shared steps of each series, padded to the longest; None if all are equal."""
        most = int(self.shared.max())
        if bool((self.shared == most).all()):
            return None
        return torch.arange(most, device=self.shared.device) < self.shared[:, None]


@dataclass(frozen=True, kw_only=True)
class OverlappingCrops:
    """Two crops of each series that overlap (Yue et al. 2022, section 3.2, "random cropping").

    With [a1, b1] and [a2, b2] the crops, a1 <= a2 < b1 <= b2: shared are the steps from a2 to b1,
    at least ``least`` where a series has as many. Lengths are drawn once per batch, as shares of
    each series' own length, so that equal lengths stay equal; positions are drawn for each series.
    """

    least: int = 2  # 2 ** (temporal_unit + 1) in the authors' code

    def __post_init__(self) -> None:
        check_count("least", self.least, 1)

    def __call__(self, x: Batch, rng: Generator) -> Crops:
        """Draw the crops of every series."""
        lengths = x.lengths.clamp(min=1)
        draw = uniform(4, rng=rng, like=x.values)
        shared = integers_between(draw[0], lengths.clamp(max=self.least), lengths)
        inner = integers_between(draw[1], 0, lengths - shared)  # a2
        before = integers_between(draw[2], 0, inner)  # a1 = a2 − start
        end = integers_between(draw[3], inner + shared, lengths)  # b2
        where = uniform(len(lengths), rng=rng, like=x.values)
        begin = integers_between(where, 0, lengths - end + before)  # a1, up to where b2 fits
        start = inner - before
        first = crop(x, begin, start + shared)
        return Crops(first, crop(x, begin + start, end - inner), start, shared)


def integers_between(
    draw: Tensor, low: Int[Tensor, "B"] | int, high: Int[Tensor, "B"]
) -> Int[Tensor, "B"]:
    """Turn uniform draws in [0, 1) into whole numbers from ``low`` to ``high``, both included."""
    return low + (draw * (high - low + 1)).long().clamp(max=high - low)


def crop(x: Batch, begin: Int[Tensor, "B"], length: Int[Tensor, "B"]) -> Batch:
    """Cut steps ``begin`` to ``begin + length`` of each series, padded to the longest."""
    steps = torch.arange(int(length.max()), device=begin.device)
    index = (begin[:, None] + steps).clamp(max=x.values.shape[2] - 1)  # (B,T)
    within = (steps < length[:, None])[:, None]  # (B,1,T)
    index = index[:, None].expand(-1, x.values.shape[1], -1)
    values, observed = x.values.gather(2, index), x.observed.gather(2, index) & within
    return Batch(values.where(observed, 0.0), observed)


class Fixed(partial[Batch]):
    """A view with other settings than its own: ``Fixed(jitter, strength=0.3)``.

    Its repr shows them and no address, for the model card; its docstring is that of the view.
    """

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.func.__doc__

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.keywords.items())
        return f"{self.func.__name__}({settings})"


@dataclass(frozen=True)
class Chain:
    """Several views, one after the other."""

    views: tuple[View, ...]

    def __call__(self, x: Batch, rng: Generator) -> Batch:
        """Return the series after all of them."""
        for view in self.views:
            x = view(x, rng)
        return x


def same(x: Batch, rng: Generator) -> Batch:  # noqa: ARG001
    """Return the series as they are."""
    return x


@dataclass(frozen=True, kw_only=True)
class RandomCrop:
    """A part of each series at its own speed, at least ``least`` of it; the rest is cut off.

    The length is drawn once per batch, as a share of each series' own, so that equal lengths stay
    equal; the position of the crop is drawn for each series.
    """

    least: float = 0.5

    def __post_init__(self) -> None:
        check_share("least", self.least)

    def __call__(self, x: Batch, rng: Generator) -> Batch:
        """Return crops of at least one step."""
        lengths = x.lengths.clamp(min=1)
        fewest = (self.least * lengths.double()).ceil().long().clamp(min=1)
        kept = integers_between(uniform(1, rng=rng, like=x.values), fewest, lengths)
        begin = integers_between(uniform(len(lengths), rng=rng, like=x.values), 0, lengths - kept)
        return crop(x, begin, kept)
