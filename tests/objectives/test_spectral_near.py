"""Near series as positives of Spectral: their weight, covariance beside loops, and effect."""

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.spectral import (
    NEAR_FROM,
    NEAR_FULL,
    Spectral,
    near_covariance,
    near_pairs,
    near_weight,
)


class Values(Encoder):
    """The values of a series as they are."""

    def __init__(self, *, length: int) -> None:
        super().__init__()
        self.dim = length

    def forward(self, x: Batch) -> Tensor:
        return x.filled()[:, 0, None]


def dice(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def batch(values: Tensor) -> Batch:
    values = values[:, None]
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def still(x: Batch, rng: Generator) -> Batch:
    """A view that moves every value equally, and so tells nothing."""
    return Batch(x.values + 0.1 * torch.randn(x.values.shape, generator=rng), x.observed)


def families(n: int, seed: int = 1) -> tuple[Batch, np.ndarray]:
    """Series of eight families: six values tell which, six others are nuisance and louder."""
    family = torch.arange(n) % 8
    own = torch.randn(8, 6, generator=dice(0))[family]
    values = torch.cat([own, 0.7 * torch.randn(n, 6, generator=dice(seed))], dim=1)
    return batch(values + 0.1 * torch.randn(n, 12, generator=dice(seed + 1))), family.numpy()


def learned(n: int) -> Spectral:
    s = Spectral(encoder=Values(length=12), view=still, copies=3, dim=12)
    s.prepare(families(n)[0], dice(2))
    return s


def spread_of(s: Spectral, n: int) -> float:
    """Mean squared distance within families over that of all series."""
    x, family = families(n)
    Z = s.solve(s.accumulate(x, dice(3))).embed(x).double().numpy()
    within = np.mean([Z[family == k].var(axis=0).sum() for k in range(8)])
    return float(within / Z.var(axis=0).sum())


def test_near_series_weigh_more_the_more_there_are():
    weights = [near_weight(n) for n in (2, NEAR_FROM, 400, 600, NEAR_FULL, 10 * NEAR_FULL)]
    assert weights == [0, 0, 0.75, 1.5, 3, 3]


def test_few_series_learn_from_copies_alone():
    assert learned(NEAR_FROM).pool is None
    p, beside = learned(NEAR_FROM + 1).pool
    assert p.shape == (NEAR_FROM + 1, 12) and beside.shape == (NEAR_FROM + 1, 0)


def test_the_covariance_is_that_of_pairs_that_are_near_each_other():
    p, vectors = torch.randn(30, 4, generator=dice(1)), torch.randn(30, 3, generator=dice(2))
    unit = (vectors / vectors.norm(dim=1, keepdim=True)).double().numpy()
    nearest = [set(sorted(range(30), key=lambda j: -unit[i] @ unit[j] + 9 * (i == j))[:5])
               for i in range(30)]  # fmt: skip
    pairs = [(i, j) for i in range(30) for j in nearest[i] if i in nearest[j]]
    q = p.double().numpy()
    wanted = sum(np.outer(q[i] - q[j], q[i] - q[j]) for i, j in pairs) / (2 * len(pairs))
    np.testing.assert_allclose(near_covariance(p, near_pairs(vectors)), wanted, atol=1e-6)


def test_nuisance_that_no_view_shows_is_scaled_away():
    assert spread_of(learned(800), 800) < 0.7 * spread_of(learned(NEAR_FROM), NEAR_FROM)


@pytest.mark.parametrize("values", [torch.ones(300, 12), torch.eye(12).repeat(25, 1)])
def test_series_that_are_all_alike_have_finite_vectors(values):
    s, x = Spectral(encoder=Values(length=12), view=still, copies=2, dim=12), batch(values)
    s.prepare(x, dice(2))
    assert s.solve(s.accumulate(x, dice(3))).embed(x).isfinite().all()
