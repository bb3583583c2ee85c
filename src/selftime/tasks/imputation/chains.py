"""Chains: autoregressions of all channels, and what they expect where nothing was observed.

The steps of a series are taken to be a Markov chain of order p with normal residuals. Its precision
matrix is banded (Rue and Held 2005, section 2.2): what is missing, given all that was observed
before, after and beside it, is the solution of one banded system, however long a gap is. Draws from
the same distribution take a solve each (Papandreou and Yuille 2010, section 2).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.linalg import cho_solve_banded, cholesky_banded

from selftime.data.arrays import spans
from selftime.tasks.imputation.autoregression import Autoregression
from selftime.tasks.imputation.holes import Holes

SPREAD_DRAWS = 32
"""Draws from which the spread of a value is taken."""
_MOST_NUMBERS = 16_000_000
"""Numbers of a banded system that are held at once."""
_SHORTEST_PIECE = 4096
"""Long series are solved in pieces of at least so many steps."""
_CONTEXT = 2
"""Pieces overlap by so many orders on both sides."""


class MarkovChain(NamedTuple):
    """A chain and how series begin, before there are as many steps as its order.

    Attributes:
        whole: the chain.
        opening: a short one, for the first steps.
        first: (qC,qC) precision of as many steps as the order of the short one.
    """

    whole: Autoregression
    opening: Autoregression
    first: Float[np.ndarray, "K K"]

    @property
    def start(self) -> Float[np.ndarray, "P C P C"]:
        """Return the precision of the first p steps."""
        p, q, C = self.whole.order, self.opening.order, self.whole.channels
        out = np.zeros((max(p, q), C, max(p, q), C))
        out[:q, :, :q] = self.first.reshape(q, C, q, C)
        back = self.opening.weights[::-1]  # of steps t-q to t
        each = np.einsum("kdc,de,lef->kclf", back, self.opening.precision, back, optimize=True)
        for t in range(q, p):
            out[t - q : t + 1, :, t - q : t + 1] += each
        return out[:p, :, :p]


def expect(
    chain: MarkovChain, holes: Holes, draws: int = 0, seed: int = 0
) -> tuple[Float[np.ndarray, "S C"], Float[np.ndarray, "S C D"]]:
    """Return what is expected of every missing value, and draws of how it may differ from that.

    Observed values stay; they have draws of 0. Long series are solved in pieces that overlap.
    """
    made = holes.steps.copy()
    apart = np.zeros((*made.shape, draws))
    start = chain.start
    for number, (rows, lengths, kept) in enumerate(_pieces(holes, chain.whole.order)):
        part = holes.take(rows, lengths)
        if part.observed.all():
            continue
        rng = np.random.default_rng((seed, number))
        found = _solve(chain.whole, start, part, draws, rng)  # (M,1+D)
        at = np.nonzero(~part.observed)
        mine = kept[at[0]]
        where = rows[at[0][mine]], at[1][mine]
        made[where] = found[mine, 0]
        apart[where] = found[mine, 1:]
    return made, apart


def _pieces(
    holes: Holes, order: int
) -> Iterator[tuple[Int64[np.ndarray, "R"], Int64[np.ndarray, "M"], Bool[np.ndarray, "R"]]]:
    """Yield rows of series, or of pieces of long ones, and which of them are not mere context."""
    inner = max(_SHORTEST_PIECE, 4 * order)
    counts = -(-holes.lengths // inner)
    owner = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    begin = holes.starts[owner]
    end = begin + holes.lengths[owner]
    first = begin + number * inner
    last = np.minimum(first + inner, end)
    outer_first = np.maximum(first - _CONTEXT * order, begin)
    outer_last = np.minimum(last + _CONTEXT * order, end)
    S, C = holes.steps.shape
    share = 1 - holes.observed.mean() + 1e-6
    each = (outer_last - outer_first) * (C * share) * max(C * share * (order + 1), 1)
    group = (np.cumsum(each) // _MOST_NUMBERS).astype(int)
    for g in np.unique(group):
        own = group == g
        lengths = (outer_last - outer_first)[own]
        rows = spans(outer_first[own], lengths)
        kept = (rows >= np.repeat(first[own], lengths)) & (rows < np.repeat(last[own], lengths))
        yield rows, lengths, kept


def _solve(
    chain: Autoregression,
    start: Float[np.ndarray, "P C P C"],
    holes: Holes,
    draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "M Q"]:
    """Return expectation and draws of the missing values, in the order of steps, then channels."""
    missing = ~holes.observed
    sides = [-_times_precision(chain, start, holes)[missing]]
    if draws:
        sides += list(_noise(chain, start, holes, draws, rng)[missing].T)
    factor = cholesky_banded(_band(chain, start, holes), lower=True, overwrite_ab=True)
    return np.asarray(cho_solve_banded((factor, True), np.stack(sides, axis=1)))


def _times_precision(
    chain: Autoregression, start: Float[np.ndarray, "P C P C"], holes: Holes
) -> Float[np.ndarray, "S C"]:
    """Return the precision matrix of all values times those that were observed."""
    p, late = chain.order, holes.positions >= chain.order
    residuals = chain.residuals(holes.steps)
    residuals[~late] = 0
    out = chain.back(residuals @ chain.precision)
    rows = holes.positions < p
    opening = np.zeros((len(holes.lengths), p, chain.channels))
    place = holes.owners[rows], holes.positions[rows]
    opening[place] = holes.steps[rows]
    flat = start.reshape(p * chain.channels, -1)
    out[rows] += (opening.reshape(len(opening), -1) @ flat).reshape(opening.shape)[place]
    return out


def _noise(
    chain: Autoregression,
    start: Float[np.ndarray, "P C P C"],
    holes: Holes,
    draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "S C D"]:
    """Return draws of normal numbers whose covariance is the precision matrix."""
    p, C = chain.order, chain.channels
    root = np.linalg.cholesky(chain.precision)
    e = rng.standard_normal((*holes.steps.shape, draws))
    e[holes.positions < p] = 0
    out = chain.back(np.einsum("cd,sdn->scn", root, e))
    rows = holes.positions < p
    factor = np.linalg.cholesky(start.reshape(p * C, -1))
    opening = np.einsum(
        "ij,bjn->bin", factor, rng.standard_normal((len(holes.lengths), p * C, draws))
    )
    opening = opening.reshape(len(holes.lengths), p, C, draws)
    out[rows] += opening[holes.owners[rows], holes.positions[rows]]
    return out


def _band(
    chain: Autoregression, start: Float[np.ndarray, "P C P C"], holes: Holes
) -> Float[np.ndarray, "W M"]:
    """Return the precision of the missing values, as the lower band of a symmetric matrix.

    That of values at steps s and t of channels c and d is the sum of Wₖᵀ Λ Wₖ₋₍ₜ₋ₛ₎ over the
    residuals that both are in, and of the first steps what is in ``start``.
    """
    p = chain.order
    sums = chain.products()  # (lag, up to, C, C)
    rows, channels = np.nonzero(~holes.observed)
    at, owner = holes.positions[rows], holes.owners[rows]
    left = holes.lengths[owner] - 1 - at
    n = len(rows)
    width = int((np.searchsorted(rows, rows + p, side="right") - np.arange(n)).max())
    band = np.zeros((width, n))
    for b in range(width):
        i = np.arange(n - b)
        i = i[(rows[i + b] - rows[i] <= p) & (owner[i + b] == owner[i])]
        j, c, d = i + b, channels[i], channels[i + b]
        lag = rows[j] - rows[i]
        stop = np.minimum(left[i], p) + 1
        first = np.minimum(np.maximum(p - at[i], lag), stop)
        band[b, i] = sums[lag, stop, c, d] - sums[lag, first, c, d]
        early = at[j] < p
        i, j, c, d = i[early], j[early], c[early], d[early]
        band[b, i] += start[at[i], c, at[j], d]
    band[0] *= 1 + 1e-10  # of gaps that nothing tells of, such as whole series
    return band
