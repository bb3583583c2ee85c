"""Fingerprints: the same values, the same 64 bits; anything else that changes, others."""

from dataclasses import replace

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.fingerprints import are_among, fingerprints_of, merge_fingerprints, splitmix64
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.data.windows import windows
from selftime.data.writers import write

MASK = (1 << 64) - 1


def walks(n: int = 6, channels: int = 2, seed: int = 0, missing: float = 0.0) -> SeriesSet:
    rng = np.random.default_rng(seed)
    series = [rng.normal(size=(channels, t)).cumsum(axis=1) for t in rng.integers(4, 20, size=n)]
    for x in series:
        x[:, 1:][rng.random((channels, x.shape[1] - 1)) < missing] = np.nan
    return SeriesSet.of(series)


def mixed_by_hand(z: int) -> int:
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def by_loops(x: np.ndarray) -> int:
    """The fingerprint of one series (C,T), value by value in whole numbers of Python."""
    over_channels = 0
    for channel in x.astype(np.float32):
        total = 0
        for step, value in enumerate(channel):
            if not np.isnan(value):
                bits = int(np.float32(0.0 if value == 0 else value).view(np.uint32))
                total = (total + mixed_by_hand((step << 32) + bits)) & MASK
        over_channels = (over_channels + mixed_by_hand(total)) & MASK
    unsigned = mixed_by_hand(over_channels)
    return unsigned - (1 << 64) if unsigned >> 63 else unsigned


def test_it_is_that_of_the_loop() -> None:
    series = walks(missing=0.3)
    assert fingerprints_of(series).tolist() == [by_loops(series.series(i)) for i in range(6)]


def test_the_first_numbers_of_splitmix() -> None:
    """The published generator from seed 0 gives these: its state goes up by its increment."""
    states = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert splitmix64(states).tolist() == known


@examples(15)
@given(st.integers(0, 50), st.permutations(range(6)))
def test_names_order_and_memory_change_nothing(seed: int, order: list[int]) -> None:
    series = walks(seed=seed, missing=0.2)
    before = fingerprints_of(series)
    renamed = replace(series[order], channels=("x", "y"), ids=np.array([f"n{i}" for i in order]))
    assert fingerprints_of(renamed).tolist() == before[order].tolist()
    steps = np.asfortranarray(series.steps)
    assert fingerprints_of(replace(series, steps=steps)).tolist() == before.tolist()
    turned = SeriesSet.of([series.series(i)[::-1] for i in range(6)])
    assert fingerprints_of(turned).tolist() == before.tolist()


def test_what_was_not_observed_changes_nothing() -> None:
    series = walks(missing=0.3)
    noise = np.random.default_rng(1).normal(size=series.steps.shape).astype(np.float32)
    filled = replace(series, steps=np.where(series.observed, series.steps, noise))
    assert fingerprints_of(filled).tolist() == fingerprints_of(series).tolist()
    padded = SeriesSet.of(series.values)  # NaN after the end of shorter ones
    assert fingerprints_of(padded).tolist() == fingerprints_of(series).tolist()
    whole = walks()
    masked = replace(whole, observed=np.ones(whole.steps.shape, bool))
    assert fingerprints_of(masked).tolist() == fingerprints_of(whole).tolist()


@pytest.mark.parametrize("name", ["x.csv", "x.npz", "x.ts"])
def test_writing_and_reading_changes_nothing(tmp_path, name) -> None:
    series = walks(missing=0.2)
    write(series, tmp_path / name)
    back = read(tmp_path / name)
    assert sorted(fingerprints_of(back)) == sorted(fingerprints_of(series))


def test_numbers_of_64_bits_are_rounded_to_32_as_when_they_are_read() -> None:
    x = np.random.default_rng(0).normal(size=(3, 1, 9))
    single = fingerprints_of(SeriesSet.of(x.astype(np.float32)))
    assert fingerprints_of(SeriesSet.of(x)).tolist() == single.tolist()


def test_zero_has_no_sign() -> None:
    two = SeriesSet.of(np.array([[0.0, 1.0], [-0.0, 1.0]]))
    assert len(set(fingerprints_of(two).tolist())) == 1


@examples(25)
@given(st.integers(0, 5), st.integers(0, 1), st.integers(0, 3), st.integers(0, 200))
def test_one_value_changes_it(i: int, channel: int, step: int, seed: int) -> None:
    series = walks(seed=seed)
    steps = series.steps.copy()
    row = series.offsets[i] + step
    steps[row, channel] = np.nextafter(steps[row, channel], np.float32(np.inf))
    changed = fingerprints_of(replace(series, steps=steps)) != fingerprints_of(series)
    assert np.flatnonzero(changed).tolist() == [i]


def test_order_of_steps_gaps_and_zeros_are_told_apart() -> None:
    kinds = [[1, 2, 3], [3, 2, 1], [1, 2], [1, np.nan, 3], [1, 0, 3], [np.nan, 1, 2], [1, 2, 3, 3]]
    series = SeriesSet.of([np.array(kind, float) for kind in kinds])
    assert len(set(fingerprints_of(series).tolist())) == len(kinds)


def test_values_that_change_channels_are_told_apart() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    crossed = np.array([[1.0, 4.0], [3.0, 2.0]])
    pair = fingerprints_of(SeriesSet.of(np.stack([x, crossed])))
    assert pair[0] != pair[1]


def test_no_two_of_many_short_series_share_one() -> None:
    x = np.random.default_rng(0).integers(0, 9, size=(20000, 1, 6)).astype(np.float32)
    assert len(np.unique(fingerprints_of(SeriesSet.of(x)))) == len(np.unique(x, axis=0))


def test_windows_are_series_of_their_own() -> None:
    series = SeriesSet.of(np.random.default_rng(0).normal(size=(2, 30)))
    cut = windows(series, 10, stride=5).select()
    known = np.unique(fingerprints_of(cut[:3]))
    assert np.flatnonzero(are_among(cut, known)).tolist() == [0, 1, 2]


def test_joined_holds_each_once() -> None:
    a, b = np.array([1, 3]), np.array([2, 3])
    assert merge_fingerprints(a, b).tolist() == [1, 2, 3]
    assert merge_fingerprints(a, None).tolist() == merge_fingerprints(None, a).tolist() == [1, 3]
    assert merge_fingerprints(None, None) is None
