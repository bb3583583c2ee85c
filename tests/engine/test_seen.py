"""What a model was pretrained on is known by values, kept in its folder, and told."""

import numpy as np
import pytest
from safetensors.numpy import save_file

import selftime
from selftime.data.series import SeriesSet
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.model import ModelError, load
from selftime.objectives.simclr import SimCLR


def walks(n: int, seed: int) -> SeriesSet:
    rng = np.random.default_rng(seed)
    return SeriesSet.of([rng.normal(size=(1, t)).cumsum(axis=1) for t in rng.integers(9, 24, n)])


OLD, NEW = walks(8, 0), walks(6, 1)


@pytest.fixture(scope="module")
def model():
    return selftime.pretrain(OLD, encoder="quantiles")


def test_a_closed_form_knows_what_it_has_seen(model):
    assert model.seen(OLD).tolist() == [True] * 8
    assert model.seen(NEW).tolist() == [False] * 6
    assert model.seen(OLD[[3, 1]]).all() and len(model.fingerprints) == 8


def test_a_gradient_run_and_going_on_from_it_know_both(model):
    network = SimCLR(encoder=Dilated(channels=1, hidden=4, depth=2, dim=6))
    first = selftime.pretrain(OLD, objective=network, budget="1 steps")
    assert first.seen(OLD).all() and not first.seen(NEW).any()
    again = selftime.pretrain(NEW, objective="simclr", encoder=first, budget="1 steps")
    assert again.seen(OLD).all() and again.seen(NEW).all() and len(again.fingerprints) == 14


def test_it_is_kept_in_the_folder(model, tmp_path):
    folder = model.save(tmp_path / "mine")
    assert load(folder).fingerprints.tolist() == model.fingerprints.tolist()
    assert (folder / "seen.safetensors").stat().st_size < 200 + 8 * 8


def test_a_folder_from_before_fingerprints_loads_and_does_not_know(model, tmp_path):
    folder = model.save(tmp_path / "old")
    (folder / "seen.safetensors").unlink()
    again = load(folder)
    assert again.fingerprints is None and again.seen(OLD) is None
    np.testing.assert_array_equal(again.embed(NEW), model.embed(NEW))
    onward = selftime.pretrain(NEW, encoder="quantiles")
    assert onward.seen(NEW).all()


DAMAGED = {
    "fractions": {"fingerprints": np.ones(3, np.float32)},
    "a matrix": {"fingerprints": np.ones((2, 2), np.int64)},
    "another name": {"prints": np.ones(3, np.int64)},
    "something beside": {"fingerprints": np.ones(3, np.int64), "more": np.ones(3)},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_of_something_else_is_refused(model, tmp_path, name):
    folder = model.save(tmp_path / "mine")
    save_file(DAMAGED[name], folder / "seen.safetensors")
    with pytest.raises(ModelError, match="wanted fingerprints"):
        load(folder)


def test_a_torn_file_is_refused(model, tmp_path):
    folder = model.save(tmp_path / "mine")
    path = folder / "seen.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ModelError, match="seen.safetensors is damaged"):
        load(folder)
