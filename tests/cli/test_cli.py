"""Commands as people run them: what they print, what they write, and that JSON stands alone."""

import csv
import json

import numpy as np
import pyarrow.parquet as parquet
import pytest
from scratch_material import make_scratch_quick
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.encoders.builders import BUILDERS
from selftime.engine.training.config import Budget
from selftime.tasks.transfer import strategies

run = CliRunner().invoke


def waves(n: int, seed: int) -> st.SeriesSet:
    """Three kinds of wave, ``n`` of each, told apart by how fast they are."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(["calm", "fast", "slow"], n)
    speed = np.repeat([2.0, 6.0, 1.0], n)[:, None]
    phase = rng.uniform(0, 6, (3 * n, 1))
    x = np.sin(speed * np.linspace(0, 6, 40) + phase) + 0.1 * rng.normal(size=(3 * n, 40))
    return st.SeriesSet.of(x, kinds)


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    """Learning from scratch in a few steps: what it learns is tested in test_scratch.py."""
    with pytest.MonkeyPatch.context() as patch:
        make_scratch_quick(patch)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with labelled series in two formats and a learned run."""
    folder = tmp_path_factory.mktemp("world")
    st.write(waves(8, 1), folder / "train.csv")
    st.write(waves(5, 2), folder / "test.npz")
    words = ["pretrain", str(folder / "train.csv"), "--out", str(folder / "run")]
    result = run(app, [*words, "--encoder", "quantiles"])
    assert result.exit_code == 0, result.output
    return folder


def json_of(*words) -> dict:
    """What a command says with --json, which must be all there is on stdout."""
    result = run(app, [str(word) for word in (*words, "--json")])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.late
def test_help_names_every_command():
    result = run(app, ["--help"])
    assert result.exit_code == 0
    for name in (
        "inspect",
        "pretrain",
        "embed",
        "classify",
        "compare",
        "report",
        "methods",
        "demo",
    ):
        assert f" {name} " in result.stdout
        page = run(app, [name, "--help"])
        assert page.exit_code == 0 and f"Example: selftime {name}" in page.stdout


def test_version_is_that_of_the_package():
    assert run(app, ["--version"]).stdout.strip() == st.__version__


@pytest.mark.late
def test_inspect_counts_what_is_there(world):
    found = json_of("inspect", world / "train.csv")
    assert found["series"] == 24 and found["shortest"] == found["longest"] == 40
    assert found["labels"] == {"calm": 8, "fast": 8, "slow": 8}
    text = run(app, ["inspect", str(world / "train.csv")]).stdout
    assert "3 classes (series): calm (8), fast (8), slow (8)" in text
    assert "Nothing stands out." in text


def test_inspect_reads_the_columns_it_is_told(tmp_path):
    table = tmp_path / "machines.csv"
    table.write_text("hour,machine,fault,volt\n" + "".join(
        f"{t},{m},{m % 2},{t * m}\n" for m in range(4) for t in range(6)
    ))  # fmt: skip
    words = ["--id", "machine", "--time", "hour", "--label", "fault"]
    found = json_of("inspect", table, *words)
    assert found["series"] == 4 and found["channels"] == ["volt"]
    assert found["labels"] == {"0": 2, "1": 2}
    assert found["interval"] == "1 second"


def test_inspect_knows_bundled_data():
    assert json_of("inspect", "sample:JapaneseVowels:test")["series"] == 370


def test_pretrain_writes_a_run(world):
    recorded = json.loads((world / "run" / "run.json").read_text())
    assert set(recorded["settings"]) >= {"objective", "encoder", "seed"}
    assert recorded["settings"]["encoder"] == {"value": "quantiles", "reason": "given"}
    assert recorded["data"]["fingerprint"] == st.read(world / "train.csv").fingerprint()
    assert recorded["seed"] == 0 and recorded["seconds"] > 0 and "torch" in recorded["versions"]
    assert (world / "run" / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert st.load(world / "run").dim == st.load(world / "run" / "model").dim


def test_pretrain_tells_settings_with_reasons_and_progress_on_stderr(world, tmp_path):
    words = ["pretrain", str(world / "test.npz"), "--encoder", "quantiles", "--seed", "3"]
    result = run(app, [*words, "--out", str(tmp_path / "deep" / "run")])
    assert "objective: spectral (learns in one pass" in result.stdout
    assert "learning: 15 of 15" in result.stderr and "learning" not in result.stdout
    assert json.loads((tmp_path / "deep" / "run" / "run.json").read_text())["seed"] == 3


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv", ".parquet"])
def test_embed_writes_the_vectors_of_the_model(world, tmp_path, suffix):
    out = tmp_path / f"vectors{suffix}"
    told = json_of("embed", world / "run", world / "test.npz", "--out", out)
    wanted = st.load(world / "run").embed(world / "test.npz")
    assert told == {"out": str(out), "series": 15, "dim": wanted.shape[1]}
    if suffix == ".npy":
        found = np.load(out)
    elif suffix == ".npz":
        found = np.load(out)["vectors"]
        assert np.load(out)["label"].tolist() == waves(5, 2).labels.tolist()
    elif suffix == ".csv":
        rows = list(csv.reader(out.read_text().splitlines()))
        assert rows[0][:2] == ["unique_id", "e0"] and rows[0][-1] == "label"
        found = np.array([row[1:-1] for row in rows[1:]], np.float32)
    else:
        table = parquet.read_table(out)
        assert table.column_names[0] == "unique_id"
        found = np.stack([table[f"e{j}"] for j in range(wanted.shape[1])], axis=1)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("head", ["linear", "knn"])
def test_classify_predicts_each_series(world, tmp_path, head):
    out = tmp_path / "predictions.csv"
    words = ["--train", world / "train.csv", "--test", world / "test.npz", "--out", out]
    told = json_of("classify", world / "run", *words, "--head", head)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    right = np.mean([row["class"] == row["label"] for row in rows])
    assert told["accuracy"] == right > 0.8  # three clearly different waves
    assert told["labelled"] == 24 and sum(told["classes"].values()) == len(rows) == 15
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in rows)


