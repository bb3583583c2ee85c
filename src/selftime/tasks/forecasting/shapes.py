"""Tables of many short series: each as level times shape, which all share as far as they agree."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64
from numpy.lib.stride_tricks import sliding_window_view

from selftime.tasks.forecasting.protocols import ChannelScale

TABLE_SERIES = 8
"""Series from which a table has a shape of its own."""
TABLE_STEPS = 200
"""Steps of a typical series up to which it is short."""
TABLE_MEMORY = 0.1
"""Share of the last value in the level that windows of short series are counted from."""
_LIFT = 0.1
"""Share of its mean that is added to a series before its logarithm is taken: zeros have one too."""
_USUAL_STEPS = 24
"""Steps for which the usual deviation counts beside a series' own."""
_LEAST = 1e-9
"""Least deviation."""
_STILL = 1e-20
"""Variance of a series that does not move."""
_HIGHEST = 10.0
"""Largest logarithm above the level that is forecast."""
_Values = Float[np.ndarray, "_ C"]


class Counted(NamedTuple):
    """Histories as a forecaster sees them: around a level, less a shape, in units of a deviation.

    Attributes:
        histories: (T,C) of each series.
        ahead: what is added to the steps ahead, in the same units.
        level: in units of the series, or of their logarithms.
        sd: the same of the unit.
        logs: where logarithms are taken.
        lift: added before that.
    """

    histories: list[_Values]
    ahead: Float[np.ndarray, "N C H"]
    level: Float[np.ndarray, "N C"]
    sd: Float[np.ndarray, "N C"]
    logs: Bool[np.ndarray, "C"]
    lift: Float[np.ndarray, "N C"]

    def invert(self, every: Float[np.ndarray, "N Q C H"]) -> Float[np.ndarray, "N Q C H"]:
        """Return forecasts in the units of the series; those of logarithms are not below 0."""
        level, sd = self.level[:, None, :, None], self.sd[:, None, :, None]
        found = np.asarray(every * sd + level, np.float64)
        if self.logs.any():
            lift, highest = self.lift[:, None, :, None], level + _HIGHEST
            powers = np.maximum(np.exp(np.minimum(found, highest)) - lift, 0)
            found = np.where(self.logs[:, None], powers, found)
        return found


def count_each(
    histories: Sequence[_Values], scales: Sequence[ChannelScale], horizon: int
) -> Counted:
    """Return each history in the units of its own scale."""
    level, sd = np.stack([s.mean for s in scales]), np.stack([s.sd for s in scales])
    scaled = [scale.apply(history) for scale, history in zip(scales, histories, strict=True)]
    none = np.zeros(level.shape[1], bool)
    return Counted(scaled, np.zeros((*level.shape, horizon)), level, sd, none, np.zeros_like(level))


