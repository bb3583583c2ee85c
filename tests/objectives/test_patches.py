"""Patches and the tokens that belong to them, beside plain loops."""

import pytest
import torch

from selftime.data.batch import Batch
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.patches import check_patch, patches_of, tokens_of_patches


def ragged(lengths: tuple[int, ...], channels: int = 2) -> Batch:
    rng = torch.Generator().manual_seed(3)
    values = torch.randn(len(lengths), channels, max(lengths), generator=rng)
    within = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Batch(values, within[:, None].expand_as(values).clone())


def test_patches_hold_the_steps_in_order_and_nothing_beyond():
    x = ragged((10, 7))
    cut = patches_of(x, 4)
    assert cut.values.shape == (2, 3, 2, 4)
    for b, length in enumerate((10, 7)):
        for p in range(3):
            for step in range(4):
                inside = 4 * p + step < length
                assert bool(cut.observed[b, p, :, step].all()) == inside
                if inside:
                    assert torch.equal(cut.values[b, p, :, step], x.values[b, :, 4 * p + step])
    assert cut.valid.tolist() == [[True, True, True], [True, True, False]]


def test_a_gap_inside_a_series_is_there_and_an_empty_series_has_one_patch():
    x = ragged((12, 12))
    observed = x.observed.clone()
    observed[0, :, 4:8] = False
    observed[1] = False
    valid = patches_of(Batch(x.values, observed), 4).valid
    assert valid.tolist() == [[True, True, True], [True, False, False]]


def test_tokens_of_a_patch_are_the_mean_of_those_within_the_series():
    x, encoder = ragged((10, 7)), Dilated(channels=2, hidden=4, depth=1, dim=3)
    tokens = torch.randn(2, 10, 3, generator=torch.Generator().manual_seed(0))
    made = tokens_of_patches(tokens, x, encoder, 4)
    for b, length in enumerate((10, 7)):
        for p in range(3):
            inside = range(4 * p, min(4 * p + 4, length))
            wanted = sum((tokens[b, n] for n in inside), torch.zeros(3)) / max(len(inside), 1)
            torch.testing.assert_close(made[b, p], wanted)


def test_a_patch_that_holds_no_whole_tokens_is_an_error():
    with pytest.raises(ValueError, match="sees a series only as a whole"):
        check_patch(MiniRocket(channels=1, length=30, features=84), 4)
    with pytest.raises(ValueError, match="got patch=0"):
        check_patch(Dilated(channels=1), 0)
    wide = Dilated(channels=1)
    wide.stride = 8
    with pytest.raises(ValueError, match="use a multiple of 8"):
        check_patch(wide, 12)
