"""A gradient run: what a step does, how long it lasts, and what ends it."""

import gc
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from training_material import (
    Followed,
    advanced,
    assert_same_state,
    config_of,
    followed,
    objective_of,
    training_of,
    waves,
)

from selftime.data import scaling
from selftime.data.windows import batch_of
from selftime.engine.choices import resolve_training
from selftime.engine.solve import generator
from selftime.engine.training.config import TrainingConfig, parse_budget
from selftime.engine.training.optim import rate_at
from selftime.engine.training.trainer import Diverged, Trainer

BOTH = pytest.mark.parametrize("name", ["ts2vec", "simclr"])


@pytest.mark.late
@pytest.mark.parametrize("name, accumulate", [("ts2vec", 1), ("simclr", 2)])
def test_equals_the_run_written_out(name, accumulate):
    training = training_of(name, budget="4 steps", accumulate=accumulate, averaging="mean")
    objective, recipe, series = deepcopy(training.objective), training.recipe, waves()
    scale = scaling.fit_channels(series)
    weights = list(objective.parameters())
    history = [[weight.detach().clone() for weight in weights]]
    adam = torch.optim.AdamW(weights, weight_decay=recipe.weight_decay, fused=True)
    number = 0
    for step in range(4):
        for group in adam.param_groups:
            group["lr"] = rate_at((step + 0.5) / 4, recipe)
        losses = []
        for _ in range(accumulate):
            batch = scale.apply(batch_of(series, training.sampler.batch(number)))
            number += 1
            losses.append(objective(batch, generator(3, number)).loss)
        loss = sum(losses) / accumulate
        loss.backward()
        adam.step()
        adam.zero_grad()
        history.append([weight.detach().clone() for weight in weights])
        record = training.advance()
        assert record["loss"] == pytest.approx(loss.item(), rel=1e-6)
    for got, wanted in zip(training.weights, weights, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)
    for got, every in zip(training.average.weights, zip(*history, strict=True), strict=True):
        torch.testing.assert_close(got, sum(every) / 5, rtol=1e-4, atol=1e-6)


@pytest.mark.late
@BOTH
def test_same_seed_same_bits_other_seed_other_bits(name):
    first, second, other = (training_of(name, seed=seed) for seed in (3, 3, 4))
    assert advanced(first, 3) == advanced(second, 3) != advanced(other, 3)
    assert_same_state(first.state(), second.state())


@pytest.mark.late
@BOTH
def test_global_randomness_is_neither_read_nor_moved(name):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    losses = advanced(training_of(name), 2)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert advanced(training_of(name), 2) == losses


@pytest.mark.late
def test_a_run_is_not_changed_by_those_before_it():
    losses = advanced(training_of("ts2vec"), 3)
    advanced(training_of("simclr", accumulate=3, precision="bf16"), 2)
    assert advanced(training_of("ts2vec"), 3) == losses


def test_what_a_step_says_of_itself():
    training = training_of("ts2vec", budget="4 steps")
    records = [training.advance() for _ in range(4)]
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert [record["steps"] for record in records] == [4] * 4
    assert all(record["rate"] == training.recipe.rate for record in records)
    seconds = [record["seconds"] for record in records]
    assert seconds == sorted(seconds) and seconds[0] > 0 and training.seconds < 60
    for record in records:
        parts = record["parts"]
        assert set(parts) == {"instance", "temporal"}
        assert sum(parts.values()) == pytest.approx(record["loss"], rel=1e-5)


def applied_norms(training, steps):
    """Length of the gradient when the optimiser reads it, beside what the record says."""
    found = []

    def look(optimiser, args, kwargs):
        norms = [w.grad.double().norm() for w in training.weights]
        found.append(float(torch.stack(norms).norm()))

    handle = training.optimiser.optimizer.register_step_pre_hook(look)
    said = [training.advance()["gradient_norm"] for _ in range(steps)]
    handle.remove()
    return found, said


@pytest.mark.late
@pytest.mark.parametrize("accumulate", [1, 2])
def test_gradients_are_cut_to_the_longest_that_is_allowed(accumulate):
    free, said = applied_norms(training_of("ts2vec", accumulate=accumulate), 1)
    assert free == pytest.approx(said, rel=1e-5)
    cut, said_of_cut = applied_norms(
        training_of("ts2vec", accumulate=accumulate, clip=free[0] / 3), 1
    )
    assert said_of_cut == pytest.approx(said, rel=1e-5)  # what it was before the cut
    assert cut[0] == pytest.approx(free[0] / 3, rel=1e-4)
    spared, _ = applied_norms(training_of("ts2vec", accumulate=accumulate, clip=free[0] * 3), 1)
    assert spared == pytest.approx(free, rel=1e-5)


