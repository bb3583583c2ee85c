"""Saved streams: whole or not at all, of the same model and manner, and nothing hostile in them."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from stream_material import model_of, series_of

import selftime
from selftime.engine.streaming import state as stream_state


@pytest.fixture
def model() -> selftime.Model:
    return model_of("dilated", 2)


@pytest.fixture
def saved(model, tmp_path):
    stream = model.stream(streams=2)
    stream.update(series_of((2, 2, 21), 0.2))
    return stream.save(tmp_path / "deep" / "stream.safetensors")


def header_of(path) -> dict:
    raw = path.read_bytes()
    return json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])


def written(path, *, tensors=None, facts=None, key=stream_state.KEY):
    """The file with other tensors or facts."""
    old = json.loads(header_of(path)["__metadata__"][stream_state.KEY])
    stored = facts if isinstance(facts, str) else json.dumps(old | (facts or {}))
    save_file(load_file(path) | (tensors or {}), path, metadata={key: stored})


def refused(model, path) -> str:
    """The message; the stream that refused is as it was before."""
    stream, twin = model.stream(streams=2), model.stream(streams=2)
    x = series_of((2, 2, 5), seed=4)
    stream.update(x), twin.update(x)
    with pytest.raises(selftime.StreamError) as error:
        stream.restore(path)
    np.testing.assert_array_equal(stream.update(x), twin.update(x))
    assert stream.steps == twin.steps == 10
    return str(error.value)


def test_a_file_holds_plain_facts_and_tensors(saved):
    facts = json.loads(header_of(saved)["__metadata__"][stream_state.KEY])
    model = facts.pop("model")
    assert facts == {
        "format": 1,
        "steps": 21,
        "streams": 2,
        "of": "auto",
        "window": None,
        "every": 1,
    }
    assert len(model) == 64 and int(model, 16)
    assert os.listdir(saved.parent) == [saved.name]


def test_a_failure_while_saving_leaves_the_file_before(model, saved, monkeypatch):
    before, stream = saved.read_bytes(), model.stream(streams=2)

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        stream.save(saved)
    assert saved.read_bytes() == before and os.listdir(saved.parent) == [saved.name]


def test_no_file_and_other_files(model, tmp_path):
    said = refused(model, tmp_path / "nowhere")
    assert said.endswith("nowhere is no file, wanted the state of a stream: save one first")
    other = tmp_path / "other"
    save_file({"x": torch.zeros(1)}, other)
    assert refused(model, other).endswith("is not the state of a stream: choose another file")


@pytest.mark.parametrize("cut", [0, 3, 8, 200, -1])
def test_a_cut_file(model, saved, cut):
    saved.write_bytes(saved.read_bytes()[:cut])
    assert " is damaged (" in refused(model, saved)


def test_noise_in_a_file(model, saved):
    rng, whole = np.random.default_rng(0), saved.read_bytes()
    for _ in range(40):
        raw = bytearray(whole)
        raw[rng.integers(0, 400)] = rng.integers(0, 256)
        saved.write_bytes(raw)
        stream = model.stream(streams=2)
        try:
            stream.restore(saved)
        except selftime.StreamError:
            assert stream.steps == 0
        assert np.isfinite(stream.update(np.ones((2, 2)))).all()


def test_another_model_or_manner(model, saved):
    other = model_of("by channel", 2)
    assert refused(other, saved).endswith("is of another model: load the model it was saved with")
    for made, said in (
        (model.stream(), "saved with streams=2, this stream has None"),
        (model.stream(streams=2, of="series"), "saved with of='auto', this stream has 'series'"),
        (model.stream(streams=2, window=5), "saved with window=None, this stream has 5"),
    ):
        with pytest.raises(selftime.StreamError, match="make the stream as it was made") as error:
            made.restore(saved)
        assert said in str(error.value)


@pytest.mark.parametrize(
    "facts, said",
    [
        ("{", "is damaged ("),
        ("[1]", "has another format, wanted 1: begin the stream anew"),
        ("[" * 99_999, "is damaged ("),
        ({"format": 2}, "has another format, wanted 1: begin the stream anew"),
        ({"steps": -1}, "says -1 steps, wanted a number: begin the stream anew"),
        ({"steps": True}, "says True steps, wanted a number"),
        ({"steps": 2**70}, f"says {2**70} steps, wanted a number"),
        ({"steps": "9"}, "says '9' steps, wanted a number"),
    ],
)
def test_hostile_facts(model, saved, facts, said):
    written(saved, facts=facts)
    assert said in refused(model, saved)


@pytest.mark.parametrize(
    "tensors, said",
    [
        ({"more": torch.zeros(2)}, "holds other tensors than the stream has"),
        ({"0.first": torch.zeros(2, 2, 99)}, "got 0.first (2, 2, 99) of torch.float32, wanted (2,"),
        ({"0.first": torch.zeros(2, 2, 6).double()}, "of torch.float64, wanted (2, 2, 6) of torch"),
        ({"0.first": torch.full((2, 2, 6), torch.nan)}, "0.first holds NaN or infinity"),
        ({"3.second": torch.full((16, 2, 7), torch.inf)}, "3.second holds NaN or infinity"),
    ],
)
def test_hostile_tensors(model, saved, tensors, said):
    written(saved, tensors=tensors)
    assert said in refused(model, saved)


def test_the_fingerprint_sees_weights_scaling_and_channels(model):
    def of(changed: selftime.Model) -> str:
        return stream_state.fingerprint(changed.encoder, changed.scaling, changed.channels)

    heavier = model_of.__wrapped__("dilated", 2)
    assert of(heavier) == of(model)
    with torch.no_grad():
        heavier.encoder.entry.bias[0] += 1
    renamed = selftime.Model(model.encoder, model.scaling, ("x", "y"))
    rescaled = selftime.Model(model.encoder, model_of("dilated", 3).scaling, model.channels)
    assert len({of(m) for m in (model, heavier, renamed, rescaled)}) == 4