class TableShape(NamedTuple):
    """Common traits of the series of a table: logarithms, the shape of a season, deviations.

    The shape of a series is the shared one times its own amplitude, plus what it has of its own.
    Both are drawn towards what is usual, the more the fewer seasons have been seen and the noisier
    they were, by variances between and within series (James and Stein 1961; Miller and Williams
    2003 draw seasonal factors so). A deviation is drawn towards the usual one.

    Attributes:
        logs: where logarithms are taken, as no value is below 0.
        shared: of each step of a season, mean 0.
        amplitude: its mean and variance over series.
        own: variance over series of what they have of their own at a step.
        sd: usual deviation around level and shape.
        dated: True where steps of a season are counted by the rule of stamps.
    """

    logs: Bool[np.ndarray, "C"]
    shared: Float[np.ndarray, "m C"]
    amplitude: Float[np.ndarray, "2 C"]
    own: Float[np.ndarray, "C"]
    sd: Float[np.ndarray, "C"]
    dated: bool = False

    @classmethod
    def of(
        cls, histories: Sequence[_Values], starts: Int64[np.ndarray, "N"] | None, season: int
    ) -> "TableShape":
        """Find what series have in common.

        Args:
            histories: all of them.
            starts: the step of time at which each begins, counted alike; None where they are not
                dated: then all begin at the same.
            season: steps of a season; 1 without one.
        """
        joined = Joined.of(histories)
        C, N = joined.values.shape[1], len(joined.ends)
        logs = np.asarray((joined.values >= 0).all(axis=0))
        shape = cls(logs, np.zeros((1, C)), np.zeros((2, C)), np.zeros(C), np.zeros(C))
        in_logs = joined.in_logs(logs)[0]
        long = joined.ends > 2 * season
        if season > 1 and long.sum() >= TABLE_SERIES:
            at = np.zeros(N, np.int64) if starts is None else starts
            seen = Seasons.of(in_logs.only(long), at[long], season)
            shape = shape._replace(dated=starts is not None, **in_common(seen))
        effect = shape._effects(in_logs, shape._starts(in_logs, starts), 0)
        usual = np.median(in_logs.level_and_squares(effect)[1], axis=0)
        return shape._replace(sd=np.maximum(np.sqrt(usual), _LEAST))

    def apply(
        self,
        histories: Sequence[_Values],
        starts: Int64[np.ndarray, "N"] | None,
        horizon: int,
        ends: Sequence[int] | None = None,
    ) -> Counted:
        """Return histories around their levels, less their shapes, in units of their deviations.

        Args:
            histories: of these series or others.
            starts: as in :meth:`of`; where the shape or they are not dated, one start for all is
                looked for at which the shape fits best.
            horizon: future steps.
            ends: steps of each history that level, shape and deviation come from; None for all.
        """
        joined, lift = Joined.of(histories, ends).in_logs(self.logs)
        effect = self._effects(joined, self._starts(joined, starts), horizon)
        level, squares = joined.level_and_squares(effect)
        n = joined.ends[:, None]
        own = (n * squares + _USUAL_STEPS * self.sd**2) / (n + _USUAL_STEPS)
        sd = np.maximum(np.sqrt(own), _LEAST)
        rest = (joined.values - effect.past - level[joined.owners]) / sd[joined.owners]
        ahead = np.moveaxis(effect.ahead / sd[:, None], 1, 2)
        return Counted(np.split(rest, joined.firsts[1:]), ahead, level, sd, self.logs, lift)

    def in_words(self) -> str:
        """Say what many short series have in common."""
        m, logs = len(self.shared), " of logarithms" if self.logs.any() else ""
        shape = f", with a shape of {m} steps that all share" if m > 1 else ""
        return f"many short series, each by its own level{logs}{shape}"

    def _starts(
        self, joined: "Joined", starts: Int64[np.ndarray, "N"] | None
    ) -> Int64[np.ndarray, "N"]:
        """Return the starts; where they tell nothing, the one at which the shape fits best."""
        m, N = len(self.shared), len(joined.ends)
        if starts is not None and (self.dated or m == 1):
            return starts
        start, long = 0, joined.ends > 2 * m
        if m > 1 and long.any():
            seen = Seasons.of(joined.only(long), np.zeros(int(long.sum()), np.int64), m)
            usual = (seen.means / (seen.noise[:, None] + self.own + _LEAST)).sum(axis=0)
            start = int(np.argmax([(usual * np.roll(self.shared, -k, 0)).sum() for k in range(m)]))
        return np.full(N, start)

    def _effects(
        self, joined: "Joined", starts: Int64[np.ndarray, "N"], horizon: int
    ) -> "StepShapes":
        """Return the shape of each series at its steps, and at those ahead."""
        m, shapes = len(self.shared), self._shapes(joined, starts)
        past = shapes[joined.owners, (starts[joined.owners] + joined.steps) % m]
        ends = starts + joined.lengths
        rows = np.arange(len(starts))[:, None]
        return StepShapes(past, shapes[rows, (ends[:, None] + np.arange(horizon)) % m])

    def _shapes(
        self, joined: "Joined", starts: Int64[np.ndarray, "N"]
    ) -> Float[np.ndarray, "N m C"]:
        """Return the shape of each series; the usual one of those of up to two seasons."""
        m, long = len(self.shared), joined.ends > 2 * len(self.shared)
        out = np.repeat((self.amplitude[0] * self.shared)[None], len(starts), axis=0)
        if m == 1 or not long.any():
            return out
        seen = Seasons.of(joined.only(long), starts[long], m)
        scale = seen.amplitudes(self.shared)
        mean, variance = self.amplitude
        scale = mean + (scale - mean) * _share(variance, seen.amplitude_errors(self.shared))
        base = scale[:, None] * self.shared
        out[long] = base + (seen.means - base) * _share(self.own, seen.errors)
        return out


