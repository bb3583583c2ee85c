"""Novelty of a step: how far its embedding is from those of normal steps, and when to alarm."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from sklearn.covariance import ledoit_wolf

from selftime.data.principal import principal_axes
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.engine.streaming.stream import Stream, StreamConfig
from selftime.tasks.anomaly.thresholds import UPDATE_EVERY, AdaptiveThreshold

_Embeddings = Float[np.ndarray, "n D"]
"""Embeddings of steps."""
Distances = Float[np.ndarray, " n"]
"""How far steps are from normal ones."""
Distance = Literal["mahalanobis", "nearest"]
"""How far from normal: from the middle of normal steps, or from those most like it."""
_CALIBRATION_PART = 3
"""One in so many normal steps sets the threshold; distances are fitted on those before."""


class StepJudgement(NamedTuple):
    """What is said of a step.

    Attributes:
        score: its distance in units of the threshold: above 1 is novel.
        p: conformal p-value: at most this share of normal steps is as far or farther.
        novel: whether it is farther than the threshold.
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
        distance: from embeddings (n,D) to how far they are (n,).
        calibration: (n,) distances of normal steps, in the order of time.
        threshold: above it a step is novel.
    """

    distance: Callable[[_Embeddings], Distances]
    calibration: Distances
    threshold: float

    def __call__(
        self, vector: Float[np.ndarray, " D"], threshold: float | None = None
    ) -> StepJudgement:
        """The judgement of one embedding, at another threshold if given; never NaN."""
        limit = self.threshold if threshold is None else threshold
        found = float(self.distance(_finite_rows(vector[None]))[0])
        as_far = int((self.calibration >= found).sum())
        p = (1 + as_far) / (len(self.calibration) + 1)
        return StepJudgement(found / limit, p, found > limit)


_MIN_THRESHOLD = 1e-3
"""Least threshold, where normal steps are all alike, in units of their deviation."""


def fit_novelty(
    rows: _Embeddings, *, rate: float = 0.01, distance: Distance = "mahalanobis"
) -> Novelty:
    """What judges new steps, from the embeddings of normal ones in the order of time.

    Args:
        rows: embeddings of normal steps; the last third of them sets the threshold.
        rate: promised share of normal steps that are taken for novel.
        distance: how far from normal a step is.

    Raises:
        SeriesError: a rate that is none, or too few steps to promise it.
    """
    check_normal_steps(len(rows), rate)
    first = len(rows) - len(rows) // _CALIBRATION_PART
    measure = DISTANCES[distance](_finite_rows(rows[:first]))
    calibration = measure(_finite_rows(rows[first:]))
    place = min(math.ceil((len(calibration) + 1) * (1 - rate)), len(calibration))
    threshold = max(float(np.sort(calibration)[place - 1]), _MIN_THRESHOLD)
    return Novelty(distance=measure, calibration=calibration, threshold=threshold)


def check_normal_steps(steps: int, rate: float) -> None:
    """So many normal steps can promise this rate: a third of them set the threshold.

    Raises:
        SeriesError: a rate that is none, or too few steps.
    """
    if not 0 < rate < 1:
        raise SeriesError(f"got rate {rate}, wanted a share between 0 and 1, such as 0.01")
    wanted = _CALIBRATION_PART * (math.ceil(1 / rate) - 1)
    if steps < wanted:
        raise SeriesError(
            f"got {steps} normal steps, wanted at least {wanted} to "
            f"promise a rate of {rate}: give more of them (--normal, --learn), or a higher rate"
        )


def _finite_rows(rows: _Embeddings) -> _Embeddings:
    """Embeddings in double precision, finite whatever a model made of them."""
    most = float(np.finfo(np.float32).max)
    return np.nan_to_num(rows.astype(np.float64), nan=most, posinf=most, neginf=-most)


ROUNDING = 1e-4
"""Deviations below this share of the size of embeddings count as that: they are rounding."""


def mahalanobis(rows: _Embeddings) -> Callable[[_Embeddings], Distances]:
    """Distance from the mean in units of the deviation in each direction (Mahalanobis 1936).

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
"""Most normal steps that are kept to compare with, and how many are asked."""


def neighbour_distance(rows: _Embeddings) -> Callable[[_Embeddings], Distances]:
    """Mean distance to the five normal steps most like it, of at most 2,000 spread over all.

    In units of the root mean square deviation of normal steps.
    """
    bank = rows[np.linspace(0, len(rows) - 1, min(len(rows), BANK)).astype(int)]
    asked = min(_BANK_NEIGHBOURS, len(bank))
    deviation = math.sqrt(max(float(rows.var(axis=0).mean()), least_variance(rows)))

    def measure(new: _Embeddings) -> Distances:
        gaps = np.stack([np.linalg.norm(bank - row, axis=1) for row in new])  # (n,M)
        return np.asarray(np.partition(gaps, asked - 1, axis=1)[:, :asked].mean(axis=1) / deviation)

    return measure


