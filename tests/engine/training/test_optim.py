"""AdamW, its rate over a run and averages of weights, beside plain formulas."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from selftime.engine.training.optim import EMA_DECAY, Average, optimiser, rate_at
from selftime.objectives.base import Recipe


def trajectory(rng, steps=7):
    """Two weights of different shapes, as they were before the run and after each of its steps."""
    return [
        [torch.randn(3, 2, generator=rng), torch.randn(4, generator=rng)] for _ in range(steps + 1)
    ]


def averaged(weights, kind):
    average = Average(weights[0], kind)
    for after in weights[1:]:
        average.add(after)
    return average


@pytest.mark.parametrize(
    "progress, rate",
    [(0.0, 0.0), (0.05, 0.001), (0.1, 0.002), (0.325, 0.0017071068), (0.55, 0.001), (1.0, 0.0)],
)
def test_rate_with_warm_up_and_cosine_by_hand(progress, rate):
    # after the warm-up: 0.002 times (1 + cos(pi * (progress - 0.1) / 0.9)) / 2
    recipe = Recipe(rate=0.002, warmup=0.1)
    assert rate_at(progress, recipe) == pytest.approx(rate, abs=1e-12, rel=1e-7)


@given(
    progress=st.floats(0, 1),
    warmup=st.floats(0, 0.99),
    rate=st.floats(1e-6, 10.0),
    cosine=st.booleans(),
)
def test_rate_is_the_smaller_of_two_curves(progress, warmup, rate, cosine):
    rising = progress / warmup if progress < warmup else 1.0
    falling = 1.0
    if cosine and progress > warmup:
        falling = math.cos(math.pi / 2 * (progress - warmup) / (1 - warmup)) ** 2
    got = rate_at(progress, Recipe(rate=rate, warmup=warmup, cosine=cosine))
    assert got == pytest.approx(rate * min(rising, falling), rel=1e-9, abs=1e-12 * rate)


def test_without_warm_up_and_cosine_the_rate_is_constant():
    recipe = Recipe(rate=0.003, warmup=0.0, cosine=False)
    assert {rate_at(step / 7, recipe) for step in range(8)} == {0.003}


def test_the_rate_rises_then_falls_without_a_jump():
    recipe = Recipe(rate=1.0, warmup=0.25)
    rates = [rate_at(step / 1000, recipe) for step in range(1001)]
    assert rates[:251] == sorted(rates[:251]) and rates[250:] == sorted(rates[250:], reverse=True)
    assert max(abs(after - before) for before, after in pairwise(rates)) < 0.0041


def test_a_progress_beyond_the_end_counts_as_the_end():
    assert rate_at(1.3, Recipe()) == 0.0
    assert rate_at(1.3, Recipe(cosine=False)) == Recipe().rate


def test_mean_is_that_of_the_first_weights_and_all_later_ones(rng):
    weights = trajectory(rng)
    average = averaged(weights, "mean")
    for got, every in zip(average.weights, zip(*weights, strict=True), strict=True):
        wanted = torch.stack([weight.double() for weight in every]).sum(dim=0) / 8
        torch.testing.assert_close(got.double(), wanted, rtol=1e-6, atol=1e-6)
    assert average.steps == 8


def test_ema_is_the_sum_written_out(rng):
    weights = trajectory(rng)
    average = averaged(weights, "ema")
    share = [EMA_DECAY**7, *(EMA_DECAY ** (7 - n) * (1 - EMA_DECAY) for n in range(1, 8))]
    assert sum(share) == pytest.approx(1)
    for got, every in zip(average.weights, zip(*weights, strict=True), strict=True):
        wanted = sum(s * weight.double() for s, weight in zip(share, every, strict=True))
        torch.testing.assert_close(got.double(), wanted, rtol=1e-6, atol=1e-6)


def test_none_is_the_last_weights_to_the_bit(rng):
    weights = trajectory(rng)
    average = averaged(weights, "none")
    assert all(map(torch.equal, average.weights, weights[-1]))


@pytest.mark.parametrize("kind", ["none", "ema", "mean"])
def test_an_average_leaves_the_weights_alone(rng, kind):
    weights = trajectory(rng)
    before = [[weight.clone() for weight in step] for step in weights]
    averaged(weights, kind)
    for step, copies in zip(weights, before, strict=True):
        assert all(map(torch.equal, step, copies))


def test_an_average_of_what_is_trained_holds_no_graph():
    layer = nn.utils.skip_init(nn.Linear, 2, 2)
    average = Average(layer.parameters(), "mean")
    average.add(layer.parameters())
    assert not any(weight.requires_grad for weight in average.weights)


def test_the_optimiser_moves_what_is_trained_and_follows_the_recipe():
    layer = nn.utils.skip_init(nn.Linear, 2, 2)
    layer.bias.requires_grad_(False)
    made = optimiser(layer, Recipe(rate=0.3, weight_decay=0.7))
    (group,) = made.param_groups
    assert group["params"] == [layer.weight]
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.7)


def test_a_step_is_that_of_the_paper(rng):
    """AdamW (Loshchilov & Hutter 2019, algorithm 2) in plain float64 numbers."""
    weight = nn.Parameter(torch.randn(5, generator=rng))
    module = nn.ParameterList([weight])
    rate, decay, beta1, beta2 = 0.01, 0.1, 0.9, 0.999
    made = optimiser(module, Recipe(rate=rate, weight_decay=decay))
    theta = weight.detach().double()
    m = v = torch.zeros(5, dtype=torch.float64)
    for t in range(1, 6):
        gradient = torch.randn(5, generator=rng)
        weight.grad = gradient.clone()
        made.step()
        g = gradient.double()
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        scaled = (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + 1e-8)
        theta = theta - rate * (scaled + decay * theta)
    torch.testing.assert_close(weight.detach().double(), theta, rtol=1e-6, atol=1e-6)
