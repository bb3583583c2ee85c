"""Alarms: on the odd steps, at the promised rate, not deafened, the same from every door."""

import csv
import logging

import numpy as np
import pandas as pd
import pyarrow.parquet as arrow_parquet
import pytest
from hypothesis import given
from hypothesis import strategies as some
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.tasks.anomaly.alarms import Episode, bridge_gaps, judge_steps
from selftime.tasks.anomaly.thresholds import (
    BAND,
    CAP,
    MEMORY,
    PACE,
    PATIENCE,
    LatestScores,
    adaptive_thresholds,
    settle_rate,
    threshold_at,
)


def noisy(n: int, k: int) -> np.ndarray:
    waves = np.sin(2 * np.pi * np.arange(n) / 50)
    return waves + np.random.default_rng(k).normal(scale=0.1, size=n)


def spans(alarms) -> list[tuple[int, int]]:
    return [(alarm.start, alarm.stop) for alarm in alarms]


def covered(alarms, steps: int) -> np.ndarray:
    inside = np.zeros(steps, bool)
    for alarm in alarms:
        inside[alarm.start : alarm.stop] = True
    return inside


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
@pytest.mark.parametrize("size", [5.0, 60.0, -1e4])
def test_a_single_odd_step_is_an_alarm_of_a_handful_of_steps(past_only, size):
    x = noisy(2000, 1)
    x[1200] += size
    detector = st.AnomalyDetector(past_only=past_only).fit(noisy(1500, 0))
    above, (alarms,) = detector.predict(x), detector.alarms(x)
    there = [alarm for alarm in alarms if alarm.start <= 1200 < alarm.stop]
    assert len(there) == 1 and above[1200]
    assert there[0].stop - there[0].start <= (8 if past_only else 1)
    assert 1200 <= there[0].peak <= (1207 if past_only else 1200)
    np.testing.assert_array_equal(above, covered(alarms, 2000))
    assert not above[1080:1200].any() and not above[1208:1320].any()


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
def test_alarms_are_as_long_as_what_is_odd(past_only):
    x = noisy(3000, 2)
    x[600:640] += 3.0
    x[1500:1580] = 0.0
    x[2400:2500] = np.sin(np.arange(100) / 4)
    detector = st.AnomalyDetector(past_only=past_only).fit(noisy(1500, 0))
    inside, late = detector.predict(x), 100 if past_only else 62  # 1¼ windows
    for start, stop in ((600, 640), (1500, 1580), (2400, 2500)):
        steps = np.flatnonzero(inside[start - 100 : stop + 200]) + start - 100
        assert len(steps) and steps[0] >= start - 62 and steps[-1] < stop + late
        assert len(steps) > (stop - start) // 4


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
@pytest.mark.parametrize("length", [1, 20, 300])
def test_a_failure_does_not_deafen_to_one_that_is_worse(past_only, length):
    x = noisy(2500, 3)
    x[500 : 500 + length] += 4.0
    x[1800 : 1800 + min(length, 20)] += 8.0
    detector = st.AnomalyDetector(past_only=past_only).fit(noisy(1500, 0))
    inside = detector.predict(x)
    assert inside[500:530].any() and inside[1800:1830].any()
    assert not inside[500 + length + 100 : 1780].all()


exact = {
    "on and off": np.tile(np.r_[np.zeros(25), np.ones(25)], 30),
    **{f"{n} on and off": np.tile(np.r_[np.zeros(n), np.ones(n)], 40) for n in (13, 20, 30)},
    "on and off, short": np.tile(np.r_[np.zeros(3), np.ones(4)], 200),
    "a sine": np.sin(np.arange(1500) * 2 * np.pi / 24),
    "a saw": np.tile(np.arange(10.0), 150),
    "a constant": np.full(1500, 7.1),
}


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
@pytest.mark.parametrize("name", exact)
def test_what_repeats_exactly_raises_no_alarm(name, past_only):
    for x in (exact[name], 1e6 + 0.1 * exact[name]):
        assert st.detect(x[None, None], train_end=600, past_only=past_only).alarms == []
    broken = exact[name].copy()
    broken[1000:1003] += 2.0
    alarms = st.detect(broken[None, None], train_end=600, past_only=past_only).alarms
    late = 16 if past_only else 0  # an eighth of a window at most
    assert any(950 <= a.start <= 1002 + late and 1000 < a.stop <= 1060 for a in alarms)


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
def test_rates_are_kept_on_normal_steps_or_refused(past_only):
    shares = {0.1: [], 0.2: [], 0.3: [], 0.5: []}
    for k in range(3):
        normal, new = noisy(2000, k), noisy(4000, 100 + k)
        for rate, found in shares.items():
            detector = st.AnomalyDetector(rate=rate, past_only=past_only).fit(normal)
            found.append(detector.predict(new).mean())
    for rate, found in shares.items():
        assert rate / 1.5 < np.mean(found) < rate * 1.5, (rate, found)
    for rate, wanted in ((0.01, "20,000"), (0.0001, "2,000,000")):
        with pytest.raises(ValueError, match=f"got 2,000 normal steps, wanted about {wanted} to"):
            st.AnomalyDetector(rate=rate).fit(normal)