class StepShapes(NamedTuple):
    """The shape at the steps of all series, end to end, and at those ahead."""

    past: Float[np.ndarray, "S C"]
    ahead: Float[np.ndarray, "N H C"]


class Joined(NamedTuple):
    """Series end to end: whose each step is, which of its steps, and up to which it is known."""

    values: Float[np.ndarray, "S C"]
    owners: Int64[np.ndarray, "S"]
    steps: Int64[np.ndarray, "S"]
    lengths: Int64[np.ndarray, "N"]
    ends: Int64[np.ndarray, "N"]

    @classmethod
    def of(cls, histories: Sequence[_Values], ends: Sequence[int] | None = None) -> "Joined":
        """Join histories; all of their steps are known where there are no ends."""
        lengths = np.array([len(h) for h in histories])
        owners = np.repeat(np.arange(len(lengths)), lengths)
        steps = np.arange(len(owners)) - (np.cumsum(lengths) - lengths)[owners]
        known = lengths if ends is None else np.array(ends)
        return cls(np.concatenate(histories).astype(np.float64), owners, steps, lengths, known)

    @property
    def firsts(self) -> Int64[np.ndarray, "N"]:
        """Rows at which series begin."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    def only(self, chosen: Bool[np.ndarray, "N"]) -> "Joined":
        """Return the known steps of some of the series."""
        rows = chosen[self.owners] & (self.steps < self.ends[self.owners])
        owners = (np.cumsum(chosen) - 1)[self.owners[rows]]
        ends = self.ends[chosen]
        return Joined(self.values[rows], owners, self.steps[rows], ends, ends)

    def means(self, values: Float[np.ndarray, "S C"]) -> Float[np.ndarray, "N C"]:
        """Return the mean over the known steps of each series."""
        known = (self.steps < self.ends[self.owners])[:, None]
        total = np.add.reduceat(np.where(known, values, 0), self.firsts, axis=0)
        return np.asarray(total / self.ends[:, None])

    def level_and_squares(
        self, effect: StepShapes
    ) -> tuple[Float[np.ndarray, "N C"], Float[np.ndarray, "N C"]]:
        """Return the mean of each series less the effect, and the mean square around it."""
        rest = self.values - effect.past
        level = self.means(rest)
        return level, self.means(np.square(rest - level[self.owners]))

    def in_logs(self, logs: Bool[np.ndarray, "C"]) -> tuple["Joined", Float[np.ndarray, "N C"]]:
        """Return logarithms of the channels that have them, and what was added before."""
        positive = np.maximum(self.values, 0)
        means = self.means(positive)
        lift = np.where(means > 0, _LIFT * means, 1.0)
        powers = np.log(positive + lift[self.owners])
        return self._replace(values=np.where(logs, powers, self.values)), lift


class Seasons(NamedTuple):
    """Means of each step of a season around the moving average, their counts, and the noise."""

    means: Float[np.ndarray, "N m C"]
    counts: Float[np.ndarray, "N m"]
    noise: Float[np.ndarray, "N C"]

    @classmethod
    def of(cls, joined: Joined, starts: Int64[np.ndarray, "N"], season: int) -> "Seasons":
        """Find them by classical decomposition; every series is longer than two seasons."""
        weights = np.ones(season + 1 - season % 2) / season
        weights[[0, -1]] *= 1.0 if season % 2 else 0.5
        half, N = len(weights) // 2, len(starts)
        trend = sliding_window_view(joined.values, len(weights), axis=0) @ weights
        inner = slice(half, half + len(trend))
        own = joined.owners[: len(trend)] == joined.owners[2 * half :]  # none crosses two series
        rest = (joined.values[inner] - trend)[own]
        owners = joined.owners[inner][own]
        at = owners * season + (starts[owners] + joined.steps[inner][own]) % season
        count = np.bincount(at, minlength=N * season).astype(np.float64)
        means = _sums(rest, at, N * season) / np.maximum(count, 1)[:, None]
        squares, count = _sums(np.square(rest - means[at]), owners, N), count.reshape(N, season)
        noise = squares / np.maximum(count.sum(axis=1) - season, 1)[:, None]
        means = means.reshape(N, season, -1)
        return cls(means - means.mean(axis=1, keepdims=True), np.maximum(count, 1), noise)

    @property
    def errors(self) -> Float[np.ndarray, "N m C"]:
        """Variances of the means by noise."""
        return np.asarray(self.noise[:, None] / self.counts[:, :, None])

    def amplitudes(self, shared: Float[np.ndarray, "m C"]) -> Float[np.ndarray, "N C"]:
        """Return by how much of the shared shape each series moves: least squares."""
        return np.asarray(np.einsum("nmc,mc->nc", self.means, shared) / _size(shared))

    def amplitude_errors(self, shared: Float[np.ndarray, "m C"]) -> Float[np.ndarray, "N C"]:
        """Return the variances of these by noise."""
        return np.asarray(self.noise / self.counts.mean(axis=1)[:, None] / _size(shared))


def in_common(seen: Seasons) -> dict[str, np.ndarray]:
    """Return the shared shape, mean and variance of its amplitude, and the variance of the rest.

    Quiet series count more; those that never move say nothing of a shape.
    """
    weight = (seen.noise > _STILL) / (seen.noise + np.median(seen.noise, axis=0) + _STILL)
    weight /= np.maximum(weight.sum(axis=0), _STILL)
    shared = np.einsum("nc,nmc->mc", weight, seen.means)
    scale, error = seen.amplitudes(shared), seen.amplitude_errors(shared)
    mean = (weight * scale).sum(axis=0)
    variance = np.maximum((weight * (np.square(scale - mean) - error)).sum(axis=0), 0)
    scale = mean + (scale - mean) * _share(variance, error)
    squares = np.square(seen.means - scale[:, None] * shared) - seen.errors
    heavy = weight**2 / np.maximum(np.square(weight).sum(axis=0), _STILL)
    own = np.maximum((heavy[:, None] * squares).sum(axis=0).mean(axis=0), 0)
    return {"shared": shared, "amplitude": np.stack([mean, variance]), "own": own}


def is_table(histories: Sequence[_Values]) -> bool:
    """Return whether these are many short series."""
    return (
        len(histories) >= TABLE_SERIES
        and float(np.median([len(h) for h in histories])) <= TABLE_STEPS
    )


def _share(between: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Return how much a series' own figure counts beside the usual one: all where it is exact."""
    return np.asarray((between + _STILL) / (between + within + _STILL))


def _size(shared: Float[np.ndarray, "m C"]) -> Float[np.ndarray, "C"]:
    return np.asarray(np.maximum(np.square(shared).sum(axis=0), 1e-30))


def _sums(
    values: Float[np.ndarray, "S C"], groups: Int64[np.ndarray, "S"], count: int
) -> Float[np.ndarray, "G C"]:
    return np.stack([np.bincount(groups, column, count) for column in values.T], axis=1)
