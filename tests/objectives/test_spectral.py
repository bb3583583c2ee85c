"""Spectral beside plain loops written from its definition, and the law it promises."""

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.wrappers.projected import Projected
from selftime.objectives.spectral import Spectral, eigh, principal_basis, whitener, whitening
from selftime.views.mild import Mild, copies


class Statistics(Encoder):
    """Five plain statistics of every channel."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.dim = 5 * channels

    def forward(self, x: Batch) -> Tensor:
        v = x.filled()
        found = [v.mean(2), v.std(2), v.amax(2), v.amin(2), v.diff(dim=2).abs().mean(2)]
        return torch.cat(found, dim=1)[:, None]


class Fallen(Statistics):
    """Statistics after a prepare that is seen to happen."""

    def prepare(self, x: Batch, rng: Generator) -> None:
        self.seen = len(x.values)


def dice(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def walks(n: int, channels: int = 2, seed: int = 1) -> Batch:
    values = torch.randn(n, channels, 30, generator=dice(seed)).cumsum(dim=2)
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def map_of(encoder: Encoder) -> Projected:
    """The learned linear map within a learned encoder."""
    return next(part for part in encoder.modules() if isinstance(part, Projected))


def objective(dim: int = 6, penalty: float = 0.1, n_copies: int = 7) -> Spectral:
    view = Mild(strength=1.0)
    return Spectral(
        encoder=Statistics(channels=2), view=view, penalty=penalty, copies=n_copies, dim=dim
    )


def fitted(spectral: Spectral, x: Batch) -> Encoder:
    spectral.prepare(x, dice(2))
    return spectral.solve(spectral.accumulate(x, dice(3)))


def phi(x: Batch) -> np.ndarray:
    return Statistics(channels=2).embed(x).double().numpy()


def spread_by_loops(features: np.ndarray, n: int) -> np.ndarray:
    """S_w: mean over series of the covariance within the n copies of each."""
    total = np.zeros((features.shape[1], features.shape[1]))
    for i in range(0, len(features), n):
        centre = features[i : i + n].sum(axis=0) / n
        for row in features[i : i + n]:
            total += np.outer(row - centre, row - centre)
    return total / (len(features) - len(features) // n)


def learned_by_loops(s: Spectral, x: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, map and variances of the directions, straight from the definition."""
    n = min(max(round(s.dim / len(x.values)), 1), s.copies)
    sample = phi(copies(x, n, s.view, dice(2)))
    centre = sample.mean(axis=0)
    P = np.linalg.svd(sample - centre, full_matrices=False)[2][: s.dim].T
    seen = (phi(copies(x, s.copies, s.view, dice(3))) - centre) @ P
    e, Q = np.linalg.eigh(spread_by_loops(seen, s.copies))
    return centre, P @ Q / np.sqrt(e + s.penalty * e.mean()), e


@pytest.mark.parametrize("dim", [1, 4, 18])
@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_equals_plain_loops_from_the_definition(dim, penalty):
    s, x, new = objective(dim, penalty), walks(9), walks(12, seed=5)
    got = map_of(fitted(s, x)).embed(new).double().numpy()
    centre, W, _ = learned_by_loops(s, x)
    wanted = (phi(new) - centre) @ W
    assert got.shape == (12, min(dim, 10))
    scale = np.abs(wanted @ wanted.T).max()  # the sign of each direction is free, products are not
    np.testing.assert_allclose(got @ got.T, wanted @ wanted.T, atol=1e-4 * scale)


@pytest.mark.parametrize("unit", [1.0, 1e-13, 1e-200, 1e200, 1e-310])
@pytest.mark.parametrize("rank", [1, 3, 60])
def test_eigenvectors_give_the_matrix_back(unit, rank):
    found = np.zeros((60, 60))
    found[:40, :40] = 1.0 if rank == 1 else 0.0  # many equal directions
    if rank > 1:
        some = np.random.default_rng(0).normal(size=(60, rank))
        found = some @ some.T
    e, Q = (part.numpy() for part in eigh(torch.from_numpy(unit * found)))
    assert np.all(np.diff(e) >= 0)
    np.testing.assert_allclose((Q * (e / unit)) @ Q.T, found, atol=1e-10)
    np.testing.assert_allclose(Q.T @ Q, np.eye(60), atol=1e-10)


