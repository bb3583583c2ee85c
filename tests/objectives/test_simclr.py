"""SimCLR: its loss beside loops, and what it refuses."""

import math
import re

import pytest
import torch
from torch import Generator
from toy_batches import before_and_after, padded, ragged, sines, with_gap

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.registry import ENCODERS
from selftime.objectives.losses import nt_xent
from selftime.objectives.simclr import SimCLR
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent, Pair, WeakStrong


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def same(x: Batch, rng: Generator) -> Batch:
    return x


EQUAL = Independent(view=same)


def simclr(*, pair: Pair = EQUAL, temperature: float = 0.2) -> SimCLR:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    return SimCLR(encoder=encoder, pair=pair, temperature=temperature, width=7, seed=2).double()


@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
def test_equal_views_cost_what_equation_1_says(temperature: float) -> None:
    """The positive has cosine 1; both views of every other series are negatives."""
    x, objective = ragged(), simclr(temperature=temperature)
    with torch.no_grad():
        z = objective.project(objective.encoder.embed(x)).tolist()
    losses = []
    for i, a in enumerate(z):
        others = []
        for j, b in enumerate(z):
            if j != i:
                cosine = sum(p * q for p, q in zip(a, b, strict=True))
                cosine /= math.hypot(*a) * math.hypot(*b)
                others.append(2 * math.exp(cosine / temperature))
        positive = math.exp(1 / temperature)
        losses.append(-math.log(positive / (positive + sum(others))))
    wanted = torch.tensor(sum(losses) / len(losses), dtype=torch.float64)
    torch.testing.assert_close(objective(x, seeded()).loss.detach(), wanted)


def test_views_are_projected_and_contrasted() -> None:
    x = ragged((24, 17, 9))
    pair = WeakStrong()
    objective = simclr(pair=pair, temperature=0.5)
    step = objective(x, seeded(3))
    first, second = (objective.encoder.embed(view) for view in pair(x, seeded(3)))
    wanted = nt_xent(objective.project(first), objective.project(second), 0.5)
    torch.testing.assert_close(step.loss, wanted)
    torch.testing.assert_close(step.embeddings, first.detach())
    assert step.parts == {} and not step.embeddings.requires_grad


@pytest.mark.parametrize("seed", range(3))
def test_padding_and_what_stands_in_it_change_nothing(seed: int) -> None:
    x = with_gap(ragged(), 4, 11)
    drawn_by_step = simclr(pair=Independent())  # as many numbers as there are steps, padding too
    drawn_by_series = simclr(pair=Independent(view=magnitude_warp))
    garbage = Batch(x.values.where(x.observed, -7e4), x.observed)
    for given, other in (
        (drawn_by_step, garbage),
        (drawn_by_series, garbage),
        (drawn_by_series, padded(x, 13)),
    ):
        wanted, got = given(x, seeded(seed)), given(other, seeded(seed))
        torch.testing.assert_close(got.loss, wanted.loss)
        torch.testing.assert_close(got.embeddings, wanted.embeddings)


def test_a_seed_means_the_same_step_and_nothing_else_is_touched() -> None:
    x, objective = ragged(), simclr(pair=Independent())
    values, observed, world = x.values.clone(), x.observed.clone(), torch.get_rng_state()
    losses = [objective(x, seeded(seed)).loss for seed in (3, 3, 4)]
    assert torch.equal(losses[0], losses[1]) and not torch.isclose(losses[0], losses[2])
    assert torch.equal(x.values, values) and torch.equal(x.observed, observed)
    assert torch.equal(torch.get_rng_state(), world)


def test_every_trainable_weight_gets_a_gradient_and_no_frozen_one() -> None:
    objective = simclr(pair=Independent())
    objective.encoder.entry.requires_grad_(False)
    objective(ragged((24, 24, 17, 9)), seeded()).loss.backward()
    for name, weight in objective.named_parameters():
        if name.startswith("encoder.entry"):
            assert weight.grad is None, name
        else:
            assert weight.grad is not None and weight.grad.isfinite().all(), name
            assert weight.grad.any(), name


def test_an_encoder_without_weights_still_trains_its_projection() -> None:
    x = sines()
    encoder = ENCODERS["MiniRocket"](channels=1, length=32, features=84)
    encoder.prepare(x, seeded())
    objective = SimCLR(encoder=encoder)
    objective(x, seeded()).loss.backward()
    assert all(weight.grad.any() for weight in objective.parameters())
    assert len(list(objective.parameters())) == 4


@pytest.mark.late
def test_the_loss_falls() -> None:
    before, after = before_and_after(
        SimCLR(encoder=Dilated(channels=1, hidden=8, depth=3, dim=16)), sines()
    )
    assert after < 0.6 * before  # 56 % measured


def test_a_series_alone_is_refused() -> None:
    text = "without any the loss is always 0. Use a larger batch, or cut a long"
    with pytest.raises(ValueError, match=re.escape(text)):
        simclr()(ragged((24,)), seeded())


@pytest.mark.parametrize("temperature", [0.0, -0.5, float("nan")])
def test_a_temperature_is_positive(temperature: float) -> None:
    text = f"got temperature={temperature}, wanted more than 0: use 0.2"
    with pytest.raises(ValueError, match=re.escape(text)):
        simclr(temperature=temperature)
