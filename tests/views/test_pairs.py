"""Two views of a series: crops that overlap as promised, and views drawn twice."""

import re
from itertools import product

import pytest
import torch
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.settings import settings_of
from selftime.views.amplitude import jitter
from selftime.views.mild import Mild
from selftime.views.pairs import Crops, Independent, OverlappingCrops, WeakStrong, integers_between

GENTLE = examples(60)
CROPS = OverlappingCrops()
ragged = st.lists(st.one_of(st.integers(1, 3), st.integers(1, 40)), min_size=1, max_size=5)
seeds = st.integers(0, 999)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def numbered(lengths: list[int], *, channels: int = 2, extra: int = 0) -> Batch:
    """Values that say where they come from: 1000 · series + step, negative in the second channel.

    What is not observed is garbage.
    """
    T = max(lengths) + extra
    place = 1000 * torch.arange(len(lengths))[:, None] + torch.arange(T)  # (B,T)
    within = torch.arange(T) < torch.tensor(lengths)[:, None]
    values = torch.stack([place * (-1) ** c for c in range(channels)], dim=1).float()
    observed = within[:, None].repeat(1, channels, 1)
    return Batch(values.where(observed, 1e30), observed)


def bounds(crop: Batch, i: int) -> tuple[int, int]:
    """Where series i was cut, read off its values: first step, and the step after the last."""
    T = int(crop.lengths[i])
    steps = crop.values[i, 0, :T] - 1000 * i
    assert torch.equal(steps, steps[0] + torch.arange(T))  # one piece of one series
    assert torch.equal(crop.values[i, 1, :T], -crop.values[i, 0, :T])
    assert crop.observed[i, :, :T].all()
    return int(steps[0]), int(steps[0]) + T


def same(one: Crops, two: Crops) -> bool:
    parts = ((*c.first, *c.second, c.start, c.shared) for c in (one, two))
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(*parts, strict=True))


@GENTLE
@given(lengths=ragged, seed=seeds, least=st.integers(1, 6), extra=st.integers(0, 3))
def test_crops_overlap_within_their_series(
    lengths: list[int], seed: int, least: int, extra: int
) -> None:
    crops = OverlappingCrops(least=least)(numbered(lengths, extra=extra), seeded(seed))
    for i, T in enumerate(lengths):
        (a1, b1), (a2, b2) = bounds(crops.first, i), bounds(crops.second, i)
        assert 0 <= a1 <= a2 < b1 <= b2 <= T
        assert (int(crops.start[i]), int(crops.shared[i])) == (a2 - a1, b1 - a2)
        assert min(least, T) <= b1 - a2
    for crop in (crops.first, crops.second):
        assert crop.values.shape[2] == int(crop.lengths.max())  # no more padding than needed
        assert not crop.values[~crop.observed].any()


@GENTLE
@given(lengths=ragged, seed=seeds)
def test_shared_steps_carry_the_same_values(lengths: list[int], seed: int) -> None:
    crops = CROPS(numbered(lengths), seeded(seed))
    valid = crops.valid
    most = int(crops.shared.max())
    assert (valid is None) == (set(crops.shared.tolist()) == {most})
    for i, (start, n) in enumerate(zip(crops.start.tolist(), crops.shared.tolist(), strict=True)):
        one, two = crops.first.values[i, :, start : start + n], crops.second.values[i, :, :n]
        assert one.shape[1] == n and torch.equal(one, two)
        assert valid is None or valid[i].tolist() == [t < n for t in range(most)]


@GENTLE
@given(T=st.integers(1, 30), B=st.integers(1, 5), seed=seeds)
def test_equal_lengths_stay_equal(T: int, B: int, seed: int) -> None:
    crops = CROPS(numbered([T] * B), seeded(seed))
    assert crops.valid is None
    for numbers in (crops.start, crops.shared, crops.first.lengths, crops.second.lengths):
        assert len(set(numbers.tolist())) == 1


@GENTLE
@given(lengths=ragged, seed=seeds)
def test_a_seed_means_the_same_crops_whatever_stands_in_padding(
    lengths: list[int], seed: int
) -> None:
    x, world = numbered(lengths), torch.get_rng_state()
    before = Batch(*(part.clone() for part in x))
    crops = CROPS(x, seeded(seed))
    assert same(crops, CROPS(numbered(lengths, extra=9), seeded(seed)))
    assert all(map(torch.equal, x, before)) and torch.equal(torch.get_rng_state(), world)


def test_another_seed_means_other_crops() -> None:
    x = numbered([40, 30])
    assert len({bounds(CROPS(x, seeded(seed)).first, 0) for seed in range(20)}) > 15


def is_even(counts: Tensor) -> bool:
    """Chi-square against equal chances, below its value at a chance of one in a thousand."""
    expected = counts.sum() / len(counts)
    chi = float(((counts - expected) ** 2 / expected).sum())
    k = len(counts) - 1
    return chi < k * (1 - 2 / (9 * k) + 3.09 * (2 / (9 * k)) ** 0.5) ** 3  # Wilson & Hilferty 1931