def test_whitening_by_cholesky_keeps_the_products_of_whitening_by_eigenvectors():
    some = torch.from_numpy(np.random.default_rng(0).normal(size=(12, 9)))
    S, p = some[:, :9].T @ some, torch.from_numpy(np.random.default_rng(1).normal(size=(5, 9)))
    e, Q = eigh(S)
    wanted, got = p @ (Q / whitening(e, 0.1)), p @ whitener(S, 0.1)
    torch.testing.assert_close(got @ got.T, wanted @ wanted.T)
    nothing = whitener(torch.zeros(3, 3).double(), 0.1)
    assert torch.isfinite(nothing).all()


def test_copies_spread_as_the_definition_promises():
    """Covariance of the embedding within copies is diag(e / (e + λ · mean e))."""
    s, x = objective(dim=8, penalty=0.2), walks(9)
    learned = map_of(fitted(s, x))
    seen = learned.embed(copies(x, s.copies, s.view, dice(3))).double().numpy()
    e = learned_by_loops(s, x)[2]
    wanted = np.diag(e / (e + s.penalty * e.mean()))
    np.testing.assert_allclose(spread_by_loops(seen, s.copies), wanted, atol=1e-3)


def test_a_large_penalty_leaves_principal_components():
    s, x = objective(dim=5, penalty=1e6), walks(9)
    got = map_of(fitted(s, x)).embed(x).double().numpy()
    projected = (phi(x) - s.centre.double().numpy()) @ s.basis.double().numpy()
    ratio = np.linalg.norm(got) / np.linalg.norm(projected)
    np.testing.assert_allclose(got @ got.T, ratio**2 * projected @ projected.T, atol=1e-5)


def test_the_learned_part_has_length_one():
    x = walks(9)
    lengths = fitted(objective(), x).embed(x).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(9))


def test_what_stands_beside_is_prepared_and_left_as_it_is():
    x, beside = walks(9), Fallen(channels=2)
    s = Spectral(encoder=Statistics(channels=2), beside=beside, copies=3, dim=40)
    Z = fitted(s, x).embed(x)
    assert beside.seen == 9
    added, plain = Z[:, -10:], beside.embed(x)
    torch.testing.assert_close(added / added.norm(), plain / plain.norm())


def test_what_is_wide_beside_keeps_its_principal_axes():
    x, beside = walks(200), Statistics(channels=2)
    s = Spectral(encoder=Statistics(channels=2), beside=beside, copies=3, dim=16)
    Z = fitted(s, x).embed(x)
    assert Z.shape == (200, 10 + 4)  # a quarter of 16, and at most 12
    added, plain = Z[:, 10:].double(), beside.embed(x).double()
    left = (plain - plain.mean(0)).square().sum()
    axes = torch.linalg.svd(plain - plain.mean(0), full_matrices=False).Vh[:4]
    best = ((plain - plain.mean(0)) @ axes.T).square().sum() / left
    kept = (added - added.mean(0)).square().sum() / 0.3 / left
    assert 0.97 * best <= kept <= best + 1e-6


@pytest.mark.parametrize("M, F", [(40, 12), (12, 40), (20, 20)])
@pytest.mark.parametrize("dim", [1, 5, 100])
def test_principal_basis_is_orthonormal_and_optimal(M, F, dim):
    features = torch.randn(M, F, generator=dice()) * torch.arange(1, F + 1)
    P = principal_basis(features, dim).double().numpy()
    d = min(dim, M, F)
    assert P.shape == (F, d)
    np.testing.assert_allclose(P.T @ P, np.eye(d), atol=1e-5)
    kept = np.square(features.double().numpy() @ P).sum()
    best = np.square(np.linalg.svd(features.double().numpy())[1][:d]).sum()
    np.testing.assert_allclose(kept, best, rtol=1e-5)


@pytest.mark.parametrize("M, F", [(30, 12), (12, 30)])
def test_principal_basis_leaves_out_directions_that_do_not_move(M, F):
    g = dice()
    features = torch.randn(M, 3, generator=g) @ torch.randn(3, F, generator=g)
    assert principal_basis(features, 10).shape == (F, 3)


@pytest.mark.parametrize("M, F", [(5, 3), (3, 5)])
def test_principal_basis_of_nothing_is_one_finite_direction(M, F):
    P = principal_basis(torch.zeros(M, F), 4)
    assert P.shape == (F, 1) and P.isfinite().all()
