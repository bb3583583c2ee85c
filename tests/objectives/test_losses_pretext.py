"""Losses of made-up tasks beside float64 loops, and their gradients."""

import math

import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import gradcheck

from selftime.objectives.losses import squared_error
from selftime.objectives.right_order import order_loss
from selftime.objectives.segment_order import place_loss


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def some(*shape: int) -> Tensor:
    return drawn(*shape, seed=5) > -0.5


def close(got: Tensor, wanted: float) -> None:
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=got.dtype))


def test_the_error_is_the_mean_over_observed_values() -> None:
    foretold, values, observed = drawn(3, 2, 4), drawn(3, 2, 4, seed=1), some(3, 2, 4)
    errors = []
    for index in observed.nonzero().tolist():
        at = tuple(index)
        errors.append((float(foretold[at]) - float(values[at])) ** 2)
    assert 0 < len(errors) < 24
    close(squared_error(foretold, values, observed), sum(errors) / len(errors))
    garbage = values.where(observed, torch.nan)
    close(squared_error(foretold, garbage, observed), sum(errors) / len(errors))


def test_place_loss_is_the_cross_entropy_of_each_own_place() -> None:
    scores, valid = drawn(3, 4, 4), some(3, 4)
    losses = []
    for b, s in valid.nonzero().tolist():
        row = scores[b, s].tolist()
        losses.append(math.log(sum(math.exp(score) for score in row)) - row[s])
    assert 0 < len(losses) < 12
    close(place_loss(scores, valid), sum(losses) / len(losses))


def test_order_loss_is_the_logistic_loss_of_both_kinds() -> None:
    right, wrong, valid = drawn(6), drawn(6, seed=1), some(6)
    losses = []
    for b in valid.nonzero()[:, 0].tolist():
        losses.append(-math.log(1 / (1 + math.exp(-float(right[b])))))
        losses.append(-math.log(1 - 1 / (1 + math.exp(-float(wrong[b])))))
    assert 0 < len(losses) < 12
    close(order_loss(right, wrong, valid), sum(losses) / len(losses))


def test_who_knows_nothing_pays_for_chance_and_who_knows_pays_nothing() -> None:
    all_there = torch.ones(2, 5, dtype=torch.bool)
    close(place_loss(torch.zeros(2, 5, 5), all_there), math.log(5))
    close(place_loss(100 * torch.eye(5).expand(2, 5, 5), all_there), 0.0)
    flat = torch.zeros(2)
    close(order_loss(flat, flat, all_there[:, 0]), math.log(2))
    close(order_loss(flat + 100, flat - 100, all_there[:, 0]), 0.0)


@pytest.mark.parametrize("valid", [True, False])
def test_gradients(valid: bool) -> None:
    """Also where nothing is there to learn from: 0, not missing."""
    scores, flat = drawn(2, 3, 3).requires_grad_(), drawn(2, 2).requires_grad_()
    mask = some(2, 3) & valid
    assert gradcheck(lambda z: place_loss(z, mask), scores)
    assert gradcheck(lambda z: order_loss(z[:, 0], z[:, 1], mask[:, 0]), flat)
    values, observed = drawn(2, 3, 3, seed=2), some(2, 3, 3) & valid
    assert gradcheck(lambda z: squared_error(z, values, observed), scores)
    assert float(place_loss(scores, mask).detach()) > 0 or not valid
