"""Losses beside float64 loops written from the equations of their papers, and their gradients."""

import math

import pytest
import torch
from contrast_loops import dot, hierarchy_loop, instance_loop, rows_of, temporal_loop
from torch import Tensor
from torch.autograd import gradcheck

from selftime.objectives.losses import (
    between_series,
    between_steps,
    contrast,
    halve_resolution,
    nt_xent,
)
from selftime.objectives.ts2vec import hierarchical_contrast

RAGGED = [(5, 5, 5), (7, 3, 1), (8, 5, 2), (6, 6, 5), (4, 1, 1), (2, 1), (1, 1)]


def drawn(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def steps(lengths: tuple[int, ...]) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def close(got: Tensor, wanted: float) -> None:
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=got.dtype))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("B", [1, 2, 5])
def test_nt_xent_equals_equation_1_of_chen_et_al(
    rng: torch.Generator, B: int, temperature: float
) -> None:
    first, second = drawn(rng, 2, B, 3)
    views = [v for pair in zip(first.tolist(), second.tolist(), strict=True) for v in pair]

    def s(i: int, k: int) -> float:  # the cosine; 2k and 2k + 1 are the views of series k
        norms = math.sqrt(dot(views[i], views[i])) * math.sqrt(dot(views[k], views[k]))
        return math.exp(dot(views[i], views[k]) / norms / temperature)

    losses = [
        -math.log(s(i, i ^ 1) / sum(s(i, k) for k in range(2 * B) if k != i)) for i in range(2 * B)
    ]
    close(nt_xent(first, second, temperature), sum(losses) / (2 * B))


def test_nt_xent_knows_directions_only_and_stands_a_vector_of_0(rng: torch.Generator) -> None:
    first, second = drawn(rng, 2, 4, 3)
    torch.testing.assert_close(
        nt_xent(first * 7, second / 9, 0.2), nt_xent(first, second, 0.2), rtol=1e-9, atol=0
    )
    first[0] = 0
    first.requires_grad_()
    loss = nt_xent(first, second, 0.2)
    loss.backward()
    assert loss.isfinite() and first.grad.isfinite().all()


@pytest.mark.parametrize("lengths", RAGGED)
def test_parts_equal_equations_1_and_2_of_yue_et_al_over_the_steps_that_exist(
    rng: torch.Generator, lengths: tuple[int, ...]
) -> None:
    valid = steps(lengths)
    first, second = drawn(rng, 2, *valid.shape, 3)
    r, s = rows_of(first, valid), rows_of(second, valid)
    close(between_steps(first, second, valid), temporal_loop(r, s))
    close(between_series(first, second, valid), instance_loop(r, s))


@pytest.mark.parametrize("T, levels", [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (9, 4), (13, 4)])
def test_hierarchy_equals_equation_3_at_every_resolution(
    rng: torch.Generator, T: int, levels: int
) -> None:
    first, second = drawn(rng, 2, 3, T, 2)
    *wanted, found = hierarchy_loop(rows_of(first, None), rows_of(second, None))
    assert found == levels
    got = hierarchical_contrast(first, second)
    assert list(got) == ["instance", "temporal"]
    for part, value in zip(got.values(), wanted, strict=True):
        close(part, value)
    everywhere = hierarchical_contrast(first, second, torch.ones(3, T, dtype=torch.bool))
    for name, part in got.items():
        torch.testing.assert_close(everywhere[name], part)


@pytest.mark.parametrize("lengths", RAGGED)
def test_ragged_hierarchy_equals_loops_over_the_steps_that_exist(
    rng: torch.Generator, lengths: tuple[int, ...]
) -> None:
    valid = steps(lengths)
    first, second = drawn(rng, 2, *valid.shape, 3)
    *wanted, _ = hierarchy_loop(rows_of(first, valid), rows_of(second, valid))
    for part, value in zip(hierarchical_contrast(first, second, valid).values(), wanted):  # noqa: B905
        close(part, value)


def test_golden_numbers() -> None:
    """Worked out by hand.

    Two series of one step, tokens 1 and -1 in both views: each has its positive at exp(1) and two
    negatives at exp(-1), so log(1 + 2 exp(-2)) = 0.239545, half of it over one resolution.
    One series of two steps, tokens 0 and 1 in both views: the 0 has three equal others, log 3 =
    1.098612; the 1 has its positive at e and two at 1, log(e + 2) - 1 = 0.551445; their mean is
    0.825028, half of it over two resolutions, 0.206257. Two series with directions at right
    angles: log(e + 2) - 1 again.
    """
    apart = torch.tensor([[[1.0]], [[-1.0]]])
    got = hierarchical_contrast(apart, apart)
    close(got["instance"], 0.239545 / 2)
    assert got["temporal"] == 0
    rising = torch.tensor([[[0.0], [1.0]]])
    close(between_steps(rising, rising), 0.825028)
    got = hierarchical_contrast(rising, rising)
    close(got["temporal"], 0.206257)
    assert got["instance"] == 0
    close(nt_xent(torch.eye(2), torch.eye(2), 1.0), 0.551445)


