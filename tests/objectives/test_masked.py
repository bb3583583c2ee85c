"""Masked values and masked patches: the loss beside loops, and what is hidden."""

import re

import pytest
import torch
from torch import Generator
from toy_batches import padded, ragged, sines, with_gap

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.base import Objective
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.masked_values import MaskedValues
from selftime.objectives.patches import trimmed
from selftime.views.masks import BlockMask, EachChannel, RandomMask, hidden

LENGTHS = (24, 17, 9, 2, 1)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def dilated(channels: int = 2) -> Encoder:
    return Dilated(channels=channels, hidden=6, depth=3, dim=8, seed=1)


class Apart(Encoder):
    """A value of each channel and its neighbour's, as features of that channel alone."""

    stride, by_channel = 1, True

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.channels, self.dim = channels, 2 * channels

    def forward(self, x: Batch) -> torch.Tensor:
        values = x.values.where(x.observed, 0.0)  # (B,C,T)
        both = torch.stack([values, values.roll(1, dims=2)], dim=2)  # (B,C,2,T)
        return both.flatten(1, 2).transpose(1, 2)


def test_values_cost_what_a_loop_over_hidden_ones_says() -> None:
    x, objective = with_gap(ragged(LENGTHS), 4, 11), MaskedValues(encoder=dilated()).double()
    seen = hidden(x, objective.mask(x, seeded(3)))
    weight, bias = objective.head.map.weight, objective.head.map.bias
    tokens, errors = objective.encoder(seen), []
    for b, c, t in (x.observed & ~seen.observed).nonzero().tolist():
        made = sum(w * z for w, z in zip(weight[c], tokens[b, t], strict=True)) + bias[c]
        errors.append((made - x.values[b, c, t]) ** 2)
    assert 5 < len(errors) < 40
    step = objective(x, seeded(3))
    torch.testing.assert_close(step.loss, sum(errors) / len(errors))
    torch.testing.assert_close(step.embeddings, objective.encoder.pool(tokens, seen).detach())


def test_values_are_hidden_as_in_the_paper_in_each_channel_alone() -> None:
    mask = MaskedValues(encoder=dilated()).mask
    assert mask == EachChannel(mask=BlockMask(share=0.15, mean=3.0))


@pytest.mark.parametrize("encoder", [dilated(), Apart(channels=2)], ids=["mixed", "apart"])
def test_patches_cost_what_a_loop_over_hidden_ones_says(encoder: Encoder) -> None:
    x = with_gap(ragged(LENGTHS), 4, 11)
    objective = MaskedPatches(encoder=encoder, patch=4, share=0.4).double()
    seen = hidden(x, objective.draw_keep(x, seeded(3)))
    tokens, head = objective.encoder(seen), objective.head
    errors = []
    for b, c, t in (x.observed & ~seen.observed).nonzero().tolist():
        first = t // 4 * 4
        token = tokens[b, first : min(first + 4, LENGTHS[b])].mean(dim=0)
        if encoder.by_channel:
            made = head.map(token[2 * c : 2 * c + 2])[t - first]
        else:
            made = head.map(token)[4 * c + t - first]
        errors.append((made - x.values[b, c, t]) ** 2)
    assert len(errors) > 10
    torch.testing.assert_close(objective(x, seeded(3)).loss, sum(errors) / len(errors))


def test_two_patches_in_five_are_hidden_whole_and_channels_apart_have_their_own() -> None:
    x = ragged((40, 21, 3))
    for encoder in (dilated(), Apart(channels=2)):
        objective = MaskedPatches(encoder=encoder, patch=4)
        draw_keep = objective.draw_keep(x, seeded())[:, :, ::4]  # (B,C,P)
        assert torch.equal(draw_keep.repeat_interleave(4, dim=2), objective.draw_keep(x, seeded()))
        gone = (~draw_keep).sum(dim=2)
        assert gone.tolist() == [[4, 4], [2, 2], [1, 1]]  # of 10, 6 and 1 patches
        assert torch.equal(draw_keep[:, 0], draw_keep[:, 1]) != encoder.by_channel


@pytest.mark.parametrize("kind", [MaskedValues, MaskedPatches])
def test_a_map_of_zeros_pays_the_mean_square_of_what_was_hidden(kind: type[Objective]) -> None:
    """Solved by hand: all values are ±2, so every hidden one costs 4."""
    signs = torch.arange(64).reshape(2, 1, 32) % 3 % 2
    x = Batch(4.0 * signs - 2, torch.ones(2, 1, 32, dtype=torch.bool))
    objective = kind(encoder=dilated(1))
    for weight in objective.head.parameters():
        weight.data.zero_()
    assert float(objective(x, seeded()).loss.detach()) == pytest.approx(4.0)


@pytest.mark.parametrize("kind", [MaskedValues, MaskedPatches])
def test_no_hidden_value_reaches_the_encoder(kind: type[Objective]) -> None:
    """The embedding is that of the masked series: other hidden numbers do not move it."""
    x, objective = sines(), kind(encoder=dilated(1))
    first = objective(x, seeded(2))
    if isinstance(objective, MaskedValues):
        seen = hidden(x, objective.mask(x, seeded(2)))
    else:
        seen = hidden(x, objective.draw_keep(x, seeded(2)))
    other = Batch(x.values.where(seen.observed, 50.0), x.observed)
    second = objective(other, seeded(2))
    assert torch.equal(first.embeddings, second.embeddings) and second.loss > 100 * first.loss


@pytest.mark.parametrize("kind", [MaskedValues, MaskedPatches])
def test_padding_draws_nothing(kind: type[Objective]) -> None:
    x, objective = ragged(), kind(encoder=dilated()).double()
    assert torch.equal(objective(padded(x, 13), seeded(1)).loss, objective(x, seeded(1)).loss)
    assert trimmed(padded(x, 13)).values.shape == x.values.shape


def test_nothing_hidden_costs_nothing() -> None:
    objective = MaskedValues(encoder=dilated(), mask=RandomMask(share=0.0)).double()
    assert objective(ragged(), seeded()).loss == 0


def test_what_cannot_be_trained_is_refused() -> None:
    whole = MiniRocket(channels=1, length=32, features=84)
    for kind in (MaskedValues, MaskedPatches):
        with pytest.raises(ValueError, match=re.escape("wanted an encoder with tokens along time")):
            kind(encoder=whole)
    with pytest.raises(ValueError, match=re.escape("got share=1.5, wanted a share from 0 to 1")):
        MaskedPatches(encoder=dilated(), share=1.5)
