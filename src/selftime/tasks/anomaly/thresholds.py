"""Thresholds that keep a promised share of false alarms without labels, and their alarms."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.tasks.anomaly.metrics import spans_of

TAIL = 0.1
"""Share of the normal scores from which the tail beyond them is extrapolated."""
_MIN_EXCEEDANCES = 10
"""Normal scores beyond a threshold that make it certain enough without extrapolation."""
PACE = 0.005
"""Move of the level in each step (Gibbs & Candès 2021, NeurIPS, section 2.1 and 4)."""
UPDATE_EVERY = 8
"""Steps after which the threshold is set anew."""
_MAX_RECENT_SCORES = 5000
"""Latest scores that it is set from, at most; else as many as are normal at the beginning."""
BOUND = 0.2
"""Levels are held within plus and minus this: neither quiet nor long alarms count for ever."""
RAREST = 50
"""After too many alarms a score must still be so many times rarer than promised to be one:
nothing silences what is certainly anomalous."""


class Tail(NamedTuple):
    """Generalised Pareto distribution of the scores above a base.

    Shape 0 is exponential, more is heavier, less ends somewhere.
    """

    base: float
    scale: float
    shape: float

    def beyond(self, chance: float) -> float:
        """Return the score that an excess reaches with some chance."""
        if abs(self.shape) < 1e-6:
            return self.base - self.scale * float(np.log(chance))
        return self.base + self.scale / self.shape * (float(chance**-self.shape) - 1)


def threshold_at(normal: Float[np.ndarray, "N"], rate: float) -> float:
    """Fit the threshold that a share ``rate`` of normal steps reaches.

    Where at least 10 normal scores lie beyond it, the conformal quantile, which is the
    ⌈(N + 1)(1 − rate)⌉-th smallest (Vovk, Gammerman & Shafer 2005, section 2.2); else the extreme
    value extrapolation of the highest tenth (Siffer et al. 2017, KDD, section 3).
    """
    check_rate(rate)
    N = len(normal)
    if N * rate >= _MIN_EXCEEDANCES:
        place = min(int(np.ceil((N + 1) * (1 - rate))), N) - 1
        return float(np.partition(normal, place)[place])
    share = max(TAIL, rate)
    base = float(np.quantile(normal, 1 - share))
    return max(tail_of(np.sort(normal), share).beyond(rate / share), base)


def tail_of(ordered: Float[np.ndarray, "N"], share: float) -> Tail:
    """Fit the tail of sorted scores by probability-weighted moments (Hosking & Wallis 1987).

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


class AdaptiveThreshold:
    """A threshold that follows drifts, so that alarms keep their share.

    It is set anew from the latest scores, as many as were normal at the beginning, at a level α
    that makes up for alarms that were too many or too few: α ← α + 0.005 (rate − alarm) at each
    step (adaptive conformal inference; Gibbs & Candès 2021, NeurIPS, equation 2). Where α is less
    than a fiftieth of the rate that fiftieth is used, so that what is certainly anomalous is never
    passed over. A threshold depends on earlier scores alone.

    Args:
        normal: (n,) scores of normal steps in the order of time; the latest 5,000 count.
        rate: promised share of alarms among normal steps.

    Attributes:
        threshold: scores above it are alarms.

    Raises:
        ValueError: a rate that is not between 0 and 1.
    """

    def __init__(self, normal: Float[np.ndarray, "N"], rate: float) -> None:
        self._recent, self._rate, self._level = normal[-_MAX_RECENT_SCORES:], rate, rate
        self.threshold = threshold_at(self._recent, rate)

    def follow(self, scores: Float[np.ndarray, "K"]) -> None:
        """Move the threshold by the next scores, 8 of them as a rule."""
        gaps = self._rate - (scores > self.threshold)  # one per step
        self._level = float(np.clip(self._level + PACE * gaps.sum(), -BOUND, BOUND))
        self._recent = np.concatenate([self._recent, scores])[-len(self._recent) :]
        self.threshold = threshold_at(self._recent, max(self._level, self._rate / RAREST))


def adaptive_thresholds(
    scores: Float[np.ndarray, "T"], train: int, rate: float
) -> Float[np.ndarray, "T"]:
    """Return the threshold of each step, set anew by :class:`AdaptiveThreshold` every 8 steps.

    The first ``train`` scores are those of normal steps.
    """
    out = np.full(len(scores), threshold_at(scores[:train], rate))
    current = AdaptiveThreshold(scores[:train], rate)
    for start in range(train, len(scores), UPDATE_EVERY):
        rows = slice(start, start + UPDATE_EVERY)
        out[rows] = current.threshold
        current.follow(scores[rows])
    return out


def check_rate(rate: float) -> None:
    """Check that a rate is a share strictly between 0 and 1."""
    if not 0 < rate < 1:
        raise ValueError(f"got rate={rate}, wanted a share between 0 and 1: 0.01 is 1 step in 100")


class Episode(NamedTuple):
    """A span of anomalous steps that makes one alarm.

    Attributes:
        start: its first step, at which the score rises above its threshold.
        stop: the step at which the score is back at that threshold.
        peak: the step of the highest score between.
        score: the score there.
        channel: number of the most anomalous channel there.
        time: the stamp of the peak, in UTC where stamps have a zone; None without times.
    """

    start: int
    stop: int
    peak: int
    score: float
    channel: int
    time: Any = None

    def at(self, times: np.ndarray | None, first: int = 0) -> "Episode":
        """Return the alarm counted from ``first`` steps earlier, with the time of its peak."""
        start, stop, peak = self.start + first, self.stop + first, self.peak + first
        time = None if times is None else times[peak]
        return self._replace(start=start, stop=stop, peak=peak, time=time)


def find_alarms(
    channels: Float[np.ndarray, "C T"], thresholds: Float[np.ndarray, "T"], cool_down: int
) -> list[Episode]:
    """Return one alarm per span above the thresholds; ``cool_down`` quiet steps end an alarm.

    The mean score of the channels is compared with the threshold of each step. A threshold that
    follows the scores may overtake them before they fall, so a span lasts until they are back at
    the threshold that raised the alarm.
    """
    scores = channels.mean(axis=0)
    lasting = np.zeros(len(scores), bool)
    for start, stop in spans_of(scores > thresholds).tolist():
        back = np.flatnonzero(scores[start:] <= thresholds[start])
        lasting[start : max(start + back[0] if len(back) else len(scores), stop)] = True
    found = []
    for start, stop in _join_spans(lasting, cool_down):
        peak = start + int(scores[start:stop].argmax())
        channel = int(channels[:, peak].argmax())
        found.append(Episode(start, stop, peak, float(scores[peak]), channel))
    return found


def _join_spans(lasting: Bool[np.ndarray, "T"], cool_down: int) -> list[tuple[int, int]]:
    """Return the first step and one after the last of each span, short breaks passed over."""
    spans = spans_of(lasting)
    if len(spans) == 0:
        return []
    apart = spans[1:, 0] - spans[:-1, 1] >= max(cool_down, 1)
    starts, stops = spans[np.r_[True, apart], 0], spans[np.r_[apart, True], 1]
    return list(zip(starts.tolist(), stops.tolist(), strict=True))