def test_contrast_has_the_gradient_of_finite_differences(rng: torch.Generator) -> None:
    z = drawn(rng, 3, 6, 2).requires_grad_()
    weight = drawn(rng, 3, 6)  # so that every loss has another gradient
    valid = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]]).bool()
    assert gradcheck(contrast, (z,))
    assert gradcheck(lambda z: contrast(z) * weight, (z,))
    assert gradcheck(lambda z: contrast(z, valid) * weight, (z,))


@pytest.mark.late
def test_losses_have_the_gradient_of_finite_differences(rng: torch.Generator) -> None:
    first, second = (z.requires_grad_() for z in drawn(rng, 2, 3, 2))
    assert gradcheck(lambda a, b: nt_xent(a, b, 0.3), (first, second))
    valid = steps((5, 4, 1))
    first, second = (z.requires_grad_() for z in drawn(rng, 2, 3, 5, 2))
    for given in (None, valid):
        for loss in (hierarchical_contrast, between_steps, between_series):

            def parts(a: Tensor, b: Tensor, loss=loss, given=given) -> tuple[Tensor, ...]:
                found = loss(a, b, given)
                return tuple(found.values()) if isinstance(found, dict) else (found,)

            assert gradcheck(parts, (first, second))


@pytest.mark.parametrize("lengths", RAGGED)
def test_tokens_that_do_not_exist_change_neither_loss_nor_gradient(
    rng: torch.Generator, lengths: tuple[int, ...]
) -> None:
    valid = steps(lengths)
    first, second = drawn(rng, 2, *valid.shape, 3)

    def run(a: Tensor, b: Tensor) -> list[Tensor]:
        a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
        parts = hierarchical_contrast(a, b, valid)
        (parts["instance"] + 3 * parts["temporal"]).backward()
        return [*parts.values(), a.grad, b.grad]

    wanted = run(first, second)
    for garbage in (1e6, -1e6, 1e200):
        other = [z.masked_fill(~valid[:, :, None], garbage) for z in (first, second)]
        assert all(map(torch.equal, run(*other), wanted))
    assert not any(grad[~valid].any() for grad in wanted[2:])


@pytest.mark.parametrize("level", [-3e4, -9.99e3, 3e4])
def test_an_odd_step_stays_itself_however_low_it_is(rng: torch.Generator, level: float) -> None:
    z = level + drawn(rng, 2, 4, 3)
    half = halve_resolution(z, steps((4, 3)))
    assert torch.equal(half[:, 0], torch.maximum(z[:, 0], z[:, 1]))
    assert torch.equal(half[0, 1], torch.maximum(z[0, 2], z[0, 3]))
    assert torch.equal(half[1, 1], z[1, 2])


def test_a_pair_alone_costs_nothing_and_pulls_nowhere(rng: torch.Generator) -> None:
    z = drawn(rng, 4, 2, 3).requires_grad_()
    loss = contrast(z)
    loss.sum().backward()
    assert torch.equal(loss, torch.zeros(4, 2)) and not z.grad.any()
    crowd = drawn(rng, 1, 6, 3).requires_grad_()
    loss = contrast(crowd, torch.tensor([[False, True, False] * 2]))
    loss.sum().backward()
    assert torch.equal(loss, torch.zeros(1, 6)) and not crowd.grad.any()


@pytest.mark.parametrize("scale", [1e2, 1e6, 1e15])
def test_large_numbers_stay_finite(rng: torch.Generator, scale: float) -> None:
    first, second = (z.float().mul(scale).requires_grad_() for z in drawn(rng, 2, 4, 6, 3))
    for valid in (None, steps((6, 5, 2, 1))):
        parts = hierarchical_contrast(first, second, valid)
        grads = torch.autograd.grad(sum(parts.values()), (first, second))
        assert all(part.isfinite() for part in parts.values())
        assert all(grad.isfinite().all() for grad in grads)


def test_tokens_stay_untouched(rng: torch.Generator) -> None:
    first, second = drawn(rng, 2, 3, 5, 2).requires_grad_()
    before = first.detach().clone(), second.detach().clone()
    parts = hierarchical_contrast(first, second, steps((5, 3, 1)))
    torch.autograd.grad(sum(parts.values()), (first, second))
    assert torch.equal(first, before[0]) and torch.equal(second, before[1])
