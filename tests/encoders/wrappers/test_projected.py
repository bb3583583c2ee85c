"""Standardised, projected and unit-length vectors beside plain loops."""

import numpy as np
import pytest
import torch
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.wrappers.projected import (
    Projected,
    Standardised,
    UnitLength,
    standardisation,
)


class Steps(Encoder):
    """The values themselves: a vector of known numbers."""

    def __init__(self, *, steps: int) -> None:
        super().__init__()
        self.steps = self.dim = steps

    def forward(self, x: Batch) -> Tensor:
        return x.values[:, :1, : self.steps]


def batch(rows) -> Batch:
    values = torch.as_tensor(np.asarray(rows), dtype=torch.float32)[:, None]
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def draws(n=50, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.arange(1, d + 1) + np.arange(d)


def prepared(rows) -> Standardised:
    encoder = Standardised(encoder=Steps(steps=np.shape(rows)[1]))
    encoder.prepare(batch(rows), torch.Generator())
    return encoder


def test_features_that_hardly_move_are_not_blown_up():
    mean, scale = standardisation(torch.tensor([[0.0, 1e-38], [1e-38, 0.0]]))
    assert mean.isfinite().all() and scale.tolist() == pytest.approx([2**-0.5] * 2)


def test_standardised_equals_plain_loops():
    X, new = draws(), draws(seed=1)
    got = prepared(X).embed(batch(new)).numpy()
    for j in range(6):
        mean = sum(X[:, j]) / 50
        deviation = (sum((x - mean) ** 2 for x in X[:, j]) / 50) ** 0.5
        np.testing.assert_allclose(got[:, j], (new[:, j] - mean) / deviation / 6**0.5, atol=1e-5)


def test_standardised_vectors_have_mean_squared_length_one():
    X = draws()
    Z = prepared(X).embed(batch(X))
    assert float(Z.square().sum(dim=1).mean()) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(Z.mean(dim=0), torch.zeros(6), atol=1e-6, rtol=0)


def test_near_constant_features_are_not_blown_up():
    X = draws()
    X[:, 0] *= 1e-4
    deviations = X.std(axis=0)
    scale = standardisation(torch.as_tensor(X, dtype=torch.float32))[1].numpy()
    floor = 0.1 * np.sort(deviations)[2]  # the lower median of six
    np.testing.assert_allclose(scale[0], 6**-0.5 / floor, rtol=1e-4)
    np.testing.assert_allclose(scale[1:], 6**-0.5 / deviations[1:], rtol=1e-4)


@pytest.mark.parametrize("n", [1, 5])
def test_features_that_never_move_come_out_as_nothing(n):
    X = np.ones((n, 4))
    assert (prepared(X).embed(batch(X)) == 0).all()


def test_before_it_is_prepared_only_the_size_is_brought_down():
    Z = Standardised(encoder=Steps(steps=4)).embed(batch(np.ones((2, 4))))
    torch.testing.assert_close(Z, torch.full((2, 4), 0.5))


def test_projected_is_an_affine_map():
    X, rng = draws(8), np.random.default_rng(2)
    encoder = Projected(encoder=Steps(steps=6), dim=3)
    encoder.centre = torch.as_tensor(rng.normal(size=6)).float()
    encoder.weight = torch.as_tensor(rng.normal(size=(6, 3))).float()
    c, W = encoder.centre.double().numpy(), encoder.weight.double().numpy()
    wanted = [
        [sum((x[f] - c[f]) * W[f, k] for f in range(6)) for k in range(encoder.dim)] for x in X
    ]
    np.testing.assert_allclose(encoder.embed(batch(X)).numpy(), wanted, atol=1e-4)


def test_unit_length_keeps_directions_and_zeros():
    X = draws(8)
    X[3] = 0
    Z = UnitLength(encoder=Steps(steps=6)).embed(batch(X)).numpy()
    for x, z in zip(X, Z, strict=True):
        length = sum(v * v for v in x) ** 0.5
        np.testing.assert_allclose(z, x / (length or 1), atol=1e-6)


def test_wrappers_prepare_what_they_hold():
    X = draws()
    inner = Standardised(encoder=Steps(steps=6))
    UnitLength(encoder=inner).prepare(batch(X), torch.Generator())
    torch.testing.assert_close(inner.mean, batch(X).values[:, 0].mean(dim=0))


def test_joined_weighs_and_orders_its_parts():
    X = batch(draws(4))
    joined = Joined(encoders=[Steps(steps=2), Steps(steps=3)], weights=[2.0, 0.5])
    values = X.values[:, 0]
    wanted = torch.cat([2 * values[:, :2], 0.5 * values[:, :3]], dim=1)
    torch.testing.assert_close(joined.embed(X), wanted)
    assert joined.dim == 5
    with pytest.raises(ValueError, match="got 1 weights for 2 encoders"):
        Joined(encoders=[Steps(steps=2), Steps(steps=3)], weights=[1.0])
