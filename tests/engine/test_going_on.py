"""Learning that goes on from a model: its weights, its scaling, before a solve too."""

import numpy as np
import pytest
import torch

import selftime
from selftime.data.series import SeriesError
from selftime.encoders.base import Joined
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.wrappers.projected import Projected, UnitLength, backbone
from selftime.objectives.simclr import SimCLR

X = np.random.default_rng(0).normal(size=(8, 2, 32)).cumsum(axis=2).astype(np.float32)
SMALL = Dilated(channels=2, hidden=4, depth=2, dim=6)


@pytest.fixture(scope="module")
def first():
    return selftime.pretrain(X, objective=SimCLR(encoder=SMALL), budget="2 steps")


def test_a_network_goes_on_from_its_weights(first):
    again = selftime.pretrain(3 * X + 1, objective="simclr", encoder=first, budget="1 steps")
    before, after = backbone(first.encoder), backbone(again.encoder)
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        assert not torch.equal(old, new) and (old - new).abs().max() < 0.01
    assert again.scaling == first.scaling
    assert again.card["settings"]["encoder"]["reason"].startswith("of the model that was given")


@pytest.mark.late
def test_a_folder_will_do_and_features_are_joined_before_a_solve(first, tmp_path):
    first.save(tmp_path / "model")
    model = selftime.pretrain(X, encoder=str(tmp_path / "model"))
    solved = model.encoder.encoders[0]
    assert isinstance(solved, UnitLength) and isinstance(solved.encoder, Projected)
    body = solved.encoder.encoder
    assert isinstance(body, Joined)
    joined = backbone(body.encoders[1])
    assert isinstance(joined, Dilated)
    kept = backbone(first.encoder)
    assert torch.equal(joined.entry.weight, kept.entry.weight)
    assert "joined with" in model.card["settings"]


def test_a_model_of_other_channels_is_refused(first):
    with pytest.raises(SeriesError, match="got series of 1 channels, wanted 2"):
        selftime.pretrain(X[:, :1], encoder=first)
