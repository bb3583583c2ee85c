"""Taps over rows: equal to torch's convolution, with the gradient that finite differences give."""

from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

from selftime.encoders.networks.dilated import overlap, taps

Kind = Literal["bias", "rows"]
KINDS = ("bias", "rows")  # what the taps are added to: (O,) or (R,O)
BEHIND_AND_AHEAD = [(-2, 0, 2), (-4, -2, 0), (3, 0, -1), (12, 0, -11), (50, -50, 12), (0, 0, 5)]


def drawn(
    rng: torch.Generator, *, rows: int = 12, kind: Kind = "bias"
) -> tuple[Tensor, Tensor, Tensor]:
    """Float64 rows of 2 numbers, three matrices to 3 numbers, and what the taps are added to."""
    added = (3,) if kind == "bias" else (rows, 3)
    x, weight, start = (
        torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_()
        for shape in ((rows, 2), (3, 3, 2), added)
    )
    return x, weight, start


def loops(x: Tensor, weight: Tensor, start: Tensor, shifts: tuple[int, ...]) -> Tensor:
    """y[r] = start[r] + sum over k of weight[k] x[r + shifts[k]], one row and tap at a time."""
    rows = []
    for r in range(len(x)):
        y = start if start.ndim == 1 else start[r]
        for matrix, shift in zip(weight, shifts, strict=True):
            if 0 <= r + shift < len(x):
                y = y + matrix @ x[r + shift]
        rows.append(y)
    return torch.stack(rows)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dilation", [1, 2, 4, 5, 6, 64])  # of 6 steps
@pytest.mark.parametrize("B", [1, 3])
def test_time_first_rows_equal_the_convolution_of_torch(
    rng: torch.Generator, B: int, dilation: int, causal: bool
) -> None:
    T = 6
    x, weight, bias = drawn(rng, rows=T * B)
    ahead = (-2, -1, 0) if causal else (-1, 0, 1)
    got = taps(x, weight, bias, [B * dilation * step for step in ahead])

    series = x.view(T, B, 2).permute(1, 2, 0)  # (B,I,T)
    around = (2 * dilation, 0) if causal else (dilation, dilation)
    kernel = weight.permute(1, 2, 0)  # (O,I,K)
    wanted = F.conv1d(F.pad(series, around), kernel, bias, dilation=dilation)  # (B,O,T)
    torch.testing.assert_close(got, wanted.permute(2, 0, 1).reshape(T * B, 3))

    into = torch.randn(got.shape, generator=rng, dtype=torch.float64)
    inputs = (x, weight, bias)
    for mine, theirs in zip(
        torch.autograd.grad(got, inputs, into),
        torch.autograd.grad(wanted, inputs, into.view(T, B, 3).permute(1, 2, 0)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shifts", BEHIND_AND_AHEAD)
def test_any_shifts_equal_plain_loops(
    rng: torch.Generator, shifts: tuple[int, ...], kind: Kind
) -> None:
    given = drawn(rng, kind=kind)
    torch.testing.assert_close(taps(*given, shifts), loops(*given, shifts))


@pytest.mark.late
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shifts", BEHIND_AND_AHEAD)
def test_gradients_are_those_of_finite_differences(
    rng: torch.Generator, shifts: tuple[int, ...], kind: Kind
) -> None:
    given = drawn(rng, kind=kind)
    assert gradcheck(lambda x, weight, start: taps(x, weight, start, shifts), given)


def test_gradients_flow_through_rows_that_are_also_what_is_added_to(rng: torch.Generator) -> None:
    x, _, _ = drawn(rng)
    weight = torch.randn(3, 2, 2, generator=rng, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, weight: taps(x, weight, x, (-1, 0, 1)), (x, weight))
    assert gradcheck(
        lambda x, weight: taps(taps(x, weight, x, (-3, 0, 3)), weight, x, (-40, 0, 40)), (x, weight)
    )


def test_a_row_alone_has_one_tap(rng: torch.Generator) -> None:
    x, weight, bias = drawn(rng, rows=1)
    got = taps(x, weight, bias, (-1, 0, 1))
    torch.testing.assert_close(got, x @ weight[1].T + bias)


def test_taps_that_reach_beyond_all_rows_get_a_gradient_of_0_each_time(
    rng: torch.Generator,
) -> None:
    given = drawn(rng)
    taps(*given, (-12, 0, 400)).square().sum().backward()
    once = [part.grad.clone() for part in given]
    taps(*given, (-12, 0, 400)).square().sum().backward()
    assert once[1][0].abs().max() == once[1][2].abs().max() == 0 < once[1][1].abs().min()
    for part, grad in zip(given, once, strict=True):  # sums of two passes, of nothing else
        torch.testing.assert_close(part.grad, 2 * grad)


def test_frozen_weights_let_the_gradient_pass(rng: torch.Generator) -> None:
    x, weight, bias = drawn(rng)
    taps(x, weight, bias, (-1, 0, 1)).sum().backward()
    beside = x.detach().clone().requires_grad_()
    taps(beside, weight.detach(), bias.detach(), (-1, 0, 1)).sum().backward()
    assert torch.equal(beside.grad, x.grad)
    torch.testing.assert_close(bias.grad, torch.full_like(bias, 12))


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_in_stays_as_it_was(rng: torch.Generator, kind: Kind) -> None:
    given = drawn(rng, kind=kind)
    before = [part.detach().clone() for part in given]
    y = taps(*given, (-3, 0, 3))
    into = torch.randn(y.shape, generator=rng, dtype=torch.float64)
    sent = into.clone()
    y.backward(into)
    assert all(map(torch.equal, given, before)) and torch.equal(into, sent)


def test_memory_order_of_rows_and_gradients_changes_nothing(rng: torch.Generator) -> None:
    x, weight, bias = drawn(rng)
    turned = x.detach().T.contiguous().T.requires_grad_()
    one, two = taps(x, weight, bias, (-2, 0, 2)), taps(turned, weight, bias, (-2, 0, 2))
    torch.testing.assert_close(two, one)
    one.sum().backward()
    two.T.flip(0).sum().backward()  # expanded, turned and flipped on its way back
    torch.testing.assert_close(turned.grad, x.grad)


def test_overlap_pairs_rows_that_lie_a_shift_apart() -> None:
    assert overlap(5, 2) == (slice(0, 3), slice(2, 5))
    assert overlap(5, -2) == (slice(2, 5), slice(0, 3))
    assert overlap(5, 0) == (slice(0, 5), slice(0, 5))
    for shift in (5, -5, 99, -99):
        assert all(part.start == part.stop for part in overlap(5, shift))
