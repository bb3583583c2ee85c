"""Keep-masks: promised shares, own lengths, plain loops, and what ``hidden`` leaves of series."""

import math
import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.settings import settings_of
from selftime.views.masks import (
    MASKS,
    BlockMask,
    ChannelMask,
    EachChannel,
    FutureMask,
    Mask,
    MultiBlockMask,
    PatchMask,
    RandomMask,
    SpanMask,
    hidden,
    kept_patches,
)

GENTLE = examples(25)
ALL = MASKS | {"each_channel": EachChannel(mask=BlockMask())}
EVERY_MASK = pytest.mark.parametrize("name", ALL)
AT_SHARE: dict[str, Callable[[float], Mask]] = {
    "random": lambda share: RandomMask(share=share),
    "span": lambda share: SpanMask(spans=2, share=share),
    "block": lambda share: BlockMask(share=share),
    "quick_block": lambda share: BlockMask(share=share, mean=1.0),
    "patch": lambda share: PatchMask(patch=3, share=share),
    "channel": lambda share: ChannelMask(share=share),
    "future": lambda share: FutureMask(share=share),
    "multi_block": lambda share: MultiBlockMask(least=share, most=share),
    "each_channel": lambda share: EachChannel(mask=RandomMask(share=share)),
}
shares = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def of_lengths(lengths: Tensor, *, C: int = 1, T: int | None = None) -> Batch:
    within = torch.arange(T or int(lengths.max())) < lengths[:, None]
    observed = within[:, None].repeat(1, C, 1)
    return Batch(torch.zeros(observed.shape), observed)