def test_a_default_that_cannot_be_promised_is_said(caplog):
    assert settle_rate(0.02, 10_000, 50) == (0.02, ())
    rate, (note,) = settle_rate(None, 1500, 50)
    assert rate == 0.01 and note.startswith("1,500 normal steps are too few to promise")
    with pytest.raises(ValueError, match="a rate of 0.134 or more, or leave it out for"):
        settle_rate(0.1, 1500, 50)
    with pytest.raises(ValueError, match="give more normal steps, or leave it"):
        settle_rate(0.1, 30, 50)
    with caplog.at_level(logging.WARNING):
        detector = st.AnomalyDetector().fit(noisy(300, 0))
    assert detector.rate_ == 0.01 and "300 normal steps are too few" in caplog.text


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
def test_missing_steps_are_neither_scored_nor_in_alarm(past_only):
    x = noisy(900, 4)
    x[600:640] += 4.0
    missing = np.random.default_rng(0).random(900) < 0.16
    missing[610:615] = True
    x[missing] = np.nan
    detector = st.AnomalyDetector(past_only=past_only).fit(noisy(800, 0))
    scores, inside, (alarms,) = detector.score(x), detector.predict(x), detector.alarms(x)
    assert np.isfinite(scores).all() and (scores[missing] == 0).all()
    assert not inside[missing].any() and inside[600:650].any()
    np.testing.assert_array_equal(inside, covered(alarms, 900) & ~missing)
    assert not any(missing[[a.start, a.stop - 1, a.peak]].any() for a in alarms)
    found = st.detect(x[None, None], train_end=400, past_only=past_only)
    column = found.to_columns()["score"].to_pylist()
    assert [score is None for score in column] == missing.tolist()


gaps = some.lists(some.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 3.0]), max_size=40)


@given(gaps, some.integers(1, 12), some.sampled_from([0.5, 1.0, 1.5, 2.5]))
def test_bridging_joins_what_is_above_any_threshold(values, width, threshold):
    x = np.array(values)
    wanted = x > threshold
    at = np.flatnonzero(wanted)
    for a, b in zip(at[:-1], at[1:], strict=True):
        if b - a - 1 < width:
            wanted[a:b] = True
    np.testing.assert_array_equal(bridge_gaps(x, width) > threshold, wanted)


def calm(n: int, k: int = 0) -> np.ndarray:
    return np.random.default_rng(k).exponential(size=n)


def test_steps_channels_and_peaks_of_alarms():
    scores = np.r_[calm(500), np.zeros(40)]
    scores[510:513], scores[516], scores[530] = [20, 40, 30], 35, 25
    channels = np.stack([0.5 * scores, 1.5 * scores])
    seen = np.ones(540, bool)
    seen[514:516] = False
    found = judge_steps(scores, channels, seen, train=500, rate=0.01, cool_down=4)
    assert found.alarms == [Episode(510, 517, 511, 40.0, 1), Episode(530, 531, 530, 25.0, 1)]
    assert np.flatnonzero(found.inside[500:]).tolist() == [10, 11, 12, 13, 16, 30]
    apart = judge_steps(scores, channels, seen, train=500, rate=0.01, cool_down=1).alarms
    assert spans(apart) == [(510, 513), (516, 517), (530, 531)]


@given(some.floats(1.0, 1e6), some.integers(1, 2000), some.floats(1.01, 10), some.integers(0, 5))
def test_a_score_above_all_before_it_is_an_alarm(size, length, factor, seed):
    """Whatever failed for however long: what is odder than all of it is heard."""
    scores = np.r_[calm(400, seed), calm(50, seed + 9), np.full(length, 10 + size), calm(100, 99)]
    scores = np.append(scores, factor * (10 + size))
    thresholds = adaptive_thresholds(scores, 400, 0.05)
    assert scores[-1] > thresholds[-1]
    lasting = scores[450 : 450 + min(length, PATIENCE - 8)] > thresholds[450:][: min(length, 492)]
    assert lasting.all()


