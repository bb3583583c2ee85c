"""Recipes: an encoder written down as plain values and built again; nothing else is built."""

import inspect
import json

import pytest
import torch

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.builders import BUILDERS
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.inception import InceptionTime
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.registry import ENCODERS, build, check_sizes, check_tensors, recipe_of
from selftime.encoders.wrappers.layered import Layered
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength


def patches() -> Encoder:
    """A Transformer of every channel, with all that can be around it."""
    embedder = PatchEmbedder(channels=1, length=20, patch=4, stride=2, dim=8, seed=1)
    network = Transformer(embedder=embedder, positions="learned", depth=1, heads=2, seed=2)
    token = ClassToken(encoder=InstanceNormalised(encoder=network), heads=2, seed=3)
    return ByChannel(channels=2, encoder=token)


def tower() -> Encoder:
    """Every class at once."""
    rocket = MiniRocket(channels=2, length=20, features=168, poolings=("ppv", "mpv"), seed=5)
    parts = [
        Standardised(encoder=rocket),
        Hydra(channels=2, length=20, groups=2, kernels=2, seed=1),
        UnitLength(encoder=Projected(encoder=Quantiles(channels=2, length=9, depth=2), dim=4)),
        Dilated(channels=2, hidden=4, depth=2, dim=6),
        patches(),
        ResNet(channels=2, hidden=4, depth=2),
        InceptionTime(channels=2, hidden=2, depth=3),
        PooledCNN(channels=2, hidden=2),
        LSTM(channels=2, hidden=4, depth=2),
        GRU(channels=2, hidden=4, causal=True, pooling="last"),
        Layered(encoder=Dilated(channels=2, hidden=4, depth=2, dim=6), layer=1, pooling="max"),
    ]
    weights = [1.0, 0.5, 2.0, 1.5, 0.7, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    return Joined(encoders=parts, weights=weights)


def walks():
    values = torch.randn(4, 2, 20, generator=torch.Generator().manual_seed(0)).cumsum(dim=2)
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def test_a_recipe_survives_json_and_gives_the_encoder_back():
    encoder = tower()
    encoder.prepare(walks(), torch.Generator().manual_seed(1))
    recipe = recipe_of(encoder)
    again = build(json.loads(json.dumps(recipe)))
    again.load_state_dict(encoder.state_dict())
    assert recipe_of(again) == recipe and repr(again) == repr(encoder)
    assert torch.equal(again.embed(walks()), encoder.embed(walks()))


def test_the_tower_holds_every_class_that_may_be_named():
    def classes(recipe):
        for value in recipe.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    yield from classes(item)
        yield recipe["class"]

    assert set(classes(recipe_of(tower()))) == set(ENCODERS)


@pytest.mark.parametrize("name", ENCODERS)
def test_names_are_those_of_final_classes(name):
    assert ENCODERS[name].__name__ == name and not inspect.isabstract(ENCODERS[name])


@pytest.mark.parametrize("name", BUILDERS)
def test_builders_build_what_can_be_written_down(name):
    encoder = BUILDERS[name](channels=2, length=20)
    again = build(json.loads(json.dumps(recipe_of(encoder))))
    assert again.dim == encoder.dim
    found = {key: tensor.shape for key, tensor in again.state_dict().items()}
    assert found == {key: tensor.shape for key, tensor in encoder.state_dict().items()}


@pytest.mark.parametrize(
    "recipe, text",
    [
        ("MiniRocket", r"got encoder 'MiniRocket', wanted \{'class'"),
        ({}, r"got encoder \{\}, wanted \{'class'"),
        ({"class": 3}, "wanted {'class'"),
        ({"class": "Encoder"}, "got encoder 'Encoder', wanted one of MiniRocket, Hydra"),
        ({"class": "os.system"}, "got encoder 'os.system', wanted one of"),
        (
            {"class": "Quantiles", "channels": 1, "length": 8, "b": 1, "a": 2},
            "Quantiles has no setting a, b",
        ),
        ({"class": "UnitLength", "encoder": {"class": "eval"}}, "got encoder 'eval'"),
    ],
)
def test_build_refuses(recipe, text):
    with pytest.raises(ValueError, match=text):
        build(recipe)


def projected(dim):
    return {
        "class": "Projected",
        "dim": dim,
        "encoder": {"class": "Quantiles", "channels": 2, "length": 8},
    }


def test_sizes_must_be_those_of_tensors():
    state = {"weight": torch.zeros(30, 7), "centre": torch.zeros(30)}
    check_sizes(projected(7), 2, state)
    with pytest.raises(ValueError, match="got dim 8, which no tensor has"):
        check_sizes(projected(8), 2, state)
    with pytest.raises(ValueError, match="got an encoder of 2 channels, wanted 3"):
        check_sizes(projected(7), 3, state)
    with pytest.raises(ValueError, match="got length 1000000000, wanted at most 10000000"):
        check_sizes({"class": "Quantiles", "channels": 2, "length": 10**9}, 2, {})
    check_sizes({"class": "MiniRocket", "channels": 2, "length": 8, "seed": 2**62}, 2, {})


def test_tensors_must_be_numbers_and_channels_must_exist():
    encoder = MiniRocket(channels=2, length=20, features=84)
    check_tensors(encoder, 2)
    with pytest.raises(ValueError, match="subsets reads channels that do not exist"):
        check_tensors(MiniRocket(channels=9, length=20, features=840), 2)
    encoder.banks[0].biases[3] = torch.nan
    with pytest.raises(ValueError, match="biases holds NaN or infinity"):
        check_tensors(encoder, 2)
