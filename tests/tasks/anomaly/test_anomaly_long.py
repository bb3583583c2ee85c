"""Long recordings: work and memory grow no faster than they do, and no distance is too small."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import selftime as st
from selftime.tasks.anomaly import detect as anomalies
from selftime.tasks.anomaly.oddness import odd_steps
from selftime.tasks.anomaly.record import PAIRED, ChannelRecord, standardise
from selftime.tasks.anomaly.scores import SCORES, distances
from selftime.tasks.anomaly.scores.distances import (
    lags_of,
    nearest_windows,
    principal,
    window_profile,
)
from selftime.tasks.anomaly.thresholds import LatestScores


def record(T: int, *, paired: int = 16_000, past_only: bool = False) -> ChannelRecord:
    """Noisy waves whose form changes every 500 steps; one is cut short, and one spoiled."""
    rng = np.random.default_rng(0)
    t, kind = np.arange(T), np.repeat(rng.integers(0, 5, T // 500 + 1), 500)[:T]
    x = np.sin(2 * np.pi * t / 40) + np.sin(2 * np.pi * t * (kind + 2) / 80)
    x = x + 0.1 * rng.normal(size=T)
    x[T // 2 : T // 2 + 60] *= 0.2
    x[3 * T // 4 : 3 * T // 4 + 40] = x[3 * T // 4]
    train = T // 5
    values = standardise(x, train, past_only=past_only)[0]
    return ChannelRecord(values, train, 40, past_only, paired=paired)


class Counted:
    """Counts products of windows by shape instead of computing them."""

    def __init__(self) -> None:
        self.products = 0

    def __call__(self, *arguments):
        *_, nearest, first, stop, rows = arguments
        lags = np.arange(first, min(stop, len(nearest)))
        self.products += int(np.minimum(rows, len(nearest) - lags).sum())
        np.minimum(nearest, 1.0, out=nearest)


@pytest.mark.parametrize("past_only", [False, True])
def test_products_by_shape_grow_with_the_length(monkeypatch, past_only):
    products = []
    for T in (30_000, 120_000):
        monkeypatch.setattr(distances, "nearest_by_shape", counted := Counted())
        window_profile(record(T, past_only=past_only), 40)
        products.append(counted.products / T)
    assert products[1] < 1.1 * products[0]
    assert 1_000 < products[0] < 8_000  # all pairs are 15,000
    monkeypatch.setattr(distances, "nearest_by_shape", counted := Counted())
    window_profile(record(9_000, past_only=past_only), 40)
    windows = 9_000 - 39
    assert counted.products == (windows - 40) * (windows - 39) // 2  # all pairs


def pairs_of(T: int, monkeypatch: pytest.MonkeyPatch, *, past_only: bool = False) -> float:
    """Compared pairs of windows a step, of one score and of steps that are odd."""
    found = 0
    plain = distances._Windows.nearest

    def nearest(self, rows, among):
        nonlocal found
        found += len(rows) * len(among)
        return plain(self, rows, among)

    with monkeypatch.context() as patch:
        patch.setattr(distances._Windows, "nearest", nearest)
        r = record(T, paired=3200, past_only=past_only)
        SCORES["statistics"](r)
        odd_steps(r)
    return found / T


@pytest.mark.parametrize("past_only", [False, True])
def test_pairs_by_vectors_grow_with_the_length(monkeypatch, past_only):
    few, many = (pairs_of(T, monkeypatch, past_only=past_only) for T in (8_000, 32_000))
    assert 5 < few < 80 and many < 1.1 * few


def test_windows_of_a_long_recording_leave_no_step_out():
    for T in (PAIRED + 1, 10 * PAIRED):
        for width in (32, 300):
            starts = ChannelRecord(np.zeros(T), T // 5, width).starts(width)
            assert width // 8 <= np.diff(starts).max() <= width // 4
            assert starts[-1] + width > T - width // 4
    few = ChannelRecord(np.zeros(PAIRED), 100, 32).starts(32)
    assert len(few) <= 4000  # as it was


def test_lags_are_all_of_them_or_near_ones_and_some_of_each_range():
    assert lags_of(record(9_000), 40).tolist() == list(range(40, 8961, 512))
    lags = lags_of(record(50_000), 40)
    assert lags[:3].tolist() == [40, 552, 1064] and lags[-1] + 512 <= 50_000 - 39
    assert (np.diff(lags) >= 512).all()
    assert np.diff(lags).max() < 2 * (50_000 - 1_576) / 3 + 512


def test_no_distance_by_shape_is_too_small_and_the_farthest_are_exact():
    r = record(20_000)
    found, exact = window_profile(r, 40), window_profile(replace(r, paired=20_000), 40)
    assert (found > exact - 1e-6).all() and (found > exact + 1e-3).any()
    far = np.argsort(found)[-50:]
    np.testing.assert_allclose(found[far], exact[far], atol=1e-6)
    assert found.argmax() == exact.argmax()


@pytest.mark.parametrize("normal", [False, True])
def test_no_distance_of_vectors_is_too_small_and_the_farthest_are_exact(normal):
    r = record(12_000, paired=9600)
    starts, windows = r.cut(40)
    vectors = principal(windows, np.ones(len(starts), bool), most=8)
    found, places = nearest_windows(vectors, starts, 40, r, normal=normal)
    whole = replace(r, paired=12_000)
    exact, wanted = nearest_windows(vectors, starts, 40, whole, normal=normal)
    assert (found > exact - 1e-9).all()
    assert normal or (found > exact + 1e-3).any()
    far = np.argsort(found)[-10:]
    np.testing.assert_array_equal(places[far], wanted[far])
    gaps = np.linalg.norm(vectors[places] - vectors, axis=1)
    np.testing.assert_allclose(found, gaps, atol=1e-3)  # float32
    if normal:
        assert (starts[places] + 40 <= r.train).all()
    assert (np.abs(starts[places] - starts) >= 40).all()


@pytest.mark.parametrize("name", ["matrix profile", "window kNN"])
def test_past_only_scores_of_long_recordings_do_not_change_with_the_future(name):
    r = record(20_000, past_only=True)
    changed = r.values.copy()
    changed[12_000:] = 50 * np.random.default_rng(1).normal(size=8_000)
    whole, other = SCORES[name](r), SCORES[name](replace(r, values=changed))
    np.testing.assert_allclose(other[:12_000], whole[:12_000], atol=1e-6)
    assert not np.allclose(other[12_000:], whole[12_000:])


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
def test_a_long_recording_has_the_alarms_of_one_compared_in_full(monkeypatch, past_only):
    x = record(20_000).values[None]
    plain, spans = anomalies.record_of, []
    for paired in (20_000, 8_000):
        monkeypatch.setattr(
            anomalies, "record_of", lambda *args, n=paired: replace(plain(*args), paired=n)
        )
        recipe = anomalies.Scoring(past_only=past_only)
        found = anomalies.score_recording(x, 4_000, recipe=recipe).judge(4_000, 0.01, None)
        spans.append([(a.start, a.stop) for a in found.alarms])
        for step in (10_030, 15_020):
            assert any(start - 60 <= step < stop + 60 for start, stop in spans[-1])
    assert len(spans[1]) < len(spans[0]) + 6


@pytest.mark.late
def test_memory_grows_with_the_length(monkeypatch):
    plain = anomalies.record_of
    monkeypatch.setattr(anomalies, "record_of", lambda *args: replace(plain(*args), paired=3200))
    peaks = []
    for T in (10_000, 40_000):
        x = record(T).values[None]
        tracemalloc.start()
        anomalies.score_recording(x, T // 5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4 * peaks[0] and peaks[1] < 40_000 * 3 * anomalies._BYTES_A_STEP


def test_scores_in_order_move_a_block_at_most():
    latest = LatestScores(np.arange(40_000.0), 40_000)
    assert latest._blocks.shape == (201, 402)
    latest.add(np.array([0.5, 5e4]))
    assert len(latest) == 40_000 and latest[0] == 0.5 and latest[-1] == 5e4
    assert latest[20_000] == 20_001


class Shown:
    """Progress that keeps what it was told, and is tired of it after some calls."""

    def __init__(self, most: int) -> None:
        self.calls, self.most = [], most

    def __call__(self, what: str, done: int, of: int, detail: str = "") -> None:
        self.calls.append((what, done, of))
        if len(self.calls) == self.most:
            raise KeyboardInterrupt


def test_detection_tells_how_far_it_is():
    x = [np.sin(np.arange(n) / 7)[None] for n in (1200, 300)]
    st.detect(x, progress=(show := Shown(10**6)))
    assert {what for what, _, _ in show.calls} == {"scoring timepoints"}
    done = [step for _, step, _ in show.calls]
    assert done == sorted(done) and done[-1] == 1500 and {of for *_, of in show.calls} == {1500}
    assert len(set(done)) > 2 * len(anomalies.DEFAULT_MEMBERS)  # within the matrix profile too
    detector = st.AnomalyDetector(progress=(show := Shown(10**6))).fit(x[0])
    detector.score(x[1])
    assert show.calls[-1] == ("scoring timepoints", 1500, 1500)


def test_detection_ends_where_it_is_interrupted():
    with pytest.raises(KeyboardInterrupt):
        st.detect(np.sin(np.arange(2000) / 7)[None, None], progress=Shown(4))
