"""What commands keep, ``selftime predict`` opens; outputs never stand in the way of inputs."""

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app


def waves(seed: int, n: int = 12, length: int = 60) -> st.SeriesSet:
    """Series of two named channels and two kinds."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 2
    t = np.arange(length)
    x = np.stack([np.sin(t * (0.2 + 0.3 * k) + rng.uniform(0, 6)) for k in kinds])
    x = np.stack([x, 5 + 2 * np.roll(x, 3, axis=1)], axis=1)
    labels = np.array(["007", "12"])[kinds]
    x = x + 0.1 * rng.normal(size=x.shape)
    return st.SeriesSet.of(x, labels=labels, channels=("heat", "force"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Series in files, columns in two orders, and a model."""
    folder = tmp_path_factory.mktemp("world")
    for name, seed in (("train", 0), ("new", 1)):
        st.write(waves(seed), folder / f"{name}.csv")
    rows = list(csv.reader((folder / "new.csv").read_text().splitlines()))
    order = sorted(range(len(rows[0])), key=lambda i: rows[0][i] != "force")  # force comes first
    text = "\n".join(",".join(row[i] for i in order) for row in rows) + "\n"
    (folder / "turned.csv").write_text(text)
    st.pretrain(folder / "train.csv", encoder="quantiles").save(folder / "model")
    return folder


def run(world, monkeypatch, *words: str, given: str | None = None, code: int = 0):
    monkeypatch.chdir(world)
    done = CliRunner().invoke(app, list(words), input=given)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


FITTED = {
    "classify": ("classify", "model", "--train", "train.csv", "--test", "new.csv"),
    "forecast": ("forecast", "new.csv", "--horizon", "3"),
    "detect": ("detect", "new.csv", "--normal", "train.csv"),
}


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("name", FITTED)
def test_what_a_command_keeps_writes_the_same_table(world, monkeypatch, name):
    kept, one, two = f"{name}-kept", f"{name}.csv", f"{name}-again.csv"
    said = run(world, monkeypatch, *FITTED[name], "--out", one, "--save", kept, "--json")
    assert json.loads(said.stdout)["saved"] == kept
    run(world, monkeypatch, "predict", kept, "turned.csv", "--out", two)
    assert (world / two).read_bytes() == (world / one).read_bytes()
    again = run(world, monkeypatch, *FITTED[name], "--out", "x.csv", "--save", kept, code=2)
    assert "--force to replace it" in again.stderr and not (world / "x.csv").exists()
    missing = (world / "turned.csv").read_text().replace("heat", "warmth")
    (world / "renamed.csv").write_text(missing)
    refused = run(world, monkeypatch, "predict", kept, "renamed.csv", "--out", "x.csv", code=2)
    assert "'heat' is missing" in refused.stderr and "'warmth'" in refused.stderr


@pytest.mark.late
@pytest.mark.again
def test_a_classifier_is_kept_without_a_test_and_answers_a_pipe(world, monkeypatch):
    run(world, monkeypatch, "classify", "model", "--train", "train.csv", "--save", "alone")
    text = (world / "turned.csv").read_text()
    done = run(world, monkeypatch, "predict", "alone", "-", "--out", "-", given=text)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    wanted = st.load(world / "alone").predict(st.read(world / "new.csv"))
    assert [row["class"] for row in rows] == wanted.tolist()
    assert "12 series" in done.stderr
    both = run(world, monkeypatch, "predict", "alone", "new.csv", "--out", "-", "--json", code=2)
    assert "both write to stdout" in both.stderr


@pytest.mark.late
@pytest.mark.again
def test_the_beginning_of_recordings_is_kept_as_normal(world, monkeypatch):
    words = ("detect", "new.csv", "--train-end", "30", "--out", "d.csv", "--save", "began")
    run(world, monkeypatch, *words)
    kept, x = st.load(world / "began"), st.read(world / "new.csv")
    assert kept.normal_.shape == (2, 12 * 30) and len(kept.boundaries_) == 11
    wanted = st.AnomalyDetector().fit(x, train_end=30)
    np.testing.assert_array_equal(kept.score(x), wanted.score(x))
    both = run(world, monkeypatch, *words, "--normal", "train.csv", "--force", code=2)
    assert "choose one" in both.stderr


