"""Fill values: recognised by repetition and distance, or by name, said, and never changed."""

import logging

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from selftime.data.fills import KNOWN, check_fills, fill_notes, fills_in
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import through
from selftime.report.inspection import inspect

FILLS = [-9999.0, -999.0, 1e20, 9.96921e36, 1e35, -3.4028235e38, 65535.0, -32768.0, 99999.0]


def with_fill(value, times=5):
    x = 20 + 3 * np.random.default_rng(0).normal(size=(4, 2, 100))
    x[:, 1].flat[:: 400 // times] = value
    return x


@pytest.mark.parametrize("value", FILLS)
def test_known_fills_are_named_with_their_channel(value):
    series = SeriesSet.of(with_fill(value), channels=("temp", "press"))
    assert {(fill.channel, fill.value) for fill in fills_in(series)} == {("press", value)}
    (note,) = fill_notes(series)
    assert "in 'press', far from all else" in note and "missing=[" in note


@given(
    value=st.floats(1e4, 1e18),
    sign=st.sampled_from([-1, 1]),
    seed=st.integers(0, 99),
)
def test_others_are_recognised_by_repetition_and_distance(value, sign, seed):
    assume(not np.isclose(np.abs(KNOWN), value, rtol=1e-6).any())
    x = np.random.default_rng(seed).normal(size=(3, 60))
    x[:, 7] = sign * value
    (fill,) = fills_in(SeriesSet.of(x))
    assert np.float32(fill.value) == np.float32(sign * value) and fill.times == 3
    x[0, 7] = x[1, 7] = 0.0
    assert fills_in(SeriesSet.of(x)) == []


@given(
    seed=st.integers(0, 99),
    kind=st.sampled_from(["normal", "counts", "states", "clipped", "heavy", "ramp", "constant"]),
)
def test_ordinary_values_are_not_taken_for_fills(seed, kind):
    rng = np.random.default_rng(seed)
    x = {
        "normal": rng.normal(size=(3, 200)),
        "counts": rng.poisson(2.0, size=(3, 200)).astype(float),
        "states": rng.integers(0, 2, size=(3, 200)) * 1000.0,
        "clipped": rng.normal(size=(3, 200)).clip(-1, 1),
        "heavy": rng.standard_cauchy(size=(3, 200)),
        "ramp": np.arange(600.0).reshape(3, 200),
        "constant": np.full((3, 200), 5.0),
    }[kind]
    assert fills_in(SeriesSet.of(x)) == []


def test_what_reads_them_says_so_and_changes_nothing(caplog, tmp_path):
    x = with_fill(-9999.0)
    with caplog.at_level(logging.WARNING):
        series = read(x)
    assert "-9999 stands 5 times in '1', far from all else: if nothing was measured there, " in (
        caplog.text
    )
    np.testing.assert_array_equal(series.values, x.astype(np.float32))
    assert [w.remedy for w in inspect(x).warnings] == [
        "if nothing was measured there, missing=[-9999]"
    ]
    with through("command line"):
        assert fill_notes(series)[0].endswith("--missing -9999")
    declared = read(x, missing=[-9999])
    assert declared.notes == () and (~declared.observed).sum() == 5


def test_fills_stand_above_any_level():
    x = 3e9 + np.random.default_rng(0).normal(size=(2, 80))
    x[:, ::9] = -9999
    assert [(f.value, f.times) for f in fills_in(SeriesSet.of(x))] == [(-9999.0, 18)]


@pytest.mark.parametrize("value", [1e35, -3.4028235e38, 9.96921e36])
def test_huge_values_beside_ordinary_ones_are_refused_by_place(value):
    x = with_fill(value, times=1)
    with pytest.raises(SeriesError, match=r"series '0', channel '1', step 0 is .* missing=\["):
        check_fills(SeriesSet.of(x))
    check_fills(read(x, missing=[value]))
    check_fills(SeriesSet.of(1e31 * np.random.default_rng(0).normal(size=(2, 30))))
