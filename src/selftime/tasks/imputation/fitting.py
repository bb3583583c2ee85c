"""Series in, series without holes out: fitted and judged on hidden parts, with intervals."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.arrays import SeriesError
from selftime.data.channels import match_channels
from selftime.data.grid import on_grid
from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.progress import Progress, silent
from selftime.tasks.imputation.blend import Blend, Trials, fit_blend, hide, join_trials, kinds_of
from selftime.tasks.imputation.chains import SPREAD_DRAWS
from selftime.tasks.imputation.experts import (
    MANY,
    Experts,
    Orders,
    complete,
    fit_experts,
    plan_experts,
)
from selftime.tasks.imputation.holes import Holes
from selftime.tasks.imputation.imputations import Imputation
from selftime.tasks.imputation.units import Units, holes_in, units_in

_MOST_JUDGED = 20_000
"""Values that experts are judged on, hidden in part again and again."""
_HELD_OUT = 4
"""The last of so many parts of series, or of each of a few, judges experts."""
_LEAST_CUT = 200
"""Series of fewer steps are not cut: experts are judged on what they were fitted on."""
_BLOCK, _SPAN = 3, 16
"""Longest block that is hidden, in seasons; of series without one, in spans of so many steps."""
_TINY = 1e-12
"""Added to errors, some of which are 0."""


class ImputeConfig(NamedTuple):
    """Options: levels of quantiles, ascending, the seed of everything random, and a model."""

    levels: tuple[float, ...] = ()
    seed: int = 0
    model: Model | None = None


@dataclass(frozen=True, eq=False)
class FittedImputer:
    """An imputer with the channels that it was fitted on.

    Attributes:
        config: options.
        channels: names.
        units: of the channels.
        experts: that guess.
        blend: their weights.
        floor: (C,) the least that is filled in; -infinity for none.
    """

    config: ImputeConfig
    channels: tuple[str, ...]
    units: Units
    experts: Experts
    blend: Blend
    floor: Float[np.ndarray, "C"]

    @property
    def reason(self) -> str:
        """Say what is used, in words."""
        share = self.blend.weights.mean(axis=0)
        parts = [
            f"{name} {100 * one:.0f} %"
            for name, one in zip(self.experts.names, share, strict=True)
            if one >= 0.005  # else it reads 0 %
        ]
        return "mean weights over kinds of gaps: " + ", ".join(parts)

    def fill(
        self, holes: Holes
    ) -> tuple[Float[np.ndarray, "S C"], Float[np.ndarray, "S C"], Int64[np.ndarray, "S C"]]:
        """Return what is expected of every value, the unit of its errors, and its kind of gap."""
        mean, sd = (each[holes.owners] for each in self.units.of(holes))
        scaled = self.units.scaled(holes)
        guesses, spread = self.experts.guesses(scaled, SPREAD_DRAWS, self.config.seed)
        kinds = kinds_of(scaled)
        exact = self.blend.is_exact(kinds, np.arange(len(self.channels)))
        made = self.blend.of(guesses, kinds) * sd + mean
        return made, np.where(exact, 0.0, spread * sd), kinds

    def imputation(self, series: SeriesSet) -> Imputation:
        """Fill every hole; rows that the times lack are taken into account, and not added."""
        series = match_channels(series, self.channels)
        whole = on_grid(series)
        holes, rows = holes_in(whole), _rows_in(whole, series)
        missing = ~holes.observed[rows]
        filled = self.fill(holes)
        made, unit, kind = (each[rows][missing] for each in filled)
        low = np.broadcast_to(self.floor, missing.shape)[missing]
        quantiles = made[:, None] + unit[:, None] * self.blend.quantiles[kind]
        made, quantiles = np.maximum(made, low), np.maximum(quantiles, low[:, None])
        return Imputation(
            _with_values(series, missing, made),
            missing,
            made,
            unit * self.blend.unit[kind],
            quantiles,
            self.config.levels,
            whole.notes[len(series.notes) :],
        )


def _rows_in(whole: SeriesSet, series: SeriesSet) -> np.ndarray:
    """Return the rows of a set in the same set on the grids of its clocks."""
    if whole is series or series.times is None or whole.times is None:
        return np.arange(len(series.steps))
    found = [
        np.searchsorted(whole.times[a:b], series.times[c:d]) + a
        for a, b, c, d in zip(
            *(whole.offsets[:-1], whole.offsets[1:], series.offsets[:-1], series.offsets[1:]),
            strict=True,
        )
    ]
    return np.concatenate(found)


def _with_values(series: SeriesSet, missing: np.ndarray, made: np.ndarray) -> SeriesSet:
    """Return series with these values where some were missing."""
    values = made
    if series.origin is not None:
        values = made - np.repeat(series.origin, series.lengths, axis=0)[missing]
    steps = np.array(series.steps)
    steps[missing] = values
    return replace(series, steps=steps, observed=None)


def fit_imputer(
    series: SeriesSet, config: ImputeConfig, progress: Progress = silent
) -> FittedImputer:
    """Fit on series, whose own holes are filled with what may have been there.

    Raises:
        SeriesError: a channel without any value.
    """
    raw = holes_in(on_grid(series))
    never = ~raw.observed.any(axis=0)
    if never.any():
        name = series.channels[int(never.argmax())]
        raise SeriesError(f"channel {name!r} has no value in any series, wanted some: leave it out")
    best: tuple[float, FittedImputer] | None = None
    floor = np.where(np.where(raw.observed, raw.steps, np.inf).min(axis=0) >= 0, 0.0, -np.inf)
    choices = units_in(raw)
    for k, units in enumerate(choices):
        progress("judging", k, len(choices) + 1)
        holes = units.scaled(raw)
        plan = plan_experts(holes, _most_order(holes))
        whole = complete(holes, plan, config.seed)
        blend, score = weigh(raw, whole, units, plan, config)
        if best is None or score < best[0]:
            found = FittedImputer(
                config, series.channels, units, fit_experts(whole, plan, config.model), blend, floor
            )
            best = score, found
    assert best is not None
    progress("fitting", 1, 1)
    return best[1]


def _most_order(holes: Holes) -> int:
    """Return the largest order of a chain that can be fitted, and judged on what is held out."""
    length = int(np.median(holes.lengths))
    cut = len(holes.lengths) < MANY and length >= _LEAST_CUT
    return length // (2 * _HELD_OUT) if cut else length // 3 if length >= 6 else 0


def weigh(
    raw: Holes, whole: Holes, units: Units, plan: Orders, config: ImputeConfig
) -> tuple[Blend, float]:
    """Weigh experts that were fitted on one part by what was hidden in another.

    Returns:
        The blend, and the mean logarithm of its errors, by which units are compared.
    """
    trials, sds = [], []
    season = plan.seasons[0] if plan.seasons else _SPAN
    for fold, (fit, held) in enumerate(_parts(raw, whole, config.seed)):
        experts = fit_experts(fit, plan, config.model)
        longest = max(min(_BLOCK * max(season, _SPAN), int(np.median(held.lengths)) // 2), 1)
        for k, mask in enumerate(hide(held, longest, config.seed + fold)):
            hidden = mask & held.observed
            left = held.without(hidden)
            mean, sd = (each[held.owners] for each in units.of(left))
            scaled = units.scaled(left)
            guesses, spread = experts.guesses(scaled, SPREAD_DRAWS, config.seed + k)
            truth = ((held.steps - mean) / sd)[hidden]
            at, channels = kinds_of(scaled)[hidden], np.nonzero(hidden)[1]
            trials.append(Trials(guesses[:, hidden].T, truth, spread[hidden], at, channels))
            sds.append(sd[hidden])
    every = join_trials(trials)
    blend = fit_blend(every, config.levels, held.steps.shape[1])
    errors = np.abs(blend.errors(every)) * np.concatenate(sds)
    return blend, float(np.log(errors + _TINY).mean()) if len(errors) else 0.0


def _parts(holes: Holes, whole: Holes, seed: int) -> Iterator[tuple[Holes, Holes]]:
    """Yield series without holes to fit on, and other ones, with their holes, to judge by.

    Of many series some are held out; of a few one span of time after the other, and all that is
    before and after it is fitted on.
    """
    N, C = len(holes.lengths), holes.steps.shape[1]
    most = max(_MOST_JUDGED // C, 1)
    if N >= MANY:
        order = np.random.default_rng(seed).permutation(N)
        few = order[: max(N // _HELD_OUT, 1)]
        few = few[np.cumsum(holes.lengths[few]) <= max(most, int(holes.lengths[few[0]]))]
        yield whole.series(np.sort(order[len(few) :])), holes.series(np.sort(few))
    elif np.median(holes.lengths) < _LEAST_CUT:
        yield whole, holes
    else:
        for k in range(_HELD_OUT):
            first, stop = (holes.lengths * n // _HELD_OUT for n in (k, k + 1))
            begin = np.append(holes.starts, holes.starts + stop)
            lengths = np.append(first, holes.lengths - stop)
            there = lengths > 0
            held = np.minimum(stop - first, max(most // (N * _HELD_OUT), 1)).clip(1)
            middle = holes.starts + (first + stop - held) // 2
            yield whole.cut(begin[there], lengths[there]), holes.cut(middle, held)
