"""Metrics of scores against labelled anomalies, without adjusting points.

Point-adjusted F1 is left out on purpose: it counts a whole anomaly as found when a single step of
it is, so that random scores reach 0.9 (Kim et al. 2022, "Towards a Rigorous Evaluation of
Time-Series Anomaly Detection", AAAI); docs/anomaly-detection.md shows it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.metrics import average_precision_score, precision_recall_curve

StepLabels = Bool[np.ndarray, "T"]
StepScores = Float[np.ndarray, "T"]
THRESHOLD_COUNT = 250
"""Thresholds at which ranges are judged (TSB-AD; Liu & Paparrizos 2024, NeurIPS)."""
SLACK = 100
"""Steps by which the highest score may miss a short anomaly (Wu & Keogh 2021, TKDE)."""


class Detections(NamedTuple):
    """Steps by falling score, and how many of them reach each of L thresholds, high ones first."""

    order: Int[np.ndarray, "T"]
    counts: Int[np.ndarray, "L"]
    thresholds: Float[np.ndarray, "L"]

    def sums(self, weights: Float[np.ndarray, "T"]) -> Float[np.ndarray, "L"]:
        """Sum a weight over the detected steps."""
        return np.asarray(np.cumsum(weights[self.order])[self.counts - 1])


def spans_of(mask: StepLabels) -> Int[np.ndarray, "K 2"]:
    """Return the first step and one after the last of each run of True."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def vus_pr(labels: StepLabels, scores: StepScores, buffer: int) -> float:
    """Return the volume under the precision-recall surface, by TSB-AD's definition.

    The mean over widths 0 to ``buffer``, usually the period of the series, of :func:`range_ap`
    (Paparrizos et al. 2022, "Volume Under the Surface", VLDB 15, section 4.2; Liu & Paparrizos 2024
    fix 250 thresholds).
    """
    check_scores(labels, scores)
    found = detections(scores)
    share = found_share(buffered_spans(labels, buffer), scores, found.thresholds)
    return float(np.mean([range_ap(labels, w, found, share) for w in range(buffer + 1)]))


def range_ap(
    labels: StepLabels, width: int, found: Detections, share: Float[np.ndarray, "L"]
) -> float:
    """Return average precision with labels that fade out over ``width`` steps around anomalies.

    At each threshold: hits are the sum of soft labels over detected steps; wanted are the anomalous
    steps and half of the detected soft surroundings; recall is hits per wanted, at most 1, times
    the share of anomalies of which any step is detected; precision is hits per detected step.
    Average precision sums precision times the growth of recall.
    """
    soft = soft_labels(labels, width)
    hits = found.sums(soft)
    wanted = labels.sum() + found.sums(np.where(labels, 0.0, soft)) / 2
    recall = np.minimum(hits / wanted, 1.0) * share
    return float(np.diff(recall, prepend=0.0) @ (hits / found.counts))


def soft_labels(labels: StepLabels, width: int) -> Float[np.ndarray, "T"]:
    """Return 1 within anomalies, √(1 − distance / width) up to width // 2, at most 1 in sum."""
    soft = labels.astype(np.float64)
    fade = np.sqrt(1 - np.arange(1, width // 2 + 1) / max(width, 1))
    for start, stop in spans_of(labels):
        after, before = soft[stop : stop + len(fade)], soft[max(start - len(fade), 0) : start]
        after += fade[: len(after)]
        before += fade[: len(before)][::-1]
    return np.minimum(soft, 1.0)


def buffered_spans(labels: StepLabels, buffer: int) -> Int[np.ndarray, "K 2"]:
    """Widen anomalies by half the buffer on either side; those that touch or overlap are one."""
    half, T = buffer // 2, len(labels)
    starts, stops = spans_of(labels).T
    apart = stops[:-1] - 1 + half < starts[1:] - half
    first, last = np.r_[True, apart], np.r_[apart, True]
    return np.stack([np.maximum(starts[first] - half, 0), np.minimum(stops[last] + half, T)], 1)


def found_share(
    parts: Int[np.ndarray, "K 2"], scores: StepScores, thresholds: Float[np.ndarray, "L"]
) -> Float[np.ndarray, "L"]:
    """Return the share of the parts in which some score reaches each threshold."""
    peaks = np.array([scores[start:stop].max() for start, stop in parts])
    return np.asarray((peaks[:, None] >= thresholds).mean(axis=0))


def detections(scores: StepScores, levels: int = THRESHOLD_COUNT) -> Detections:
    """Detect at scores of evenly spaced ranks; steps of equal score come together."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    thresholds = falling[np.linspace(0, len(scores) - 1, levels).astype(np.int64)]
    counts = np.searchsorted(-falling, -thresholds, side="right")
    return Detections(order, counts, thresholds)


def auc_pr(labels: StepLabels, scores: StepScores) -> float:
    """Return average precision of single steps: Σ (Rₖ − Rₖ₋₁) Pₖ over distinct scores."""
    check_scores(labels, scores)
    return float(average_precision_score(labels, scores))


def best_f1(labels: StepLabels, scores: StepScores) -> float:
    """Return F1 of single steps at the best threshold, without adjustment."""
    check_scores(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300)))


def ucr_hit(labels: StepLabels, scores: StepScores) -> bool:
    """Return whether the highest score is at the only anomaly or near it (Wu & Keogh 2021).

    Near is as many steps as the anomaly has, and at least 100. Of equal scores the first counts.

    Raises:
        ValueError: several anomalies, or see :func:`check_scores`.
    """
    check_scores(labels, scores)
    spans = spans_of(labels)
    if len(spans) > 1:
        raise ValueError(f"got {len(spans)} anomalies, wanted one: the rule judges no more")
    start, stop = spans[0]
    slack = max(SLACK, stop - start)
    return bool(start - slack <= np.argmax(scores) < stop + slack)


def check_scores(labels: StepLabels, scores: StepScores) -> None:
    """Check that there are anomalies, something else, and finite scores."""
    if labels.all() or not labels.any():
        raise ValueError(
            f"got {labels.sum()} anomalous steps of {len(labels)}, wanted some of each kind: "
            "leave such series out"
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            "scores hold values that are not finite, wanted a number per step: fix them"
        )
