"""Windows and batches: every promise of data/windows.py against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.batch import Batch
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import batch_of, batches, by_length, every_series, windows

LENGTHS = st.lists(st.integers(1, 20), min_size=1, max_size=6)


def counted(lengths: list[int], channels: int = 2, missing: float = 0.0) -> SeriesSet:
    """Series in which no value occurs twice; in each at least the first step is observed."""
    numbers = np.arange(1.0, 1 + sum(lengths) * channels, dtype=np.float32)
    steps = numbers.reshape(-1, channels)
    gaps = np.random.default_rng(3).random(steps.shape) < missing
    offsets = np.cumsum([0, *lengths])
    gaps[offsets[:-1]] = False
    steps = np.where(gaps, np.float32("nan"), steps)
    return SeriesSet.of([steps[a:b].T for a, b in zip(offsets, offsets[1:], strict=False)])


def padded(series: SeriesSet, spans: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Values and mask of (series, first, last + 1) spans, one value at a time."""
    longest = max((b - a for _, a, b in spans), default=0)
    values = np.zeros((len(spans), series.n_channels, longest), np.float32)
    valid = np.zeros(values.shape, bool)
    for w, (i, a, b) in enumerate(spans):
        for c in range(series.n_channels):
            for t in range(a, b):
                value = series.series(i)[c, t]
                if not np.isnan(value):
                    values[w, c, t - a], valid[w, c, t - a] = value, True
    return values, valid


def assert_is(batch: Batch, values: np.ndarray, valid: np.ndarray) -> None:
    assert batch.values.dtype == torch.float32
    assert batch.observed.dtype == torch.bool
    assert batch.values.is_contiguous()
    assert batch.observed.is_contiguous()
    np.testing.assert_array_equal(batch.values.numpy(), values)
    np.testing.assert_array_equal(batch.observed.numpy(), valid)


def spans_by_loop(lengths: list[int], length: int, stride: int, pad: bool) -> list[tuple[int, ...]]:
    """(series, first, last + 1) of every window, by walking along each series."""
    spans = []
    for i, T in enumerate(lengths):
        first = 0
        while first < T and (first + length <= T or pad):
            spans.append((i, first, min(first + length, T)))
            if first + length >= T:
                break
            first += stride
    return spans


@given(LENGTHS, st.integers(1, 8), st.integers(1, 10), st.booleans())
def test_windows_are_those_of_the_loop(
    lengths: list[int], length: int, stride: int, pad: bool
) -> None:
    length = length if pad else min(length, *lengths)
    w = windows(counted(lengths), length, stride=stride, pad=pad)
    found = zip(w.owners.tolist(), w.firsts.tolist(), (w.firsts + w.lengths).tolist(), strict=True)
    assert list(found) == spans_by_loop(lengths, length, stride, pad)


@given(LENGTHS, st.integers(1, 8), st.integers(1, 8))
def test_padded_windows_cover_every_step(lengths: list[int], length: int, stride: int) -> None:
    series = counted(lengths)
    selected = windows(series, length, stride=min(stride, length), pad=True).select()
    assert set(selected.steps.ravel().tolist()) == set(series.steps.ravel().tolist())


@pytest.mark.parametrize("lengths", [[5, 5, 5], [3, 9, 1, 4]])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_batch_is_that_of_the_loop(lengths: list[int], missing: float) -> None:
    series = counted(lengths, missing=missing)
    order = [2, 0, 0, 1]
    everything = [(i, 0, T) for i, T in enumerate(lengths)]
    assert_is(batch_of(series), *padded(series, everything))
    assert_is(batch_of(series, order), *padded(series, [everything[i] for i in order]))
    assert_is(batch_of(series, slice(1, 3)), *padded(series, everything[1:3]))
    assert_is(batch_of(series, []), *padded(series, []))


