"""The checks of types and shapes: what they catch, and where they are left out."""

from collections.abc import Iterator

import pytest
import torch
from checked_calls import ENOUGH, begin_test, checked
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from selftime.encoders.fixed import quantiles_numba
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.views.draws import smooth_curves, spline_weights

X = torch.zeros(2, 5)


@checked
def kept(x: Float[Tensor, "B T"], y: Float[Tensor, "B T"], steps: int) -> Float[Tensor, "B T"]:
    return (x + y)[:, :steps]


@checked
def first(x: Float[Tensor, "B T"], T: int) -> Float[Tensor, "B {T}"]:
    return x[:, :3]


@checked
def rows(x: Float[Tensor, "B T"]) -> Iterator[Tensor]:
    yield from x


def later(x: "Tensor | None", y: "NotThere") -> "NotThere":  # noqa: F821
    return x


def test_a_letter_stands_for_one_size_from_the_first_argument_to_the_result():
    assert kept(X, X, 5).shape == (2, 5)
    with pytest.raises(TypeCheckError, match="parameter y="):
        kept(X, X[:1], 5)
    with pytest.raises(TypeCheckError, match=r"(?s)return .* violates type hint"):
        kept(X, X, 4)
    with pytest.raises(TypeCheckError, match="parameter steps='5'"):
        kept(X, X, "5")
    assert kept(X[:, :4], X[:, :4], 4).shape == (2, 4)  # the next call begins anew


def test_sizes_may_be_named_by_arguments():
    assert first(X, T=3).shape == (2, 3)
    with pytest.raises(TypeCheckError, match="return value"):
        first(X, T=4)


def test_generators_are_checked_where_they_are_called():
    assert len(list(rows(X))) == 2
    with pytest.raises(TypeCheckError, match="parameter .x."):
        rows(X[0])


def test_types_written_as_texts_count_where_their_names_are_there():
    assert checked(later)(None, 3) is None
    with pytest.raises(TypeCheckError, match="parameter .x."):
        checked(later)("3", None)


def test_every_function_of_the_package_is_checked_but_those_that_numba_compiles():
    for function in (spline_weights, smooth_curves, Quantiles.forward):
        assert function.__wrapped__.__code__.co_filename.endswith(".py")
    with pytest.raises(TypeCheckError, match="spline_weights"):
        spline_weights("0.5", 3)
    kernels = [found for found in vars(quantiles_numba).values() if hasattr(found, "py_func")]
    assert kernels and not any(hasattr(kernel.py_func, "__wrapped__") for kernel in kernels)


def test_what_is_called_often_is_checked_at_first_and_anew_in_each_test():
    for _ in range(ENOUGH):
        with pytest.raises(TypeCheckError):
            kept(X, X, 4)
    assert kept(X, X, 4).shape == (2, 4)
    begin_test()
    with pytest.raises(TypeCheckError):
        kept(X, X, 4)


@pytest.mark.again
def test_what_is_done_again_is_not_checked():
    assert kept(X, X, 4).shape == (2, 4)
