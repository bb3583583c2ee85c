"""Which scores are alarms: thresholds that keep a promised share of false ones, no labels."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

TAIL = 0.1
"""Share of the normal scores from which the tail beyond them is extrapolated."""
ENOUGH = 10
"""Normal scores beyond a threshold that make it certain enough without extrapolation."""
PACE = 0.02
"""How fast thresholds follow a drift, as a share of the usual height of thresholds a window."""


class Tail(NamedTuple):
    """Generalised Pareto distribution of what exceeds a base.

    Attributes:
        base: scores above it are the tail.
        scale: of the excess.
        shape: 0 is exponential, more is heavier, less ends somewhere.
    """

    base: float
    scale: float
    shape: float

    def beyond(self, chance: float) -> float:
        """The score that an excess reaches with some chance."""
        if abs(self.shape) < 1e-6:
            return self.base - self.scale * float(np.log(chance))
        return self.base + self.scale / self.shape * (float(chance**-self.shape) - 1)


def threshold_at(normal: Float[np.ndarray, "N"], rate: float) -> float:
    """The score that a share ``rate`` of normal steps reaches.

    Where at least 10 normal scores lie beyond it, the conformal quantile, which is the
    ⌈(N + 1)(1 − rate)⌉-th smallest (Vovk, Gammerman & Shafer 2005, section 2.2); else the extreme
    value extrapolation of the highest tenth (Siffer et al. 2017, KDD, section 3).

    Raises:
        ValueError: a rate that is not between 0 and 1.
    """
    check_rate(rate)
    ordered = np.sort(normal)
    N = len(ordered)
    if N * rate >= ENOUGH:
        return float(ordered[min(int(np.ceil((N + 1) * (1 - rate))), N) - 1])
    share = max(TAIL, rate)
    return max(tail_of(ordered, share).beyond(rate / share), float(np.quantile(ordered, 1 - share)))


def tail_of(ordered: Float[np.ndarray, "N"], share: float) -> Tail:
    """The tail of sorted scores by probability-weighted moments (Hosking & Wallis 1987).

    With excesses y₁ ≤ … ≤ yₙ, a = ȳ and b = Σ (1 − pⱼ) yⱼ / n where pⱼ = (j − 0.35) / n, the shape
    is 2 − a / (a − 2b) and the scale 2ab / (a − 2b). The shape is held within ±0.5, where the
    moments exist.
    """
    base = float(np.quantile(ordered, 1 - share))
    excess = ordered[ordered > base] - base
    if len(excess) == 0:
        return Tail(base, 0.0, 0.0)
    places = (np.arange(1, len(excess) + 1) - 0.35) / len(excess)
    a, b = float(excess.mean()), float(((1 - places) * excess).mean())
    if a - 2 * b <= 1e-3 * a:
        return Tail(base, a / 2, 0.5)
    shape = float(np.clip(2 - a / (a - 2 * b), -0.5, 0.5))
    return Tail(base, a * (1 - shape), shape)


def following(
    scores: Float[np.ndarray, "T"], train: int, rate: float, block: int
) -> Float[np.ndarray, "T"]:
    """A threshold for each step that follows drifts, so that alarms keep their share.

    After each block it rises or falls by how much the alarms of the block were too many or too
    few: q ← q + η (share − rate) block (quantile tracking; Angelopoulos, Candès & Tibshirani 2023,
    section 2.1). It never falls below the threshold of the normal part.

    Args:
        scores: of all steps.
        train: how many of them are normal.
        rate: promised share of alarms among normal steps.
        block: steps after which the threshold moves.

    Raises:
        ValueError: a rate that is not between 0 and 1.
    """
    least = threshold_at(scores[:train], rate)
    pace = PACE * max(least - float(np.median(scores[:train])), 1e-9)
    out = np.full(len(scores), least)
    current = least
    for start in range(train, len(scores), block):
        rows = slice(start, start + block)
        out[rows] = current
        share = float((scores[rows] > current).mean())
        current = max(current + pace * (share - rate) * block, least)
    return out


def alarmed(
    scores: Float[np.ndarray, "T"], thresholds: Float[np.ndarray, "T"]
) -> Bool[np.ndarray, "T"]:
    """Steps whose score lies above its threshold."""
    return scores > thresholds


def check_rate(rate: float) -> None:
    """A share strictly between 0 and 1.

    Raises:
        ValueError: otherwise.
    """
    if not 0 < rate < 1:
        raise ValueError(f"got rate={rate}, wanted a share between 0 and 1: 0.01 is 1 step in 100")
