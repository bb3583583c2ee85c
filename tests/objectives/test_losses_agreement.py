"""Losses of agreement beside float64 loops written from the equations, and their gradients."""

import math

import pytest
import torch
from contrast_loops import dot
from torch import Tensor
from torch.autograd import gradcheck

from selftime.objectives.barlow_twins import cross_correlation, on_diagonal
from selftime.objectives.dino import distillation, sharpened
from selftime.objectives.losses import negative_cosine, off_diagonal
from selftime.objectives.vicreg import covariance, invariance, variance

Rows = list[list[float]]


@pytest.fixture
def views(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    first, second = torch.randn(2, 6, 4, generator=rng, dtype=torch.float64)
    return first + 2, 0.3 * second


def close(got: Tensor, wanted: float) -> None:
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=got.dtype))


def column(rows: Rows, j: int) -> list[float]:
    """Feature j of all series, less its mean."""
    mean = sum(row[j] for row in rows) / len(rows)
    return [row[j] - mean for row in rows]


def covariance_loop(a: Rows, i: int, j: int) -> float:
    return dot(column(a, i), column(a, j)) / (len(a) - 1)


def test_negative_cosine_equals_equation_1_of_chen_and_he(views):
    p, z = (view.tolist() for view in views)
    cosines = [dot(a, b) / math.hypot(*a) / math.hypot(*b) for a, b in zip(p, z, strict=True)]
    close(negative_cosine(*views), -sum(cosines) / len(cosines))


def test_correlation_equals_equation_2_of_zbontar_et_al(views):
    a, b = (view.tolist() for view in views)
    wanted = [
        [
            dot(x := column(a, i), y := column(b, j)) / math.sqrt(dot(x, x)) / math.sqrt(dot(y, y))
            for j in range(4)
        ]
        for i in range(4)
    ]
    found = cross_correlation(*views)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))
    close(on_diagonal(found), sum((1 - wanted[i][i]) ** 2 for i in range(4)))
    off = sum(wanted[i][j] ** 2 for i in range(4) for j in range(4) if i != j)
    close(off_diagonal(found), off)


def test_three_terms_equal_the_equations_of_bardes_et_al(views):
    a, b = (view.tolist() for view in views)
    squares = [(x - y) ** 2 for r, s in zip(a, b, strict=True) for x, y in zip(r, s, strict=True)]
    close(invariance(*views), sum(squares) / len(squares))
    for view, rows in ((views[0], a), (views[1], b)):
        spread = [math.sqrt(covariance_loop(rows, j, j) + 1e-4) for j in range(4)]
        close(variance(view), sum(max(0.0, 1 - s) for s in spread) / 4)
        pairs = [covariance_loop(rows, i, j) ** 2 for i in range(4) for j in range(4) if i != j]
        close(covariance(view), sum(pairs) / 4)


def test_distillation_equals_equation_1_of_caron_et_al(views):
    student, teacher = views
    centre = [0.3, -0.2, 0.1, 0.0]
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        sharp = [math.exp((x - c) / 0.2) for x, c in zip(t, centre, strict=True)]
        soft = [math.exp(x) for x in s]
        chances = [x / sum(sharp) for x in sharp]
        total -= sum(p * math.log(q / sum(soft)) for p, q in zip(chances, soft, strict=True))
    targets = sharpened(teacher, torch.tensor(centre, dtype=torch.float64), 0.2)
    close(distillation(student, targets), total / len(student))


def test_losses_have_the_gradient_of_finite_differences(views):
    first, second = (view.requires_grad_() for view in views)
    centre = torch.zeros(4, dtype=torch.float64)
    assert gradcheck(negative_cosine, (first, second))
    assert gradcheck(lambda a, b: on_diagonal(cross_correlation(a, b)), (first, second))
    assert gradcheck(lambda a, b: off_diagonal(cross_correlation(a, b)), (first, second))
    assert gradcheck(invariance, (first, second))
    assert gradcheck(variance, (second,))
    assert gradcheck(covariance, (first,))
    assert gradcheck(lambda a, b: distillation(a, sharpened(b, centre, 0.5)), (first, second))


def test_golden_numbers():
    """Worked out by hand: four series at (±1, ±1), whose features are uncorrelated.

    Each variance is 4/3 > 1, and nothing is asked for; the same at half the size have deviation
    √(1/3), and lack 0.4227. With both features the same, the covariance is 4/3 twice, over D = 2.
    """
    square = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert variance(square) == covariance(square) == 0
    close(variance(square / 2), 1 - math.sqrt(1 / 3 + 1e-4))
    close(covariance(square[:, [0, 0]]), (4 / 3) ** 2)
    torch.testing.assert_close(cross_correlation(square, square), torch.eye(2))
    close(on_diagonal(-cross_correlation(square, square)), 8.0)
    close(off_diagonal(torch.ones(3, 3)), 6.0)
    close(negative_cosine(square, square), -1.0)
    close(negative_cosine(square, -3 * square), 1.0)
    even = torch.full((3, 8), 1 / 8)
    close(distillation(torch.zeros(3, 8), even), math.log(8))


def test_collapse_costs_where_a_term_forbids_it_and_nothing_where_none_does():
    one = torch.tensor([[1.0, -2.0, 0.5, 4.0]]).expand(4, 4)
    close(negative_cosine(one, one), -1.0)  # the best there is: BYOL and SimSiam rely on training
    assert invariance(one, one) == 0
    close(variance(one), 0.99)  # 1 − √ε
    close(on_diagonal(cross_correlation(one, one)), 4.0)


def test_a_centre_takes_off_what_all_series_share_and_a_low_temperature_decides(rng):
    logits = torch.randn(5, 6, generator=rng)
    shared = 10 * torch.randn(6, generator=rng)
    plain = sharpened(logits, torch.zeros(6), 0.1)
    torch.testing.assert_close(sharpened(logits + shared, shared, 0.1), plain, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(plain.sum(dim=1), torch.ones(5))
    assert (plain.amax(dim=1) > sharpened(logits, torch.zeros(6), 1.0).amax(dim=1)).all()


def test_features_without_spread_give_finite_gradients():
    flat = torch.ones(4, 3, requires_grad=True)
    losses = (on_diagonal(cross_correlation(flat, flat)), variance(flat), covariance(flat))
    for loss in losses:
        (grad,) = torch.autograd.grad(loss, flat)
        assert loss.isfinite() and grad.isfinite().all()