@pytest.mark.late
def test_every_number_of_shared_steps_is_as_likely() -> None:
    x, rng, T = numbered([9]), seeded(1), 9
    shared = torch.cat([CROPS(x, rng).shared for _ in range(1000)])
    counts = torch.bincount(shared, minlength=T + 1)
    assert not counts[:2].any() and is_even(counts[2:].double())
    assert not is_even(torch.tensor([100.0, 140.0, 100.0, 60.0]))  # the bound does catch


@pytest.mark.late
def test_the_ends_of_the_crops_are_as_likely_wherever_they_fit() -> None:
    x, rng, T = numbered([6]), seeded(2), 6
    shared, before, after, kinds = 3, 0, 0, []
    for _ in range(1000):
        crops = CROPS(x, rng)
        (a1, b1), (a2, b2) = bounds(crops.first, 0), bounds(crops.second, 0)
        if b1 - a2 == shared:
            before, after = a2 - a1, b2 - b1
            kinds.append((before, after))
    # Of T - 3 other steps, a2 is uniform over 0..3; then a1 over 0..a2, and b2 over b1..T.
    wanted = {
        pair: sum(
            1 / (T - shared + 1) / (a2 + 1) / (T - shared - a2 + 1)
            for a2 in range(pair[0], T - shared - pair[1] + 1)
        )
        for pair in product(range(4), range(4))
    }
    assert abs(sum(wanted.values()) - 1) < 1e-9
    for pair, chance in wanted.items():
        error = (chance * (1 - chance) / len(kinds)) ** 0.5
        assert abs(kinds.count(pair) / len(kinds) - chance) <= 4 * error, pair


def test_each_series_is_cut_at_a_place_of_its_own() -> None:
    B, T = 3000, 12
    for seed in range(5):
        crops = CROPS(numbered([T] * B), seeded(seed))
        begin = crops.first.values[:, 0, 0] - 1000 * torch.arange(B)
        free = T - int(crops.start[0]) - int(crops.second.lengths[0])  # steps in neither crop
        counts = torch.bincount(begin.long(), minlength=free + 1)
        assert len(counts) == free + 1 and (free == 0 or is_even(counts.double()))


def test_a_series_with_gaps_keeps_them() -> None:
    x = numbered([20, 20])
    gone = torch.zeros_like(x.observed)
    gone[0, 0, 3::4] = gone[1, :, 5:15] = True
    crops = CROPS(Batch(x.values, x.observed & ~gone), seeded(3))
    whole = CROPS(x, seeded(3))
    assert crops.start.tolist() == whole.start.tolist()
    for crop, full in ((crops.first, whole.first), (crops.second, whole.second)):
        lost = full.observed & ~crop.observed
        places = full.values[lost].abs().long()
        assert len(places) > 0
        assert all(gone.any(dim=1)[place // 1000, place % 1000] for place in places)
        assert torch.equal(crop.values, full.values.where(crop.observed, 0.0))


def test_as_many_shared_steps_as_the_series_has_is_the_whole_series() -> None:
    x = numbered([12, 5, 1])
    crops = OverlappingCrops(least=12)(x, seeded())
    assert crops.shared.tolist() == [12, 5, 1] and crops.start.tolist() == [0, 0, 0]
    for crop in (crops.first, crops.second):
        assert torch.equal(crop.values, x.values.where(x.observed, 0.0))
        assert torch.equal(crop.observed, x.observed)


@pytest.mark.parametrize("least", [0, -1])
def test_least_is_a_number_of_steps(least: int) -> None:
    with pytest.raises(ValueError, match=re.escape(f"got least={least}, wanted at least 1")):
        OverlappingCrops(least=least)


def test_up_to_reaches_both_bounds_and_no_further() -> None:
    draw = torch.tensor([0.0, 0.49, 0.51, 1 - 2**-24])
    high = torch.tensor([3, 3, 3, 3])
    assert integers_between(draw, 1, high).tolist() == [1, 2, 2, 3]
    many = torch.arange(5000)
    assert torch.equal(integers_between(draw[-1], 0, many), many)  # never rounded up to one more
    assert integers_between(draw, high, high).tolist() == [3, 3, 3, 3]


def test_independent_draws_one_view_twice() -> None:
    x, rng, other = numbered([20, 9]), seeded(4), seeded(4)
    noise = Independent(view=jitter)
    first, second = noise(x, rng)
    for view in (first, second):
        wanted = jitter(x, other)
        assert torch.equal(view.values, wanted.values)
    assert not torch.equal(first.values, second.values)
    assert settings_of(Independent()) == {"view": Mild()}


def test_weak_and_strong_are_drawn_one_after_the_other() -> None:
    x, rng, other = numbered([20, 9]), seeded(5), seeded(5)
    pair = WeakStrong(weak=Mild(strength=0.0), strong=Mild(strength=2.0))
    weak, strong = pair(x, rng)
    assert torch.allclose(weak.values[x.observed], x.values[x.observed], atol=1e-2)
    Mild(strength=0.0)(x, other)
    assert torch.equal(strong.values, Mild(strength=2.0)(x, other).values)
    assert settings_of(WeakStrong()) == {"weak": Mild(strength=0.5), "strong": Mild(strength=2.0)}
