"""Names of channels travel with values: put in order, refused by name, positional if numbered."""

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.channels import concatenate, match_channels, notes_of_all, select_channels
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.writers import write
from selftime.door import through

NAMES = ("temp", "press", "flow")


def series(channels=NAMES, n=4, seed=0, **options):
    """Series whose channel c is about 10·c; some values are missing."""
    r = np.random.default_rng(seed)
    cube = r.normal(size=(n, len(channels), 5)) + 10 * np.arange(len(channels))[:, None]
    cube[0, 1, 2] = np.nan
    return SeriesSet.of(cube, channels=list(channels), **options)


def turned(x, order):
    """The same series with channels in another order."""
    return SeriesSet.of(x.values[:, order], channels=[x.channels[c] for c in order])


def test_channels_come_into_the_order_of_the_model():
    A = np.random.default_rng(0).normal(size=(40, 2, 30))
    A[:, 1] = 900 + 20 * A[:, 1]
    tr = SeriesSet.of(A[:20], channels=["temp", "press"])
    tp = SeriesSet.of(A[20:, ::-1], channels=["press", "temp"])
    found = match_channels(tp, tr.channels)
    assert found.channels == ("temp", "press")
    assert np.array_equal(found.values, A[20:].astype(np.float32))


@given(order=st.permutations(range(3)))
@examples(20)
def test_any_order_gives_the_same_values_mask_and_origin(order):
    x = series()
    high = SeriesSet.of(x.values + 3e9, channels=list(NAMES))
    for own in (x, high):
        y = match_channels(turned(own, list(order)), NAMES)
        assert np.array_equal(y.values, own.values, equal_nan=True)
        assert np.array_equal(y.observed, own.observed)
        assert y.channels == NAMES


@pytest.mark.parametrize(
    ("came", "said"),
    [
        (("press", "temp"), "channel 'flow' is missing, got 'press', 'temp', wanted"),
        (("temp", "press", "flo w"), "rename 'flo w' to 'flow' if it is the same"),
        (("temp", "press", "Flow"), "rename 'Flow' to 'flow'"),
        (("temp", "press", "flow", "noise"), "got channels 'noise', which are unknown here"),
    ],
)
def test_a_missing_or_unknown_name_is_refused_and_named(came, said):
    with pytest.raises(SeriesError, match=said):
        match_channels(series(came), NAMES)
    with through("command line"), pytest.raises(SeriesError) as caught:
        match_channels(series((*NAMES, "noise")), NAMES)
    assert "--channels temp,press,flow" in str(caught.value)


def test_numbered_channels_are_positional():
    x, plain = series(), SeriesSet.of(series().values)
    assert np.array_equal(match_channels(plain, NAMES).values, x.values, equal_nan=True)
    assert match_channels(x, ("0", "1", "2")).channels == ("0", "1", "2")
    with pytest.raises(SeriesError, match="got series of 2 channels, wanted 3"):
        match_channels(SeriesSet.of(np.ones((2, 2, 5))), NAMES)


def test_single_channels_are_chosen_by_name():
    x = select_channels(series(), ["flow", "temp"])
    assert np.array_equal(x.values, series().values[:, [2, 0]], equal_nan=True)
    with pytest.raises(SeriesError, match="channel 'flaw' is missing.*rename 'flow'"):
        select_channels(series(), ["flaw"])


def test_files_in_a_folder_may_turn_their_columns(tmp_path):
    (tmp_path / "a.csv").write_text("time,temp,press\n0,1,900\n1,2,901\n")
    (tmp_path / "b.csv").write_text("press,time,temp\n902,0,3\n903,1,4\n")
    x = read(tmp_path)
    assert x.channels == ("temp", "press")
    assert x.values.tolist() == [[[1, 2], [900, 901]], [[3, 4], [902, 903]]]
    (tmp_path / "c.csv").write_text("time,temp,pres\n0,5,904\n")
    with pytest.raises(SeriesError, match=r"c.csv: channel 'press' is missing.*rename 'pres'"):
        read(tmp_path)


def test_frames_in_a_list_may_turn_their_columns():
    a = pd.DataFrame({"temp": [1.0, 2], "press": [900.0, 901]})
    x = read([a, a[["press", "temp"]]])
    assert np.array_equal(x.series(0), x.series(1))


def test_sets_are_joined_by_name_and_keep_what_they_know():
    x = series(labels=["a", "b", "a", "b"], ids=list("pqrs"))
    y = turned(series(seed=1), [2, 0, 1])
    y = SeriesSet.of(y.values, channels=y.channels, ids=list("tuvw"))
    both = concatenate([x, y])
    assert both.channels == NAMES
    assert np.array_equal(both.values[4:], series(seed=1).values, equal_nan=True)
    assert both.labels.tolist() == ["a", "b", "a", "b", None, None, None, None]
    assert both.ids.tolist() == list("pqrstuvw")
    with pytest.raises(SeriesError, match="ids repeat"):
        concatenate([x, x])


def test_sets_of_other_levels_keep_their_values_when_joined():
    low = SeriesSet.of(np.arange(8.0).reshape(1, 1, 8), ids=["low"])
    high = SeriesSet.of(1.7e9 + np.arange(8.0).reshape(1, 1, 8), ids=["high"])
    for parts in ([low, high], [high, low]):
        values = concatenate(parts).values
        assert np.diff(values, axis=2).tolist() == [[[1.0] * 7]] * 2


@pytest.mark.parametrize("door", ["npz", "ts", "series", "array"])
def test_missing_and_left_out_hold_for_what_is_no_table(door, tmp_path):
    x = SeriesSet.of([[[1.0, -9999.0, 3.0], [4.0, 5.0, 6.0]]], channels=["a", "b"])
    source = {"series": x, "array": x.values}.get(door)
    if source is None:
        source = write(x, tmp_path / f"x.{door}")
    found = read(source, missing=[-9999])
    assert np.isnan(found.values[0, 0]).tolist() == [False, True, False]
    if door in ("npz", "series"):  # the others have no names
        assert read(source, ignore=["a"]).channels == ("b",)
        with pytest.raises(SeriesError, match="channel 'c' is missing"):
            read(source, ignore=["c"])
        assert "time_zone='UTC': left aside" in " ".join(read(source, time_zone="UTC").notes)
    with pytest.raises(SeriesError, match="missing='gone', wanted numbers"):
        read(source, missing=["gone"])


def test_notes_that_differ_in_their_examples_alone_are_said_once(tmp_path):
    for k in range(12):
        odd = f"2024-01-01;{k},5;x\n2024-01-02;{k},75;x\n2024-01-03;1,25;x\n"
        (tmp_path / f"m{k}.csv").write_text("when;volt;state\n" + odd)
    notes = read(tmp_path).notes
    assert sum("Numbers like" in note for note in notes) == 1
    assert "Numbers like '0,5' are read as 0.5, and alike in 11 more." in notes
    assert sum("'state'" in note for note in notes) == 1 and len(notes) < 6


def test_notes_of_other_columns_stay_apart():
    one, other = "column 'a' is left out", "column 'b' is left out"
    assert notes_of_all([[one], [other], [one, other]]) == (one, other)
    assert notes_of_all([["3 rows", "4 rows"], ["3 rows"], ["5 rows"]]) == (
        *("3 rows", "4 rows, and alike in 2 more"),
    )
