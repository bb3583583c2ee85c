"""Long recordings: windows in steps and durations, what they are called, and their labels."""

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from selftime.data.readers import read
from selftime.data.series import SeriesError
from selftime.door import through


def recording(n=100, seconds=2.0, start="2024-03-01 06:00", **columns):
    """One recording with a stamp every so many seconds."""
    stamps = pd.Timestamp(start) + pd.to_timedelta(seconds * np.arange(n), unit="s")
    return pd.DataFrame({"ds": stamps, "x": np.arange(n, dtype=float), **columns})


@examples(60)
@given(n=st.integers(1, 40), length=st.integers(1, 40), stride=st.integers(1, 45) | st.none())
def test_windows_are_those_of_a_plain_loop(n, length, stride):
    x = np.arange(float(n))
    wanted = [x[i : i + length] for i in range(0, n - length + 1, stride or length)]
    if not wanted:
        with pytest.raises(SeriesError, match=f"windows of {length} steps and series of at most"):
            read([x], windows=length, stride=stride)
        return
    found = read([x], windows=length, stride=stride)
    assert found.values[:, 0].tolist() == np.array(wanted).tolist()
    assert found.starts.tolist() == [int(window[0]) for window in wanted]
    assert found.recordings.tolist() == ["0"] * len(wanted)


@pytest.mark.parametrize(
    ("windows", "steps"),
    [(10, 10), ("10", 10), ("20s", 10), ("20 sec", None), ("1min", 30), ("1 minute", 30),
     ("0.5 min", 15), ("1000ms", 1), ("0.01h", 18), ("a lot", None), ("-5", None), ("2.5", None)],
)  # fmt: skip
def test_a_length_is_a_number_of_steps_or_a_duration(windows, steps):
    if steps is None:
        with pytest.raises(SeriesError, match="wanted a number of steps, or a duration such as 10"):
            read(recording(), windows=windows)
    else:
        assert set(read(recording(), windows=windows).lengths.tolist()) == {steps}


def test_a_refusal_names_the_option_of_the_door():
    with pytest.raises(SeriesError, match="got the time zone 'Mars', wanted a name such as Eur"):
        read(recording(), time_zone="Mars")
    with through("command line"):
        with pytest.raises(SeriesError, match="--windows 100"):
            read(recording(), windows=101)
        with pytest.raises(SeriesError, match="got --windows 10min, but the series have no stamps"):
            read(np.ones((1, 1, 50)), windows="10min")
        with pytest.raises(SeriesError, match="got --stride fast"):
            read(recording(), windows=10, stride="fast")


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_results_of_windows_come_back_with_id_start_and_end(zone):
    frame = recording(unique_id="spindle")
    x = read(frame, windows="40s", stride="20s", time_zone=zone)
    keys = x.keys()
    assert list(keys) == ["unique_id", "start", "end"]
    assert set(keys["unique_id"].tolist()) == {"spindle"}
    start, end = (np.asarray(keys[name]) for name in ("start", "end"))
    assert np.array_equal(start[:2], x.times[[0, 20]])
    assert (end - start == np.timedelta64(38, "s")).all()
    assert keys["start"].type.tz == x.stamps.zone
    plain = read({"a": np.arange(7.0), "b": np.arange(5.0)}, windows=3, stride=2).keys()
    assert plain["unique_id"].tolist() == ["a", "a", "a", "b", "b"]
    assert plain["start"].tolist() == [0, 2, 4, 0, 2] and plain["end"].tolist() == [3, 5, 7, 3, 5]


def test_short_recordings_are_left_out_and_counted():
    x = read([np.arange(9.0), np.arange(3.0), np.arange(5.0)], windows=4)
    assert x.recordings.tolist() == ["0", "0", "2"]
    assert "1 series shorter than a window are left out" in x.notes


def test_windows_of_one_recording_are_a_group_and_have_its_label():
    x = read({"a": np.arange(6.0), "b": np.arange(4.0)}, windows=2, labels={"a": "worn"})
    assert x.groups.tolist() == ["a"] * 3 + ["b"] * 2
    assert x.labels.tolist() == ["worn"] * 3 + [None] * 2
    owners = read({"a": np.arange(6.0), "b": np.arange(4.0)}, windows=2, groups=["p", "q"])
    assert owners.groups.tolist() == ["p"] * 3 + ["q"] * 2


def test_labels_of_steps_become_labels_of_windows():
    labels = ["cut"] * 30 + [None] * 30 + ["drill"] * 36 + ["cut"] * 4
    x = read(recording(label=labels), windows=20)
    assert x.labels.tolist() == ["cut", None, None, "drill", "drill"]
    numbers = read(recording(label=[3] * 50 + [4] * 50), windows=25)
    assert numbers.labels.tolist() == [3, 3, 4, 4]


def test_half_of_the_steps_are_not_most():
    x = read(recording(10, label=["a"] * 5 + ["b"] * 5), windows=10)
    assert x.labels is None or x.labels.tolist() == [None]


def test_the_level_of_a_recording_stays_in_its_windows():
    frame = recording()
    high = read(frame.assign(x=frame["x"] + 1.7e9), windows=10)
    assert np.array_equal(high.values - 1.7e9, read(frame, windows=10).values)


def test_windows_of_windows_start_in_the_recording():
    x = read([np.arange(20.0)], windows=10)
    assert read(x, windows=5).starts.tolist() == [0, 5, 10, 15]
    assert read(x, windows=5).recordings.tolist() == ["0"] * 4


@pytest.mark.parametrize("kind", ["csv", "parquet", "folder"])
def test_files_are_cut_as_frames_are(kind, tmp_path):
    frame = recording()
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    folder = tmp_path / "f"
    folder.mkdir()
    frame.to_csv(folder / "x.csv", index=False)
    source = {"csv": tmp_path / "x.csv", "parquet": tmp_path / "x.parquet", "folder": folder}[kind]
    x, y = read(source, windows="1min"), read(frame, windows="1min")
    assert np.array_equal(x.values, y.values)
    assert np.array_equal(x.starts, y.starts)


@examples(100)
@given(data=st.data(), n=st.integers(2, 40), length=st.integers(1, 6), kinds=st.integers(2, 9))
def test_the_label_of_a_window_is_that_of_most_of_its_steps(data, n, length, kinds):
    names = st.sampled_from([None, *(f"class {k}" for k in range(kinds))])
    labels = data.draw(st.lists(names, min_size=n, max_size=n))
    assume(n >= length and len({*labels} - {None}) > 1)  # else the series has a label
    frame = recording(n, label=np.array(labels, object))
    found = read(frame, windows=length, stride=1, label="label").labels
    windows = [labels[i : i + length] for i in range(n - length + 1)]
    best = [max(set(window), key=window.count) for window in windows]
    wanted = [b if 2 * w.count(b) > length else None for b, w in zip(best, windows, strict=True)]
    assert ([None] * len(wanted) if found is None else found.tolist()) == wanted
