"""The blend: experts weighted for every kind of gap, by parts that were hidden to judge them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.optimize import nnls

from selftime.tasks.imputation.holes import Holes, distances

_REACHES = np.array([2, 3, 5, 9, 17, 33, 65])
"""Kinds of gaps begin at these distances from the nearest observed value; the first at 1."""
_COVER = 0.5
"""Share of the other channels that must be observed at a step for it to be covered."""
_FEWEST = 100
"""Hidden values of a kind that weights are fitted on; fewer have those of the kind before."""
_POINTS = (0.1, 0.3, 0.5)
"""Shares of single values that are hidden, one after the other."""
_BLOCKS = (False, True, False, True)
"""Blocks are hidden of each channel by itself, then of all at once."""
_BLOCK_SHARE = 0.25
"""About the share of values that blocks hide."""
_END_SHARE = 0.2
"""Share of series of which the beginning, and of which the end, is hidden with blocks."""
_EXACT = 1e-5
"""Straight lines are exact where they miss by so little of the deviation of a channel, which the
rounding of 32-bit numbers does."""


class Blend(NamedTuple):
    """Weights of experts and quantiles of errors for each kind of gap.

    Attributes:
        weights: (K,E) at least 0, adding up to 1.
        unit: (K,) root mean square of errors, in units of the spread.
        quantiles: (K,Q) of errors, in units of the spread.
        straight: (C,) channels that straight lines fill exactly.
    """

    weights: Float[np.ndarray, "K E"]
    unit: Float[np.ndarray, "K"]
    quantiles: Float[np.ndarray, "K Q"]
    straight: Bool[np.ndarray, "C"]

    def of(
        self, guesses: Float[np.ndarray, "E S C"], kinds: Int64[np.ndarray, "S C"]
    ) -> Float[np.ndarray, "S C"]:
        """Return the weighted mean of guesses; the first are straight lines."""
        made = np.einsum("sce,esc->sc", self.weights[kinds], guesses)
        exact = self.is_exact(kinds, np.arange(len(self.straight)))
        return np.asarray(np.where(exact, guesses[0], made))

    def is_exact(
        self, kinds: Int64[np.ndarray, "*K"], channels: Int64[np.ndarray, "*L"]
    ) -> Bool[np.ndarray, "*K"]:
        """Return where straight lines are exact: between two values of some channels."""
        return np.asarray(self.straight[channels] & (kinds % PLACES != END) & (kinds != NEVER))

    def errors(self, trials: "Trials") -> Float[np.ndarray, "M"]:
        """Return the errors at values that were hidden."""
        made = np.einsum("me,me->m", self.weights[trials.kinds], trials.guesses)
        exact = self.is_exact(trials.kinds, trials.channels)
        return np.asarray(np.where(exact, trials.guesses[:, 0], made) - trials.truth)


def kinds_of(holes: Holes) -> Int64[np.ndarray, "S C"]:
    """Return the kind of gap of every value: how far it is from the nearest one, and which it has.

    In a gap between values other channels are observed or not; a gap may be at an end, or all.
    """
    C = holes.steps.shape[1]
    distance, inside = distances(holes)
    reach = np.searchsorted(_REACHES, distance, side="right")
    others = holes.observed.sum(axis=1, keepdims=True) - holes.observed
    covered = others >= max(_COVER * (C - 1), 1)
    kinds = PLACES * reach + np.where(inside, covered, END)
    return np.asarray(np.where(distance < len(holes.steps), kinds, NEVER))


PLACES, END = 3, 2
"""Places of gaps: not covered by other channels, covered, and at an end."""
NEVER = PLACES * (len(_REACHES) + 1)
"""The kind of values of a channel that a series lacks altogether, the last one."""
KINDS = NEVER + 1
"""How many kinds of gaps there are."""


def hide(holes: Holes, longest: int, seed: int) -> Iterator[Bool[np.ndarray, "S C"]]:
    """Yield what is hidden to judge experts: single values, and blocks of up to ``longest``."""
    rng, shape = np.random.default_rng(seed), holes.steps.shape
    for share in _POINTS:
        yield rng.random(shape) < share
    for together in _BLOCKS:
        yield np.broadcast_to(_blocks(holes, longest, rng, 1 if together else shape[1]), shape)
    if shape[1] > 1:  # a channel of each series
        lost = rng.integers(shape[1], size=len(holes.lengths))
        yield lost[holes.owners][:, None] == np.arange(shape[1])


def _blocks(
    holes: Holes, longest: int, rng: np.random.Generator, channels: int
) -> Bool[np.ndarray, "S _"]:
    """Return blocks of lengths from 1 to the longest, each order of size as often as others."""
    S = len(holes.steps)
    most = np.log(max(longest, 1) + 0.5)
    mean = (np.exp(most) - 1) / max(most, 1e-6)
    begins = rng.random((S, channels)) < _BLOCK_SHARE / max(mean, 1)
    lengths = np.exp(rng.random((S, channels)) * most).astype(np.int64).clip(1)
    ends = (holes.starts + holes.lengths)[holes.owners][:, None]
    changes = np.zeros((S + 1, channels), np.int64)
    changes[:-1] += begins
    rows, columns = np.nonzero(begins)
    stop = np.minimum(np.arange(S)[:, None] + lengths, ends)[rows, columns]
    np.add.at(changes, (stop, columns), -1)
    hidden = np.cumsum(changes, axis=0)[:-1] > 0
    for steps in (holes.positions, ends[:, 0] - 1 - np.arange(S)):  # from both ends
        some = rng.random((len(holes.lengths), channels)) < _END_SHARE
        reach = np.exp(rng.random(some.shape) * most).astype(np.int64).clip(1)
        hidden |= (steps[:, None] < reach[holes.owners]) & some[holes.owners]
    return hidden


class Trials(NamedTuple):
    """Hidden values: what experts guessed, what is true, and of which kind the gaps are."""

    guesses: Float[np.ndarray, "M E"]
    truth: Float[np.ndarray, "M"]
    spread: Float[np.ndarray, "M"]
    kinds: Int64[np.ndarray, "M"]
    channels: Int64[np.ndarray, "M"]


def join_trials(parts: Sequence[Trials]) -> Trials:
    """Return all trials as one."""
    return Trials(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def fit_blend(trials: Trials, levels: Sequence[float], channels: int) -> Blend:
    """Fit weights by least squares, at least 0 and adding up to 1, and quantiles of what is left.

    Kinds of gaps of which too little was hidden are taken as the nearest kind that is nearer by.
    """
    E = trials.guesses.shape[1]
    weights, unit = np.zeros((KINDS, E)), np.zeros(KINDS)
    quantiles = np.zeros((KINDS, len(levels)))
    between = (trials.kinds % PLACES != END) & (trials.kinds != NEVER)
    straight = _straight(trials, between, channels)
    exact = straight[trials.channels] & between
    every = np.flatnonzero(~exact & (trials.kinds != NEVER))
    for place in range(PLACES):
        usual = every
        for reach in range(NEVER // PLACES):
            k = PLACES * reach + place
            own = np.flatnonzero(~exact & (trials.kinds == k))
            if len(own) < _FEWEST and place:  # as if it were not covered, or no end
                own = np.flatnonzero(~exact & (trials.kinds // PLACES == reach))
            usual = own if len(own) >= _FEWEST else usual
            weights[k], unit[k], quantiles[k] = _fit_kind(trials, usual, levels)
    lost = np.flatnonzero(trials.kinds == NEVER)
    lost = lost if len(lost) else every
    weights[NEVER], unit[NEVER], quantiles[NEVER] = _fit_kind(trials, lost, levels)
    return Blend(weights, unit, quantiles, straight)


def _straight(
    trials: Trials, inside: Bool[np.ndarray, "M"], channels: int
) -> Bool[np.ndarray, "C"]:
    """Return the channels that straight lines between values fill exactly."""
    errors = np.abs(trials.guesses[:, 0] - trials.truth)
    worst, counts = np.zeros(channels), np.zeros(channels, np.int64)
    np.maximum.at(worst, trials.channels[inside], errors[inside])
    np.add.at(counts, trials.channels[inside], 1)
    return (worst < _EXACT) & (counts > 0)


def _fit_kind(
    trials: Trials, rows: Int64[np.ndarray, "m"], levels: Sequence[float]
) -> tuple[np.ndarray, float, np.ndarray]:
    E = trials.guesses.shape[1]
    if not len(rows):
        return np.eye(E)[0], 0.0, np.zeros(len(levels))
    guesses, truth = trials.guesses[rows], trials.truth[rows]
    a = guesses - truth[:, None]  # weights add up to 1, so that this is the error of the blend
    gram = a.T @ a / len(a)
    factor = np.linalg.cholesky(gram + (1e-6 * np.trace(gram) / E + 1e-30) * np.eye(E)).T
    heavy = 1e3 * np.sqrt(np.trace(gram) + 1e-30)
    system = np.vstack([factor, np.full((1, E), heavy)])
    w = nnls(system, np.append(np.zeros(E), heavy))[0]
    w = w / w.sum() if w.sum() > 0 else np.eye(E)[0]
    ratios = (truth - guesses @ w) / trials.spread[rows]
    return w, float(np.sqrt(np.square(ratios).mean())), np.quantile(ratios, levels)
