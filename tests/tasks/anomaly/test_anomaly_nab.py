"""The NAB score beside plain loops written from its definition."""

import math

import numpy as np
import pytest
from benchmarks import nab_score as nab
from benchmarks.nab_score import PROFILES, nab_score, probation_of


def labels_of(T: int, *spans: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(T, bool)
    for start, stop in spans:
        labels[start:stop] = True
    return labels


def sigma(y: float) -> float:
    """The paper's (A_TP − A_FP) / (1 + e⁵ʸ) − 1 with 1 and −1."""
    return 2 / (1 + math.exp(min(5 * y, 500))) - 1


def windows_by_loop(labels: np.ndarray) -> list[tuple[int, int]]:
    """First and last step of each window."""
    found = []
    for t in range(len(labels)):
        if labels[t] and (t == 0 or not labels[t - 1]):
            found.append((t, t))
        elif labels[t]:
            found[-1] = (found[-1][0], t)
    return found


def sum_by_loop(labels: np.ndarray, detected: list[bool], costs: nab.Profile) -> float:
    """Σ σ(y) over detections, the earliest of each window alone, and what was missed."""
    first = min(math.floor(0.15 * len(labels)), 750)
    everywhere = windows_by_loop(labels)
    windows = [window for window in everywhere if window[1] >= first]
    caught, total = set(), 0.0
    for t in range(first, len(labels)):
        if not detected[t]:
            continue
        inside = [k for k, (a, b) in enumerate(windows) if a <= t <= b]
        before = [(a, b) for a, b in everywhere if b < t]
        if inside and inside[0] not in caught:
            a, b = windows[inside[0]]
            total += sigma(-(b - t + 1) / (b - a + 1)) / sigma(-1)
            caught.add(inside[0])
        elif not inside and before:
            a, b = before[-1]
            total += costs.false_alarm * sigma((t - b) / max(b - a, 1))
        elif not inside:
            total -= costs.false_alarm
    return total - costs.missed * (len(windows) - len(caught))


def score_by_loop(files: list[tuple[np.ndarray, np.ndarray]], costs: nab.Profile) -> float:
    """The best threshold tried out, set between the null detector and the perfect one."""
    null = sum(sum_by_loop(labels, [False] * len(labels), costs) for labels, _ in files)
    best = null
    for threshold in sorted({s for _, scores in files for s in scores.tolist()}):
        parts = (sum_by_loop(y, [s >= threshold for s in z.tolist()], costs) for y, z in files)
        best = max(best, sum(parts))
    perfect = -null / costs.missed  # 1 for each window
    return 100 * (best - null) / (perfect - null)


FILES = [
    labels_of(200, (60, 80), (140, 150)),
    labels_of(120),  # nothing to be found
    labels_of(160, (5, 9), (20, 40), (159, 160)),  # within, across the probation; at the end
    labels_of(90, (40, 41), (41, 42), (89, 90)),
]


@pytest.mark.late
@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("digits", [0, 8])  # with ties
def test_the_score_is_what_plain_loops_give(name, digits):
    rng = np.random.default_rng(digits)
    scores = [
        np.round(rng.normal(size=len(y)) + 3 * np.convolve(y, np.ones(5) / 5, "same"), digits)
        for y in FILES
    ]
    found = nab_score(FILES, scores, PROFILES[name])
    assert found == pytest.approx(
        score_by_loop(list(zip(FILES, scores, strict=True)), PROFILES[name]), abs=1e-9
    )
    assert found > 5


def test_the_first_steps_alone_are_perfect_and_nothing_is_worth_nothing():
    labels = [labels_of(1000, (300, 400), (700, 750)), labels_of(500)]
    first = [np.diff(y, prepend=False) & y for y in labels]
    assert nab_score(labels, [row.astype(float) for row in first]) == pytest.approx(100)
    assert nab_score(labels, [np.zeros(1000), np.zeros(500)]) == 0


def test_a_case_worked_by_hand():
    """Two of a window's steps found, the earlier of them 40 of 100 steps in; one false alarm."""
    labels, scores = labels_of(1000, (500, 600)), np.zeros(1000)
    scores[[540, 560, 200]] = 1.0
    credit = sigma(-0.6) / sigma(-1)
    standard, low_missed = PROFILES["standard"], PROFILES["reward low FN"]
    assert nab_score([labels], [scores], standard) == pytest.approx(50 * (1 + credit - 0.11))
    assert nab_score([labels], [scores], low_missed) == pytest.approx(100 / 3 * (2 + credit - 0.11))


def test_late_detections_are_worth_less_and_false_ones_just_behind_cost_less():
    worth = nab.worth_of(labels_of(400, (100, 200)), PROFILES["standard"])
    assert worth[100] == pytest.approx(1)
    assert (np.diff(worth[100:300]) < 0).all()
    assert 0 < worth[199] < 0.03 and -0.03 * 0.11 < worth[200] < 0
    assert worth[99] == -0.11 and worth[399] == pytest.approx(-0.11, abs=1e-4)  # e⁻¹⁰ is left


def test_noise_is_worth_little():
    rng = np.random.default_rng(0)
    labels = [labels_of(4000, (2000 + k, 2400 + k)) for k in range(0, 1000, 50)]
    assert nab_score(labels, [rng.uniform(size=4000) for _ in labels]) < 35


@pytest.mark.parametrize(("steps", "wanted"), [(4032, 604), (5000, 750), (22_695, 750), (3, 0)])
def test_the_probation_is_a_share_of_the_file_and_no_more_than_750_steps(steps, wanted):
    assert probation_of(steps) == wanted


def test_what_happens_in_the_probation_counts_for_nothing():
    labels, scores = labels_of(1000, (20, 60), (500, 600)), np.zeros(1000)
    scores[500] = 1.0
    before = nab_score([labels], [scores])
    scores[:150] = 9.0
    assert before == nab_score([labels], [scores]) == pytest.approx(100)


def test_there_must_be_something_to_be_found():
    with pytest.raises(ValueError, match="got 2 files without an anomaly after their probation"):
        nab_score([labels_of(100), labels_of(100, (3, 9))], [np.zeros(100)] * 2)
    with pytest.raises(ValueError, match="not finite, wanted a number a step"):
        nab_score([labels_of(100, (50, 60))], [np.full(100, np.nan)])
