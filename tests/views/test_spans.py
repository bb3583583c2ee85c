"""Spans against plain loops, and the chances of the chain that hides segments."""

import math

import pytest
import torch
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from selftime.views.masks import outside_blocks, outside_segments, padding


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("mean", [1.0, 1.3, 3.0, 8.5])
@pytest.mark.parametrize("share", [0.15, 0.4, 0.9])
def test_segments_are_geometric_whatever_their_age(share: float, mean: float) -> None:
    """Each hidden step is the last of its segment with one chance; kept ones likewise."""
    draw = torch.rand(20000, 40, generator=seeded(2))
    hides = ~outside_segments(draw, share=share, mean=mean)
    mean = max(mean, share / (1 - share))
    before, now, then = hides[:, :-2], hides[:, 1:-1], hides[:, 2:]
    for aged in (before, ~before):
        for state, chance in ((now, 1 / mean), (~now, share / (1 - share) / mean)):
            moves = (then != now)[state & aged].double()
            error = math.sqrt(max(chance * (1 - chance), 1e-9) / max(len(moves), 1))
            assert not len(moves) or abs(moves.mean() - chance) <= 4 * error
    first = hides[:, 0].double().mean().item()
    assert abs(first - share) < 4 * math.sqrt(share * (1 - share) / len(hides))


def chain_by_loop(draw: list[float], share: float, mean: float) -> list[bool]:
    """Kept steps, one after the other, from the chances of TST's two states."""
    kept = mean * (1 - share) / share if share else math.inf  # mean steps of a kept segment
    leave, enter = (1 / mean, 1 / kept) if kept >= 1 else ((1 - share) / share, 1.0)
    hides = [draw[0] < share]
    for u in draw[1:]:
        hides.append(u < (1 - leave if hides[-1] else enter))
    return [not h for h in hides]


@examples(150)
@given(
    share=st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)),
    mean=st.floats(1, 12),
    T=st.integers(1, 60),
    seed=st.integers(0, 999),
)
def test_the_chain_without_a_loop_is_the_chain_with_one(
    share: float, mean: float, T: int, seed: int
) -> None:
    draw = torch.rand(3, T, generator=seeded(seed), dtype=torch.float64)
    keep = outside_segments(draw, share=share, mean=mean)
    assert keep.tolist() == [chain_by_loop(row, share, mean) for row in draw.tolist()]


lengths = st.lists(st.integers(0, 17), min_size=1, max_size=4)


@given(lengths=lengths, S=st.integers(0, 4), seed=st.integers(0, 999))
def test_blocks_are_where_plain_loops_put_them(lengths: list[int], S: int, seed: int) -> None:
    begin, shares = torch.rand(2, len(lengths), S, generator=seeded(seed), dtype=torch.float64)
    keep = outside_blocks(torch.tensor(lengths), 17, begin, shares)
    for i, L in enumerate(lengths):
        want = [True] * 17
        for b, share in zip(begin[i].tolist(), shares[i].tolist(), strict=True):
            width = round(share * L)
            first = math.floor(b * (L - width + 1))
            want[first : first + width] = [False] * width
        assert keep[i].tolist() == want


@given(lengths=lengths)
def test_padding_is_what_comes_after_the_length(lengths: list[int]) -> None:
    want = [[t >= L for t in range(19)] for L in lengths]
    assert padding(torch.tensor(lengths), 19).tolist() == want
