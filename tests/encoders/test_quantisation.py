"""Weights of few bits: how far they are rounded, and that nothing is lost on disk."""

import hypothesis.strategies as some
import pytest
import torch
from hypothesis import given
from torch import Tensor

from selftime.encoders.quantisation import pack_tensors, quantise, unpack_tensors


def drawn(seed: int, size: float = 1.0, rows: int = 50, columns: int = 8) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return size * torch.randn(rows, columns, generator=rng)


SIZES = some.sampled_from([1e-30, 1e-9, 0.03, 1.0, 7e4, 1e30])


@given(some.integers(0, 10**6), SIZES)
def test_rounding_is_at_most_half_a_step(seed, size):
    weight = drawn(seed, size)
    largest = weight.abs().amax(dim=0)
    assert bool(((quantise(weight) - weight).abs() <= 0.51 / 127 * largest).all())


@given(some.integers(0, 10**6), SIZES)
def test_rounded_weights_stay_and_come_back_to_the_bit(seed, size):
    weight = quantise(drawn(seed, size))
    assert torch.equal(quantise(weight), weight)
    written = pack_tensors({"map.weight": weight})
    assert written["map.weight"].dtype == torch.int8
    assert torch.equal(unpack_tensors(written)["map.weight"], weight)


@given(some.integers(0, 10**6), SIZES, some.sampled_from([torch.float32, torch.float64]))
def test_what_was_not_rounded_comes_back_to_the_bit(seed, size, dtype):
    state = {"a": drawn(seed, size).to(dtype), "b": torch.arange(5), "c": drawn(seed)[0].half()}
    state |= {"c": state["c"].float(), "empty": torch.zeros(0, 3), "flat": torch.zeros(4, 3)}
    back = unpack_tensors(pack_tensors(state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[n], t) and back[n].dtype == t.dtype for n, t in state.items())
    assert pack_tensors(state)["c"].dtype == torch.float16


def test_products_with_many_features_are_kept():
    features, weight = drawn(0, rows=200, columns=10_000), drawn(1, rows=10_000, columns=20)
    kept = features @ quantise(weight) - features @ weight
    assert float(kept.std() / (features @ weight).std()) < 0.012


@pytest.mark.parametrize(
    "state",
    [
        {"w#step": torch.ones(3)},
        {"w": torch.ones(4, 3), "w#step": torch.ones(3)},
        {"w": torch.ones(4, 3, dtype=torch.int8), "w#step": torch.ones(2)},
        {"w": torch.ones(4, dtype=torch.int8), "w#step": torch.ones(3)},
    ],
)
def test_steps_that_do_not_fit_are_refused(state):
    with pytest.raises(ValueError, match="the steps of w do not fit"):
        unpack_tensors(state)
