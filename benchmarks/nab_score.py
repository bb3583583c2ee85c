"""The NAB score: early detections count more, and one threshold must do for all files.

Lavin & Ahmad 2015, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly
Benchmark", ICMLA, section II. Only scores that know of no later step may be judged by it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.tasks.anomaly.metrics import StepLabels, StepScores, spans_of

Files = Sequence[Bool[np.ndarray, " _"]]
"""Labels of files of any lengths."""
FileScores = Sequence[Float[np.ndarray, " _"]]
PROBATION, LONGEST = 0.15, 750
"""Share of a file from which a detector may learn, and steps of it at most; nothing counts there.
"""


class Profile(NamedTuple):
    """What mistakes cost, where the earliest possible detection of an anomaly brings 1.

    Attributes:
        false_alarm: each detection far from any anomaly (A_FP).
        missed: each anomaly without a detection (A_FN).
    """

    false_alarm: float
    missed: float


PROFILES = {
    "standard": Profile(0.11, 1.0),
    "reward low FP": Profile(0.22, 1.0),
    "reward low FN": Profile(0.11, 2.0),
}
"""The weights that NAB's scorer is published with."""


def probation_of(steps: int) -> int:
    """Steps at the beginning of a file that are not judged."""
    return min(int(PROBATION * steps), LONGEST)


def nab_score(labels: Files, scores: FileScores, profile: Profile = PROFILES["standard"]) -> float:
    """The score of a corpus, at the threshold that is best for all of it.

    0 is a detector that never detects anything, 100 one that detects nothing but the first step of
    each anomaly. A threshold that is never reached is one of those compared, so it is never less.

    Args:
        labels: of each file, True within anomaly windows.
        scores: of each file, in one unit for all; a step is detected if its score reaches the
            threshold.
        profile: what mistakes cost.

    Raises:
        ValueError: no anomaly after the probation of any file, or scores that are not finite.
    """
    check_corpus(labels, scores)
    files = [gains_of(*file, profile) for file in zip(labels, scores, strict=True)]
    heights, gains = np.concatenate(files, axis=1)
    order = np.argsort(-heights, kind="stable")
    last = np.append(np.diff(heights[order]) != 0, True)  # steps of equal score come together
    best = max(np.cumsum(gains[order])[last].max(), 0.0)
    return float(100 * best / ((1 + profile.missed) * sum(map(windows_in, labels))))


def gains_of(labels: StepLabels, scores: StepScores, profile: Profile) -> Float[np.ndarray, "2 N"]:
    """What a falling threshold adds to the sum of a file: at which score, and how much.

    A step outside of windows adds its cost. Of a window the earliest detection alone counts: its
    highest score first makes up for having missed it, then each earlier step that is higher than
    those before it replaces what was counted.
    """
    first, worth = probation_of(len(labels)), worth_of(labels, profile)
    outside = first + np.flatnonzero(~labels[first:])
    parts = [np.stack([scores[outside], worth[outside]])]
    for start, stop in spans_of(labels):
        inside = np.arange(max(start, first), stop)
        highest = np.maximum.accumulate(np.append(-np.inf, scores[inside]))
        ahead = inside[np.diff(highest) > 0][::-1]
        if len(ahead):
            parts.append(np.stack([scores[ahead], np.diff(worth[ahead], prepend=-profile.missed)]))
    return np.concatenate(parts, axis=1)


def worth_of(labels: StepLabels, profile: Profile) -> Float[np.ndarray, "T"]:
    """What a detection at each step brings or costs.

    Within a window σ(y) / σ(−1) with σ(y) = 2 / (1 + e⁵ʸ) − 1, where y runs from −1 at its first
    step to 0 after its last; behind it A_FP σ(y), where y is the distance from its last step in
    lengths of the window; before the first window −A_FP (section II, the scoring function).
    """
    steps, worth = np.arange(len(labels)), np.full(len(labels), -profile.false_alarm)
    for start, stop in spans_of(labels):
        after, length = steps[stop:] - stop + 1, max(stop - start - 1, 1)
        worth[stop:] = profile.false_alarm * sigmoid(after / length)
        worth[start:stop] = sigmoid((steps[start:stop] - stop) / (stop - start)) / sigmoid(-1.0)
    return worth


def sigmoid(y: float | Float[np.ndarray, "T"]) -> Float[np.ndarray, "..."]:
    """2 / (1 + e⁵ʸ) − 1: nearly 1 at −1, 0 at 0, nearly −1 from 1 on."""
    return np.asarray(2 / (1 + np.exp(5 * np.minimum(y, 100.0))) - 1)


def windows_in(labels: StepLabels) -> int:
    """Anomaly windows that do not lie within the probation."""
    return int((spans_of(labels)[:, 1] > probation_of(len(labels))).sum())


def check_corpus(labels: Files, scores: FileScores) -> None:
    """There must be something to be found, and a finite score a step.

    Raises:
        ValueError: otherwise.
    """
    if not any(map(windows_in, labels)):
        raise ValueError(
            f"got {len(labels)} files without an anomaly after their probation (the first 15 %, "
            f"{LONGEST} steps at most), wanted one at least: add files with anomalies"
        )
    if not all(np.isfinite(file).all() for file in scores):
        raise ValueError("scores hold values that are not finite, wanted a number a step: fix them")
