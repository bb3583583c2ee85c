"""Recipes: an encoder written down as plain values and built again; nothing else is built."""

import inspect
import json
import resource

import pytest
import torch

from selftime.data.batch import Batch
from selftime.encoders import registry
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.builders import BUILDERS
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import FrameEmbedder, SymbolEmbedder, WaveEmbedder
from selftime.encoders.networks.inception import InceptionTime
from selftime.encoders.networks.patching import GridEmbedder, PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.registry import ENCODERS, build, check_tensors, rebuild, recipe_of
from selftime.encoders.wrappers.embedded import Embedded
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
    waves = WaveEmbedder(channels=2, length=20, dim=4, strides=(2, 2), kernels=(4, 3))
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
        GridEmbedder(channels=2, rows=4, columns=5, dim=4),
        FrameEmbedder(height=1, width=2, colours=1, length=20, dim=4),
        Embedded(embedder=waves, encoder=GRU(channels=4, hidden=3)),
        ByChannel(channels=2, encoder=SymbolEmbedder(symbols=5, length=20, dim=4)),
    ]
    weights = [1.0, 0.5, 2.0, 1.5, 0.7, *[1.0] * 10]
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
            "Quantiles has no setting 'a', 'b'",
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
    encoder = build(projected(7))
    state = encoder.state_dict()
    assert recipe_of(rebuild(projected(7), 2, state)) == recipe_of(encoder)
    with pytest.raises(ValueError, match=r"weight is \(\(126, 7\), .*settings say"):
        rebuild(projected(8), 2, state)
    with pytest.raises(ValueError, match="the tensor centre is missing"):
        rebuild(projected(7), 2, {"weight": state["weight"]})
    with pytest.raises(ValueError, match="the tensor more is one too many"):
        rebuild(projected(7), 2, state | {"more": torch.zeros(1)})
    with pytest.raises(ValueError, match="settings say .*float32"):
        rebuild(projected(7), 2, state | {"weight": state["weight"].double()})
    with pytest.raises(ValueError, match="got an encoder of 2 channels, wanted 3"):
        rebuild(projected(7), 3, state)


@pytest.mark.parametrize(
    "recipe",
    [
        {"class": "Dilated", "channels": 1, "hidden": 10**4, "dim": 10**4, "depth": 1},
        {"class": "MiniRocket", "channels": 1, "length": 9, "features": 10**7, "differences": True},
        {"class": "Hydra", "channels": 1, "length": 9, "groups": 2, "kernels": 10**7},
        {"class": "LSTM", "channels": 1, "hidden": 10**5},
        {"class": "PatchEmbedder", "channels": 1, "length": 9, "patch": 10**5, "dim": 10**5},
        {"class": "Projected", "dim": 10**7, "encoder": projected(7)},
        {"class": "SymbolEmbedder", "symbols": 10**6, "length": 9, "dim": 10**6},
        {"class": "GridEmbedder", "channels": 1, "rows": 3, "columns": 3, "dim": 10**7},
        {
            **{"class": "WaveEmbedder", "channels": 1, "length": 9, "dim": 10**4},
            **{"strides": [1], "kernels": [10**4]},
        },
        {
            **{"class": "FrameEmbedder", "height": 10**5, "width": 10**5, "colours": 1},
            **{"length": 9, "dim": 10},
        },
    ],
)
def test_more_numbers_than_tensors_hold_are_not_made(recipe, monkeypatch):
    monkeypatch.setattr(registry, "_FREE_NUMBERS", 10**5)
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="far more numbers than the tensors hold"):
        rebuild(recipe, 1 if "channels" in recipe else 2, {"weight": torch.zeros(30, 7)})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun < 100_000  # KiB


@pytest.mark.parametrize(
    "change, text",
    [
        ({"length": True}, "got length True, wanted int"),
        ({"length": 9.0}, "got length 9.0, wanted int"),
        ({"length": "AAAA"}, "got length 'AAAA', wanted int"),
        ({"length": [9]}, r"got length \[9\], wanted int"),
        ({"length": None}, "got length None, wanted int"),
        ({"length": 10**9}, "got length 1000000000, wanted at most 10000000"),
        ({"length": 10**7}, "wanted at most 4,000,000 features"),
        ({"depth": 10**7, "length": 10**6}, "wanted at most 4,000,000 features"),
        ({"channels": projected(7)}, "got channels Projected.*, wanted int"),
    ],
)
def test_settings_are_of_the_types_that_constructors_say(change, text):
    with pytest.raises(ValueError, match=text):
        build({"class": "Quantiles", "channels": 2, "length": 9} | change)


def test_weights_are_finite_numbers_of_an_ordinary_size():
    parts = [{"class": "Quantiles", "channels": 1, "length": 9}] * 2
    assert build({"class": "Joined", "encoders": parts, "weights": [1, 0.5]}).weights == [1.0, 0.5]
    for weights in ([1, 1e308], [1, float("inf")], [1, float("nan")], [1, True], "12", [1, "2"]):
        with pytest.raises(ValueError, match="got weights .*, wanted"):
            build({"class": "Joined", "encoders": parts, "weights": weights})
    with pytest.raises(ValueError, match="wanted an encoder|got encoder 3"):
        build({"class": "Joined", "encoders": [parts[0], 3]})


def test_parts_are_counted_before_any_is_built():
    many = {"class": "Quantiles", "channels": 1, "length": 9}
    for _ in range(7):
        many = {"class": "Joined", "encoders": [many, many]}
    deep = {"class": "Quantiles", "channels": 1, "length": 9}
    for _ in range(500):
        deep = {"class": "UnitLength", "encoder": deep}
    for recipe in (many, deep):
        with pytest.raises(ValueError, match="got more than 100 encoders, or more than 20 within"):
            build(recipe)
    waves = {"class": "WaveEmbedder", "channels": 1, "length": 9, "dim": 1}
    for part in (
        {"class": "GRU", "channels": 1, "depth": 50},
        waves | {"strides": [1] * 50, "kernels": [1] * 50},
    ):
        with pytest.raises(ValueError, match="got 50 layers, but 1 tensors"):
            rebuild(part, 1, {"weight": torch.zeros(30, 7)})


def test_seeds_may_be_large():
    build({"class": "MiniRocket", "channels": 2, "length": 8, "seed": 2**62})


def test_tensors_must_be_numbers_and_channels_must_exist():
    encoder = MiniRocket(channels=2, length=20, features=84)
    check_tensors(encoder, 2)
    with pytest.raises(ValueError, match="subsets reads channels that do not exist"):
        check_tensors(MiniRocket(channels=9, length=20, features=840), 2)
    encoder.banks[0].biases[3] = torch.nan
    with pytest.raises(ValueError, match="biases holds NaN or infinity"):
        check_tensors(encoder, 2)
