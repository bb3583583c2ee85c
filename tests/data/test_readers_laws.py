"""What is written is read back: read(write(s)) == s for each format that can be written."""

import string
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from selftime.data.clock import Stamps
from selftime.data.formats.text import read_tsv
from selftime.data.readers import read
from selftime.data.schema import LABEL_NAMES, TIME_NAMES
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import windows
from selftime.data.writers import write

FLOATS = st.floats(width=32, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
NO_NUMBER = TEXT.map(lambda text: f"k{text}")
WORD = st.text(string.ascii_letters + string.digits + "_-+.äπ€", min_size=1, max_size=5)

TAKEN = {"unique_id", "group", *TIME_NAMES, *LABEL_NAMES}
"""Names that tables have for other columns; channels of these names are refused."""


def one_each(draw, n, texts):
    """Labels or groups: none, ints or texts."""
    kinds = (st.integers(-(2**62), 2**62), texts)
    lists = st.one_of(st.lists(kind, min_size=n, max_size=n) for kind in kinds)
    selected = draw(st.none() | lists)
    return None if selected is None else np.array(selected)


def rising_times(draw, lengths):
    """Rising times within each series: none, float seconds or dates."""
    kind = draw(st.sampled_from(["none", "seconds", "dates"]))
    gaps = draw(hnp.arrays(np.int64, sum(lengths.tolist()), elements=st.integers(1, 10**12)))
    rising = np.concatenate([np.cumsum(part) for part in np.split(gaps, np.cumsum(lengths)[:-1])])
    return {"none": None, "seconds": rising / 7, "dates": rising.astype("M8[ns]")}[kind]


@st.composite
def parts_of_series(draw, texts=TEXT):
    """Parts of any SeriesSet: unequal lengths, gaps, names, times, labels and groups."""
    lengths = np.array(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    N, C = len(lengths), draw(st.integers(1, 3))
    steps = draw(hnp.arrays(np.float32, (sum(lengths.tolist()), C), elements=FLOATS))
    first = np.cumsum(lengths) - lengths
    steps[first, 0] = np.nan_to_num(steps[first, 0])  # no series may be missing as a whole
    ids = draw(st.lists(TEXT, unique=True, min_size=N, max_size=N))
    names = st.lists(TEXT.filter(str.isprintable), unique=True, min_size=C, max_size=C)
    columns = {
        "ids": ids,
        "channels": draw(names),
        "times": rising_times(draw, lengths),
        "labels": one_each(draw, N, texts),
        "groups": one_each(draw, N, texts),
    }
    return steps, lengths, columns


def series_of(parts):
    """Made in the test, not in the strategy: the type checks on each call draw random numbers."""
    steps, lengths, columns = parts
    first = ("ids", "channels", "labels")
    x = SeriesSet.from_steps(steps, lengths, **{name: columns[name] for name in first})
    return replace(x, times=columns["times"], groups=columns["groups"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


def there_and_back(x, path):
    return read(write(x, path, overwrite=True))


def assert_same(x, y, *parts):
    for part in ("steps", "offsets", "observed", *parts):
        a, b = getattr(x, part), getattr(y, part)
        assert (a is None) == (b is None), part
        assert a is None or np.array_equal(a, b), part
        if part == "steps":
            assert np.array_equal(np.signbit(a), np.signbit(b)), "the sign of zero"


@given(parts=parts_of_series())
def test_npz_keeps_everything(parts, folder):
    x = series_of(parts)
    y = there_and_back(x, folder / "a.npz")
    assert_same(x, y, "channels", "ids", "times", "labels", "groups")
    assert y.fingerprint() == x.fingerprint()


@given(parts=parts_of_series(NO_NUMBER))
def test_csv_keeps_all_that_text_can_tell_apart(parts, folder):
    assume(TAKEN.isdisjoint(name.lower() for name in parts[2]["channels"]))
    assume(all(name == name.strip(" '\"") for name in parts[2]["channels"]))
    x = series_of(parts)
    y = there_and_back(x, folder / "a.csv")
    assert_same(x, y, "channels", "ids", "times", "labels", "groups")


@given(parts=parts_of_series(WORD))
def test_ts_keeps_values_gaps_and_labels(parts, folder):
    x = series_of(parts)
    y = there_and_back(x, folder / "a.ts.gz")
    assert_same(x, y)
    assert np.array_equal(x.labelled, y.labelled)
    known = (part.labels[part.labelled].astype(str) for part in (x, y) if part.labels is not None)
    assert len({tuple(part.tolist()) for part in known}) <= 1


@given(
    matrix=hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=FLOATS)
)
def test_tsv_and_wide_csv_agree_with_plain_loops(matrix, folder):
    matrix[:, 0] = np.nan_to_num(matrix[:, 0])
    rows = [[str(i), *map(str, row)] for i, row in enumerate(matrix.tolist())]
    (folder / "wide.csv").write_text("\n".join(map(",".join, rows)))
    tsv = read_tsv("\n".join(map("\t".join, rows)).encode())
    wide = read(folder / "wide.csv", layout="wide", label="0")
    for x in (tsv, wide):
        assert x.labels.tolist() == list(range(len(matrix)))
        for i, row in enumerate(matrix):
            end = max(t for t in range(len(row)) if not np.isnan(row[t])) + 1
            assert np.array_equal(x.series(i), row[None, :end], equal_nan=True)


@given(order=st.permutations(range(6)))
def test_the_order_of_rows_in_a_long_table_does_not_matter(order, folder):
    rows = [
        f"{name},{t},{value}" for name, t, value in zip("aabbbc", "120315", "456789", strict=True)
    ]
    (folder / "long.csv").write_text("\n".join(["unique_id,ds,y", *(rows[i] for i in order)]))
    x = read(folder / "long.csv")
    found = {name: x.series(i)[0].tolist() for i, name in enumerate(x.ids)}
    assert found == {"a": [4, 5], "b": [6, 8, 7], "c": [9]}


ZONES = [None, "UTC", "+02:00", "-05:30"]


@st.composite
def parts_with_all(draw):
    """Series above a level, stamps of a zone, partial labels of series or steps, ids of a type."""
    N, T = draw(st.integers(2, 4)), draw(st.integers(3, 6))
    walk = np.random.default_rng(draw(st.integers(0, 99))).integers(-99, 99, (N, 2, T)).cumsum(2)
    level = draw(st.sampled_from([0.0, 2.0**31, 1.7e9, -3e9]))
    some = st.sampled_from(["walk", "007", "run", None])
    return {
        "x": level + walk / 8,
        "ids": draw(st.sampled_from([np.arange(N) + 2**40, np.array(list("zyxw"))[:N]])),
        "labels": np.array([*draw(st.lists(some, min_size=N - 1, max_size=N - 1)), "a"], object),
        "step_labels": np.array(
            [*draw(st.lists(some, min_size=N * T - 1, max_size=N * T - 1)), "b"], object
        ),
        "first": draw(st.integers(0, 10**9)),
        "zone": draw(st.sampled_from(ZONES)),
        "by_step": draw(st.booleans()),
    }


def set_of(parts):
    N, T = len(parts["x"]), parts["x"].shape[2]
    seconds = parts["first"] + 3600 * np.arange(N * T)
    x = SeriesSet.of(parts["x"], ids=parts["ids"], channels=["a", "b"])
    name = "step_labels" if parts["by_step"] else "labels"
    return replace(
        x,
        times=seconds.astype("M8[s]").astype("M8[ns]"),
        stamps=Stamps(parts["zone"]),
        **{name: parts[name]},
    )


ALL = ("channels", "ids", "times", "labels", "step_labels", "recordings", "starts")


@given(parts=parts_with_all())
def test_npz_keeps_levels_zones_blanks_and_windows(parts, folder):
    for x in (set_of(parts), windows(set_of(parts), 2).select()):
        y = there_and_back(x, folder / "b.npz")
        assert_same(x, y, "origin", *ALL)
        assert x.stamps == y.stamps and x.ids.dtype == y.ids.dtype


@given(parts=parts_with_all())
def test_csv_keeps_levels_zones_and_blanks(parts, folder):
    x = set_of(parts)
    y = there_and_back(x, folder / "b.csv")
    assert_same(x, y, *ALL)
    np.testing.assert_array_equal(x.values, y.values)
    assert x.stamps == y.stamps


def test_csv_says_what_a_long_table_cannot_hold(folder, caplog):
    x = windows(SeriesSet.of(np.ones((2, 1, 6)), labels=["a", "b"]), 3).select()
    there_and_back(x, folder / "c.csv")
    assert "write .npz to keep it" in caplog.text
    with pytest.raises(SeriesError, match=r"labels of series and of steps, .* write \.npz"):
        write(replace(x, step_labels=np.full(24, "c")), folder / "d.csv")


@pytest.mark.parametrize("kind", [".npz", ".csv"])
def test_whole_numbers_beyond_32_bits_keep_their_type(kind, folder):
    ids, times = np.array([2**53 + 1, 2**62 + 1]), np.arange(6) + 2**25
    x = SeriesSet.of(np.ones((2, 1, 3)) * [1, 2, 4], ids=ids, labels=[2**40 + 1, 2**40 + 3])
    y = there_and_back(replace(x, times=times), folder / f"e{kind}")
    assert_same(replace(x, times=times), y, "ids", "labels", "times")
    assert y.ids.dtype == np.int64 and (kind == ".csv" or y.times.dtype == np.int64)
