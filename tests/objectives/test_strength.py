"""Strength and penalty without labels: the strongest view under which series are told apart."""

import pytest
import torch

from selftime.data.batch import Batch
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.wrappers.projected import Standardised
from selftime.objectives.spectral import (
    MIN_RETRIEVAL,
    PENALTY_GRID,
    STRONG,
    WEAK,
    choose_strength,
    retrieval_accuracy,
    trials,
)


def encoder():
    return Standardised(encoder=Quantiles(channels=1, length=40))


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(values):
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def unlike(n=5):
    """Bumps whose places are far apart: no mild view moves one onto another."""
    t, places = torch.linspace(0, 1, 40), torch.linspace(0.1, 0.9, n)[:, None, None]
    return batch(torch.exp(-(((t - places) / 0.08) ** 2)))


def alike(n=20):
    """The same curve but for a ten-thousandth."""
    t = torch.linspace(0, 1, 40)
    return batch(torch.sin(6.28 * t) + 1e-4 * torch.arange(n)[:, None, None] * t)


def test_found_again_counts_own_neighbours():
    one = torch.eye(4)
    assert retrieval_accuracy(one, one) == 1.0
    assert retrieval_accuracy(one, one[[1, 0, 2, 3]]) == 0.5


def test_series_far_apart_bear_the_strongest_view():
    trial = choose_strength(encoder(), unlike(), dice())
    assert trial.strength == STRONG and trial.found >= MIN_RETRIEVAL


def test_series_that_views_confuse_get_the_weakest():
    trial = choose_strength(encoder(), alike(), dice())
    assert trial.strength == WEAK and trial.found < MIN_RETRIEVAL


def test_every_penalty_is_tried_at_a_strength():
    tried = trials(encoder(), unlike(), 0.5, dice())
    assert [trial.penalty for trial in tried] == list(PENALTY_GRID)
    assert all(trial.strength == 0.5 and 0 <= trial.found <= 1 for trial in tried)


@pytest.mark.parametrize("n", [2, 3])
def test_a_few_series_are_enough(n):
    trial = choose_strength(encoder(), unlike(n), dice())
    assert 0 <= trial.found <= 1 and trial.penalty in PENALTY_GRID


def test_the_same_seed_chooses_the_same():
    assert choose_strength(encoder(), alike(), dice(3)) == choose_strength(
        encoder(), alike(), dice(3)
    )
