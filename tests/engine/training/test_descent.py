"""Gradient runs from the front door: folders, going on after a stop, determinism, any input."""

import json
import os
import re
import signal

import numpy as np
import pytest
from training_material import waves

from selftime.data.arrays import SeriesError
from selftime.data.series import SeriesSet
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.model import load
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import Stopped
from selftime.engine.training.run_folder import Run, RunError, facts_in, metrics_in
from selftime.estimators import SelfSupervised
from selftime.objectives.registry import OBJECTIVES

BOTH = pytest.mark.parametrize("name", ["ts2vec", "simclr"])
X = waves(10, channels=1, steps=16)


def small(channels: int = 1) -> Dilated:
    return Dilated(channels=channels, hidden=4, depth=2, dim=6)


def learnt(name, x=X, budget="6 steps", **given):
    return pretrain(x, objective=name, encoder=small(), budget=budget, **given)


def stopping_at(step):
    """A log that asks this process to end."""

    def log(record):
        if record["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return log


@pytest.mark.late
@BOTH
def test_a_run_folder_holds_all_there_is_to_know(name, tmp_path):
    model = learnt(name, run=tmp_path / "run")
    facts = facts_in(tmp_path / "run")
    assert facts["status"] == "finished"
    assert all(choice["reason"] for choice in facts["settings"].values())
    assert facts["settings"]["budget"] == {"value": "6 steps", "reason": "given"}
    assert {"objective", "encoder", "rate", "batch size", "seed"} <= set(facts["settings"])
    records = metrics_in(tmp_path / "run")
    assert [record["step"] for record in records] == list(range(7))
    assert "loss" not in records[0] and all(np.isfinite(r["loss"]) for r in records[1:])
    assert {"std", "rank", "length"} <= set(records[0]["monitors"])
    states = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert states[-1] == "step-000000006"
    np.testing.assert_array_equal(load(tmp_path / "run").embed(X), model.embed(X))


@pytest.mark.late
@BOTH
def test_a_run_that_was_stopped_ends_in_the_bits_of_one_that_was_not(name, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match="stopped after step 3 of 6, which is saved; the same call"):
        learnt(name, run=Run(folder=tmp_path, log=stopping_at(3)))
    assert facts_in(tmp_path)["status"] == "running" and not (tmp_path / "model").exists()
    assert signal.getsignal(signal.SIGTERM) == before
    heard = []
    model = learnt(name, run=Run(folder=tmp_path, log=lambda record: heard.append(record["step"])))
    assert heard == [4, 5, 6]
    assert [record["step"] for record in metrics_in(tmp_path)] == list(range(7))
    np.testing.assert_array_equal(model.embed(X), learnt(name).embed(X))
    with pytest.raises(RunError, match="holds a finished run"):
        learnt(name, run=tmp_path)


def test_going_on_with_something_else_is_refused(tmp_path):
    with pytest.raises(Stopped):
        learnt("simclr", run=Run(folder=tmp_path, log=stopping_at(2)))
    with pytest.raises(RunError, match="a run with budget 6 steps, this one has 9 steps: give the"):
        learnt("simclr", budget="9 steps", run=tmp_path)
    with pytest.raises(RunError, match="a run with seed 0, this one has 4"):
        learnt("simclr", seed=4, run=tmp_path)
    with pytest.raises(RunError, match="a run with data "):
        learnt("simclr", X[:8], run=tmp_path)
    with pytest.raises(RunError, match="a run with objective simclr, this one has ts2vec"):
        learnt("ts2vec", run=tmp_path)


def test_a_run_that_is_stopped_without_a_folder_says_so():
    def stop_at_2(what, done, of, detail=""):
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="step 2 of 6; nothing was saved: give run=folder") as stop:
        learnt("simclr", progress=stop_at_2)
    assert stop.value.signum == signal.SIGINT


@pytest.mark.late
@pytest.mark.again
@BOTH
def test_the_seed_decides_and_repeats_to_the_bit(name):
    vectors = [
        pretrain(X, objective=name, budget="2 steps", seed=seed).embed(X) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)


