"""Neighbours: parts lie within their series, and slow directions are kept."""

import pytest
import torch
from torch import Generator
from toy_batches import padded, ragged

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.neighbours import Neighbours, Passage
from selftime.views.mild import Mild

STILL = Mild(strength=0.0)


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_a_passage_is_a_part_of_its_own_series():
    x = ragged((24, 17, 9, 2, 1))
    part = Passage(share=0.5, view=STILL)(x, rng())
    assert part.lengths.tolist() == [12, 8, 4, 1, 1]
    for i, length in enumerate(part.lengths.tolist()):
        places = [
            start
            for start in range(int(x.lengths[i]) - length + 1)
            if torch.equal(x.values[i, :, start : start + length], part.values[i, :, :length])
        ]
        assert len(places) == 1


def test_passages_begin_anywhere_and_padding_moves_none():
    x = ragged((24, 24, 24, 24))
    passage = Passage(share=0.5, view=STILL)
    seen = {tuple(passage(x, rng(seed)).values[:, 0, 0].tolist()) for seed in range(20)}
    assert len(seen) == 20
    assert torch.equal(passage(x, rng()).values, passage(padded(x, 9), rng()).values)


def test_a_share_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match="got share=1.5"):
        Passage(share=1.5)


class Means(Encoder):
    """The mean of each channel."""

    dim = 2

    def forward(self, x: Batch) -> torch.Tensor:
        total = x.values.where(x.observed, 0.0).sum(dim=2)
        return (total / x.observed.sum(dim=2).clamp(min=1))[:, None].float()


def test_what_lasts_is_kept_and_what_moves_is_scaled_away():
    """The level of channel 0 lasts through a series; that of channel 1 goes up and down in it."""
    level = torch.linspace(-1, 1, 16)[:, None].expand(-1, 64)
    wave = torch.sin(torch.arange(64) / 10 + 6 * torch.rand(16, 1, generator=rng()))
    values = torch.stack([level, wave], dim=1)
    x = Batch(values, torch.ones_like(values, dtype=torch.bool))
    objective = Neighbours(encoder=Means(), passage=Passage(share=0.3, view=STILL), penalty=0.01)
    objective.prepare(x, rng())
    learned = objective.solve(objective.accumulate(x, rng(1)))
    weight = learned.encoder.weight.abs().amax(dim=1)  # of each channel's mean
    assert weight[0] > 5 * weight[1]
