"""Batch: lengths, and gaps bridged by straight lines, beside plain loops."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays
from jaxtyping import TypeCheckError

from selftime.data.batch import Batch
from selftime.data.gaps import bridge_gaps

FINITE = st.floats(-1e3, 1e3, width=32)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12))


@st.composite
def batches(draw) -> Batch:
    shape = draw(SHAPES)
    values = draw(arrays(np.float32, shape, elements=FINITE))
    return Batch(torch.tensor(values), torch.tensor(draw(arrays(bool, shape))))


def lengths_by_loop(observed: np.ndarray) -> list[int]:
    last = [0] * len(observed)
    for b, series in enumerate(observed):
        for channel in series:
            for t, valid in enumerate(channel):
                last[b] = max(last[b], t + 1) if valid else last[b]
    return last


def bridged_by_loop(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """One channel (T,) in float64: straight lines between neighbours, ends held."""
    out, valid = np.zeros(len(values)), [t for t, seen in enumerate(observed) if seen]
    for t in range(len(values)):
        left = [s for s in valid if s <= t]
        right = [s for s in valid if s >= t]
        if left and right and left[-1] != right[0]:
            a, b = left[-1], right[0]
            out[t] = values[a] + (t - a) / (b - a) * (values[b] - values[a])
        elif valid:
            out[t] = values[left[-1] if left else right[0]]
    return out


def filled_by_loop(x: Batch) -> np.ndarray:
    values, observed = x.values.numpy().astype(float), x.observed.numpy()
    out = np.zeros_like(values)
    for b, length in enumerate(lengths_by_loop(observed)):
        for c in range(values.shape[1]):
            out[b, c, :length] = bridged_by_loop(values[b, c], observed[b, c])[:length]
    return out


@given(batches())
def test_lengths_equal_the_loop(x):
    assert x.lengths.tolist() == lengths_by_loop(x.observed.numpy())


@given(batches())
def test_filled_equals_the_loop(x):
    np.testing.assert_allclose(x.filled().numpy(), filled_by_loop(x), rtol=1e-5, atol=1e-3)


@given(batches(), st.floats(-(2.0**99), 2.0**99, width=32))
def test_numbers_where_nothing_was_observed_change_nothing(x, garbage):
    dirty = Batch(x.values.masked_fill(~x.observed, garbage), x.observed)
    clean = Batch(x.values.masked_fill(~x.observed, 0.0), x.observed)
    assert torch.equal(dirty.filled(), clean.filled())


@given(batches())
def test_filling_keeps_observed_values_and_its_input(x):
    values, observed = x.values.clone(), x.observed.clone()
    assert torch.equal(x.filled()[x.observed], x.values[x.observed])
    assert torch.equal(x.values, values) and torch.equal(x.observed, observed)


@given(batches(), st.integers(1, 5))
def test_more_padding_changes_nothing(x, steps):
    more = torch.zeros(*x.values.shape[:2], steps)
    longer = Batch(torch.cat([x.values, more + 7], 2), torch.cat([x.observed, more.bool()], 2))
    assert torch.equal(longer.lengths, x.lengths)
    assert torch.equal(longer.filled()[:, :, :-steps], x.filled())
    assert not longer.filled()[:, :, -steps:].any()


def test_a_gap_a_late_start_and_a_silent_channel():
    nan = float("nan")
    rows = torch.tensor([[[nan, 2, nan, nan, 8, nan], [1, nan, nan, nan, nan, 5], [nan] * 6]])
    x = Batch(rows.nan_to_num(99), ~rows.isnan())
    wanted = [[2, 2, 4, 6, 8, 8], [1, 1.8, 2.6, 3.4, 4.2, 5], [0] * 6]
    torch.testing.assert_close(x.filled(), torch.tensor([wanted]))


def test_bridging_reaches_over_the_whole_array():
    x = torch.tensor([[[3.0, 9.0, 9.0]]])
    assert bridge_gaps(x, torch.tensor([[[True, False, False]]])).tolist() == [[[3, 3, 3]]]


def test_to_moves_both_parts():
    x = Batch(torch.zeros(1, 1, 2), torch.ones(1, 1, 2, dtype=torch.bool)).to("meta")
    assert x.values.device.type == x.observed.device.type == "meta"


def test_shapes_are_checked_in_the_tests():
    with pytest.raises(TypeCheckError, match="B C T"):
        bridge_gaps(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool))
