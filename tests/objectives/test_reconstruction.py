"""Errors of reconstruction beside loops, and what does not count."""

import pytest
import torch
from torch import Tensor

from selftime.objectives.data2vec import smooth_l1
from selftime.objectives.losses import squared_error


def material() -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    made, wanted = 2 * torch.randn(2, 3, 4, 2, generator=rng, dtype=torch.float64)
    return made, wanted, torch.rand(3, 4, 2, generator=rng) < 0.6


def smooth(d: float, beta: float) -> float:
    return d * d / 2 / beta if d <= beta else d - beta / 2


def loop(made: Tensor, wanted: Tensor, counts: Tensor, each) -> float:
    rows = zip(made.flatten().tolist(), wanted.flatten().tolist(), counts.flatten(), strict=True)
    errors = [each(abs(a - b)) for a, b, valid in rows if valid]
    return sum(errors) / len(errors)


def test_squared_error_is_the_mean_over_what_counts() -> None:
    made, wanted, counts = material()
    assert 0 < int(counts.sum()) < counts.numel()
    by_loop = loop(made, wanted, counts, lambda d: d * d)
    assert float(squared_error(made, wanted, counts)) == pytest.approx(by_loop, rel=1e-12)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_smooth_error_is_a_square_within_beta_and_a_line_beyond(beta: float) -> None:
    made, wanted, counts = material()
    near = ((made - wanted).abs() <= beta)[counts]
    assert near.any() and not near.all()
    by_loop = loop(made, wanted, counts, lambda d: smooth(d, beta))
    assert float(smooth_l1(made, wanted, counts, beta)) == pytest.approx(by_loop, rel=1e-12)


@pytest.mark.parametrize(
    "loss", [squared_error, lambda *given: smooth_l1(*given, 1.5)], ids=["squared", "smooth"]
)
def test_gradients_and_what_does_not_count(loss) -> None:
    made, wanted, counts = material()
    made.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, wanted, counts), made)
    value = loss(made, wanted, counts)
    value.backward()
    assert ((made.grad != 0) == counts).all()
    assert torch.equal(loss(made, wanted.where(counts, 1e6), counts), value)
    nothing = loss(made, wanted, torch.zeros_like(counts))
    assert nothing == 0 and nothing.requires_grad
