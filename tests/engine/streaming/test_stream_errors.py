"""What cannot be streamed is said with the reason and what to do instead."""

import re

import numpy as np
import pytest
import torch
from stream_material import model_of, rocket

import selftime
from selftime.data.scaling import OwnLevel, PerSeries
from selftime.encoders.base import Joined
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised
from selftime.encoders.wrappers.projected import Standardised

INSTEAD = (
    "use window=512, which encodes the last 512 steps anew, or pretrain with "
    "encoder='dilated_causal'"
)


def causal() -> Dilated:
    return Dilated(channels=1, hidden=4, depth=2, dim=3, causal=True)


def patches(stride: int, *, ahead: bool = False) -> Transformer:
    made = PatchEmbedder(channels=1, length=16, patch=stride, stride=stride, dim=8)
    return Transformer(embedder=made, depth=1, heads=2, causal=ahead)


REASONS = [
    (
        Dilated(channels=1, hidden=4, depth=2, dim=3),
        "Dilated that is not causal looks at steps that",
    ),
    (LSTM(channels=1, hidden=4), "LSTM that is not causal looks at steps that are still to come"),
    (GRU(channels=1, hidden=4), "GRU that is not causal looks at steps that are still to come"),
    (ResNet(channels=1, hidden=4), "ResNet looks at steps that are still to come"),
    (rocket(1), "MiniRocket sees a series only as a whole"),
    (Joined(encoders=[causal(), rocket(1)]), "MiniRocket sees a series only as a whole"),
    (Standardised(encoder=rocket(1)), "MiniRocket sees a series only as a whole"),
    (
        InstanceNormalised(encoder=causal()),
        "InstanceNormalised takes mean and std from the whol",
    ),
    (
        ByChannel(channels=1, encoder=InstanceNormalised(encoder=causal())),
        "InstanceNormalised takes mean and std from the whole series",
    ),
    (patches(4), "Transformer has one token for 4 steps"),
    (patches(1), "Transformer looks at steps that are still to come"),
    (patches(1, ahead=True), "Transformer goes back to all that came before at every step"),
]


@pytest.mark.parametrize("encoder, reason", REASONS, ids=lambda value: str(value)[:60])
def test_encoders_that_cannot_be_streamed_can_be_with_a_window(encoder, reason):
    model = selftime.Model(encoder.eval(), model_of("dilated").scaling, ("x",))
    with pytest.raises(selftime.StreamError) as error:
        model.stream()
    assert str(error.value).startswith(reason) and str(error.value).endswith(f": {INSTEAD}")
    assert np.isfinite(model.stream(window=8).update(np.ones((1, 11)))).all()


@pytest.mark.parametrize("scaling", [PerSeries(), OwnLevel((2.0,))], ids=["all", "level"])
def test_scaling_per_series(scaling):
    model = model_of("dilated", 1, scaling)
    with pytest.raises(selftime.StreamError) as error:
        model.stream()
    assert np.isfinite(model.stream(window=8).update(np.ones((1, 11)))).all()
    said = "the model scales each series by all of its values, also those to come: "
    assert str(error.value) == said + "use window=512, which encodes the last 512 steps anew"


@pytest.mark.parametrize(
    "given, said",
    [
        ({"streams": 0}, "got streams=0, wanted at least 1, or none"),
        ({"window": 0}, "got window=0, wanted at least 1, or none"),
        ({"window": 5, "every": 0}, "got every=0, wanted at least 1, and above 1 only with a win"),
        ({"every": 2}, "got every=2, wanted at least 1, and above 1 only with a window: without"),
        ({"window": 5, "of": "step"}, "got of='step' and a window, which has one vector: leave"),
    ],
)
def test_manners_that_cannot_be_meant(given, said):
    with pytest.raises(selftime.StreamError, match=re.escape(said)):
        model_of("dilated").stream(**given)


def test_steps_of_a_model_that_has_none():
    said = "got of='step', but Projected has one vector a series and none a step: leave it out"
    with pytest.raises(selftime.StreamError, match=re.escape(said)):
        model_of("projected", 2).stream(of="step")


@pytest.mark.parametrize(
    "streams, value, said",
    [
        (
            None,
            np.ones(3),
            "got values of shape (3,), wanted (2,) for one step or (2, k) for k steps",
        ),
        (
            None,
            1.0,
            "got values of shape (), wanted (2,) for one step or (2, k) for k steps: one str",
        ),
        (None, np.ones((2, 0)), "got values of shape (2, 0), wanted (2,) for one step or (2, k)"),
        (None, np.ones((1, 2, 3)), "got values of shape (1, 2, 3), wanted (2,) for one step"),
        (3, np.ones(2), "got values of shape (2,), wanted (3, 2) for one step or (3, 2, k) for k"),
        (3, np.ones((2, 3)), "for k steps: 3 streams of 2 channels"),
        (
            None,
            ["a", "b"],
            "got list (could not convert string to float: 'a'), wanted numbers (2,)",
        ),
        (None, [[1.0], [1.0, 2.0]], "got list (setting an array element with a sequence"),
        (None, None, "got values of shape (), wanted (2,) for one step"),
        (None, {"x": 1}, "got dict ("),
        (None, [10**400, 1], "got list (int too large to convert to float), wanted numbers (2,)"),
        (None, np.ones(2) * 1j, "got ndarray (complex numbers), wanted numbers (2,)"),
        (None, torch.ones(2, device="meta"), "got Tensor ("),
    ],
)
def test_values_of_another_shape_or_kind(streams, value, said):
    model = model_of("dilated", 2)
    stream, twin = model.stream(streams=streams), model.stream(streams=streams)
    with pytest.raises(selftime.StreamError, match=re.escape(said)):
        stream.update(value)
    good = np.ones((2,) if streams is None else (3, 2))
    np.testing.assert_array_equal(stream.update(good), twin.update(good))
