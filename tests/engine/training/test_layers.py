"""Layers that are computed again give the same gradients in less memory; compiled ones the same."""

import re
import weakref
from copy import deepcopy

import pytest
import torch
from strided_toy import Strided
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from training_material import advanced, assert_same_state, objective_of, training_of, waves

import selftime as st
from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.encoders.builders import BUILDERS
from selftime.engine.training.config import TrainingConfig, parse_budget
from selftime.engine.training.layers import (
    as_written,
    compile_layers,
    layers_of,
    recompute_layers,
)
from selftime.engine.training.trainer import Trainer
from selftime.objectives.registry import OBJECTIVES

NETWORKS = ["dilated", "dilated_causal", "resnet", "inception", "lstm", "gru", "transformer"]


class Peak(TorchDispatchMode):
    """The most bytes of tensors made within it that were alive at once."""

    def __init__(self):
        super().__init__()
        self.now, self.most, self.known = 0, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for storage in {t.untyped_storage() for t in tree_leaves(out) if torch.is_tensor(t)}:
            if storage._cdata not in self.known:
                self.known.add(storage._cdata)
                self.now += storage.nbytes()
                weakref.finalize(storage, self.forget, storage._cdata, storage.nbytes())
        self.most = max(self.most, self.now)
        return out

    def forget(self, place, size):
        self.known.discard(place)
        self.now -= size


def series_of(steps=32, count=3):
    x = torch.randn(count, 2, steps, generator=torch.Generator().manual_seed(0))
    return Batch(x, torch.ones_like(x, dtype=torch.bool))


def gradients_of(encoder, x):
    with Peak() as peak:
        encoder.embed(x).square().sum().backward()
    return [w.grad for w in encoder.parameters() if w.grad is not None], peak.most


@pytest.mark.late
@pytest.mark.parametrize("name", NETWORKS)
def test_layers_computed_again_give_the_same_gradients(name):
    encoder = BUILDERS[name](channels=2, length=32, seed=0)
    again = deepcopy(encoder)
    recompute_layers(again)
    (wanted, _), (got, _) = gradients_of(encoder, series_of()), gradients_of(again, series_of())
    assert len(got) == len(wanted) > 0
    for g, w in zip(got, wanted, strict=True):
        assert torch.equal(g, w)


@pytest.mark.late
@pytest.mark.parametrize(("name", "share"), [("transformer", 0.7), ("dilated", 0.65)])
def test_layers_computed_again_take_less_memory(name, share):
    # measured 0.64 and 0.60: the last of eleven blocks is five times as wide as the others
    x = series_of(256, 8)
    encoder = BUILDERS[name](channels=2, length=256, seed=0)
    kept = gradients_of(encoder, x)[1]
    encoder.zero_grad()
    recompute_layers(encoder)
    assert gradients_of(encoder, x)[1] < share * kept


def test_a_run_is_the_same_and_leaves_the_encoder_as_it_was():
    plain, again = training_of("ts2vec"), training_of("ts2vec", gradient_checkpointing=True)
    assert advanced(plain, 4) == advanced(again, 4)
    assert_same_state(again.state(), plain.state())
    assert all("forward" in vars(layer) for layer in layers_of(again.objective))
    again.finish()
    assert not any("forward" in vars(layer) for layer in layers_of(again.objective))


def test_a_copy_of_layers_computed_again_has_its_own_weights():
    encoder = objective_of("simclr").encoder
    recompute_layers(encoder)
    copy, x = deepcopy(encoder), series_of(24)
    before = encoder.embed(x)
    with torch.no_grad():
        for weight in copy.parameters():
            weight.zero_()
    assert torch.equal(encoder.embed(x), before)
    assert not copy.embed(x).any()


def test_each_layer_is_compiled_and_taken_off(monkeypatch):
    called = []
    monkeypatch.setattr(torch, "compile", lambda work, **_: lambda *x: called.append(1) or work(*x))
    training = training_of("simclr", compile=True)
    assert called == [1]  # tried once, before anything is learned
    plain = training_of("simclr")
    assert advanced(training, 2) == advanced(plain, 2)
    assert len(called) == 1 + 2 * 2 * len(layers_of(plain.objective))  # two views, two steps
    training.finish()
    training.objective.encoder.embed(series_of(24))
    assert len(called) == 1 + 2 * 2 * len(layers_of(plain.objective))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch's own compiler
def test_compiled_layers_learn_the_same():
    """The compiler of this machine, one small kernel."""
    plain = BUILDERS["transformer"](channels=2, length=32, seed=0)
    compiled = deepcopy(plain)
    compile_layers(compiled, torch.device("cpu"))
    recompute_layers(compiled)
    x = series_of()
    for got, wanted in zip(gradients_of(compiled, x)[0], gradients_of(plain, x)[0], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
    as_written(compiled)
    assert torch.equal(compiled.embed(x), plain.embed(x))


def test_a_machine_without_a_compiler_is_told_what_to_install(monkeypatch):
    def fails(work):
        raise RuntimeError("No working C++ compiler found\nin all places")

    monkeypatch.setattr(torch, "compile", lambda work: lambda x: fails(work))
    said = "got compile=True, wanted a C++ compiler, such as g++ for torch.compile to use, which "
    with pytest.raises(ValueError, match=re.escape(said + "says: No working C++ compiler found.")):
        training_of("simclr", compile=True)


def test_an_encoder_without_layers_is_refused():
    series = waves()
    config = TrainingConfig(gradient_checkpointing=True)
    learner, scale = OBJECTIVES["simclr"](encoder=Strided(channels=2)), scaling.fit_channels(series)
    with pytest.raises(ValueError, match="checkpointing=True for Strided, .* a stack of layers"):
        Trainer(learner, series, scale, parse_budget("2 steps"), config, 0)


@pytest.mark.late
@pytest.mark.parametrize("name", ["compile", "gradient_checkpointing"])
def test_cards_name_what_was_asked_for(name, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda work: work)
    config = TrainingConfig(**{name: True})
    x = st.sample("JapaneseVowels", "train")[:8]
    model = st.pretrain(x, objective="simclr", budget="1 steps", config=config, progress=False)
    found = model.card["settings"][name.replace("_", " ")]
    assert found == {"value": True, "reason": "given"}


def test_own_negatives_of_one_process_are_those_of_the_batch():
    own, gathered = (training_of("simclr", negatives=kind) for kind in ("own", "gathered"))
    assert advanced(own, 3) == advanced(gathered, 3)
