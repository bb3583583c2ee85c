"""Alarms: stretches of steps above the threshold, each with its peak and its channel."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.tasks.anomaly.metrics import spans_of


class Episode(NamedTuple):
    """A stretch of odd steps, told as one alarm.

    Attributes:
        start: its first step.
        stop: one after its last step.
        peak: the step of the highest score.
        score: the score there.
        channel: number of the channel that is oddest there.
    """

    start: int
    stop: int
    peak: int
    score: float
    channel: int


def alarms_in(
    above: Bool[np.ndarray, "T"], channels: Float[np.ndarray, "C T"], cool_down: int
) -> list[Episode]:
    """One alarm for each stretch; stretches with fewer than ``cool_down`` steps between are one."""
    scores = channels.mean(axis=0)
    found = []
    for start, stop in joined(above, cool_down):
        peak = start + int(scores[start:stop].argmax())
        channel = int(channels[:, peak].argmax())
        found.append(Episode(start, stop, peak, float(scores[peak]), channel))
    return found


def joined(above: Bool[np.ndarray, "T"], cool_down: int) -> list[tuple[int, int]]:
    """First step and one after the last of each stretch, short breaks passed over."""
    spans = spans_of(above)
    if len(spans) == 0:
        return []
    apart = spans[1:, 0] - spans[:-1, 1] >= max(cool_down, 1)
    starts, stops = spans[np.r_[True, apart], 0], spans[np.r_[apart, True], 1]
    return list(zip(starts.tolist(), stops.tolist(), strict=True))
