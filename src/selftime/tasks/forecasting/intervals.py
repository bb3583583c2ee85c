"""Intervals around forecasts: quantiles of held-out residuals that follow what becomes known."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int64
from scipy.special import ndtri, stdtrit

from selftime.tasks.forecasting.intervals_numba import QuantileState, follow

_NEAR_HIGHEST = 2 / 3
"""The residual of the step h ahead counts in the shared move with weight h to the minus this."""
_RECENT_STEPS = 336
"""Steps whose std a window has: more follow changes late, fewer are left to chance."""
_MIN_STD = 0.05
"""Added to the std of a window: one that hardly moves still may."""
MAX_QUANTILES = 4_000_000
"""About how many quantiles are held at once."""
FEWEST = 3
"""Independent residuals that any sample is taken for at least."""


def levels_of(coverage: float) -> tuple[float, float]:
    """Return the two quantiles between which so large a share lies."""
    return round((1 - coverage) / 2, 6), round((1 + coverage) / 2, 6)


def recent_std(past: Float[np.ndarray, "N C L"]) -> Float[np.ndarray, "N C"]:
    """Return the unit of residuals: how much each channel moved in the last steps of the window.

    Where a series has become restless so have its residuals, and a forecaster can see the former
    at once (locally weighted residuals; Lei et al. 2018, section 5.2).
    """
    return np.asarray(past[:, :, -_RECENT_STEPS:].std(axis=2) + past.dtype.type(_MIN_STD))


class AdaptiveQuantiles:
    """Quantiles of the residuals of every future step that follow what becomes known.

    When the truth about a step arrives, the quantile of level τ moves up by η τ if the one in force
    when the window was made was exceeded, and down by η (1 − τ) if it was not. The moves add up to
    the way from the first quantile to the last, so it was exceeded in a share 1 − τ of the windows
    but for that way over η N, whatever the data do (Gibbs and Candès 2021, proposition 4.1; the
    quantile itself is moved as in Angelopoulos et al. 2023, equation 4). Two such moves add up:

    - One is shared by all future steps of a channel, from the mean of theirs, near steps before far
      ones: a series that becomes restless shows it one step ahead at once, and 720 steps ahead only
      after 720 steps. Its η falls with time (Angelopoulos, Barber and Bates 2024, section 2): the
      fewer windows have been seen, the less the beginning is worth.
    - One is a step's own. Truths come late, and late ones are all of the same time: its η falls as
      one over the root of the delay (Joulani et al. 2013), and is small until many spans as long as
      the delay have been seen.

    Args:
        begin: (C,H,Q) where quantiles begin.
        unit: (C,H) the typical residual.
        levels: Q of them, ascending.
    """

    def __init__(
        self,
        *,
        begin: Float[np.ndarray, "C H Q"],
        unit: Float[np.ndarray, "C H"],
        levels: Sequence[float],
    ) -> None:
        C, H, Q = begin.shape
        self._state = QuantileState(
            begin.astype(np.float64),
            unit.astype(np.float64),
            np.asarray(levels, np.float64),
            reach_of(levels),
            np.arange(1, H + 1.0) ** -_NEAR_HIGHEST,
            np.zeros((H, C, H, Q), np.bool_),
            np.zeros((C, Q)),
            np.zeros((C, H, Q)),
        )
        self._made = 0

    @classmethod
    def of(
        cls, samples: Iterable[Float[np.ndarray, "_ C"]], levels: Sequence[float], every: int = 1
    ) -> "AdaptiveQuantiles":
        """Begin with residuals of windows ``every`` steps apart that nothing was fitted on.

        The samples are of each future step in turn, in units of the std of each window.
        """
        begin, unit = [], []
        for h, sample in enumerate(samples):
            begin.append(cautious_quantiles(sample, levels, (h + 1) / every))
            unit.append(np.abs(sample).mean(axis=0, dtype=np.float64) + 1e-12)
        return cls(begin=np.stack(begin, axis=1), unit=np.stack(unit, axis=1), levels=levels)

    @property
    def now(self) -> Float[np.ndarray, "C H Q"]:
        """Quantiles in force for the next window, in ascending order."""
        state = self._state
        moved = state.unit[:, :, None] * (state.pooled[:, None] + state.own)
        return np.sort(state.begin + moved, axis=2)

    @property
    def rows(self) -> int:
        """Windows to follow at once, so that not too many quantiles are held."""
        return max(MAX_QUANTILES // self._state.begin.size, 1)

    def follow(self, ratios: Float[np.ndarray, "N C H"]) -> Float[np.ndarray, "N C H Q"]:
        """Return the quantiles in force when each of the next windows was made, in ascending order.

        Windows are a step apart, their residuals in units of their std. The quantiles of a window
        depend on no truth that had not come before it.
        """
        found = np.empty((*ratios.shape, len(self._state.levels)))
        follow(self._state, np.ascontiguousarray(ratios, np.float64), self._made, found)
        self._made += len(ratios)
        return found


def offsets_after(
    gap: Int64[np.ndarray, "C"], offsets: Float[np.ndarray, "Q C H"]
) -> Float[np.ndarray, "Q C H"]:
    """Return quantiles of residuals of steps that are further ahead by a gap of each channel.

    Beyond the steps that were measured they grow as they grew within them: by a power of the
    distance between 0 (not at all) and 1/2, as a random walk does, which is taken of a single step.
    """
    H = offsets.shape[2]
    size = np.log(np.abs(offsets).max(axis=0) + 1e-12)  # (C,H)
    distance = np.log(np.arange(1, H + 1.0))
    spread = distance - distance.mean()
    power = (size @ spread) / (spread @ spread) if H > 1 else np.full(len(size), 0.5)
    ahead = np.arange(H) + gap[:, None]  # (C,H), from 0
    within = np.take_along_axis(offsets, np.minimum(ahead, H - 1)[None], axis=2)
    beyond = np.maximum(ahead + 1, H) / H
    return np.asarray(within * beyond ** np.clip(power, 0.0, 0.5)[:, None])


def reach_of(levels: Sequence[float]) -> Float[np.ndarray, "Q"]:
    """Return how far quantiles move: the further, the fewer residuals are near them; 0.9 by 1.

    In inverse proportion to the density at each, which finds a quantile soonest (Sacks 1958,
    theorem 1), here that of normal residuals; beyond 0.98 as there.
    """
    z = ndtri(np.clip(np.asarray(levels, np.float64), 0.02, 0.98))
    return np.asarray(np.exp((z**2 - ndtri(0.9) ** 2) / 2))


def cautious_quantiles(
    sample: Float[np.ndarray, "M C"], levels: Sequence[float], stretch: float
) -> Float[np.ndarray, "C Q"]:
    """Return quantiles of each channel, widened for how few residuals are independent.

    Distances from the median grow by what a prediction interval of n normal values is wider by than
    one of their known distribution, t(τ; n − 1) √(1 + 1/n) over z(τ). n are independent residuals:
    ``stretch`` of them have most of their steps in common, and count as one.
    """
    n = max(effective_sample_size(sample, stretch), FEWEST)
    z, median = ndtri(np.asarray(levels, np.float64)), np.median(sample, axis=0)[:, None]
    wider = np.full(len(z), np.sqrt(1 + 1 / n))
    off = np.abs(z) > 1e-9
    wider[off] *= stdtrit(n - 1, np.asarray(levels, np.float64)[off]) / z[off]
    return np.asarray(median + (np.quantile(sample, levels, axis=0).T - median) * wider)


def pooled_quantiles(
    ratios: Float[np.ndarray, "N C H"], levels: Sequence[float]
) -> Float[np.ndarray, "Q C H"]:
    """Return quantiles of few windows: of one form at all steps ahead, which grows by a power.

    A dozen series have a dozen residuals a step, whose quantiles jump from step to step; in units
    of a size that is a power of the distance all steps together have enough.
    """
    N, C, H = ratios.shape
    size = np.log(np.sqrt(np.square(ratios).mean(axis=0)) + 1e-12)  # (C,H)
    distance = np.log(np.arange(1, H + 1.0))
    spread = distance - distance.mean()
    power = size @ spread / max(spread @ spread, 1e-12)
    unit = np.exp(size.mean(axis=1)[:, None] + power[:, None] * spread)
    sample = np.moveaxis(ratios / unit, 2, 1).reshape(N * H, C)
    return np.asarray(cautious_quantiles(sample, levels, float(H)).T[:, :, None] * unit)


def effective_sample_size(sample: Float[np.ndarray, "M C"], stretch: float) -> float:
    """Return about how many residuals are independent.

    One per stretch and channel, less by the design effect of channels whose residuals are large at
    the same time, 1 + (C − 1) ρ with their mean correlation ρ (Kish 1965, section 5.4).
    """
    M, C = sample.shape
    size = np.abs(sample.astype(np.float64))
    z = (size - size.mean(axis=0)) / (size.std(axis=0) + 1e-12)
    shared = float(np.mean(z.sum(axis=1) ** 2)) / C  # 1 + (C - 1) ρ
    return float(M / max(stretch, 1.0) * C / max(shared, 1.0))
