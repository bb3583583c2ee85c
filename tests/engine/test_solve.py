"""The closed-form pass: one stream, bounded memory, seeds that decide everything."""

import gc

import numpy as np
import pytest
import torch

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.engine.solve import SAMPLE_SIZE, fit_closed_form, generator, sample_of
from selftime.objectives.base import Moments
from selftime.objectives.spectral import Spectral


def walks(n):
    return SeriesSet.of(np.random.default_rng(0).normal(size=(n, 16)).cumsum(axis=1))


def spectral():
    return Spectral(encoder=Quantiles(channels=1, length=16, depth=2), copies=3, dim=8)


class Counting(Spectral):
    """Counts at each batch the moments that exist anywhere."""

    def accumulate(self, batch, rng):
        alive = sum(type(thing) is Moments for thing in gc.get_objects())
        self.most = max(getattr(self, "most", 0), alive)
        return super().accumulate(batch, rng)


def learned(x, seed=0, batch_size=4):
    encoder = fit_closed_form(
        spectral(), x, scaling.fit_channels(x), seed=seed, batch_size=batch_size
    )
    return encoder.embed(batch_of(x))


def test_memory_does_not_grow_with_the_number_of_batches():
    most = []
    for n in (12, 24):
        objective = Counting(encoder=Quantiles(channels=1, length=16, depth=2), copies=2, dim=4)
        fit_closed_form(objective, walks(n), scaling.none(), batch_size=4)
        most.append(objective.most)
    assert most[0] == most[1] <= 2  # the sum so far and the batch before


def test_same_seed_same_bits_other_seed_other_bits():
    x = walks(10)
    assert torch.equal(learned(x, seed=4), learned(x, seed=4))
    assert not torch.equal(learned(x, seed=4), learned(x, seed=5))


def test_global_randomness_is_neither_read_nor_moved():
    x = walks(6)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = learned(x)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert torch.equal(learned(x), first)


def test_equals_the_pass_written_out():
    x, s = walks(10), spectral()
    scale = scaling.fit_channels(x)
    s.prepare(scale.apply(batch_of(x)), generator(7, 0))
    first = s.accumulate(scale.apply(batch_of(x, slice(0, 6))), generator(7, 1))
    second = s.accumulate(scale.apply(batch_of(x, slice(6, 10))), generator(7, 2))
    wanted = s.solve(first + second).embed(batch_of(x))
    torch.testing.assert_close(learned(x, seed=7, batch_size=6), wanted, rtol=0, atol=1e-6)


def test_progress_is_told_after_each_batch():
    told = []
    fit_closed_form(
        spectral(), walks(10), scaling.none(), batch_size=4, progress=lambda *at: told.append(at)
    )
    assert told == [("learning", done, 10) for done in (4, 8, 10)]


@pytest.mark.parametrize("n", [3, SAMPLE_SIZE, SAMPLE_SIZE + 50])
def test_sample_is_of_distinct_series_in_order(n):
    rows = sample_of(n, seed=0)
    assert len(rows) == min(n, SAMPLE_SIZE) and (np.diff(rows) > 0).all() and rows.max() < n


def test_sample_depends_on_the_seed():
    assert not np.array_equal(sample_of(2 * SAMPLE_SIZE, 0), sample_of(2 * SAMPLE_SIZE, 1))


def test_parts_and_seeds_draw_differently():
    drawn = {
        (seed, part): torch.rand(3, generator=generator(seed, part)).tolist()
        for seed in range(3)
        for part in range(3)
    }
    assert len({tuple(numbers) for numbers in drawn.values()}) == 9
    assert torch.rand(3, generator=generator(2, 1)).tolist() == drawn[2, 1]


def test_a_pass_whose_time_is_up_ends_after_a_batch_and_says_so(caplog):
    x, told = walks(40), []
    fit_closed_form(
        spectral(),
        x,
        scaling.none(),
        batch_size=16,
        until=0.0,
        progress=lambda *step: told.append(step),
    )
    assert told == [("learning", 16, 40)]
    assert "learned from 16 of 40 series within the budget" in caplog.text


def test_time_that_suffices_leaves_nothing_out():
    x, told = walks(40), []
    fit_closed_form(
        spectral(), x, scaling.none(), until=1e12, progress=lambda *step: told.append(step)
    )
    assert told == [("learning", 40, 40)]
