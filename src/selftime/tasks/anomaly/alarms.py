"""Alarms: one definition of the steps that are in alarm, and the spans that they make."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import grey_closing

from selftime.tasks.anomaly.metrics import spans_of
from selftime.tasks.anomaly.thresholds import adaptive_thresholds


class Episode(NamedTuple):
    """A span of anomalous steps that makes one alarm.

    Attributes:
        start: its first step.
        stop: one after its last step.
        peak: the step of the highest score between, among those that are odd by themselves.
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
        """Return the alarm counted from a step on, with the time of its peak."""
        start, stop, peak = self.start - first, self.stop - first, self.peak - first
        time = None if times is None else times[peak]
        return self._replace(start=start, stop=stop, peak=peak, time=time)


class Judged(NamedTuple):
    """The steps that are in alarm, and why.

    Attributes:
        thresholds: (T,) of each step.
        inside: (T,) True where a step is in alarm.
        alarms: their spans, in the order of time.
    """

    thresholds: Float[np.ndarray, "T"]
    inside: Bool[np.ndarray, "T"]
    alarms: list[Episode]


def judge_steps(
    alarming: Float[np.ndarray, "T"],
    channels: Float[np.ndarray, "C T"],
    observed: Bool[np.ndarray, "T"],
    *,
    train: int,
    rate: float,
    cool_down: int,
) -> Judged:
    """Say which steps are in alarm.

    A step is in alarm where its score is above the threshold; between two such steps with fewer
    than ``cool_down`` others between them all are. The share of normal steps that is promised is
    the share of these.

    Args:
        alarming: scores, 0 at steps that are not odd.
        channels: the same of each channel, which names the channel of an alarm.
        observed: False at missing steps, which are neither in alarm nor learned from.
        train: the first steps, which are normal; alarms are sought after them.
        rate: promised share of normal steps in alarm.
        cool_down: quiet steps that end an alarm.
    """
    scores = np.where(observed, alarming, 0.0)
    parts = (scores[:train], scores[train:])
    closed = np.concatenate([bridge_gaps(part, cool_down) for part in parts])
    known = adaptive_thresholds(closed[observed], int(observed[:train].sum()), rate)
    thresholds = known[np.maximum(np.cumsum(observed) - 1, 0)]
    above = closed > thresholds
    after = above & (np.arange(len(above)) >= train)
    spans = [start + np.flatnonzero(observed[start:stop]) for start, stop in spans_of(after)]
    alarms = [_episode(steps, scores, channels) for steps in spans if len(steps)]
    return Judged(thresholds, above & observed, alarms)


def _episode(
    steps: np.ndarray, scores: Float[np.ndarray, "T"], channels: Float[np.ndarray, "C T"]
) -> Episode:
    """Return the alarm that some steps make."""
    peak = int(steps[scores[steps].argmax()])
    channel = int(channels[:, peak].argmax())
    return Episode(int(steps[0]), int(steps[-1]) + 1, peak, float(scores[peak]), channel)


def bridge_gaps(scores: Float[np.ndarray, "T"], width: int) -> Float[np.ndarray, "T"]:
    """Raise gaps of fewer than ``width`` steps to the lower of the scores beside them.

    This is a grey-scale closing: whatever the threshold, the steps above it are those that were,
    and those of shorter gaps between them.
    """
    if width < 2 or len(scores) == 0:
        return scores
    padded = np.pad(scores, width)
    return np.asarray(grey_closing(padded, size=width)[width:-width])


class ChannelScores(NamedTuple):
    """Scores of every channel by itself, and beside the others: how far it departs from them."""

    alone: Float[np.ndarray, "C T"]
    beside: Float[np.ndarray, "C T"]

    @property
    def each(self) -> Float[np.ndarray, "C T"]:
        """The score of each channel."""
        return np.asarray(self.alone + self.beside)

    @property
    def joined(self) -> Float[np.ndarray, "T"]:
        """The score of all: the mean of what they show alone, and the furthest departure."""
        return np.asarray(self.alone.mean(axis=0) + self.beside.max(axis=0))

    def where(
        self, alone: Bool[np.ndarray, "*C T"], beside: Bool[np.ndarray, "*C T"]
    ) -> "ChannelScores":
        """Return the scores at some steps, and 0 elsewhere."""
        return ChannelScores(np.where(alone, self.alone, 0.0), np.where(beside, self.beside, 0.0))


class AnomalyScores(NamedTuple):
    """Scores, 0 or more, higher is more anomalous.

    ``width`` is the longest window of all channels, in steps. ``odd`` are the scores at steps that
    an alarm may lie on, ``observed`` the steps at which some channel has a value.
    """

    found: ChannelScores
    odd: ChannelScores
    width: int
    observed: Bool[np.ndarray, "T"]

    @property
    def scores(self) -> Float[np.ndarray, "T"]:
        """The score of all channels."""
        return self.found.joined

    @property
    def channels(self) -> Float[np.ndarray, "C T"]:
        """The score of each channel."""
        return self.found.each

    def judge(self, train: int, rate: float, cool_down: int | None) -> Judged:
        """Say which steps are in alarm after the first ``train``; see :func:`judge_steps`."""
        wait = self.width if cool_down is None else cool_down
        odd = self.odd
        return judge_steps(
            odd.joined, odd.each, self.observed, train=train, rate=rate, cool_down=wait
        )

    def select(self, steps: Bool[np.ndarray, "T"]) -> "AnomalyScores":
        """Return the scores of some of the steps."""
        found, odd = (
            ChannelScores(*(part[:, steps] for part in each)) for each in (self.found, self.odd)
        )
        return AnomalyScores(found, odd, self.width, self.observed[steps])
