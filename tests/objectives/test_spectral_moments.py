"""Moments: sums that add over batches and workers; and what degenerate data come to."""

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
from ranks_in_threads import on_ranks

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of, batches
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.engine.pretrain import pretrain
from selftime.engine.solve import fit_closed_form, generator
from selftime.objectives.spectral import Spectral
from selftime.views.mild import Mild, copies


def walks(n, T=24):
    return SeriesSet.of(np.random.default_rng(0).normal(size=(n, T)).cumsum(axis=1))


def prepared(x, n_copies=4, dim=20):
    encoder = Quantiles(channels=1, length=24, depth=3)
    spectral = Spectral(encoder=encoder, view=Mild(), copies=n_copies, dim=dim)
    spectral.prepare(batch_of(x), generator(0, 0))
    return spectral


def test_moments_are_the_sums_they_say():
    x = walks(5)
    s = prepared(x, n_copies=3)
    got = s.accumulate(batch_of(x), generator(0, 1))
    seen = s.encoder.embed(copies(batch_of(x), 3, s.view, generator(0, 1))) - s.centre
    P = (seen @ s.basis).double().numpy()
    total, outer, within = np.zeros(P.shape[1]), 0, 0
    for i in range(5):
        centre = P[3 * i : 3 * i + 3].mean(axis=0)
        for p in P[3 * i : 3 * i + 3]:
            total, outer = total + p, outer + np.outer(p, p)
            within = within + np.outer(p - centre, p - centre)
    assert (got.series, got.copies) == (5, 15)
    np.testing.assert_allclose(got.total, total, atol=1e-6)
    np.testing.assert_allclose(got.outer, outer, atol=1e-6)
    np.testing.assert_allclose(got.within, within, atol=1e-6)


def test_two_workers_learn_what_one_learns():
    x = walks(22)
    s = prepared(x)
    parts = [s.accumulate(b, generator(0, k)) for k, b in enumerate(batches(x, size=4), start=1)]
    alone = reduce(add, parts)
    together = reduce(add, parts[1::2]) + reduce(add, parts[::2])
    assert (together.series, together.copies) == (alone.series, alone.copies) == (22, 88)
    one, two = (s.solve(m).embed(batch_of(x)) for m in (alone, together))
    torch.testing.assert_close(two @ two.T, one @ one.T, rtol=0, atol=1e-5)


@pytest.mark.parametrize("world", [2, 3, 9])
def test_processes_that_share_the_batches_learn_what_one_learns(world):
    """More processes than batches too: some then have nothing to do but to add up."""
    x = walks(22)

    def learn(rank=0):
        spectral = Spectral(encoder=Quantiles(channels=1, length=24, depth=3), copies=4, dim=20)
        return fit_closed_form(spectral, x, scaling.none(), batch_size=4).embed(batch_of(x))

    alone = learn()
    for got in on_ranks(world, learn):
        torch.testing.assert_close(got @ got.T, alone @ alone.T, rtol=0, atol=1e-6)


def test_a_batch_can_be_computed_by_anyone_in_any_order():
    x = walks(8)
    s = prepared(x)
    first, later = (s.accumulate(batch_of(x), generator(0, 3)) for _ in range(2))
    other = s.accumulate(batch_of(x), generator(0, 4))
    assert torch.equal(first.within, later.within)
    assert not torch.equal(first.within, other.within)


DEGENERATE = {
    "identical": np.tile(np.sin(np.arange(20.0)), (5, 1)),
    "constant": np.ones((5, 20)),
    "two": np.random.default_rng(0).normal(size=(2, 20)),
    "two alike but one": np.vstack([np.zeros((6, 20)), np.arange(20.0)]),
    "one step": np.random.default_rng(0).normal(size=(6, 1)),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_series_have_finite_vectors(name):
    x = DEGENERATE[name]
    model = pretrain(x, encoder="quantiles")
    Z = model.embed(x)
    assert model.dim >= 1 and Z.shape == (len(x), model.dim) and np.isfinite(Z).all()
    same = np.abs(x - x[0]).max(axis=1) == 0
    np.testing.assert_allclose(Z[same], Z[np.zeros(same.sum(), int)], atol=1e-5)


def test_fewer_copies_than_directions():
    x = walks(3)
    s = prepared(x, n_copies=2, dim=1024)
    learned = s.solve(s.accumulate(batch_of(x), generator(0, 1)))
    assert 1 <= learned.dim <= 6
    assert learned.embed(batch_of(x)).isfinite().all()


def test_a_single_copy_tells_nothing_but_breaks_nothing():
    x = walks(6)
    s = prepared(x, n_copies=1)
    learned = s.solve(s.accumulate(batch_of(x), generator(0, 1)))
    assert learned.embed(batch_of(x)).isfinite().all()
