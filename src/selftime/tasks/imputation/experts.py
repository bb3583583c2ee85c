"""Experts: several guesses at everything that is missing, each good at gaps of its own kind."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.engine.model import Model
from selftime.tasks.imputation.autoregression import (
    first_precision,
    fit_autoregression,
)
from selftime.tasks.imputation.blend import hide
from selftime.tasks.imputation.chains import MarkovChain, expect
from selftime.tasks.imputation.holes import (
    Holes,
    bridge,
    bridge_profile,
    bridge_seasons,
    seasons_in,
)
from selftime.tasks.imputation.vectors import VectorGuess, fit_vector_guess
from selftime.tasks.probing.ridge import mean_variance, solve_ridge

_OWN = 16
"""Steps of a chain where there is no season, or a shorter one."""
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
_MOST_SHOWN, _SPAN = 60_000, 64
"""Values from which weights of vectors are learned, and the longest gap that is shown."""
_FEWEST_ALIKE, _MOST_ALIKE, _LONGEST_ALIKE = 24, 1000, 20_000
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
            penalty = _ALIKE_PENALTY * mean_variance(products)
            a = solve_ridge(products, (bank @ x)[:, None], penalty)[:, 0]
            out[rows] = (self.mean + a @ self.bank).reshape(self.steps, -1)
        return out


class Experts(NamedTuple):
    """Experts that were fitted on series.

    Attributes:
        seasons: steps after which series repeat.
        chains: the first gives the spread of its guesses.
        alike: whole series, where they are of one length.
        vectors: what the vectors of a model add to the guess of the first chain.
    """

    seasons: tuple[int, ...]
    chains: tuple[MarkovChain, ...]
    alike: Alike | None = None
    vectors: VectorGuess | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each expert, in the order of their guesses."""
        chains = (
            f"chain of {c.whole.order} steps" + ("" if c.whole.is_apart else ", all channels")
            for c in self.chains
        )
        alike = ("whole series",) if self.alike is not None else ()
        model = ("the model",) if self.vectors is not None else ()
        seasons = (
            name
            for s in self.seasons
            for name in (f"season of {s} steps", f"mean season of {s} steps, and lines")
        )
        return ("lines", *seasons, *chains, *alike, *model)

    def guesses(
        self, holes: Holes, draws: int = 0, seed: int = 0
    ) -> tuple[Float[np.ndarray, "E S C"], Float[np.ndarray, "S C"]]:
        """Return the guess of each expert at every value, and the spread of the first chain's.

        Where an expert has no opinion, it has that of the one before.
        """
        found = [np.nan_to_num(bridge(holes))]
        for season in self.seasons:
            found.append(_or(bridge_seasons(holes, season), found[0]))
            found.append(_or(bridge_profile(holes, season), found[0]))
        spread = np.ones_like(found[0])
        for k, chain in enumerate(self.chains):
            made, apart = expect(chain, holes, draws if k == 0 else 0, seed)
            found.append(made)
            if k == 0 and draws:
                spread = np.sqrt(np.square(apart).mean(axis=2))
        if self.alike is not None:
            found.append(_or(self.alike.expect(holes), found[-1]))
        if self.vectors is not None:
            found.append(self.vectors.guess(holes, found[self._first]))
        return np.stack(found), spread

    @property
    def _first(self) -> int:
        """Return the place of the first chain among the guesses; of lines where there is none."""
        return 1 + 2 * len(self.seasons) if self.chains else 0


def _or(made: Float[np.ndarray, "S C"], other: Float[np.ndarray, "S C"]) -> np.ndarray:
    return np.where(np.isfinite(made), made, other)


class Orders(NamedTuple):
    """Seasons, orders of chains of each channel and of all, and steps of whole series, or 0."""

    seasons: tuple[int, ...]
    own: tuple[int, ...]
    joint: tuple[int, ...]
    alike: int


