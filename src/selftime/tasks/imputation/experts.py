"""Experts: several guesses at everything that is missing, each good at gaps of its own kind."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.tasks.imputation.autoregression import (
    fit_autoregression,
    first_precision,
)
from selftime.tasks.imputation.chains import Chain, expect
from selftime.tasks.imputation.holes import Holes, bridge, bridge_seasons, seasons_in
from selftime.tasks.probing.ridge import mean_variance, solve_ridge

_OWN = 16
"""Steps of a chain where there is no season."""
_OPENING = 8
"""Order of the chain of the first steps, at most."""
_JOINT, _LEVEL = 4, 2
"""Orders of chains in which every channel depends on the past of all."""
_MOST_ORDER, _MOST_BAND = 400, 1500
"""Largest order, and largest product of an order and channels."""
_MOST_JOINT = 256
"""Channels times order of a joint chain, at most."""
MANY = 8
"""So many series are taken for draws from one source: what is new is like them."""
_LEAST_ORDER = 2
"""Nothing is fitted on series that are too short for a chain of so many steps."""
_FEWEST_ALIKE, _MOST_ALIKE, _LONGEST_ALIKE = 20, 1000, 20_000
"""Series of one length from which whole ones are known, and values of each."""
_ROUNDS = 2
"""Rounds in which gaps of the series to be learned from are drawn."""
_ALIKE_PENALTY = 0.1
"""Ridge penalty on series, in units of their mean squared length."""


class Alike(NamedTuple):
    """Series of one length that begin at the same moment, such as gestures, as normal vectors.

    Attributes:
        mean: (TC,) of all.
        bank: (N,TC) series less the mean.
        steps: of a series.
    """

    mean: Float[np.ndarray, "V"]
    bank: Float[np.ndarray, "N V"]
    steps: int

    def expect(self, holes: Holes) -> Float[np.ndarray, "S C"]:
        """Return what is expected of all values; NaN in series of other lengths.

        Each is the mean and a weighted sum of the bank, fitted to what was observed by ridge.
        """
        out = np.full(holes.steps.shape, np.nan)
        for first in holes.starts[holes.lengths == self.steps].tolist():
            rows = slice(first, first + self.steps)
            seen = holes.observed[rows].ravel()
            x = (holes.steps[rows].ravel() - self.mean)[seen]
            bank = self.bank[:, seen]
            products = bank @ bank.T
            a = solve_ridge(products, bank @ x, _ALIKE_PENALTY * mean_variance(products))
            out[rows] = (self.mean + a @ self.bank).reshape(self.steps, -1)
        return out


class Experts(NamedTuple):
    """What was learned from the series.

    Attributes:
        seasons: steps after which series repeat.
        chains: the first gives the spread of its guesses.
        alike: whole series, where they are of one length.
    """

    seasons: tuple[int, ...]
    chains: tuple[Chain, ...]
    alike: Alike | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each expert, in the order of their guesses."""
        chains = (
            f"chain of {c.whole.order} steps" + ("" if c.whole.is_apart else ", all channels")
            for c in self.chains
        )
        seasons = (f"season of {s} steps" for s in self.seasons)
        return ("lines", *seasons, *chains, *(("whole series",) if self.alike else ()))

    def guesses(
        self, holes: Holes, draws: int = 0, seed: int = 0
    ) -> tuple[Float[np.ndarray, "E S C"], Float[np.ndarray, "S C"]]:
        """Return the guess of each expert at every value, and the spread of the first chain's.

        Where an expert has no opinion, it has that of the one before.
        """
        found = [np.nan_to_num(bridge(holes))]
        for season in self.seasons:
            found.append(_or(bridge_seasons(holes, season), found[0]))
        spread = np.ones_like(found[0])
        for k, chain in enumerate(self.chains):
            made, apart = expect(chain, holes, draws if k == 0 else 0, seed)
            found.append(made)
            if k == 0 and draws:
                spread = np.sqrt(np.square(apart).mean(axis=2))
        if self.alike is not None:
            found.append(_or(self.alike.expect(holes), found[-1]))
        return np.stack(found), spread


def _or(made: Float[np.ndarray, "S C"], other: Float[np.ndarray, "S C"]) -> np.ndarray:
    return np.where(np.isfinite(made), made, other)


class Plan(NamedTuple):
    """What is to be fitted: seasons, and orders of chains, those of all channels last."""

    seasons: tuple[int, ...]
    own: tuple[int, ...]
    joint: tuple[int, ...]


def plan_experts(holes: Holes, most: int) -> Plan:
    """Decide what is fitted on such series; no chain is longer than ``most``."""
    C = holes.steps.shape[1]
    seasons = seasons_in(holes)
    if most < _LEAST_ORDER:
        return Plan((), (), ())
    limit = max(min(_MOST_ORDER, _MOST_BAND // C, most), 1)
    wanted = (_OWN,)
    if seasons:
        wanted = seasons[0] + 2, seasons[-1] + 2 if seasons[1:] else 2 * seasons[0] + 2
    joint: tuple[int, ...] = ()
    if 1 < C <= _MOST_JOINT // _LEVEL:
        joint = (min(_JOINT, limit, _MOST_JOINT // C),)
        if len(holes.lengths) >= MANY:  # levels of channels drift apart within one recording
            joint = (*joint, min(_LEVEL, limit))
    return Plan(seasons, tuple(sorted({min(order, limit) for order in wanted})), joint)


def fit_experts(whole: Holes, plan: Plan) -> Experts:
    """Fit on series without holes."""
    alike = fit_alike(whole)
    if not plan.own:
        return Experts(plan.seasons, (), alike)
    fitted = whole.series(np.flatnonzero(whole.lengths > max(plan.own)))
    opening = fit_autoregression(fitted, min(_OPENING, *plan.own, *plan.joint))
    first = first_precision(fitted, opening.order)
    found = [fit_autoregression(fitted, order) for order in plan.own]
    for order, level in zip(plan.joint, (True, False), strict=False):
        found.append(fit_autoregression(fitted, order, joint=True, level=level))
    return Experts(plan.seasons, tuple(Chain(one, opening, first) for one in found), alike)


def fit_alike(whole: Holes) -> Alike | None:
    """Keep whole series where there are enough of one length; None where there are not."""
    steps, counts = np.unique(whole.lengths, return_counts=True)
    T, N = int(steps[counts.argmax()]), int(counts.max())
    if N < _FEWEST_ALIKE or T * whole.steps.shape[1] > _LONGEST_ALIKE:
        return None
    rows = np.flatnonzero(whole.lengths == T)
    x = whole.series(rows[:: -(-N // _MOST_ALIKE)]).steps.reshape(-1, T * whole.steps.shape[1])
    mean = x.mean(axis=0)
    return Alike(mean, x - mean, T)


def complete(holes: Holes, plan: Plan, seed: int) -> Holes:
    """Return series whose gaps hold what a chain may have put there, so that one can be fitted.

    Each round fits a chain and draws the gaps from it (stochastic EM, Celeux and Diebolt 1985), so
    that what is filled varies as much as what was observed.
    """
    made = np.nan_to_num(bridge(holes))
    if plan.seasons:
        made = (made + _or(bridge_seasons(holes, plan.seasons[0]), made)) / 2
    whole = holes.filled(made)
    if holes.observed.all() or not plan.own:
        return whole
    for k in range(_ROUNDS):
        chains = fit_experts(whole, plan._replace(own=plan.own[:1], joint=())).chains
        made, apart = expect(chains[0], holes, 1, seed + k)
        whole = holes.filled(made + apart[..., 0])
    return whole