def by_channel(keep: Tensor) -> Tensor:
    return keep if keep.ndim == 3 else keep[:, None]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Ragged series with gaps; a series may have nothing observed at all."""
    B, C, T = (draw(st.integers(1, most)) for most in (4, 3, 17))
    lengths = torch.tensor(draw(st.lists(st.integers(0, T), min_size=B, max_size=B)))
    x, rng = of_lengths(lengths, C=C, T=T), seeded(draw(st.integers(0, 99)))
    valid = torch.rand(B, C, T, generator=rng) >= draw(st.sampled_from([0.0, 0.4]))
    return Batch(torch.randn(B, C, T, generator=rng), x.observed & valid)


@EVERY_MASK
@GENTLE
@given(x=batches())
def test_a_seed_means_one_mask_and_nothing_else_is_touched(name: str, x: Batch) -> None:
    before, world = Batch(*(part.clone() for part in x)), torch.get_rng_state()
    first, second = ALL[name](x, seeded(5)), ALL[name](x, seeded(5))
    assert first.dtype == torch.bool and torch.equal(first, second)
    B, C, T = x.values.shape
    assert first.shape == ((B, C, T) if "channel" in name else (B, T))
    assert all(map(torch.equal, x, before))
    assert torch.equal(torch.get_rng_state(), world)


@EVERY_MASK
@GENTLE
@given(x=batches(), seed=st.integers(0, 99))
def test_masks_follow_from_lengths_and_never_hide_padding(name: str, x: Batch, seed: int) -> None:
    keep = ALL[name](x, seeded(seed))
    whole = of_lengths(x.lengths, C=x.values.shape[1], T=x.values.shape[2])
    assert torch.equal(keep, ALL[name](whole, seeded(seed)))
    assert (by_channel(keep) | whole.observed).all()


@EVERY_MASK
def test_every_series_is_drawn_anew(name: str) -> None:
    keep = ALL[name](of_lengths(torch.full((9,), 64), C=4), seeded())
    assert not keep.all()
    assert (keep != keep[:1]).any() != (name == "future")  # where nothing is drawn


@pytest.mark.parametrize("name", AT_SHARE)
@GENTLE
@given(x=batches(), seed=st.integers(0, 99))
def test_share_0_hides_nothing_and_share_1_everything(name: str, x: Batch, seed: int) -> None:
    assert AT_SHARE[name](0.0)(x, seeded(seed)).all()
    inside = torch.arange(x.values.shape[2]) < x.lengths[:, None]
    gone = ~by_channel(AT_SHARE[name](1.0)(x, seeded(seed)))
    assert torch.equal(gone, inside[:, None].expand_as(gone))


@GENTLE
@given(x=batches(), patch=st.integers(1, 20), share=shares, seed=st.integers(0, 99))
def test_patches_go_whole_and_as_many_as_promised(
    x: Batch, patch: int, share: float, seed: int
) -> None:
    keep = PatchMask(patch=patch, share=share)(x, seeded(seed))
    for row, L in zip(keep.tolist(), x.lengths.tolist(), strict=True):
        parts = [row[t : min(t + patch, L)] for t in range(0, L, patch)]
        assert all(len(set(part)) == 1 for part in parts)
        assert sum(not part[0] for part in parts) == round(share * math.ceil(L / patch))


@GENTLE
@given(x=batches(), share=shares)
def test_the_future_is_the_last_share_of_each_length(x: Batch, share: float) -> None:
    keep = FutureMask(share=share)(x, seeded())
    for row, L in zip(keep.tolist(), x.lengths.tolist(), strict=True):
        gone = round(share * L)
        assert row == [True] * (L - gone) + [False] * gone + [True] * (len(row) - L)


def chance_to_cover(L: int, t: int, width: int) -> float:
    """Of a block of this width, each of its places as likely as the others, to cover step t."""
    return sum(first <= t < first + width for first in range(L - width + 1)) / (L - width + 1)


def share_of_blocks(L: int, blocks: int, widths: dict[int, float]) -> float:
    """Expected share that blocks hide; ``widths`` says how likely each width is."""
    covers = [sum(p * chance_to_cover(L, t, w) for w, p in widths.items()) for t in range(L)]
    return math.fsum(1 - (1 - p) ** blocks for p in covers) / L


@pytest.mark.parametrize(
    ("mask", "share"),
    [
        *((RandomMask(share=share), share) for share in (0.1, 0.5)),
        *((ChannelMask(share=share), share) for share in (0.2, 0.7)),
        *((BlockMask(share=r, mean=m), r) for r in (0.15, 0.5, 0.9) for m in (1.0, 3.0, 8.5)),
        (EachChannel(mask=BlockMask()), 0.15),
        (SpanMask(spans=3, share=0.2), share_of_blocks(20, 3, {4: 1.0})),
        # uniform in 3 to 6 steps, rounded: half a step for the outer widths
        (
            MultiBlockMask(blocks=4, least=0.15, most=0.3),
            share_of_blocks(20, 4, {3: 1 / 6, 4: 1 / 3, 5: 1 / 3, 6: 1 / 6}),
        ),
    ],
    ids=repr,
)
def test_masks_hide_the_promised_share(mask: Mask, share: float) -> None:
    x = of_lengths(torch.full((8000,), 20), C=2, T=23)
    gone = ~by_channel(mask(x, seeded(1)))[:, :, :20].flatten(1)  # (B,steps)
    found = gone.double().mean(dim=1)
    assert abs(found.mean() - share) <= 4 * found.std() / math.sqrt(len(found))


@GENTLE
@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=4), share=shares)
def test_kept_patches_by_loops(counts: list[int], share: float) -> None:
    noise = torch.rand(len(counts), 9, generator=seeded(3))
    keep = kept_patches(torch.tensor(counts), noise, share)
    for row, loud, n in zip(keep.tolist(), noise.tolist(), counts, strict=True):
        quietest = sorted(range(n), key=loud.__getitem__)[: round(share * n)]
        assert row == [p not in quietest for p in range(9)]


def rates(gone: Tensor, L: int) -> Tensor:
    """How often each step and each two neighbours are hidden, over all series and channels."""
    gone = by_channel(gone)[:, :, :L].flatten(0, 1).double()
    return torch.cat([gone.mean(dim=0), (gone[:, 1:] * gone[:, :-1]).mean(dim=0)])


@EVERY_MASK
def test_a_ragged_batch_is_drawn_as_its_series_would_be_alone(name: str) -> None:
    n, lengths, rng = 4000, (7, 33), seeded(4)
    together = ~ALL[name](of_lengths(torch.tensor(lengths * n), C=2, T=40), rng)
    for i, L in enumerate(lengths):
        alone = ~ALL[name](of_lengths(torch.full((n,), L), C=2), rng)
        a, b = rates(together[i::2], L), rates(alone, L)
        p = (a + b) / 2
        assert ((a - b).abs() <= 4 * (p * (1 - p) * 2 / n).sqrt()).all()


def test_each_channel_is_drawn_anew_at_the_length_of_its_series() -> None:
    x = of_lengths(torch.full((5,), 30), C=3, T=33)
    keep = EachChannel(mask=RandomMask())(x, seeded())
    assert all((keep[:, a] != keep[:, b]).any() for a, b in pairwise(range(3)))
    x.observed[:, 0, 11:] = False  # one channel ends early; the series does not
    apart, shared = EachChannel(mask=FutureMask())(x, seeded()), FutureMask()(x, seeded())
    assert torch.equal(apart, shared[:, None].expand(5, 3, 33))


@EVERY_MASK
@GENTLE
@given(x=batches(), seed=st.integers(0, 99))
def test_hidden_hides_what_the_mask_says_but_not_the_length(name: str, x: Batch, seed: int) -> None:
    keep = ALL[name](x, seeded(seed))
    before, y = x.observed.clone(), hidden(x, keep)
    assert torch.equal(y.lengths, x.lengths) and torch.equal(x.observed, before)
    assert torch.equal(y.values, x.values)
    left = x.observed & by_channel(keep)
    for i, L in enumerate(x.lengths.tolist()):
        want = left[i].clone()
        if L and not left[i, :, L - 1].any():
            want[:, L - 1] = x.observed[i, :, L - 1]
        assert torch.equal(y.observed[i], want)


def test_one_channel_at_the_end_is_enough_for_the_length() -> None:
    x = of_lengths(torch.tensor([3, 3]), C=2)
    keep = torch.tensor([[[True], [False]], [[False], [False]]]).expand(2, 2, 3)
    want = [[[1, 1, 1], [0, 0, 0]], [[0, 0, 1], [0, 0, 1]]]
    assert hidden(x, keep).observed.int().tolist() == want


def test_masks_by_name_keep_their_settings() -> None:
    assert list(MASKS) == ["random", "span", "block", "patch", "channel", "future", "multi_block"]
    for mask in ALL.values():
        assert type(mask)(**settings_of(mask)) == mask


@pytest.mark.parametrize(
    ("make", "text"),
    [
        *((partial(m, 1.5), "=1.5, wanted a share from 0 to 1: 0.1 is") for m in AT_SHARE.values()),
        (lambda: RandomMask(share=math.nan), "got share=nan, wanted a share from 0 to 1"),
        (lambda: PatchMask(patch=0), "got patch=0, wanted at least 1: use patch=1 or more"),
        (lambda: SpanMask(spans=-1), "got spans=-1, wanted at least 0: use spans=0 or more"),
        (lambda: MultiBlockMask(blocks=-1), "got blocks=-1, wanted at least 0"),
        (lambda: MultiBlockMask(most=1.1), "got most=1.1, wanted a share from 0 to 1"),
        (
            lambda: MultiBlockMask(least=0.5, most=0.25),
            "got least=0.5 and most=0.25, wanted least <= most: swap them",
        ),
        (lambda: BlockMask(mean=0.5), "got mean=0.5, wanted steps from 1 on: use mean=3.0"),
        (lambda: BlockMask(mean=math.inf), "got mean=inf, wanted steps from 1 on: use mean=3.0"),
    ],
)
def test_errors_say_got_wanted_do_this(make: Callable[[], Mask], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()
