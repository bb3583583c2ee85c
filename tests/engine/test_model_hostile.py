"""Foreign model folders: whatever they hold, they are refused with a ModelError or are sound."""

import copy
import json
import pickle
import resource
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from unsigned import unsigned

from selftime.encoders.wrappers.projected import Projected
from selftime.engine.model import ModelError, load
from selftime.engine.pretrain import pretrain


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    x = np.random.default_rng(0).normal(size=(10, 2, 24)).cumsum(axis=2)
    return pretrain(x, encoder="minirocket").save(tmp_path_factory.mktemp("model") / "sound")


@pytest.fixture
def folder(source, tmp_path):
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return unsigned(tmp_path)


def parts_of(recipe):
    """Every encoder within a recipe."""
    if isinstance(recipe, dict):
        yield recipe
        recipe = list(recipe.values())
    if isinstance(recipe, list):
        for value in recipe:
            yield from parts_of(value)


def part_of(config, name):
    return next(part for part in parts_of(config["encoder"]) if part.get("class") == name)


def put(name, key, value):
    """A change of one setting of the first part of a class."""
    return lambda config: part_of(config, name).update({key: value})


def put_on_top(key, value):
    return lambda config: config.update({key: value})


def nested(depth):
    recipe = {"class": "UnitLength", "encoder": None}
    for _ in range(depth):
        recipe = {"class": "UnitLength", "encoder": recipe}
    return recipe


