"""Alarms: stretches of odd steps, each with its peak and its channel."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.tasks.anomaly.metrics import spans_of


class Episode(NamedTuple):
    """A stretch of odd steps, told as one alarm.

    Attributes:
        start: its first step, at which the score rises above its threshold.
        stop: the step at which the score is back at that threshold.
        peak: the step of the highest score between.
        score: the score there.
        channel: number of the channel that is oddest there.
    """

    start: int
    stop: int
    peak: int
    score: float
    channel: int


def find_alarms(
    channels: Float[np.ndarray, "C T"], thresholds: Float[np.ndarray, "T"], cool_down: int
) -> list[Episode]:
    """One alarm for each stretch; stretches with fewer than ``cool_down`` steps between are one.

    A threshold that follows the scores may overtake them before they fall, so a stretch lasts
    until they are back at the threshold that raised the alarm.

    Args:
        channels: scores of the channels; their mean is compared with the thresholds.
        thresholds: of every step.
        cool_down: quiet steps that end an alarm.
    """
    scores = channels.mean(axis=0)
    lasting = np.zeros(len(scores), bool)
    for start, stop in spans_of(scores > thresholds).tolist():
        back = np.flatnonzero(scores[start:] <= thresholds[start])
        lasting[start : max(start + back[0] if len(back) else len(scores), stop)] = True
    found = []
    for start, stop in _join_stretches(lasting, cool_down):
        peak = start + int(scores[start:stop].argmax())
        channel = int(channels[:, peak].argmax())
        found.append(Episode(start, stop, peak, float(scores[peak]), channel))
    return found


def _join_stretches(lasting: Bool[np.ndarray, "T"], cool_down: int) -> list[tuple[int, int]]:
    """First step and one after the last of each stretch, short breaks passed over."""
    spans = spans_of(lasting)
    if len(spans) == 0:
        return []
    apart = spans[1:, 0] - spans[:-1, 1] >= max(cool_down, 1)
    starts, stops = spans[np.r_[True, apart], 0], spans[np.r_[apart, True], 1]
    return list(zip(starts.tolist(), stops.tolist(), strict=True))