@pytest.mark.late
@pytest.mark.again
def test_regressors_and_segmenters_of_python_are_opened_too(world, monkeypatch):
    x, new = st.read(world / "train.csv"), st.read(world / "new.csv")
    values = st.Regressor(world / "model").fit(x, np.arange(12.0))
    values.save(world / "values")
    run(world, monkeypatch, "predict", "values", "turned.csv", "--out", "values.csv")
    rows = list(csv.DictReader((world / "values.csv").read_text().splitlines()))
    found = [float(row["value"]) for row in rows]
    np.testing.assert_array_equal(found, values.predict(new))
    steps = st.pretrain(x, objective="ts2vec", budget="2 steps")
    parts = st.Segmenter(steps).fit(x, [np.arange(60) > 30] * 12)
    parts.save(world / "parts")
    run(world, monkeypatch, "predict", "parts", "turned.csv", "--out", "parts.csv")
    rows = list(csv.DictReader((world / "parts.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == [str(t) for _ in range(12) for t in range(60)]
    found = np.array([row["class"] == "true" for row in rows])
    np.testing.assert_array_equal(found, np.concatenate(parts.predict(new)))


def test_models_predict_nothing(world, monkeypatch):
    done = run(world, monkeypatch, "predict", "model", "new.csv", "--out", "x.csv", code=2)
    assert "selftime embed makes vectors by it" in done.stderr


WRITE = {
    "embed": ("embed", "model", "new.csv"),
    "classify": ("classify", "model", "--train", "train.csv", "--test", "new.csv"),
    "forecast": ("forecast", "new.csv", "--horizon", "3"),
    "detect": ("detect", "new.csv"),
    "suggest": ("suggest", "model", "new.csv", "--n", "2"),
    "predict": ("predict", "model", "new.csv"),
}
OWN_INPUT = (("--out", "new.csv"), ("-onew.csv",), ("--out=./new.csv",), ("-o", "../{w}/new.csv"))


@pytest.mark.parametrize("words", OWN_INPUT)
@pytest.mark.parametrize("name", WRITE)
def test_no_output_is_an_input(world, monkeypatch, name, words):
    before = (world / "new.csv").read_bytes()
    given = [word.format(w=world.name) for word in words]
    done = run(world, monkeypatch, *WRITE[name], *given, "--force", code=2)
    assert "is read by this command: choose another --out" in done.stderr
    assert (world / "new.csv").read_bytes() == before


def test_no_output_is_in_a_folder_of_inputs(world, monkeypatch, tmp_path):
    (tmp_path / "series").mkdir()
    inside = tmp_path / "series" / "a.csv"
    inside.write_bytes((world / "new.csv").read_bytes())
    words = ("forecast", str(tmp_path / "series"), "--horizon", "3", "--out", str(inside))
    done = run(world, monkeypatch, *words, "--force", code=2)
    assert "is read by this command" in done.stderr


OUT = {**WRITE, "pretrain": ("pretrain", "new.csv"), "race": ("race", "new.csv")}
OUT["pick"] = ("pick", "model", "new.csv")
OUT["compare"] = ("compare", "--train", "train.csv", "--test", "new.csv", "--model", "model")


@pytest.mark.parametrize("name", OUT)
def test_places_that_cannot_be_written_are_found_before_the_work(world, monkeypatch, name):
    monkeypatch.setattr(st, "read", lambda *_, **__: pytest.fail("it began to work"))
    done = run(world, monkeypatch, *OUT[name], "--out", "train.csv/deep/x.csv", code=2)
    assert "train.csv is a file, wanted a folder" in done.stderr


@pytest.mark.parametrize("name", FITTED)
def test_folders_that_cannot_be_kept_are_found_before_the_work(world, monkeypatch, name):
    monkeypatch.setattr(st, "read", lambda *_, **__: pytest.fail("it began to work"))
    words = (*FITTED[name], "--out", "x.csv", "--save", "train.csv/deep")
    done = run(world, monkeypatch, *words, code=2)
    assert "train.csv is a file, wanted a folder" in done.stderr


@pytest.mark.parametrize("words", [(), ("--test", "new.csv")])
def test_classify_asks_for_what_it_is_to_do(world, monkeypatch, words):
    done = run(world, monkeypatch, "classify", "model", "--train", "train.csv", *words, code=2)
    assert "wanted --out for the predictions, --save for the classifier" in done.stderr


def test_a_folder_without_a_model_is_said(world, monkeypatch):
    st.AnomalyDetector().fit(waves(0, 2, 100)).save(world / "no-model")
    done = run(world, monkeypatch, "embed", "no-model", "new.csv", "--out", "v.csv", code=2)
    assert "holds AnomalyDetector and no model" in done.stderr
