"""Strategies: what each trains and what it leaves, on every kind of encoder and target."""

import os
import signal

import numpy as np
import pytest
import torch
from training_material import waves

from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.low_rank import LowRank, add_low_rank, merged
from selftime.engine.model import load
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import TrainingConfig
from selftime.engine.training.loop import Stopped
from selftime.objectives.base import Recipe
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.simclr import SimCLR
from selftime.objectives.spectral import Spectral
from selftime.objectives.supervised.targets import Amount, AnyClasses, OneClass, StepClasses
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer import tune as tuning
from selftime.tasks.transfer.strategies import STRATEGIES, TransferConfig, transfer
from selftime.tasks.transfer.tune import cache_frozen, freeze, layer_rates, train_last, unfrozen

SLOW = pytest.mark.slow
SERIES = waves(24)
LABELS = np.array(["slow", "fast"])[np.arange(24) % 2]
CLASSES = OneClass(np.unique(LABELS))
PLAN = {"budget": "25 steps", "config": TrainingConfig(recipe=Recipe(batch_size=8, rate=5e-3))}
SHORT = {"budget": "5 steps", "config": TrainingConfig(recipe=Recipe(batch_size=8, rate=5e-3))}
LONGER = {"budget": "120 steps", "config": TrainingConfig(recipe=Recipe(batch_size=8, rate=2e-2))}


@pytest.fixture(scope="module")
def network():
    encoder = Dilated(channels=2, hidden=8, depth=3, dim=16, seed=0)
    return pretrain(SERIES, objective=SimCLR(encoder=encoder), budget="4 steps")


@pytest.fixture(scope="module")
def solved():
    quantiles = Quantiles(channels=2, length=16, depth=3)
    beside = Quantiles(channels=2, length=16, depth=2)
    return pretrain(SERIES, objective=Spectral(encoder=quantiles, beside=beside, copies=3, dim=6))


@pytest.fixture(scope="module")
def attentive():
    embedder = PatchEmbedder(channels=2, length=24, dim=16, patch=4, stride=4)
    encoder = Transformer(embedder=embedder, depth=2, heads=2)
    return pretrain(SERIES, objective=MaskedPatches(encoder=encoder), budget="4 steps")


def config_of(strategy, **changes):
    return TransferConfig(**{"strategy": strategy} | PLAN | changes)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.encoder.state_dict().items()}


def moved(before, model):
    """Names of the tensors of the encoder that have changed."""
    after = model.encoder.state_dict()
    assert before.keys() == after.keys()
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


