"""Chains beside plain float64 loops: what they expect of missing values, and how it may differ."""

import numpy as np
import pytest

from selftime.tasks.imputation import chains
from selftime.tasks.imputation.autoregression import (
    Autoregression,
    first_precision,
    fit_autoregression,
)
from selftime.tasks.imputation.chains import MarkovChain, expect
from selftime.tasks.imputation.holes import Holes, bridge, bridge_profile, bridge_seasons


def holes_of(*series, share=0.0, seed=0):
    """Series (T,C) with some values hidden."""
    steps = np.concatenate(series).astype(np.float64)
    seen = np.random.default_rng(seed).random(steps.shape) >= share
    return Holes.of(steps, seen, np.array([len(one) for one in series]))


def chain_of(p, C, q, *, joint, seed=0):
    """A chain with weights at random."""
    rng = np.random.default_rng(seed)

    def one(order):
        weights = 0.3 * rng.normal(size=(order + 1, C, C)) * (1 if joint else np.eye(C))
        weights[0] = np.eye(C)
        root = rng.normal(size=(C, C))
        return Autoregression(weights, root @ root.T + np.eye(C))

    root = rng.normal(size=(q * C, q * C))
    return MarkovChain(one(p), one(q), root @ root.T + np.eye(q * C))


def dense_precision(chain, T):
    """The precision of all values of a series, residual by residual."""
    C, q, p = chain.whole.channels, chain.opening.order, chain.whole.order
    out = np.zeros((T * C, T * C))
    for i in range(min(q, T) * C):
        for j in range(min(q, T) * C):
            out[i, j] = chain.first[i, j]
    for t in range(q, T):
        one = chain.whole if t >= p else chain.opening
        row = np.zeros((C, T * C))  # the residual as a map of all values
        for k in range(one.order + 1):
            for c in range(C):
                for d in range(C):
                    row[c, (t - k) * C + d] = one.weights[k, c, d]
        out += row.T @ one.precision @ row
    return out


@pytest.mark.parametrize("p, C, q, joint", [(4, 2, 2, True), (5, 3, 2, False), (3, 1, 3, False)])
def test_a_chain_expects_what_a_normal_distribution_does(p, C, q, joint):
    chain = chain_of(p, C, q, joint=joint)
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(T, C)) for T in (12, 5, 20)]
    holes = holes_of(*x, share=0.5)
    made, apart = expect(chain, holes, draws=3000)
    begin = 0
    for one in x:
        T = len(one)
        seen = holes.observed[begin : begin + T].ravel()
        Q = dense_precision(chain, T)
        wanted = one.ravel().copy()
        wanted[~seen] = -np.linalg.solve(Q[~seen][:, ~seen], Q[~seen][:, seen] @ wanted[seen])
        np.testing.assert_allclose(made[begin : begin + T].ravel(), wanted, atol=1e-7)
        spread = np.sqrt(np.diag(np.linalg.inv(Q[~seen][:, ~seen])))
        drawn = apart[begin : begin + T].reshape(T * C, -1)[~seen].std(axis=1)
        np.testing.assert_allclose(drawn, spread, rtol=0.08)  # six deviations of 3,000 draws
        assert not apart[begin : begin + T].reshape(T * C, -1)[seen].any()
        begin += T


def test_long_series_in_pieces_are_as_one(monkeypatch):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3000, 2)).cumsum(axis=0)
    holes = holes_of(x, share=0.3)
    fitted = holes_of(x)
    one = fit_autoregression(fitted, 6)
    chain = MarkovChain(one, one, first_precision(fitted, 6))
    whole, _ = expect(chain, holes)
    monkeypatch.setattr(chains, "_SHORTEST_PIECE", 200)
    monkeypatch.setattr(chains, "_CONTEXT", 10)
    parts, _ = expect(chain, holes)
    np.testing.assert_allclose(parts, whole, atol=1e-3)  # what is ten orders away tells little


def test_autoregressions_find_the_weights_that_made_a_series():
    rng = np.random.default_rng(3)
    a = np.array([[0.5, 0.3], [-0.2, 0.6]])
    x = np.zeros((4000, 2))
    for t in range(1, len(x)):
        x[t] = a @ x[t - 1] + rng.normal(size=2)
    found = fit_autoregression(holes_of(x), 1, joint=True, level=False)
    np.testing.assert_allclose(-found.weights[1], a, atol=0.05)  # three standard errors
    np.testing.assert_allclose(found.precision, np.eye(2), atol=0.1)
    level = fit_autoregression(holes_of(x + 7), 5)
    np.testing.assert_allclose(level.weights.sum(axis=0), 0, atol=1e-9)  # any level goes on


def test_products_and_transposes_are_those_of_loops():
    one = chain_of(3, 2, 1, joint=True).whole
    sums = one.products()
    for j in range(4):
        for m in range(5):
            wanted = np.zeros((2, 2))
            for k in range(j, m):
                wanted += one.weights[k].T @ one.precision @ one.weights[k - j]
            np.testing.assert_allclose(sums[j, m], wanted, atol=1e-12)
    rng = np.random.default_rng(0)
    x, r = rng.normal(size=(9, 2)), rng.normal(size=(9, 2))
    for any_chain in (one, chain_of(3, 2, 1, joint=False).whole):
        np.testing.assert_allclose(
            (any_chain.residuals(x) * r).sum(), (x * any_chain.back(r)).sum(), atol=1e-10
        )


def test_bridges_are_those_of_loops():
    rng = np.random.default_rng(4)
    x = [rng.normal(size=(T, 2)) for T in (13, 7)]
    holes = holes_of(*x, share=0.4)
    made, seasons, profile = bridge(holes), bridge_seasons(holes, 3), bridge_profile(holes, 3)
    for first, one in zip((0, 13), x, strict=True):
        T = len(one)
        for c in range(2):
            seen = holes.observed[first : first + T, c]
            at = np.flatnonzero(seen)
            np.testing.assert_allclose(
                made[first : first + T, c], np.interp(np.arange(T), at, one[at, c])
            )
            usual = np.full(T, np.nan)
            for phase in range(3):
                own = np.arange(phase, T, 3)
                there = own[seen[own]]
                found = seasons[first + own, c]
                if len(there):
                    np.testing.assert_allclose(found, np.interp(own, there, one[there, c]))
                    usual[own] = one[there, c].mean()
                else:
                    assert np.isnan(found).all()
            left = np.interp(np.arange(T), at, (one[:, c] - np.nan_to_num(usual))[at])
            np.testing.assert_allclose(profile[first : first + T, c], usual + left)
