"""Which series come in which step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftime.engine.training.trainer import Sampler, permutation

SIZES = {"count": st.integers(1, 40), "batch_size": st.integers(1, 12), "seed": st.integers(0, 99)}


def a_pass(order, turn):
    """All series of a pass, batch by batch."""
    first = turn * order.batches_a_pass
    return [order.batch(first + place) for place in range(order.batches_a_pass)]


@given(**SIZES, turn=st.integers(0, 5))
def test_no_series_comes_twice_in_a_pass_and_all_batches_are_full(count, batch_size, seed, turn):
    order = Sampler(count=count, batch_size=batch_size, seed=seed)
    size = min(batch_size, count)
    batches = a_pass(order, turn)
    assert [len(batch) for batch in batches] == [size] * len(batches)
    seen = np.concatenate(batches)
    assert len(set(seen.tolist())) == len(seen)
    assert set(seen.tolist()) <= set(range(count))
    assert count - len(seen) < size  # what is left over would not fill another batch


@given(**SIZES, numbers=st.permutations(range(8)))
def test_a_batch_depends_on_seed_and_number_alone(count, batch_size, seed, numbers):
    there = Sampler(count=count, batch_size=batch_size, seed=seed)
    in_order = {number: there.batch(number) for number in range(8)}
    permutation.cache_clear()
    back = Sampler(count=count, batch_size=batch_size, seed=seed)
    for number in numbers:
        assert np.array_equal(back.batch(number), in_order[number])


def test_passes_differ_and_leave_out_other_series():
    order = Sampler(count=25, batch_size=8, seed=3)
    passes = [np.concatenate(a_pass(order, turn)) for turn in range(4)]
    assert all(len(seen) == 24 for seen in passes)
    assert len({tuple(seen) for seen in passes}) == 4
    assert len({(set(range(25)) - set(seen.tolist())).pop() for seen in passes}) > 1


def test_the_seed_matters():
    batches = [Sampler(count=50, batch_size=8, seed=seed).batch(0) for seed in range(3)]
    assert len({tuple(batch) for batch in batches}) == 3


def test_every_series_comes_as_often_as_the_others_in_the_long_run():
    order = Sampler(count=10, batch_size=4, seed=0)
    counts = np.bincount(np.concatenate([order.batch(n) for n in range(1000)]), minlength=10)
    # 400 times each; a pass leaves out 2 of 10, deviation sqrt(500 * 0.2 * 0.8) = 9
    assert np.abs(counts - 400).max() < 36


@pytest.mark.parametrize("count, batches", [(1, 1), (3, 1), (7, 1), (8, 1), (15, 1), (16, 2)])
def test_batches_of_a_pass(count, batches):
    assert Sampler(count=count, batch_size=8, seed=0).batches_a_pass == batches


def test_with_fewer_series_than_a_batch_holds_all_of_them_come():
    order = Sampler(count=3, batch_size=8, seed=0)
    for number in range(5):
        assert sorted(order.batch(number)) == [0, 1, 2]


def test_the_order_of_a_seed_stays_what_it_was():
    # golden: numpy 2.3.5, default_rng([7, 2, 0]).permutation(12); stored runs go on with it
    assert Sampler(count=12, batch_size=6, seed=7).batch(0).tolist() == [1, 11, 4, 3, 5, 0]
