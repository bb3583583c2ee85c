"""What a cluster makes is what this machine makes, also where a worker dies in the middle."""

import os
import shlex

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from ray_material import STEPS, Mortal, MortalObjective, waves, workers_here
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import blocks
from selftime.door import through
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.ray_cluster import import_ray

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two workers on this machine, for all tests."""
    with workers_here(2) as found:
        yield found
    assert not import_ray().is_initialized()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of csv files, a store of the same, a model and labelled series."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "plant").mkdir()
    series = waves(12, 300)
    for i in range(len(series)):
        st.write(st.SeriesSet.of(series.values[i : i + 1]), folder / "plant" / f"pump-{i:02}.csv")
    st.pack(folder / "plant", folder / "store", progress=False)
    st.write(waves(10, 300), folder / "few.npz")
    st.pretrain(str(folder / "store"), encoder="quantiles", run=folder / "run", progress=False)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks of four series, or files."""
    torch.set_num_threads(1)
    monkeypatch.setattr(blocks, "VALUES", 4 * 300)
    monkeypatch.setattr(blocks, "FILE_BYTES", 4 * 5_000)


def table(path):
    """A table without what names the versions that wrote it."""
    return parquet.read_table(path).replace_schema_metadata()


def say(words: str) -> str:
    result = CliRunner().invoke(app, shlex.split(words))
    assert result.exit_code == 0, result.output
    return result.stdout


COMMANDS = {
    "classify": "classify {0}/run --train {0}/few.npz --test {0}/plant",
    "forecast": "forecast {0}/store --horizon 6 --season 12",
    "detect": "detect {0}/plant --train-end 100",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_give_the_same_table(name, cluster, world, tmp_path):
    words = COMMANDS[name].format(world)
    say(f"{words} --out {tmp_path}/whole.parquet")
    workers = 2 if name == "classify" else 1  # each takes seconds to start
    say(f"{words} --out {tmp_path}/parts --engine ray --workers {workers}")
    assert len(list((tmp_path / "parts").glob("part-*.parquet"))) == 3
    assert table(tmp_path / "parts").equals(table(tmp_path / "whole.parquet"))


def test_a_worker_that_dies_loses_nothing(cluster, world, tmp_path):
    model, grave = st.load(world / "run"), tmp_path / "grave"
    whole = st.predict(model, world / "plant", tmp_path / "whole.npz")
    work = Mortal(model, "pump-06.csv", str(grave))
    found = st.predict(work, world / "plant", tmp_path / "vectors.npz", engine=cluster)
    assert grave.exists() and found.series == whole.series == 12
    with np.load(tmp_path / "vectors.npz") as got, np.load(tmp_path / "whole.npz") as wanted:
        assert got.files == wanted.files
        assert all(np.array_equal(got[name], wanted[name]) for name in got.files)


def test_what_the_input_is_wrong_by_is_said_plainly(cluster, world, tmp_path):
    two = st.pretrain(np.ones((4, 2, 30)).cumsum(axis=2), encoder="quantiles", progress=False)
    with pytest.raises(st.SeriesError, match="channels"):
        st.predict(two, world / "store", tmp_path / "out", engine=st.Ray(workers=1))
    with pytest.raises(st.SeriesError, match="got 1 series, wanted at least 2"):
        st.pretrain(world / "plant" / "pump-00.csv", engine=st.Ray(workers=1), progress=False)


def test_the_closed_form_is_that_of_one_process(cluster, world, tmp_path):
    found = st.pretrain(
        str(world / "store"), encoder="quantiles", run=tmp_path / "run", engine=cluster
    )
    x = st.read(str(world / "store"))
    wanted, got = (m.embed(x, progress=False) for m in (st.load(world / "run"), found))
    assert np.abs(got @ got.T - wanted @ wanted.T).max() <= 1e-6
    assert st.read_run(tmp_path / "run").run["status"] == "finished"


def test_a_gradient_run_goes_on_where_a_worker_died(cluster, tmp_path):
    values, grave, notes = waves(20).values, tmp_path / "grave", []
    values[3, 0, 7] = 1e6
    x = st.SeriesSet.of(values)
    encoder = Dilated(channels=1, hidden=8, depth=2, dim=16, seed=0)
    how = {
        "objective": MortalObjective(encoder=encoder, grave=str(grave)),
        "budget": f"{STEPS} steps",
        "progress": False,
    }
    alone, together = [], []
    wanted = st.pretrain(x, **how, run=st.Run(folder=tmp_path / "alone", log=alone.append))
    run = st.Run(folder=tmp_path / "together", log=together.append)
    with through("command line", notes.append):
        got = st.pretrain(x, **how, run=run, engine=cluster)
    assert any("far beyond all others" in note for note in notes)
    assert grave.exists()
    steps = [record["step"] for record in together]
    assert steps[-1] == STEPS and steps.count(0) == 1  # it went on, and did not begin anew
    losses = [{r["step"]: r.get("loss", 0.0) for r in told} for told in (alone, together)]
    assert max(abs(losses[0][k] - losses[1][k]) for k in range(STEPS + 1)) <= 1e-5
    assert np.abs(got.embed(x) - wanted.embed(x)).max() <= 1e-4


def test_contenders_run_side_by_side(cluster, tmp_path):
    x, names = waves(20), ["spectral", "neighbours"]
    wanted = st.race(x, objectives=names, progress=False)
    got = st.race(x, objectives=names, run=tmp_path / "race", engine=cluster, progress=False)
    rows = [[finish._replace(seconds=0.0) for finish in made.finishes] for made in (wanted, got)]
    assert rows[0] == rows[1]
    assert np.array_equal(got.model.embed(x), wanted.model.embed(x))
    assert sorted(os.listdir(tmp_path / "race" / "contenders")) == sorted(names)
