"""Metrics of anomaly detection beside plain loops written from their definitions."""

import math

import numpy as np
import pytest

from selftime.tasks.anomaly import metrics


def labels_of(T: int, *spans: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(T, bool)
    for start, stop in spans:
        labels[start:stop] = True
    return labels


CASES = [
    (labels_of(60, (20, 30)), 8),
    (labels_of(60, (0, 4), (55, 60)), 9),  # at both ends
    (labels_of(80, (20, 25), (29, 33), (60, 61)), 12),  # two whose surroundings overlap
    (labels_of(300, (100, 140), (200, 210)), 5),  # more steps than thresholds
    (labels_of(40, (10, 20)), 0),
]


def spans_by_loop(labels: np.ndarray) -> list[tuple[int, int]]:
    """First and last step of each anomaly."""
    spans, start = [], None
    for t in range(len(labels) + 1):
        inside = t < len(labels) and labels[t]
        if inside and start is None:
            start = t
        if not inside and start is not None:
            spans.append((start, t - 1))
            start = None
    return spans


def soft_by_loop(labels: np.ndarray, width: int) -> list[float]:
    soft = [float(label) for label in labels]
    for first, last in spans_by_loop(labels):
        for t in range(len(labels)):
            away = max(first - t, t - last)
            if 1 <= away <= width // 2:
                soft[t] += math.sqrt(1 - away / width)
    return [min(value, 1.0) for value in soft]


def parts_by_loop(labels: np.ndarray, buffer: int) -> list[tuple[int, int]]:
    """Anomalies with their surroundings, first and last step, joined where they meet."""
    parts: list[tuple[int, int]] = []
    previous = None
    for first, last in spans_by_loop(labels):
        begin = max(first - buffer // 2, 0)
        end = min(last + buffer // 2, len(labels) - 1)
        if previous is not None and previous + buffer // 2 >= first - buffer // 2:
            begin = parts.pop()[0]
        parts.append((begin, end))
        previous = last
    return parts


def vus_pr_by_loop(labels: np.ndarray, scores: np.ndarray, buffer: int, levels: int) -> float:
    T = len(labels)
    falling = sorted(scores.tolist(), reverse=True)
    volume = 0.0
    for width in range(buffer + 1):
        soft, area, last_recall = soft_by_loop(labels, width), 0.0, 0.0
        for k in range(levels):
            threshold = falling[int(k * (T - 1) / (levels - 1))]
            hits, wanted, detected = 0.0, 0.0, 0
            for t in range(T):
                if scores[t] >= threshold:
                    detected += 1
                    hits += soft[t]
                if labels[t]:
                    wanted += 1
                elif scores[t] >= threshold:
                    wanted += soft[t] / 2
            parts = parts_by_loop(labels, buffer)
            found = sum(max(scores[a : b + 1]) >= threshold for a, b in parts)
            recall = min(hits / wanted, 1.0) * found / len(parts)
            area += (recall - last_recall) * hits / detected
            last_recall = recall
        volume += area
    return volume / (buffer + 1)


@pytest.mark.late
@pytest.mark.parametrize(("labels", "buffer"), CASES)
@pytest.mark.parametrize("rounded", [False, True])  # with ties
def test_vus_pr_is_what_plain_loops_give(labels, buffer, rounded):
    rng = np.random.default_rng(len(labels) + buffer)
    scores = rng.normal(size=len(labels)) + 1.5 * np.convolve(labels, np.ones(7) / 7, "same")
    scores = np.round(scores) if rounded else scores
    wanted = vus_pr_by_loop(labels, scores, buffer, metrics.THRESHOLD_COUNT)
    assert metrics.vus_pr(labels, scores, buffer) == pytest.approx(wanted, rel=1e-12)


def test_vus_pr_of_a_case_worked_by_hand():
    """Width 0 alone: 2 anomalous of 4 steps, found first and third: 1/2 · 1 + 1/2 · 2/3."""
    labels, scores = labels_of(4, (0, 1), (2, 3)), np.array([4.0, 3.0, 2.0, 1.0])
    recall_counts_halves = 1 / 2 * 1 / 2 * 1  # one of two anomalies: recall 1/2 times share 1/2
    assert metrics.vus_pr(labels, scores, 0) == pytest.approx(recall_counts_halves + 3 / 4 * 2 / 3)


def test_vus_pr_is_low_for_noise_and_high_for_the_labels():
    labels = labels_of(2000, (500, 600))
    noise = np.random.default_rng(0).normal(size=2000)
    assert metrics.vus_pr(labels, noise, 50) < 0.15
    assert metrics.vus_pr(labels, metrics.soft_labels(labels, 50), 50) > 0.95


def f1_by_loop(labels: np.ndarray, scores: np.ndarray) -> float:
    best = 0.0
    for threshold in scores:
        hits = sum(bool(y) and s >= threshold for y, s in zip(labels, scores, strict=True))
        detected = sum(s >= threshold for s in scores)
        best = max(best, 2 * hits / (detected + labels.sum()))
    return best


def ap_by_loop(labels: np.ndarray, scores: np.ndarray) -> float:
    area, last = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        hits = sum(bool(y) and s >= threshold for y, s in zip(labels, scores, strict=True))
        recall = hits / labels.sum()
        area += (recall - last) * hits / sum(s >= threshold for s in scores)
        last = recall
    return area


@pytest.mark.parametrize("digits", [0, 8])
def test_auc_pr_and_best_f1_are_what_plain_loops_give(digits):
    rng = np.random.default_rng(digits)
    labels = labels_of(90, (10, 25), (60, 64))
    scores = np.round(rng.normal(size=90) + labels, digits)
    assert metrics.auc_pr(labels, scores) == pytest.approx(ap_by_loop(labels, scores), rel=1e-12)
    assert metrics.best_f1(labels, scores) == pytest.approx(f1_by_loop(labels, scores), rel=1e-12)


@pytest.mark.parametrize(
    ("highest", "found"), [(399, False), (400, True), (505, True), (609, True), (610, False)]
)
def test_the_ucr_rule_allows_100_steps(highest, found):
    scores = np.zeros(1000)
    scores[highest] = 1.0
    assert metrics.ucr_hit(labels_of(1000, (500, 510)), scores) is found


@pytest.mark.parametrize(
    ("highest", "found"), [(249, False), (250, True), (849, True), (850, False)]
)
def test_the_ucr_rule_allows_the_length_of_long_anomalies(highest, found):
    scores = np.zeros(1000)
    scores[highest] = 1.0
    assert metrics.ucr_hit(labels_of(1000, (450, 650)), scores) is found


def test_a_random_score_looks_good_once_points_are_adjusted():
    """Why point-adjusted F1 is not offered: noise reaches 0.9 with it and 0.2 without."""
    labels = labels_of(10_000, (2000, 2500), (6000, 6500))
    scores = np.random.default_rng(0).normal(size=10_000)
    adjusted = scores.copy()
    for start, stop in metrics.spans_of(labels):
        adjusted[start:stop] = scores[start:stop].max()
    assert metrics.best_f1(labels, adjusted) > 0.9
    assert metrics.best_f1(labels, scores) < 0.2


@pytest.mark.parametrize("measure", [metrics.auc_pr, metrics.best_f1, metrics.ucr_hit])
def test_labels_must_be_of_both_kinds_and_scores_finite(measure):
    with pytest.raises(ValueError, match="got 0 anomalous steps of 9, wanted some of each kind"):
        measure(np.zeros(9, bool), np.zeros(9))
    with pytest.raises(ValueError, match="not finite, wanted a number per step"):
        measure(labels_of(9, (2, 4)), np.full(9, np.nan))


def test_the_ucr_rule_is_for_one_anomaly():
    with pytest.raises(ValueError, match="got 2 anomalies, wanted one"):
        metrics.ucr_hit(labels_of(9, (1, 2), (5, 6)), np.zeros(9))