@pytest.mark.late
def test_classify_fine_tunes_and_says_so(world, tmp_path, monkeypatch):
    _, config = strategies.usual_training(24)
    usual = Budget(amount=9), config
    monkeypatch.setattr(strategies, "usual_training", lambda _: usual)
    out = tmp_path / "predictions.csv"
    words = ["--train", world / "train.csv", "--test", world / "test.npz", "--out", out]
    told = json_of("classify", world / "run", *words, "--strategy", "staged")
    assert (told["strategy"], told["why"]) == ("staged", "given") and told["accuracy"] > 0.8
    chosen = json_of("classify", world / "run", *words, "--force")
    assert chosen["strategy"] == "probe" and "24 labels are below 1,000" in chosen["why"]


def test_advise_says_what_and_why(world):
    told = json_of("advise", world / "train.csv")
    assert (told["labels"], told["classes"], told["strategy"]) == (24, 3, "probe")
    shown = run(app, ["advise", str(world / "train.csv"), "--model", str(world / "run")]).stdout
    assert "Use 'probe': the model stays as it is" in shown and "Rule of thumb" in shown
    many = json_of("advise", "sample:PenDigits:train", "--model", world / "run")
    assert many["strategy"] == "staged" and many["race"] == ["probe", "staged"]


def test_classify_does_not_look_at_the_labels_of_test(world, tmp_path):
    test = st.read(world / "test.npz")
    st.write(st.SeriesSet.of(test.values), tmp_path / "bare.npz")
    written = []
    for name in (world / "test.npz", tmp_path / "bare.npz"):
        out = tmp_path / f"{name.stem}.csv"
        words = ["--train", world / "train.csv", "--test", name, "--out", out]
        told = json_of("classify", world / "run", *words)
        assert ("accuracy" in told) == (name.stem == "test")
        written.append([row["class"] for row in csv.DictReader(out.read_text().splitlines())])
    assert written[0] == written[1]


@pytest.mark.late
def test_compare_prints_rows_and_verdict_and_writes_pictures(world, tmp_path):
    out = tmp_path / "comparison"
    words = ["compare", "--train", world / "train.csv", "--test", world / "test.npz"]
    words += ["--model", world / "run", "--labels-per-class", "1,all", "--draws", 2, "--out", out]
    result = run(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    rivals = ("untrained encoder", "raw values", "MiniRocket + ridge", "supervised from scratch")
    for row in ("selftime", *rivals):
        assert row in result.stdout
    assert "With 1 label per class:" in result.stdout and "points from learning" in result.stdout
    assert "comparing (all labels)" in result.stderr
    figures = json.loads((out / "comparison.json").read_text())
    assert figures["labels"] == {"1 label per class": 3, "all labels": 24}
    files = {"comparison.json", "evaluation.json", "run.json"}
    pictures = {"few-labels.png", "map.png", "report.html"}
    assert {path.name for path in out.iterdir()} == files | pictures
    assert "supervised from scratch" in (out / "report.html").read_text()


@pytest.mark.late
def test_compare_learns_a_model_when_none_is_given(world, tmp_path, monkeypatch):
    monkeypatch.setitem(BUILDERS, "rocket", BUILDERS["quantiles"])
    words = [
        "--train",
        world / "train.csv",
        "--test",
        world / "test.npz",
        "--labels-per-class",
        "2",
    ]
    told = json_of("compare", *words, "--draws", 1, "--out", tmp_path / "c")
    assert list(told["accuracy"]["selftime"]) == ["2 labels per class"]
    assert st.load(tmp_path / "c").channels == ("0",)
    assert json.loads((tmp_path / "c" / "run.json").read_text())["command"] == "compare"


def test_methods_lists_what_pretrain_takes():
    found = json_of("methods")
    names = {(method["kind"], method["name"]) for method in found}
    assert {("objective", "spectral"), ("encoder", "rocket"), ("encoder", "quantiles")} <= names
    assert all(method["about"] for method in found)
    assert "spectral" in run(app, ["methods"]).stdout
