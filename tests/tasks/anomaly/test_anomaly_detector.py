"""The detector, its thresholds and alarms, and `selftime detect`."""

import csv
import json
import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.scaling import fit_channels
from selftime.encoders.networks.dilated import Dilated
from selftime.report.pictures.anomalies import MAX_LINE_POINTS, anomaly_picture, thin_line
from selftime.tasks.anomaly.alarms import Episode
from selftime.tasks.anomaly.detection import Detection
from selftime.tasks.anomaly.thresholds import Tail, adaptive_thresholds, tail_of, threshold_at


def wave(T: int = 900, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.sin(np.arange(T) * 2 * np.pi / 40) + 0.05 * rng.normal(size=T)
    return x.astype(np.float32)


def broken(T: int = 600, *, seed: int = 1) -> np.ndarray:
    x = wave(T, seed=seed)
    x[300:330] = 0.0
    return x


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
def test_the_detector_finds_where_a_wave_stops(past_only):
    detector = st.AnomalyDetector(past_only=past_only).fit(wave())
    scores = detector.score(broken())
    assert scores.shape == (600,)
    assert 290 <= scores.argmax() <= 340 + 80 * past_only
    above = detector.predict(broken())
    assert above.dtype == bool and above.shape == (600,)
    highest = max(detector.alarms(broken())[0], key=lambda alarm: alarm.score)
    assert highest.start <= highest.peak < highest.stop
    assert above[highest.start : highest.stop].all()
    assert highest.start >= 290 and highest.stop <= 340 + 80 * past_only


@pytest.mark.late
def test_several_channels_and_recordings_with_gaps():
    """The channel that broke is named; recordings may differ in length and lack values."""
    normal = [np.stack([wave(400, seed=k), wave(400, seed=k + 9)]) for k in range(2)]
    new = np.stack([wave(600, seed=5), broken()])
    new[:, 100:110] = np.nan
    new[0, 200] = np.inf
    detector = st.AnomalyDetector().fit(normal)
    assert detector.boundaries_ == (400,)
    scores = detector.score([new, new[:, :250]])
    assert [len(row) for row in scores] == [600, 250]
    assert all(np.isfinite(row).all() for row in scores)
    highest = max(detector.alarms([new])[0], key=lambda alarm: alarm.score)
    assert highest.channel == 1 and 250 <= highest.peak <= 380


def test_frames_are_taken():
    frame = pd.DataFrame({"time": np.arange(600.0), "value": broken()})
    scores = st.AnomalyDetector().fit(pd.DataFrame({"value": wave()})).score(frame)
    assert list(scores.columns) == ["time", "step", "score"] and len(scores) == 600
    assert 290 <= scores["score"].argmax() <= 340


@pytest.mark.late
def test_a_model_is_one_more_space_to_compare_in():
    encoder = Dilated(channels=1, hidden=4, depth=3, dim=8)
    model = st.Model(encoder, fit_channels(st.SeriesSet.of(wave()[None])), ("0",))
    scores = st.AnomalyDetector(model).fit(wave()).score(broken())
    assert 290 <= scores.argmax() <= 340
    assert not np.array_equal(scores, st.AnomalyDetector().fit(wave()).score(broken()))


def test_other_channels_than_in_fit_are_refused():
    detector = st.AnomalyDetector().fit(wave())
    with pytest.raises(ValueError, match="got series of 2 channels, wanted 1"):
        detector.score(np.stack([wave(), wave()])[None])
    with pytest.raises(ValueError, match="got rate=1.5, wanted a share between 0 and 1"):
        st.AnomalyDetector(rate=1.5).fit(wave())


@pytest.mark.parametrize(("rate", "wanted"), [(0.05, 952), (0.2, 801)])
def test_the_conformal_threshold_is_an_order_statistic(rate, wanted):
    normal = np.random.default_rng(0).permutation(np.arange(1.0, 1001.0))
    assert threshold_at(normal, rate) == wanted or threshold_at(normal, rate) == wanted - 1
    assert threshold_at(normal, rate) == math.ceil(1001 * (1 - rate))


def test_rare_alarms_are_extrapolated():
    """Of 500 exponential scores one in 5 000 lies beyond ln 5000 ≈ 8.5."""
    found = [
        threshold_at(np.random.default_rng(k).exponential(size=500), 1 / 5000) for k in range(20)
    ]
    assert np.median(found) == pytest.approx(math.log(5000), rel=0.15)


def test_the_tail_of_a_uniform_ends_where_it_does():
    tail = tail_of(np.linspace(0, 1, 20_001), 0.1)
    assert tail.base == pytest.approx(0.9)
    assert tail.shape == -0.5  # −1 in truth: held where the moments exist
    assert Tail(2.0, 3.0, 0.0).beyond(0.5) == pytest.approx(2 + 3 * math.log(2))
    assert Tail(2.0, 3.0, 0.5).beyond(0.25) == pytest.approx(2 + 3 / 0.5 * (2 - 1))


@pytest.mark.late
@pytest.mark.parametrize("growth", [1.0, 1.5])
def test_alarms_keep_their_share_under_a_drift(growth):
    """Where scores grow by half, a fixed threshold alarms nearly twice as often as promised."""
    rng = np.random.default_rng(0)
    scores = rng.exponential(size=22_000) * np.linspace(1, growth, 22_000)
    fixed = (scores[2000:] > threshold_at(scores[:2000], 0.01)).mean()
    share = (scores > adaptive_thresholds(scores, 2000, 0.01))[2000:].mean()
    assert growth == 1 or fixed > 0.018
    assert 0.01 / 1.5 < share < 0.01 * 1.5


def run(*arguments: str):
    return CliRunner().invoke(app, ["detect", *map(str, arguments)])


@pytest.mark.late
def test_detect_writes_a_score_for_every_step_and_tells_the_alarms(tmp_path):
    file = tmp_path / "wave.csv"
    times = np.datetime64("2020-01-01") + np.arange(900).astype("timedelta64[h]")
    times[700:] += np.timedelta64(9, "D")  # the clock jumps
    series = np.r_[wave(300), broken()]
    pd.DataFrame({"timestamp": times, "value": series}).to_csv(file, index=False)
    out, picture = tmp_path / "scores.csv", tmp_path / "scores.png"
    told = run(file, "--train-end", 300, "--out", out, "--picture", picture, "--json")
    assert told.exit_code == 0, told.output
    rows = list(csv.reader(out.read_text().splitlines()))
    assert rows[0] == ["timestamp", "step", "score", "alarm"]
    assert (np.array([row[0] for row in rows[1:]], "M8[h]") == times).all()
    assert [int(row[1]) for row in rows[1:]] == list(range(900))
    assert 590 <= np.argmax([float(row[2]) for row in rows[1:]]) <= 640
    assert picture.read_bytes().startswith(b"\x89PNG")
    result = json.loads(told.stdout)
    highest = max(result["alarms"], key=lambda alarm: alarm["score"])
    assert highest["start"] < 640 and highest["stop"] > 590
    assert highest["channel"] == "value" and highest["time"].startswith("2020-01-2")
    again = run(file, "--out", out)
    assert again.exit_code == 2 and "exists: choose another --out" in again.output


@pytest.mark.late
def test_detect_past_only_needs_no_later_step(tmp_path):
    whole, half = tmp_path / "whole.txt", tmp_path / "half.txt"
    series = np.r_[wave(300), broken()]
    np.savetxt(whole, series)
    np.savetxt(half, series[:500])
    for file in (whole, half):
        told = run(file, "--train-end", 250, "--past-only", "--out", file.with_suffix(".csv"))
        assert told.exit_code == 0, told.output
    scores = [
        np.loadtxt(file.with_suffix(".csv"), delimiter=",", skiprows=1, usecols=1)
        for file in (whole, half)
    ]
    np.testing.assert_allclose(scores[0][:500], scores[1], atol=1e-9)


def test_detect_says_what_is_wrong(tmp_path):
    file = tmp_path / "short.txt"
    np.savetxt(file, wave(100))
    told = run(file, "--train-end", 200, "--out", tmp_path / "s.csv")
    assert told.exit_code == 2
    assert "got a normal part of 200 steps in a recording of 100" in " ".join(told.output.split())


def test_the_picture_keeps_the_extremes_of_long_lines():
    y = np.zeros(100_000)
    y[77_777], y[5] = 9.0, np.nan
    steps, drawn = thin_line(y)
    assert len(drawn) <= MAX_LINE_POINTS + 2
    assert np.nanmax(drawn) == 9.0 and 77_777 in steps
    found = Detection(
        series=st.SeriesSet.of(np.stack([y, y])[None], channels=("a", "b")),
        scores=0 * y,
        channels=np.zeros((2, len(y))),
        thresholds=np.ones(len(y)),
        alarms=[Episode(10, 20, 15, 1.0, 0)],
        train_end=100,
        window=9,
    )
    figure = anomaly_picture(found)
    assert len(figure.axes) == 3
