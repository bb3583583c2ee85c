"""Sums of objectives: the loss is the weighted sum, the encoder is one, and names make them."""

import pytest
import torch
from torch import Generator
from toy_batches import before_and_after, sines

from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.formula import Combined, build_objective, patch_for, takes_steps, terms_in
from selftime.objectives.simclr import SimCLR
from selftime.objectives.ts2vec import TS2Vec

ENCODER = Dilated(channels=1, hidden=4, depth=2, dim=6)


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_the_loss_is_the_weighted_sum_of_losses_drawn_one_after_the_other():
    simclr, ts2vec = SimCLR(encoder=ENCODER), TS2Vec(encoder=ENCODER)
    both = Combined(objectives=[simclr, ts2vec], weights=[1.0, 0.5])
    dice, x = rng(), sines()
    first, second = simclr(x, dice), ts2vec(x, dice)
    step = both(x, rng())
    torch.testing.assert_close(step.loss, first.loss + 0.5 * second.loss)
    assert step.parts["SimCLR"] == first.loss and step.parts["TS2Vec"] == second.loss
    assert step.parts["TS2Vec: temporal"] == second.parts["temporal"]


@pytest.mark.late
def test_every_weight_is_trained_once_and_both_losses_fall():
    encoder = Dilated(channels=1, hidden=4, depth=2, dim=6)
    both = Combined(objectives=[SimCLR(encoder=encoder), TS2Vec(encoder=encoder)])
    weights = list(both.parameters())
    assert len(weights) == len({id(weight) for weight in weights})
    before, after = before_and_after(both, sines())
    assert after < before


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Combined(objectives=[SimCLR(encoder=ENCODER)]), "got 1 objectives, wanted"),
        (
            lambda: Combined(
                objectives=[SimCLR(encoder=ENCODER), SimCLR(encoder=Dilated(channels=1))]
            ),
            "got objectives on several encoders",
        ),
        (
            lambda: Combined(objectives=[SimCLR(encoder=ENCODER)] * 2, weights=[1.0]),
            "got 1 weights for 2 objectives",
        ),
        (
            lambda: Combined(objectives=[SimCLR(encoder=ENCODER)] * 2, weights=[1.0, 0.0]),
            "wanted each more than 0",
        ),
        (lambda: terms_in("simclr - ts2vec"), "got 'simclr - ts2vec' as an objective"),
        (lambda: terms_in("simclr + nothing"), "got objective 'nothing', wanted one of"),
        (lambda: takes_steps("simclr + spectral"), "spectral is solved in one pass"),
    ],
)
def test_what_cannot_be_combined_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_sum_is_made_from_its_text():
    assert [tuple(term) for term in terms_in("simclr+ 0.5 * ts2vec")] == [
        ("simclr", 1.0),
        ("ts2vec", 0.5),
    ]
    made = build_objective("2*simclr + ts2vec", ENCODER, seed=3)
    assert isinstance(made, Combined) and made.weights == [2.0, 1.0]
    assert [type(part) for part in made.objectives] == [SimCLR, TS2Vec]
    assert made.objectives[0].seed == 3 and made.encoder is ENCODER
    assert isinstance(build_objective("ts2vec", ENCODER), TS2Vec)
    assert takes_steps("simclr + ts2vec") and not takes_steps("spectral")


@pytest.mark.parametrize(
    "published, stride, length, wanted",
    [(8, 1, None, 8), (8, 1, 24, 2), (8, 1, 8, 1), (8, 1, 512, 8), (8, 12, 512, 12), (8, 8, 24, 8)],
)
def test_patches_suit_length_and_stride(published, stride, length, wanted):
    assert patch_for(published, stride, length) == wanted