@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_batch_of_windows_is_that_of_the_loop(missing: float, pad: bool) -> None:
    lengths = [7, 11, 4]
    series = counted(lengths, missing=missing)
    w = windows(series, 4, stride=3, pad=pad)
    spans = spans_by_loop(lengths, 4, 3, pad)
    seen = [(i, a, b) for i, a, b in spans if not np.isnan(series.series(i)[:, a:b]).all()]
    assert_is(batch_of(w), *padded(series, seen))
    assert_is(batch_of(w.select()), *padded(series, seen))


@pytest.mark.parametrize("lengths", [[4, 4], [4, 2]])
def test_batch_has_memory_of_its_own(lengths: list[int]) -> None:
    series = counted(lengths, channels=1)
    before = series.fingerprint()
    batch_of(series).values.fill_(0)
    assert series.fingerprint() == before


def test_windows_without_an_observed_value_are_left_out() -> None:
    series = SeriesSet.of(np.array([[1.0, np.nan, np.nan, np.nan, 5.0, 6.0]]))
    assert windows(series, 2).firsts.tolist() == [0, 3, 4]


def test_selected_windows_keep_what_is_known_of_their_series() -> None:
    series = SeriesSet.of([np.arange(5.0), np.arange(4.0)], ["a", "b"], ids=["x", "y"])
    selected = windows(series, 3, stride=2, pad=True).select([2, 0])
    assert selected.ids.tolist() == ["y@0", "x@0"]
    assert selected.labels is not None
    assert selected.labels.tolist() == ["b", "a"]
    assert selected.groups is not None  # windows of one series overlap: a split keeps them together
    assert selected.groups.tolist() == ["y", "x"]


def test_selected_windows_keep_times_and_groups() -> None:
    times = np.arange("2024-01-01", "2024-01-07", dtype="datetime64[D]")
    series = SeriesSet(
        steps=np.arange(6, dtype=np.float32)[:, None],
        offsets=np.array([0, 6]),
        channels=("v",),
        ids=np.array(["s"]),
        times=times,
        groups=np.array([7]),
    )
    selected = windows(series, 2, stride=2).select(slice(1, 2))
    assert selected.times is not None
    assert selected.times.tolist() == times[2:4].tolist()
    assert selected.groups is not None
    assert selected.groups.tolist() == [7]


@given(LENGTHS, st.integers(1, 4))
def test_batches_cover_everything_once_in_order(lengths: list[int], size: int) -> None:
    series = counted(lengths)
    parts = [part for batch in batches(series, size=size) for part in batch.values[:, 0, 0]]
    assert [float(part) for part in parts] == series.steps[series.offsets[:-1], 0].tolist()


@given(LENGTHS)
def test_results_in_order_of_length_are_brought_back(lengths: list[int]) -> None:
    series = counted(lengths)
    order = by_length(series)
    sums = np.concatenate([b.values.sum((1, 2)) for b in batches(series, size=2, order=order)])
    wanted = [series.series(i).sum() for i in range(len(series))]
    assert sums[np.argsort(order)].tolist() == wanted


def test_order_of_length_pads_less() -> None:
    series = counted([1, 100] * 8)
    padded_steps = [
        sum(batch.values[:, 0].numel() for batch in batches(series, size=8, order=order))
        for order in (None, by_length(series))
    ]
    assert padded_steps == [1600, 808]


def test_windows_are_batched_as_series_are() -> None:
    w = windows(counted([6, 6]), 3)
    shapes = [tuple(batch.values.shape) for batch in batches(w, size=5)]
    assert shapes == [(5, 2, 3), (3, 2, 3)]
    assert len(every_series(counted([6, 6]))) == 2


def test_errors_say_what_to_do() -> None:
    series = counted([140, 600])
    wanted = r"window 512 is longer than the shortest series \(140\): use window <= 140 or pad=True"
    with pytest.raises(SeriesError, match=wanted):
        windows(series, 512)
    with pytest.raises(SeriesError, match="got window 0, stride 1: both must be at least 1 step"):
        windows(series, 0)
    with pytest.raises(SeriesError, match="got window 5, stride 0: both must be at least 1 step"):
        windows(series, 5, stride=0)
    with pytest.raises(SeriesError, match="got batch size 0, wanted at least 1"):
        batches(series, size=0)