def test_thresholds_move_as_the_plain_loop_says():
    scores = np.r_[calm(400), calm(100, 1), 30 + calm(20, 2), calm(100, 3)]
    heard, level, first = scores[:400].tolist(), 0.1, threshold_at(scores[:400], 0.1)
    wanted, current, limit = [first] * 400, first, None
    for start in range(400, 620, 8):
        block = scores[start : start + 8]
        wanted += [current] * len(block)
        above = block > current
        level += PACE * 0.1 * (0.1 * len(block) - above.sum())
        level = min(max(level, 0.1 / BAND), 0.1 * BAND)
        limit = (limit or CAP * current) if above.any() else None
        limit = min(limit, CAP * current) if limit else None
        heard += np.minimum(block, limit or np.inf).tolist()
        current = min(threshold_at(np.array(heard[-MEMORY:]), level), max(first, *heard))
    np.testing.assert_allclose(adaptive_thresholds(scores, 400, 0.1), wanted)


@pytest.mark.parametrize("rising", [False, True])
def test_the_latest_scores_are_remembered(rising):
    scores = np.random.default_rng(0).integers(0, 30, size=1900) / 10.0  # with many ties
    scores = np.sort(scores) if rising else scores
    latest = LatestScores(scores[:500], 700)
    for stop in [*range(508, 1900, 8), 1900]:
        latest.add(scores[max(stop - 8, 500) : stop])
        wanted = np.sort(scores[max(stop - 700, 0) : stop])
        np.testing.assert_array_equal(latest, wanted)
        assert len(latest) == len(wanted)
        assert [latest[0], latest[123], latest[-1]] == wanted[[0, 123, -1]].tolist()


def test_alarms_are_written_with_times_in_their_types(tmp_path):
    x = {7: noisy(700, 0), 3: noisy(650, 1)}
    x[7][500], x[3][400] = 30, 30
    times = {id: pd.date_range("2024-03-20", periods=len(row), freq="h") for id, row in x.items()}
    parts = [pd.DataFrame({"id": k, "ds": times[k], "value": row}) for k, row in x.items()]
    pd.concat(parts).to_csv(tmp_path / "in.csv", index=False)
    words = [str(tmp_path / "in.csv"), "--out", str(tmp_path / "s.csv"), "--train-end", "300"]
    for name in ("alarms.csv", "alarms.parquet"):
        more = ["--alarms", str(tmp_path / name), "--force"]
        told = CliRunner().invoke(app, ["detect", *words, *more])
        assert told.exit_code == 0, told.output
    assert "too few to promise" in told.stderr and "alarms: " in told.stdout
    rows = list(csv.DictReader((tmp_path / "alarms.csv").read_text().splitlines()))
    names = ["id", "start", "end", "peak", "start_step", "end_step", "peak_step", "score"]
    assert list(rows[0]) == [*names, "channel"]
    wild = {int(row["id"]): row for row in rows if float(row["score"]) > 20}
    assert {id: int(row["peak_step"]) for id, row in wild.items()} == {7: 500, 3: 400}
    assert {int(row["end_step"]) - int(row["start_step"]) for row in wild.values()} == {0}
    assert pd.Timestamp(wild[3]["start"]) == times[3][400] and wild[3]["channel"] == "value"
    table = arrow_parquet.read_table(tmp_path / "alarms.parquet")
    assert str(table.schema.field("peak").type).startswith("timestamp")
    found = st.detect(pd.concat(parts), train_end=300)
    assert [len(part.alarms) for part in found.parts] != [0, 0]
    assert found.alarm_columns()["peak_step"].tolist() == [int(row["peak_step"]) for row in rows]
    for part in found.parts:
        assert part.alarm_columns()["start_step"].tolist() == [a.start for a in part.alarms]
    quiet = st.detect(np.ones((1, 1, 90)), train_end=40).alarm_columns()
    assert all(len(column) == 0 for column in quiet.values()) and "start" not in quiet
    again = CliRunner().invoke(app, ["detect", *words[:2], str(tmp_path / "t.csv"), *more[:2]])
    assert again.exit_code == 2 and "exists" in again.output
