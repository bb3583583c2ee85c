"""Novelty of steps: distances of embeddings from normal ones, their thresholds and alarms."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from sklearn.covariance import ledoit_wolf

from selftime.data.channels import match_channels
from selftime.data.principal import principal_axes
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.engine.streaming.stream import Stream, StreamConfig
from selftime.tasks.anomaly.thresholds import UPDATE_EVERY, AdaptiveThreshold

_Embeddings = Float[np.ndarray, "n D"]
"""Embeddings of steps."""
Distances = Float[np.ndarray, " n"]
"""Distances of steps from normal ones."""
Distance = Literal["mahalanobis", "nearest"]
"""From the mean of normal steps, or from the nearest of them."""
_CALIBRATION_PART = 3
"""One in so many normal steps sets the threshold; distances are fitted on those before."""


class StepJudgement(NamedTuple):
    """The judgement of a step.

    Attributes:
        score: its distance in units of the threshold: above 1 is novel.
        p: conformal p-value: at most this share of normal steps is as far or farther.
        novel: True where it is farther than the threshold.
    """

    score: float
    p: float
    novel: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Novelty:
    """Judges steps by their distance from normal ones.

    The threshold is a conformal quantile (Vovk, Gammerman & Shafer 2005, section 2.2): of n normal
    steps that the distance was not fitted on, the ⌈(n + 1)(1 − rate)⌉-th smallest distance. A new
    normal step is farther with a probability of at most ``rate``, if it is exchangeable with
    these; steps of a series that wanders off are not.

    Attributes:
        distance: from embeddings (n,D) to distances (n,).
        calibration: (n,) distances of normal steps, in the order of time.
        threshold: above it a step is novel.
    """

    distance: Callable[[_Embeddings], Distances]
    calibration: Distances
    threshold: float

    def __call__(
        self, vector: Float[np.ndarray, " D"], threshold: float | None = None
    ) -> StepJudgement:
        """Judge one embedding, at another threshold if given; never NaN."""
        limit = self.threshold if threshold is None else threshold
        found = float(self.distance(_finite_rows(vector[None]))[0])
        as_far = int((self.calibration >= found).sum())
        p = (1 + as_far) / (len(self.calibration) + 1)
        return StepJudgement(found / limit, p, found > limit)


_MIN_THRESHOLD = 1e-3
"""Least threshold, where normal steps are all equal, in units of their deviation."""


def fit_novelty(
    rows: _Embeddings, *, rate: float = 0.01, distance: Distance = "mahalanobis"
) -> Novelty:
    """Fit on embeddings of normal steps in the order of time; the last third sets the threshold.

    ``rate`` is the promised share of normal steps that are taken for novel.

    Raises:
        SeriesError: a rate that is none, or too few steps to promise it.
    """
    check_normal_steps(len(rows), rate)
    first = len(rows) - len(rows) // _CALIBRATION_PART
    measure = DISTANCES[distance](_finite_rows(rows[:first]))
    calibration = measure(_finite_rows(rows[first:]))
    rank = min(math.ceil((len(calibration) + 1) * (1 - rate)), len(calibration))
    threshold = max(float(np.sort(calibration)[rank - 1]), _MIN_THRESHOLD)
    return Novelty(distance=measure, calibration=calibration, threshold=threshold)


def check_normal_steps(steps: int, rate: float) -> None:
    """Check that so many normal steps can promise this rate: a third of them set the threshold."""
    if not 0 < rate < 1:
        raise SeriesError(f"got rate {rate}, wanted a share between 0 and 1, such as 0.01")
    wanted = _CALIBRATION_PART * (math.ceil(1 / rate) - 1)
    if steps < wanted:
        raise SeriesError(
            f"got {steps} normal steps, wanted at least {wanted} to "
            f"promise a rate of {rate}: give more of them (--normal, --learn), or a higher rate"
        )


def _finite_rows(rows: _Embeddings) -> _Embeddings:
    """Return embeddings in double precision, finite whatever a model made of them."""
    most = float(np.finfo(np.float32).max)
    return np.nan_to_num(rows.astype(np.float64), nan=most, posinf=most, neginf=-most)


ROUNDING = 1e-4
"""Deviations below this share of the size of embeddings count as rounding."""


def mahalanobis(rows: _Embeddings) -> Callable[[_Embeddings], Distances]:
    """Fit the distance from the mean in units of deviation in each direction (Mahalanobis 1936).

    The covariance is shrunk towards a multiple of the identity (Ledoit & Wolf 2004, section 3), so
    that fewer steps than dimensions will do.
    """
    centre = rows.mean(axis=0)
    covariance = ledoit_wolf(rows - centre, assume_centered=True)[0]
    variances, directions = principal_axes(covariance)
    whitening = directions / np.sqrt(np.maximum(variances, least_variance(rows)))  # (D,D)

    def measure(new: _Embeddings) -> Distances:
        return np.asarray(np.linalg.norm((new - centre) @ whitening, axis=1))

    return measure


BANK, _BANK_NEIGHBOURS = 2000, 5
"""Most normal steps that are kept to compare with, and how many nearest ones count."""


def neighbour_distance(rows: _Embeddings) -> Callable[[_Embeddings], Distances]:
    """Fit the mean distance to the five nearest of at most 2,000 normal steps, spread over all.

    In units of the root mean square deviation of normal steps.
    """
    bank = rows[np.linspace(0, len(rows) - 1, min(len(rows), BANK)).astype(int)]
    k = min(_BANK_NEIGHBOURS, len(bank))
    deviation = math.sqrt(max(float(rows.var(axis=0).mean()), least_variance(rows)))

    def measure(new: _Embeddings) -> Distances:
        gaps = np.stack([np.linalg.norm(bank - row, axis=1) for row in new])  # (n,M)
        return np.asarray(np.partition(gaps, k - 1, axis=1)[:, :k].mean(axis=1) / deviation)

    return measure


def least_variance(rows: _Embeddings) -> float:
    """Return the square of rounding; above 0."""
    return ROUNDING**2 * max(float(np.square(rows).mean()), ROUNDING**2)


DISTANCES: dict[str, Callable[[_Embeddings], Callable[[_Embeddings], Distances]]] = {
    "mahalanobis": mahalanobis,
    "nearest": neighbour_distance,
}
"""Distances from normal, fitted on normal steps."""


class AdaptiveNovelty:
    """Judges the steps of a stream in turn, at a threshold that follows their scores.

    It begins with the threshold of a :class:`Novelty` and from then on makes up for alarms that
    were too many or too few (:class:`~selftime.tasks.anomaly.thresholds.AdaptiveThreshold`), so
    that a series that wanders off slowly keeps the promised share of them, and one failure does not
    hide the next.
    """

    def __init__(self, novelty: Novelty, rate: float) -> None:
        self.novelty, self.threshold = novelty, novelty.threshold
        self._following, self._recent = AdaptiveThreshold(novelty.calibration, rate), list[float]()

    def __call__(self, vector: Float[np.ndarray, " D"]) -> StepJudgement:
        """Judge the next embedding; never NaN, whatever it holds."""
        judgement = self.novelty(vector, self.threshold)
        self._recent.append(judgement.score * self.threshold)
        if len(self._recent) == UPDATE_EVERY:
            self._following.follow(np.array(self._recent))
            self.threshold = max(self._following.threshold, _MIN_THRESHOLD)
            self._recent.clear()
        return judgement


class CoolDown:
    """Lets an alarm through and keeps quiet for some steps after it."""

    def __init__(self, steps: int) -> None:
        self.steps, self._left = steps, 0

    def __call__(self, novel: bool) -> bool:
        """Return whether this step sounds the alarm."""
        if self._left:
            self._left -= 1
            return False
        self._left = self.steps if novel else 0
        return novel


_MAX_NORMAL_STEPS = 20_000
"""Newest normal steps that are used."""
_STEPS_AT_ONCE = 256
"""Steps at a time."""


def run_in(
    model: Model, config: StreamConfig, values: Float[np.ndarray, "C T"]
) -> tuple[Stream, Float32[np.ndarray, "n D"]]:
    """Start a stream on normal steps until its memory is full, and embed all of them once more.

    A stream that begins has nothing before its first step, which marks its embeddings for as long
    as it reaches back. Normal steps and those to be judged are comparable only when none of them
    does. Of the values, NaN where missing, the newest 20,000 count.

    Returns:
        The stream, which goes on behind the last of the steps, and their embeddings.

    Raises:
        SeriesError: a model of whole series without a window: its vectors never settle.
        StreamError: the model cannot be streamed so.
    """
    stream, values = model.stream(*config), values[:, -_MAX_NORMAL_STEPS:]
    if config.window is None and not stream.of_steps:
        raise SeriesError(
            "got a model of whole series, wanted one with a token a step: give a --window, "
            "which is a series of its own at each step"
        )
    lead = np.arange(-stream.reach, 0) % values.shape[1]
    for start in range(0, len(lead), _STEPS_AT_ONCE):
        stream.update(values[:, lead[start : start + _STEPS_AT_ONCE]])
    starts = range(0, values.shape[1], _STEPS_AT_ONCE)
    rows = [stream.update(values[:, start : start + _STEPS_AT_ONCE]) for start in starts]
    return stream, np.concatenate(rows)


def concatenate_normal(model: Model, series: SeriesSet) -> Float[np.ndarray, "C T"]:
    """Return all steps of normal series, one after the other, NaN where missing."""
    matched = match_channels(series, model.channels)
    parts = [matched.series(i).astype(np.float64) for i in range(len(matched))]
    return np.concatenate(parts, axis=1)
