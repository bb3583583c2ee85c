"""Codes of patches and which are chosen, beside plain loops."""

import re

import pytest
import torch
from torch import Generator
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.objectives.parts.codebook import Codebook, first_centres, k_means, patch_distances
from selftime.objectives.patches import draw_patches, patch_steps, patches_of, trimmed


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def fitted(x: Batch, *, codes: int = 5) -> Codebook:
    book = Codebook(channels=x.values.shape[1], patch=4, codes=codes).double()
    book.fit(x, seeded())
    return book


def test_a_patch_has_the_code_of_the_centre_that_is_nearest_to_what_was_observed() -> None:
    x = with_gap(ragged(), 5, 11)
    book, cut = fitted(x), patches_of(x, 4)
    codes = book(cut)
    assert codes.unique().numel() > 2
    for b, p in torch.ones(codes.shape).nonzero().tolist():
        values, valid = (part[b, p].flatten().tolist() for part in cut)
        apart = [
            sum((v - c) ** 2 for v, o, c in zip(values, valid, centre, strict=True) if o)
            for centre in book.centres.tolist()
        ]
        assert codes[b, p] == apart.index(min(apart))


def test_every_centre_is_the_mean_of_what_was_observed_of_its_patches() -> None:
    x = with_gap(ragged(), 5, 11)
    book, cut = fitted(x), patches_of(x, 4)
    codes = book(cut)
    for code in codes[cut.observed.flatten(2).any(dim=2)].unique().tolist():
        for c in range(2):
            for step in range(4):
                mine = (codes == code) & cut.observed[:, :, c, step]
                if mine.any():
                    wanted = cut.values[:, :, c, step][mine].mean()
                    torch.testing.assert_close(book.centres[code].view(2, 4)[c, step], wanted)


def test_levels_that_lie_apart_get_a_code_each() -> None:
    levels = torch.tensor([0.0, 10.0, -10.0]).repeat(6)
    values = (levels[:, None] + 0.1 * torch.randn(18, 4, generator=seeded(3)))[:, None]
    book = Codebook(channels=1, patch=4, codes=3)
    x = Batch(values, torch.ones_like(values, dtype=torch.bool))
    book.fit(x, seeded())
    codes = book(patches_of(x, 4))[:, 0]
    assert len({tuple(codes[k::3].tolist()) for k in range(3)}) == 3
    assert all(codes[k::3].unique().numel() == 1 for k in range(3))


def test_first_centres_are_patches_that_lie_apart() -> None:
    values = torch.tensor([0.0, 5.0, 9.0])[torch.arange(60) % 3][:, None].double()
    centres = first_centres(values, torch.ones_like(values, dtype=torch.bool), 3, seeded(1))
    assert sorted(centres[:, 0].tolist()) == [0.0, 5.0, 9.0]  # a patch at distance 0 is not drawn


def test_what_was_not_observed_changes_no_centre() -> None:
    x = with_gap(ragged(), 5, 11)
    garbage = Batch(x.values.where(x.observed, 7e4), x.observed)
    assert torch.equal(fitted(x).centres, fitted(garbage).centres)


def test_a_sample_of_few_patches_or_none_works() -> None:
    one = ragged((3,))
    book = fitted(one, codes=6)
    assert book.centres.isfinite().all() and book(patches_of(one, 4)).tolist() == [[0]]
    empty = Batch(one.values, torch.zeros_like(one.observed))
    assert not fitted(empty).centres.any()


def test_centres_are_state_and_not_learned() -> None:
    book = fitted(ragged())
    assert list(book.state_dict()) == ["centres"] and not list(book.parameters())
    with pytest.raises(ValueError, match=re.escape("got codes=1, wanted at least 2")):
        Codebook(channels=1, patch=4, codes=1)


def test_rounds_lower_the_distance() -> None:
    values = torch.randn(200, 3, generator=seeded(5), dtype=torch.float64)
    valid = torch.ones_like(values, dtype=torch.bool)
    before, after = (
        patch_distances(values, valid, make(values, valid, 8, seeded())).amin(dim=1).mean()
        for make in (first_centres, k_means)
    )
    assert after < 0.9 * before


@pytest.mark.parametrize("share", [0.0, 0.15, 0.6, 1.0])
def test_the_share_is_chosen_at_least_one_and_not_all(share: float) -> None:
    counts = torch.arange(12)
    free = torch.arange(14) < counts[:, None] + 1
    free[:, 0] = False  # the first is not to be chosen
    selected = draw_patches(free, share, seeded())
    assert not (selected & ~free).any()
    for count, number in zip(counts.tolist(), selected.sum(dim=1).tolist(), strict=True):
        least, most = min(count, 1), max(count - 1, min(count, 1))
        assert number == min(max(round(share * count), least), most)
    assert not torch.equal(selected, draw_patches(free, share, seeded(1)))


def test_shared_padding_goes_and_steps_follow_their_patch() -> None:
    x = ragged()
    assert torch.equal(trimmed(padded(x, 9)).observed, x.observed)
    nothing = Batch(x.values, torch.zeros_like(x.observed))
    assert trimmed(nothing).values.shape[2] == 1
    assert patch_steps(torch.tensor([[True, False]]), 3, 5).tolist() == [[True] * 3 + [False] * 2]