def plan_experts(holes: Holes, most: int) -> Orders:
    """Decide what is fitted on such series; no chain is longer than ``most``."""
    C = holes.steps.shape[1]
    seasons = seasons_in(holes)
    if most < _LEAST_ORDER:
        return Orders((), (), (), _usual_length(holes))
    limit = max(min(_MOST_ORDER, _MOST_BAND // C, most), 1)
    wanted: tuple[int, ...] = (_OWN,)
    if seasons:
        longer = seasons[-1] if seasons[1:] else 2 * seasons[0]
        wanted = max(seasons[0] + 2, _OWN), max(longer + 2, _OWN)
    joint: tuple[int, ...] = ()
    if 1 < C <= _MOST_JOINT // _LEVEL:
        joint = (min(_JOINT, limit, _MOST_JOINT // C),)
        if len(holes.lengths) >= MANY:  # levels of channels drift apart within one recording
            joint = (*joint, min(_LEVEL, limit))
    own = tuple(sorted({min(order, limit) for order in wanted}))
    return Orders(seasons, own, joint, _usual_length(holes))


def _usual_length(holes: Holes) -> int:
    """Return the steps of most series where there are enough of one length, else 0."""
    steps, counts = np.unique(holes.lengths, return_counts=True)
    T, N = int(steps[counts.argmax()]), int(counts.max())
    return T if N >= _FEWEST_ALIKE and T * holes.steps.shape[1] <= _LONGEST_ALIKE else 0


def fit_experts(whole: Holes, plan: Orders, model: Model | None = None) -> Experts:
    """Fit on series without holes."""
    alike, chains = fit_alike(whole, plan.alike), fit_chains(whole, plan)
    experts = Experts(plan.seasons, chains, alike)
    if model is None:
        return experts
    few = whole.cut(*_some_of(whole))
    base = experts._replace(alike=None, chains=chains[:1])
    hidden = (few.without(mask) for mask in hide(few, _SPAN, seed=1))
    trials = ((left, base.guesses(left)[0][base._first]) for left in hidden)
    return experts._replace(vectors=fit_vector_guess(model, trials, few.steps))


def fit_chains(whole: Holes, plan: Orders) -> tuple[MarkovChain, ...]:
    """Fit the chains of a plan, and how series begin."""
    if not plan.own:
        return ()
    fitted = whole.series(np.flatnonzero(whole.lengths > max(plan.own)))
    opening = fit_autoregression(fitted, min(_OPENING, *plan.own, *plan.joint))
    first = first_precision(fitted, opening.order)
    found = [fit_autoregression(fitted, order) for order in plan.own]
    for order, level in zip(plan.joint, (True, False), strict=False):
        found.append(fit_autoregression(fitted, order, joint=True, level=level))
    return tuple(MarkovChain(one, opening, first) for one in found)


def _some_of(whole: Holes) -> tuple[np.ndarray, np.ndarray]:
    """Return where spans begin, and how long they are: the ends of series, some thousand values."""
    most = max(_MOST_SHOWN // whole.steps.shape[1], 1)
    few = np.unique(np.linspace(0, len(whole.lengths) - 1, max(most // _SPAN, 1)).astype(int))
    lengths = np.minimum(whole.lengths[few], max(most // len(few), _SPAN))
    return whole.starts[few] + whole.lengths[few] - lengths, lengths


def fit_alike(whole: Holes, steps: int) -> Alike | None:
    """Keep whole series of so many steps; None where there are none."""
    rows = np.flatnonzero(whole.lengths == steps)
    if not len(rows):
        return None
    some = whole.series(rows[:: -(-len(rows) // _MOST_ALIKE)])
    x = some.steps.reshape(len(some.lengths), -1)
    return Alike(x.mean(axis=0), x - x.mean(axis=0), steps)


def complete(holes: Holes, plan: Orders, seed: int) -> Holes:
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
        chains = fit_chains(whole, plan._replace(own=plan.own[:1], joint=()))
        made, apart = expect(chains[0], holes, 1, seed + k)
        whole = holes.filled(made + apart[..., 0])
    return whole