def test_a_loss_that_is_no_number_ends_the_run():
    training = followed(explodes_at=3)
    advanced(training, 2)
    with pytest.raises(Diverged) as caught:
        training.advance()
    rate = rate_at(2.5 / 12, training.recipe)
    assert str(caught.value) == f"the loss is nan at step 3: lower the rate ({rate:g})"


@pytest.mark.late
@pytest.mark.parametrize(
    "budget, accumulate, steps", [("7 steps", 2, 7), ("2 epochs", 1, 6), ("2 epochs", 2, 2)]
)
def test_steps_of_a_budget(budget, accumulate, steps):
    training = training_of("simclr", budget, accumulate=accumulate)  # 20 series, 6 a batch
    assert training.steps == steps
    done = 0
    while training.progress < 1:
        assert training.progress == done / steps
        training.advance()
        done += 1
    assert done == steps and training.progress == 1


def test_an_epoch_of_fewer_series_than_a_step_takes_is_one_step():
    assert training_of("simclr", "5 epochs", accumulate=9).steps == 5


def test_minutes_end_by_the_clock(monkeypatch):
    clock = iter(range(0, 10_000, 8))
    monkeypatch.setattr(
        "selftime.engine.training.trainer.time.perf_counter", lambda: float(next(clock))
    )
    training = training_of("simclr", "0.5 minutes")
    assert training.steps is None
    rates = []
    while training.progress < 1:
        record = training.advance()
        rates.append(record["rate"])
        assert record["steps"] == 0
    assert training.step == 4 and training.seconds == 32  # 8 seconds each
    wanted = [rate_at(share, training.recipe) for share in (1e-4, 8 / 30, 16 / 30, 24 / 30)]
    assert rates == pytest.approx(wanted)


@pytest.mark.late
@pytest.mark.parametrize("budget", ["1 step", "30 steps", "9 epochs"])
def test_no_step_has_rate_0(budget):
    series = waves()
    recipe = replace(Followed.recipe, warmup=0.4)
    length, config = parse_budget(budget), TrainingConfig(recipe=recipe)
    objective = Followed(encoder=objective_of("ts2vec").encoder)
    training = Trainer(objective, series, scaling.fit_channels(series), length, config, 3)
    rates = [training.advance()["rate"] for _ in range(training.steps)]
    assert min(rates) > 0 and max(rates) <= recipe.rate


def test_objectives_are_told_how_far_the_run_is():
    training = followed("4 steps")
    advanced(training, 4)
    assert training.objective.told == [0.25, 0.5, 0.75, 1.0]


def test_where_nothing_is_said_budget_and_recipe_are_the_usual_ones():
    series, objective = waves(), objective_of("ts2vec")
    budget, config, _ = resolve_training(objective, series, None, None)
    training = Trainer(objective, series, scaling.none(), budget, config, 0)
    assert training.recipe == objective.recipe
    assert training.steps == 200
    assert training_of("ts2vec").recipe.batch_size == 6


def test_what_is_frozen_stays_as_it_is():
    series, objective = waves(), objective_of("ts2vec")
    objective.encoder.entry.requires_grad_(False)
    before = {name: weight.clone() for name, weight in objective.named_parameters()}
    training = Trainer(
        objective, series, scaling.none(), parse_budget("12 steps"), config_of("ts2vec"), 0
    )
    advanced(training, 3)
    training.finish()
    for name, weight in objective.named_parameters():
        assert torch.equal(weight, before[name]) == name.startswith("encoder.entry."), name


@pytest.mark.parametrize("averaging", ["none", "ema", "mean"])
def test_what_is_learned_has_the_averaged_weights(averaging):
    training = training_of("ts2vec", averaging=averaging)
    advanced(training, 4)
    means = [weight.clone() for weight in training.average.weights]
    last = [weight.detach().clone() for weight in training.weights]
    training.finish()
    encoder = training.objective.encoder
    assert isinstance(encoder, nn.Module) and not encoder.training
    final_encoder = list(encoder.parameters())
    assert all(map(torch.equal, final_encoder, means))
    assert all(map(torch.equal, final_encoder, last)) == (averaging == "none")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU gives memory back")
def test_the_end_of_a_run_costs_nothing_on_a_cpu(monkeypatch):
    training, searched = training_of("simclr"), []
    monkeypatch.setattr(gc, "collect", lambda *given: searched.append(given))
    training.finish()
    assert not searched


@pytest.mark.late
@BOTH
def test_half_precision_learns_nearly_the_same(name):
    exact, mixed = (training_of(name, precision=precision) for precision in ("no", "bf16"))
    exact, mixed = advanced(exact, 3), advanced(mixed, 3)
    assert mixed == pytest.approx(exact, rel=0.02) and mixed != exact