@pytest.mark.late
@pytest.mark.again
@BOTH
def test_labels_change_nothing_but_the_monitor_that_reads_them(name, tmp_path):
    labels = np.arange(10) % 2
    embedded, read = [], []
    for i, given in enumerate((None, labels, np.sort(labels))):
        model = learnt(name, SeriesSet.of(X, given), run=tmp_path / str(i))
        embedded.append(model.embed(X))
        read.append([r.get("monitors", {}) for r in metrics_in(tmp_path / str(i))])
    for vectors in embedded[1:]:
        np.testing.assert_array_equal(vectors, embedded[0])
    assert "knn" not in read[0][0] and read[1][0]["knn"] != read[2][0]["knn"]
    for one in read:
        for monitors in one:
            monitors.pop("knn", None)
    assert read[0] == read[1] == read[2]


@BOTH
def test_two_series_are_enough(name):
    Z = learnt(name, X[:2], budget="2 steps").embed(X[:2])
    assert np.isfinite(Z).all() and not np.allclose(Z[0], Z[1])


def test_one_series_is_refused():
    with pytest.raises(SeriesError, match="got 1 series, wanted at least 2"):
        learnt("simclr", X[:1])


@BOTH
def test_ragged_missing_and_many_channels(name):
    x = waves(7, channels=3, steps=20)  # of unequal lengths, with a missing step
    assert x.is_ragged and x.observed is not None
    model = pretrain(x, objective=name, encoder=small(3), budget="2 steps")
    Z = model.embed(x)
    assert Z.shape == (7, 6) and np.isfinite(Z).all()
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)


@pytest.mark.late
def test_progress_is_told_in_steps_or_hundredths():
    told = []
    learnt("simclr", progress=lambda *at: told.append(at))
    assert [at[:3] for at in told] == [("training", step, 6) for step in range(7)]
    assert all(re.search(r"loss -?\d", at[3]) for at in told[1:])
    told.clear()
    learnt("simclr", budget="0.005 minutes", progress=lambda *at: told.append(at))
    assert told[0][:3] == ("training", 0, 100) and told[-1][:3] == ("training", 100, 100)
    assert [at[1] for at in told] == sorted(at[1] for at in told)


@pytest.mark.again
@pytest.mark.parametrize("name", ["simclr", "ts2vec"])
def test_the_estimator_takes_a_ready_gradient_objective(name, monkeypatch):
    monkeypatch.setattr(
        "selftime.engine.choices.default_budget", lambda *_: (Budget(amount=6), "few")
    )
    ready = OBJECTIVES[name](encoder=small())
    before = {key: weight.clone() for key, weight in ready.state_dict().items()}
    rows = np.stack([np.sin(np.arange(16) * (0.2 + 0.1 * i)) for i in range(6)])
    estimator = SelfSupervised(objective=ready, encoder="auto").fit(rows)
    assert estimator.transform(rows).shape == (6, 6)
    assert estimator.model_.card["settings"]["budget"]["value"] == "6 steps"
    assert all(bool((before[key] == weight).all()) for key, weight in ready.state_dict().items())


@pytest.mark.late
def test_the_estimator_refuses_features_that_cannot_be_trained():
    with pytest.raises(ValueError, match="Joined has no weights to train: use encoder='dilated'"):
        SelfSupervised(objective="simclr", encoder="rocket").fit(X)


def test_a_whole_config_is_followed_and_written_down(tmp_path):
    config = TrainingConfig(accumulate=2, clip=0.5)
    learnt("ts2vec", budget="2 epochs", config=config, run=tmp_path)
    settings = json.loads((tmp_path / "run.json").read_text())["settings"]
    assert settings["budget"]["value"] == "2 epochs" and settings["clip"]["value"] == 0.5
    assert settings["accumulate"] == {"value": 2, "reason": "given"}
    assert settings["precision"] == {"value": "no", "reason": "the usual"}
    assert metrics_in(tmp_path)[-1]["step"] == 2 * max((10 // 8) // 2, 1)