def least_variance(rows: _Embeddings) -> float:
    """What is no more than rounding, squared; above 0."""
    return ROUNDING**2 * max(float(np.square(rows).mean()), ROUNDING**2)


DISTANCES: dict[str, Callable[[_Embeddings], Callable[[_Embeddings], Distances]]] = {
    "mahalanobis": mahalanobis,
    "nearest": neighbour_distance,
}
"""Ways to measure how far from normal a step is, fitted on normal steps."""


SCORE_CAP = 2.0
"""Scores above it are followed as if they were it: a wild step deafens nobody to those after it."""


class AdaptiveNovelty:
    """Judges the steps of a stream in turn, at a threshold that follows what it hears.

    It begins with the threshold of a :class:`Novelty` and from then on makes up for alarms that
    were too many or too few (:class:`~selftime.tasks.anomaly.thresholds.AdaptiveThreshold`), so that a
    series that wanders off slowly keeps the promised share of them.

    Attributes:
        novelty: measures distances.
        threshold: above it a step is novel.
    """

    def __init__(self, novelty: Novelty, rate: float) -> None:
        self.novelty, self.threshold = novelty, novelty.threshold
        self._following, self._heard = AdaptiveThreshold(novelty.calibration, rate), list[float]()

    def __call__(self, vector: Float[np.ndarray, " D"]) -> StepJudgement:
        """The judgement of the next embedding; never NaN, whatever it holds."""
        told = self.novelty(vector, self.threshold)
        self._heard.append(min(told.score, SCORE_CAP) * self.threshold)
        if len(self._heard) == UPDATE_EVERY:
            self._following.follow(np.array(self._heard))
            self.threshold = max(self._following.threshold, _MIN_THRESHOLD)
            self._heard.clear()
        return told


class CoolDown:
    """Lets an alarm through and keeps quiet for some steps after it.

    Attributes:
        steps: how many.
    """

    def __init__(self, steps: int) -> None:
        self.steps, self._left = steps, 0

    def __call__(self, novel: bool) -> bool:
        """Whether this step sounds the alarm."""
        if self._left:
            self._left -= 1
            return False
        self._left = self.steps if novel else 0
        return novel


_MAX_NORMAL_STEPS = 20_000
"""Newest normal steps that are used."""
_STEPS_AT_ONCE = 256
"""Steps at a time."""


class RunIn(NamedTuple):
    """A stream ready to be judged by normal steps.

    Attributes:
        stream: it has seen them all and goes on behind the last.
        rows: (n,D) its embeddings of them.
    """

    stream: Stream
    rows: Float32[np.ndarray, "n D"]


def run_in(model: Model, manner: StreamConfig, values: Float[np.ndarray, "C T"]) -> RunIn:
    """A stream that reads normal steps until its memory is full, and then all of them once more.

    A stream that begins has nothing before its first step, which marks its embeddings for as long
    as it reaches back. Normal steps and those to be judged are alike only when none of them does.

    Args:
        model: what embeds the steps.
        manner: how; of a single stream.
        values: normal steps in the order of time, NaN where missing; the newest 20,000 count.

    Raises:
        SeriesError: a model of whole series without a window: its vectors never settle.
        StreamError: the model cannot be streamed so.
    """
    stream, values = model.stream(*manner), values[:, -_MAX_NORMAL_STEPS:]
    if manner.window is None and not stream.of_steps:
        raise SeriesError(
            "got a model of whole series, wanted one with a token a step: give a --window, "
            "which is a series of its own at each step"
        )
    lead = np.arange(-stream.reach, 0) % values.shape[1]
    for start in range(0, len(lead), _STEPS_AT_ONCE):
        stream.update(values[:, lead[start : start + _STEPS_AT_ONCE]])
    starts = range(0, values.shape[1], _STEPS_AT_ONCE)
    rows = [stream.update(values[:, start : start + _STEPS_AT_ONCE]) for start in starts]
    return RunIn(stream, np.concatenate(rows))


def concatenate_normal(model: Model, series: SeriesSet) -> Float[np.ndarray, "C T"]:
    """All steps of normal series, one after the other, NaN where missing.

    Raises:
        SeriesError: another number of channels than the model was made for.
    """
    steps = model.check(series).steps.T.astype(np.float64)
    return steps if series.observed is None else np.where(series.observed.T, steps, np.nan)
