"""Detection knows no level, no order of channels and no clock that skips: and gives times back."""

import csv

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import selftime
from selftime.cli import app
from selftime.encoders.networks.recurrent import GRU
from selftime.objectives.registry import OBJECTIVES
from selftime.tasks.anomaly.detection import DetectionList


def noisy(n, k):
    waves = np.sin(2 * np.pi * np.arange(n) / 50)
    return waves + np.random.default_rng(k).normal(scale=0.1, size=n)


@pytest.mark.late
@pytest.mark.parametrize(("level", "size"), [(3e9, 5.0), (-(2.0**31), 0.1), (900.0, 0.1)])
def test_scores_are_those_without_the_level(level, size):
    normal, new = size * noisy(600, 0), size * noisy(500, 1)
    new[300] += 20 * size
    wanted = selftime.AnomalyDetector().fit(normal).score(new)
    got = selftime.AnomalyDetector().fit(level + normal).score(level + new)
    np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-3)
    whole = np.r_[normal, new]
    found, plain = selftime.detect((level + whole)[None]), selftime.detect(whole[None])
    np.testing.assert_allclose(found.scores, plain.scores, rtol=2e-3, atol=2e-3)
    assert abs(int(found.scores.argmax()) - 900) < 60


@pytest.mark.late
def test_a_model_is_given_values_in_its_own_units():
    """A model of raw series at a level sees windows at that level."""
    x = noisy(900, 2)
    x[700:720] = 0
    found = []
    for level in (0.0, 3e9):
        rows = (level + noisy(1200, 3)).reshape(30, 40)
        model = selftime.pretrain(rows, encoder="quantiles")
        found.append(selftime.detect((level + x)[None], model=model).scores)
    np.testing.assert_allclose(found[1], found[0], rtol=0.05, atol=0.05)


@pytest.mark.late
def test_a_model_of_own_levels_is_given_values_in_its_own_units():
    x, config = noisy(900, 2), selftime.TrainingConfig(own_level=True)
    x[700:720] = 0
    found = []
    for size in (1.0, 1e3):
        rows, small = size * noisy(1200, 3).reshape(30, 40), GRU(channels=1, hidden=4)
        learner = OBJECTIVES["simclr"](encoder=small)
        model = selftime.pretrain(rows, objective=learner, budget="2 steps", config=config)
        found.append(selftime.detect((size * x)[None], model=model).scores)
    np.testing.assert_allclose(found[1], found[0], rtol=0.05, atol=0.05)


def frame(x, **columns):
    return pd.DataFrame({"a": x, "b": noisy(len(x), 9)} | columns)


@pytest.mark.late
def test_channels_are_matched_by_name():
    new = noisy(400, 1)
    new[200:220] = 0
    detector = selftime.AnomalyDetector().fit(frame(noisy(500, 0)))
    wanted, swapped = detector.score(frame(new)), detector.score(frame(new)[["b", "a"]])
    np.testing.assert_array_equal(wanted, swapped)
    with pytest.raises(selftime.SeriesError, match="channel 'b' is missing"):
        detector.score(frame(new).rename(columns={"b": "c"}))


def hours(n):
    return pd.date_range("2024-03-20", periods=n, freq="h", tz="Europe/Berlin")


@pytest.mark.late
def test_absent_rows_are_as_missing_ones_and_have_no_scores():
    x = noisy(700, 1)
    x[500] += 9
    keep = np.random.default_rng(0).random(700) > 0.03
    keep[[0, -1]] = True
    whole = frame(np.where(keep, x, np.nan), ds=hours(700))
    whole.loc[~keep, "b"] = np.nan
    train = 300
    wanted = selftime.detect(whole, train_end=train)
    found = selftime.detect(whole[keep], train_end=int(keep[:train].sum()))
    np.testing.assert_allclose(found.scores, wanted.scores[keep])
    assert found.absent == (~keep).sum() and wanted.absent == 0
    detector = selftime.AnomalyDetector().fit(whole[keep][:250])
    scores = detector.score(whole[keep][250:])["score"]
    assert len(scores) == keep.sum() - 250 and np.isfinite(scores).all()


@pytest.mark.late
def test_times_come_back_in_their_zone_beside_every_score():
    x = noisy(500, 1)
    x[400:420] = 0
    found = selftime.detect(frame(x, ds=hours(500)), train_end=200)
    ds = found.to_columns()["ds"]
    assert str(ds.type) == "timestamp[ns, tz=Europe/Berlin]" and len(ds) == 500
    highest = max(found.alarms, key=lambda alarm: alarm.score)
    facts = found.facts_of(highest)
    assert facts["time"] == hours(500)[highest.peak].isoformat()
    assert facts["start_time"] == hours(500)[highest.start].isoformat()
    detector = selftime.AnomalyDetector().fit(frame(x[:200], ds=hours(200)))
    (alarms,) = detector.alarms(frame(x[200:], ds=hours(500)[200:]))
    best = max(alarms, key=lambda alarm: alarm.score)
    assert best.time == found.series.times[200 + best.peak]


@pytest.mark.late
def test_several_recordings_are_scored_one_after_another(tmp_path):
    parts = {7: noisy(300, 0), 3: noisy(260, 1)}
    parts[3][200] += 9
    table = pd.concat(
        pd.DataFrame({"machine": id, "ds": hours(len(x)).tz_localize(None), "value": x})
        for id, x in parts.items()
    )
    table.to_csv(tmp_path / "fleet.csv", index=False)
    out, picture = tmp_path / "scores.csv", tmp_path / "scores.png"
    words = [str(tmp_path / "fleet.csv"), "--out", str(out), "--picture", str(picture)]
    told = CliRunner().invoke(app, ["detect", *words, "--id", "machine", "--train-end", "100"])
    assert told.exit_code == 0, told.output
    assert "in 2 recordings" in told.output and picture.is_file()
    rows = list(csv.reader(out.read_text().splitlines()))
    assert rows[0] == ["machine", "ds", "step", "score", "alarm"] and len(rows) == 561
    assert {row[0] for row in rows[1:]} == {"7", "3"}
    found = selftime.detect(selftime.read(table, id="machine"), train_end=100)
    assert isinstance(found, DetectionList)
    alone = {part.series.ids[0]: part.scores for part in found.parts}
    wanted = selftime.detect(parts[3][None], train_end=100).scores
    np.testing.assert_allclose(alone[3], wanted)
    assert [recording["id"] for recording in found.to_dict()["recordings"]] == list(alone)


@pytest.mark.slow
def test_the_machine_whose_stamps_repeat_is_scored_as_it_is(tmp_path, data_root):
    folder = data_root / "anomaly" / "nab" / "data" / "realKnownCause"
    file = folder / "machine_temperature_system_failure.csv"
    told = CliRunner().invoke(app, ["detect", str(file), "--out", str(tmp_path / "s.csv")])
    assert told.exit_code == 0, told.output
    assert "12 rows repeat a stamp and were dropped" in told.stderr
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 22_695 - 12 + 1