CONFIGS = {
    "unknown class": put("MiniRocket", "class", "Rocket9"),
    "builtin": put("MiniRocket", "class", "__import__"),
    "dotted": put("MiniRocket", "class", "os.system"),
    "class is a list": put("MiniRocket", "class", ["MiniRocket"]),
    "setting too many": put("MiniRocket", "device", "cuda"),
    "dunder setting": put("MiniRocket", "__class__", "int"),
    "huge projection": put("Projected", "dim", 10**12),
    "projection larger than its tensor": put("Projected", "dim", 10**9),
    "negative projection": put("Projected", "dim", -1),
    "projection is text": put("Projected", "dim", "64"),
    "projection is half": put("Projected", "dim", 2.5),
    "projection is a list": put("Projected", "dim", [64]),
    "huge features": put("MiniRocket", "features", 10**12),
    "other features": put("MiniRocket", "features", 840),
    "huge length": put("MiniRocket", "length", 10**15),
    "length is nothing": put("MiniRocket", "length", None),
    "huge channels": put("MiniRocket", "channels", 10**9),
    "other channels": put("MiniRocket", "channels", 3),
    "poolings": put("MiniRocket", "poolings", ["ppv", "rm -rf"]),
    "seed": put("MiniRocket", "seed", 10**30),
    "encoder in place of a number": put("MiniRocket", "length", {"class": "Quantiles"}),
    "number in place of an encoder": put("Projected", "encoder", 7),
    "nothing in place of an encoder": put("Projected", "encoder", None),
    "no encoder": put_on_top("encoder", None),
    "encoder is text": put_on_top("encoder", "MiniRocket"),
    "encoder is a list": put_on_top("encoder", []),
    "nested deep": put_on_top("encoder", nested(300)),
    "channels are one": put_on_top("channels", ["left"]),
    "channels are a number": put_on_top("channels", 2),
    "no channels": put_on_top("channels", []),
    "card is a list": put_on_top("card", ["words"]),
    "scaling is text": put_on_top("scaling", "none"),
    "scaling is unknown": put_on_top("scaling", {"kind": "__import__"}),
    "scaling is a list": put_on_top("scaling", {"kind": ["channels"]}),
    "scaling of nothing": put_on_top("scaling", {"kind": "channels", "mean": 1, "sd": 2}),
    "scaling of text": put_on_top("scaling", {"kind": "channels", "mean": ["a"], "sd": ["b"]}),
    "scaling by zero": put_on_top("scaling", {"kind": "channels", "mean": [0, 0], "sd": [0, 1]}),
    "scaling of other channels": put_on_top(
        "scaling", {"kind": "channels", "mean": [0], "sd": [1]}
    ),
    "yes for a number": put("MiniRocket", "length", True),
    "a number with a point": put("MiniRocket", "length", 24.5),
    "a word for a size": put("MiniRocket", "features", "A" * 10**6),
    "a number beyond all": put("MiniRocket", "length", float("1e300")),
    "scaling beyond 32 bits": put_on_top(
        "scaling", {"kind": "channels", "mean": [1e308, 0], "sd": [1, 1]}
    ),
    "scaling by next to nothing": put_on_top(
        "scaling", {"kind": "channels", "mean": [0, 0], "sd": [1e-300, 1]}
    ),
    "bounds that cross": put_on_top(
        "scaling",
        {"kind": "channels", "mean": [0, 0], "sd": [1, 1], "low": [2, 2], "high": [1, 1]},
    ),
    "channels are text": put_on_top("channels", "ab"),
    "channels are numbers": put_on_top("channels", [1, 2]),
    "settings without reasons": put_on_top("card", {"settings": {"seed": 3}}),
    "figures are a list": put_on_top("card", {"figures": [1]}),
    "older format": put_on_top("format", 0),
    "format with a cohort": put_on_top("format", 1),
    "format is text": put_on_top("format", "3"),
    "no format": lambda config: config.pop("format"),
    "no card": lambda config: config.pop("card"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_config_is_refused(folder, name):
    config = json.loads((folder / "config.json").read_text())
    before = copy.deepcopy(config)
    CONFIGS[name](config)
    assert config != before
    (folder / "config.json").write_text(json.dumps(config))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=f"{folder}"):
        load(folder)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert grown < 200_000  # KiB: nothing of the size asked for was allocated


TEXTS = {
    "empty": "",
    "not JSON": "import os",
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "cut off": '{"format": 4, "encoder": {',
    "nested very deep": "[" * 100_000,
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_no_config_is_refused(folder, name):
    text = TEXTS[name]
    (folder / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelError, match=f"{folder}"):
        load(folder)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(folder, constant):
    text = (folder / "config.json").read_text()
    assert '"format": 4' in text
    (folder / "config.json").write_text(text.replace('"format": 4', f'"format": {constant}'))
    with pytest.raises(ModelError, match=f"{constant} is not JSON"):
        load(folder)


def tensor_named(state, end):
    return next(name for name in state if name.endswith(end))


def changed(end, change):
    """A change of the first tensor whose name ends so."""

    def change_state(state):
        name = tensor_named(state, end)
        state[name] = change(state[name]).contiguous()

    return change_state


STATES = {
    "weight cut": changed("weight", lambda w: w[:, :-1]),
    "weight turned": changed("weight", lambda w: w.T),
    "weight is NaN": changed("weight", lambda w: w * torch.nan),
    "centre is infinite": changed("centre", lambda c: c + torch.inf),
    "centre is a number": changed("centre", lambda c: c[0]),
    "channels beyond the last": changed("subsets", lambda s: s + 10**6),
    "channels before the first": changed("subsets", lambda s: s - 10**6),
    "channels of another type": changed("subsets", lambda s: (s + 10**6).int()),
    "channels as fractions": changed("subsets", lambda s: s + 1e6),
    "a tensor less": lambda state: state.pop(tensor_named(state, "weight")),
    "a tensor more": lambda state: state.update(extra=torch.ones(2)),
    "none at all": dict.clear,
}


@pytest.mark.parametrize("name", STATES)
def test_tensors_are_refused(folder, name):
    path = folder / "model.safetensors"
    state = load_file(path)
    STATES[name](state)
    save_file(state, path)
    with pytest.raises(ModelError, match=f"{folder}"):
        load(folder)


def cut(data):
    return data[: len(data) // 2]


def pickled(_):
    return pickle.dumps({"weight": [1.0]})


def torch_pickled(_):
    return b"PK\x03\x04" + b"\x00" * 100


def long_header(data):
    return (2**62).to_bytes(8, "little") + data[8:]


@pytest.mark.parametrize("change", [cut, pickled, torch_pickled, long_header, lambda _: b""])
def test_files_that_are_no_tensors_are_refused(folder, change):
    path = folder / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelError, match="is damaged"):
        load(folder)


def test_pickles_are_never_opened(folder):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle ran",))

    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError):
        load(folder)


def test_a_flipped_bit_is_found(source, tmp_path):
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match="is damaged .*is not as it was written"):
        load(tmp_path)
    config = json.loads((source / "config.json").read_text())
    config["card"]["note"] = "by hand"
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes())
    assert load(tmp_path).card["note"] == "by hand"
    config["scaling"] = {"kind": "none"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="is not as it was written"):
        load(tmp_path)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "~nobody/here"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ModelError, match="wanted a path to a folder|is not a model folder"):
        load(path)


def test_configs_are_no_larger_than_configs_are(folder):
    with (folder / "config.json").open("ab") as file:
        file.truncate(100 << 20)
    with pytest.raises(ModelError, match="config.json has more than 67,108,864 bytes"):
        load(folder)


def test_missing_files_are_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="model.safetensors is missing"):
        load(folder)


def test_the_untouched_copy_loads(folder, source):
    x = np.random.default_rng(1).normal(size=(3, 2, 24))
    np.testing.assert_array_equal(load(folder).embed(x), load(source).embed(x))


def test_weights_that_diverged_give_an_error_and_no_vectors(source):
    model = load(source)
    wide = Projected.of(
        model.encoder, torch.zeros(model.dim), torch.full((model.dim, 4), torch.inf)
    )
    model = replace(model, encoder=wide)
    with pytest.raises(ModelError, match="vectors that are not finite"):
        model.embed(np.random.default_rng(0).normal(size=(3, 2, 24)))