@pytest.mark.late
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_every_strategy_learns_from_labels_and_leaves_the_model_as_it_was(attentive, strategy):
    before = weights(attentive)
    found = transfer(attentive, SERIES, LABELS, CLASSES, config_of(strategy))
    probabilities = found.probabilities(SERIES)
    assert probabilities.shape == (24, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (found.predict(SERIES) == LABELS).mean() >= 0.75
    np.testing.assert_array_equal(
        CLASSES.classes[probabilities.argmax(axis=1)], found.predict(SERIES)
    )
    assert not moved(before, attentive)


@pytest.mark.parametrize("strategy", ["partial", "full", "staged"])
def test_learned_maps_of_fixed_features_are_tuned(solved, strategy):
    found = transfer(solved, SERIES, LABELS, CLASSES, config_of(strategy))
    maps = {"parts.0.encoder.weight", "parts.1.weight"}  # the second is of what stands beside
    assert moved(weights(solved), found.model) == maps
    assert (found.predict(SERIES) == LABELS).mean() >= 0.75


@pytest.mark.late
@pytest.mark.again
def test_partial_trains_the_last_blocks_alone(network):
    found = transfer(network, SERIES, LABELS, CLASSES, config_of("partial", blocks=1))
    changed = moved(weights(network), found.model)
    assert changed and all(".stack.3." in name for name in changed)
    everything = transfer(network, SERIES, LABELS, CLASSES, config_of("full"))
    assert any(".entry." in name for name in moved(weights(network), everything.model))


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize(
    "head",
    ["mlp", "attention", *(pytest.param(h, marks=SLOW) for h in ("deep_mlp", "normed_linear"))],
)
def test_frozen_vectors_under_a_trained_head(network, head):
    found = transfer(network, SERIES, LABELS, CLASSES, config_of("probe", head=head, **LONGER))
    encoder = found.model.encoder
    own = network.encoder.encoder.encoder if head == "attention" else network.encoder
    for name, tensor in own.state_dict().items():
        assert torch.equal(tensor, encoder.state_dict()[name]), name
    assert (found.predict(SERIES) == LABELS).mean() >= 0.75


def test_the_probe_strategy_is_the_probe(network):
    found = transfer(network, SERIES, LABELS, CLASSES, TransferConfig())
    probe = Probe(reference_bank=network.reference_bank).fit(network.embed(SERIES), LABELS)
    np.testing.assert_array_equal(
        found.probabilities(SERIES), probe.predict_proba(network.embed(SERIES))
    )


def test_staged_begins_where_the_probe_ends(network):
    none = {
        "budget": "1 step",
        "config": TrainingConfig(recipe=Recipe(rate=1e-12, warmup=0.0)),
    }
    found = transfer(network, SERIES, LABELS, CLASSES, config_of("staged", **none))
    probe = Probe().fit(network.embed(SERIES), LABELS)
    wanted = probe.predict_proba(network.embed(SERIES))
    np.testing.assert_allclose(found.probabilities(SERIES), wanted, atol=1e-5)


def test_lower_blocks_learn_more_slowly(network):
    encoder = unfrozen(network.encoder)
    rates = layer_rates(encoder, 0.1)
    assert rates.keys() == {f"encoder.{name}" for name, _ in encoder.named_parameters()}
    by_block = [rates[f"encoder.encoder.encoder.stack.{k}.first.weight"] for k in range(4)]
    np.testing.assert_allclose(by_block, [0.1 * 0.8**k for k in (3, 2, 1, 0)])
    assert rates["encoder.encoder.encoder.entry.bias"] == pytest.approx(0.1 * 0.8**4)


def test_no_blocks_to_train_is_refused(network):
    with pytest.raises(ValueError, match="got 0 blocks to train, wanted at least 1: or choose"):
        train_last(unfrozen(network.encoder), 0)


@pytest.mark.again
def test_the_same_seed_gives_the_same_bits(network):
    one, again, other = (
        transfer(network, SERIES, LABELS, CLASSES, config_of("full", seed=seed, **SHORT)).outputs(
            SERIES
        )
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["network", "solved", "attentive"])
def test_a_tuned_model_is_saved_as_ever(kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    strategy = "adapter" if kind == "attentive" else "full"
    found = transfer(model, SERIES, LABELS, CLASSES, config_of(strategy, **SHORT))
    again = load(found.model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.embed(SERIES), found.model.embed(SERIES))


def test_what_is_stored_gives_what_the_whole_would(solved, monkeypatch):
    kept = transfer(solved, SERIES, LABELS, CLASSES, config_of("full")).outputs(SERIES)
    monkeypatch.setattr(tuning, "MAX_CACHED_BYTES", 0)
    whole = transfer(solved, SERIES, LABELS, CLASSES, config_of("full")).outputs(SERIES)
    np.testing.assert_allclose(kept, whole, atol=1e-4)


def test_slim_encoders_share_what_is_trained(solved):
    own = unfrozen(solved.encoder)
    own.parts[0].encoder.encoder.requires_grad_(False)
    slim, frozen = cache_frozen(own)
    maps = own.parts[0].encoder, own.parts[1]
    assert [id(w) for w in slim.parameters()] == [id(part.weight) for part in maps]
    assert sum(part.dim for part in frozen) == sum(part.encoder.dim for part in maps)
    assert "weight" in dict(freeze(own).parts[0].encoder.named_buffers())
    with pytest.raises(ValueError, match="got Dilated, which is trained on series: it stays whole"):
        cache_frozen(Dilated(channels=1, hidden=2, depth=1, dim=2))


def test_adapters_are_low_rank_changes_that_fold_into_the_maps(attentive):
    own = add_low_rank(attentive.encoder, rank=2, seed=0).double()
    x = attentive.scaling.apply(batch_of(SERIES, [0, 1, 2]))
    x = x._replace(values=x.values.double())
    plain = attentive.encoder.double()
    torch.testing.assert_close(own.embed(x), plain.embed(x))  # nothing has changed yet
    changes = [part for part in own.modules() if isinstance(part, LowRank)]
    trained = [w for w in own.parameters() if w.requires_grad]
    assert len(changes) == 8 and len(trained) == 16
    rng = torch.Generator().manual_seed(1)
    for part in changes:
        part.up.data = torch.randn(part.up.shape, generator=rng, dtype=torch.float64)
    layer, v = changes[0], torch.randn(3, changes[0].base.in_features, generator=rng).double()
    for row, out in zip(v, layer(v), strict=True):
        wanted = layer.base.weight @ row + layer.base.bias + layer.up @ (layer.down @ row)
        torch.testing.assert_close(out, wanted)
    folded = merged(own)
    assert not any(isinstance(part, LowRank) for part in folded.modules())
    torch.testing.assert_close(folded.embed(x), own.embed(x))
    attentive.encoder.float()


def test_adapters_need_a_transformer(network):
    with pytest.raises(ValueError, match="which has no Transformer layers: choose 'partial'"):
        transfer(network, SERIES, LABELS, CLASSES, config_of("adapter"))


@pytest.mark.late
@pytest.mark.parametrize("strategy", ["probe", "full"])
def test_values_are_predicted(network, strategy):
    speed = np.stack([np.arange(24) % 2, -3.0 * (np.arange(24) % 2) + 7], axis=1)
    found = transfer(network, SERIES, speed, Amount.of(speed), config_of(strategy, **LONGER))
    error = np.square(found.predict(SERIES) - speed).mean() / speed.var(axis=0).mean()
    assert error < 0.5
    np.testing.assert_array_equal(found.probabilities(SERIES), found.predict(SERIES))


@pytest.mark.parametrize("strategy", ["probe", "full"])
def test_several_labels_are_predicted(network, strategy):
    y = np.stack([np.arange(24) % 2, 1 - np.arange(24) % 2, np.ones(24)], axis=1).astype(int)
    found = transfer(network, SERIES, y, AnyClasses(3), config_of(strategy))
    assert (found.predict(SERIES) == y).mean() > 0.8
    probabilities = found.probabilities(SERIES)
    np.testing.assert_array_equal(probabilities > 0.5, found.predict(SERIES) == 1)


@pytest.mark.parametrize("strategy", ["probe", "partial"])
def test_timepoints_are_predicted(network, strategy):
    values = [series[0] > 0 for series in (SERIES.series(i) for i in range(24))]
    y = [np.where(own, "up", "down") for own in values]
    found = transfer(network, SERIES, y, StepClasses(np.array(["down", "up"])), config_of(strategy))
    said = found.predict(SERIES)
    assert [own.shape for own in said] == [own.shape for own in y]
    assert np.mean(np.concatenate(said) == np.concatenate(y)) > 0.75
    for own, probabilities in zip(said, found.probabilities(SERIES), strict=True):
        np.testing.assert_array_equal(np.array(["down", "up"])[probabilities.argmax(axis=1)], own)


def test_steps_need_tokens(solved):
    y = [np.zeros(length) for length in SERIES.lengths]
    for strategy in ("probe", "full"):
        with pytest.raises(ValueError, match="sees a series only as a whole and has no vector for"):
            transfer(solved, SERIES, y, StepClasses(np.zeros(1)), config_of(strategy))


@pytest.mark.parametrize(
    "given, text",
    [
        ({"strategy": "some"}, "got strategy 'some', wanted one of auto, probe, partial"),
        ({"head": "oak"}, "got head 'oak', wanted one of linear, mlp, deep_mlp"),
        (
            {"strategy": "full", "head": "knn"},
            "it is fitted on vectors that stay, so use",
        ),
    ],
)
def test_unknown_strategies_are_refused(network, given, text):
    with pytest.raises(ValueError, match=text):
        transfer(network, SERIES, LABELS, CLASSES, TransferConfig(**given))


def test_series_of_other_channels_are_refused(network):
    other = SeriesSet.of(np.zeros((2, 3, 9)) + np.arange(9))
    with pytest.raises(SeriesError, match="got series of 3 channels, wanted 2"):
        transfer(network, other, np.array(["slow", "fast"]), CLASSES, config_of("full"))


def test_outputs_do_not_depend_on_the_order_of_series(network):
    found = transfer(network, SERIES, LABELS, CLASSES, config_of("full", **SHORT))
    order = np.random.default_rng(0).permutation(24)
    np.testing.assert_allclose(
        found.outputs(SERIES[order]), np.asarray(found.outputs(SERIES))[order], atol=1e-5
    )


def test_training_grows_with_the_labels():
    usual = [tuning.usual_training(count) for count in (4, 100, 1000, 20_000)]
    assert [config.recipe.batch_size for _, config in usual] == [8, 8, 64, 64]
    assert [budget.amount for budget, _ in usual] == [100, 375, 468, 1500]


def test_a_signal_stops_fine_tuning_after_the_step_in_flight(network):
    before, steps = signal.getsignal(signal.SIGTERM), []

    def watch(what, done, of, detail=""):
        steps.append((done, of))
        if done == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    text = "^stopped after step 3 of 5 of training on labels; nothing was saved$"
    with pytest.raises(Stopped, match=text) as caught:
        transfer(network, SERIES, LABELS, CLASSES, config_of("full", **SHORT), watch)
    assert steps == [(step, 5) for step in range(4)]
    assert caught.value.signum == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
