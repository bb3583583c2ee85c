"""Parts trained beside the encoder: their values, their draws, and dropout."""

import pytest
import torch
from torch import Generator

from selftime.objectives.parts.heads import dropout, linear, projector


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@torch.no_grad()
def test_a_projector_is_two_linear_maps_with_a_relu_between() -> None:
    part = projector(4, 5, 3, seed=1).double()
    first, _, second = part
    x = 3 * torch.randn(6, 4, generator=seeded(), dtype=torch.float64)
    reached = first(x)
    assert (reached > 0).any() and (reached < 0).any()
    for row, got in zip(x, part(x), strict=True):
        hidden = [max(float(w @ row + b), 0.0) for w, b in zip(*first.parameters(), strict=True)]
        for w, b, value in zip(*second.parameters(), got, strict=True):
            wanted = sum(float(v) * h for v, h in zip(w, hidden, strict=True)) + float(b)
            assert abs(float(value) - wanted) < 1e-12


def test_a_seed_means_the_same_weights_and_draws_from_nothing_else() -> None:
    before = torch.get_rng_state()
    one, same, other = (projector(4, 5, 3, seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in one.items():
        assert torch.equal(weight, same[name])
        assert not torch.isclose(weight, other[name]).any()


def test_weights_are_spread_as_torch_spreads_them() -> None:
    layer = linear(100, 200, seeded())
    assert layer.weight.requires_grad and layer.bias.requires_grad
    assert layer.weight.shape == (200, 100) and layer.bias.shape == (200,)
    for weight in (layer.weight.detach(), layer.bias.detach()):
        bound = 100**-0.5  # torch.nn.Linear: uniform within 1 / sqrt(inputs)
        assert 0.97 * bound < weight.abs().max() <= bound
        assert abs(float(weight.std()) / bound - 3**-0.5) < 0.05


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(share: float) -> None:
    z = 1 + torch.rand(100, 200, generator=seeded(), dtype=torch.float64)
    got = dropout(z, share, seeded(1))
    gone = got == 0
    torch.testing.assert_close(got[~gone], z[~gone] / (1 - share))
    error = (share * (1 - share) / z.numel()) ** 0.5
    assert abs(float(gone.double().mean()) - share) < 4 * error
    assert gone.any(dim=0).all() and gone.any(dim=1).all()  # each number on its own


def test_dropout_of_nothing_draws_nothing() -> None:
    z, rng = torch.ones(3, 4), seeded()
    before = rng.get_state()
    assert dropout(z, 0.0, rng) is z
    assert torch.equal(rng.get_state(), before)


def test_dropout_is_drawn_from_rng_alone_and_leaves_tokens_as_they_were() -> None:
    z, before, rng = torch.ones(30, 4), torch.get_rng_state(), seeded(2)
    first, second = dropout(z, 0.5, rng), dropout(z, 0.5, rng)
    assert torch.equal(first, dropout(z, 0.5, seeded(2))) and not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before) and torch.equal(z, torch.ones(30, 4))


def test_the_gradient_passes_where_numbers_were_kept() -> None:
    z = torch.ones(30, 4, requires_grad=True)
    kept = dropout(z, 0.25, seeded(3))
    kept.sum().backward()
    torch.testing.assert_close(z.grad, kept.detach())  # 0, or 1 / (1 - share) where z is 1
