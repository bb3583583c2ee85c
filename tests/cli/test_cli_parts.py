"""Tables in parts from the command line, without a cluster, and what is refused of them."""

import json
import shlex

import pyarrow.parquet as parquet
import pytest
from ray_material import waves
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app

COMMANDS = {
    "embed": "embed run few.npz",
    "classify": "classify run --train few.npz --test few.npz",
    "forecast": "forecast few.npz --horizon 3 --season 6",
    "detect": "detect few.npz --train-end 30",
    "predict": "predict kept few.npz",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A model, a classifier that was saved, and series with labels."""
    folder = tmp_path_factory.mktemp("world")
    few = st.write(waves(12), folder / "few.npz")
    model = st.pretrain(str(few), encoder="quantiles", run=folder / "run", progress=False)
    st.Classifier(model).fit(str(few)).save(folder / "kept")
    return folder


@pytest.fixture(autouse=True)
def here(world, monkeypatch):
    monkeypatch.chdir(world)


def say(words, code=0):
    result = CliRunner().invoke(app, shlex.split(words))
    assert result.exit_code == code, result.output
    return result


@pytest.mark.late
@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_holds_the_table_of_the_file(name, tmp_path):
    say(f"{COMMANDS[name]} --out {tmp_path}/whole.parquet")
    words = f"{COMMANDS[name]} --out {tmp_path}/parts"
    made = json.loads(say(f"{words} --json").stdout)
    got, wanted = (parquet.read_table(tmp_path / n) for n in ("parts", "whole.parquet"))
    assert got.equals(wanted)
    assert (made["series"], made["rows"]) == (12, len(wanted))
    assert "exists" in say(words, 2).output
    say(f"{words} --force")


@pytest.mark.parametrize(
    "words, said",
    [
        ("embed run few.npz --out v --workers 2", "wanted --engine ray beside them"),
        ("embed run few.npz --out v --engine dask", "dask"),
        ("predict kept few.npz --out - --engine ray", "got --out - of a table that is made in"),
        ("forecast few.npz --horizon 3 --out v --picture a.png", "--picture, --alarms or --save"),
        ("detect few.npz --out v --alarms a.csv", "--picture, --alarms or --save"),
        ("detect few.npz --out v --save d", "--picture, --alarms or --save"),
        ("classify run --train few.npz --out v", "wanted what to classify: --test"),
    ],
)
def test_what_is_refused(words, said):
    assert said in " ".join(say(words, 2).output.split())


@pytest.mark.late
def test_what_was_fitted_can_be_saved_beside_parts(tmp_path):
    say(f"forecast few.npz --horizon 3 --out {tmp_path}/v --save {tmp_path}/kept")
    words = f"--normal few.npz --save {tmp_path}/detector"
    say(f"detect few.npz --out {tmp_path}/scores {words}")
    assert type(st.load(tmp_path / "kept")) is st.Forecaster
    assert type(st.load(tmp_path / "detector")) is st.AnomalyDetector
