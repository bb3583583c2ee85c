"""Files read in parts give the series, the notes and the refusals of files read whole."""

import io
import subprocess
import sys
from dataclasses import fields
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.formats import large
from selftime.data.readers import read
from selftime.data.series import SeriesError

ROWS = "".join(f"m{i // 40},2024-01-01 00:00:{i % 40:02d},{i}.5,{i % 7}\n" for i in range(120))
PLAIN = "unique_id,ds,a,b\n" + ROWS


def outcome(path, asked, least, block):
    """All that is found in a file, or what is said against it; whether it was read in parts."""
    with patch.object(large, "LARGE", least), patch.object(large, "_BLOCK", block):
        parts = large.read_large(path) is not None
        try:
            series = read(path, **asked)
        except SeriesError as error:
            return str(error), parts
    return {field.name: getattr(series, field.name) for field in fields(series)}, parts


def assert_alike(folder, data, *, name="a.csv", block=400, **asked):
    """Check that parts and the whole give the same; return whether parts were taken."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    (found, in_parts), (wanted, _) = (
        outcome(path, asked, least, block) for least in (0, sys.maxsize)
    )
    if isinstance(wanted, str):
        assert found == wanted
        return in_parts
    for key, value in wanted.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype, key
            np.testing.assert_array_equal(found[key], value, err_msg=key)
        else:
            assert found[key] == value, key
    return in_parts


@pytest.mark.parametrize(
    ("text", "in_parts"),
    [
        (PLAIN, True),
        ("\ufeff" + PLAIN.replace("\n", "\r\n"), True),
        (PLAIN.replace(",", ";"), True),
        (PLAIN.replace(",", "\t"), True),
        ("a comment\n# and one\n" + PLAIN, True),
        (PLAIN.rstrip("\n") + "\n\n\n", True),
        (PLAIN.rstrip("\n"), True),
        (PLAIN.replace("m0", '"m, 0"'), True),
        (PLAIN.replace("m0", '"m\n0"'), False),
        (PLAIN.replace("m", ""), True),
        (PLAIN.replace("m", "00"), True),
        (PLAIN.replace("m", "machine \u00e9 "), True),
        (PLAIN.replace("a,b", "a,label"), True),
        (PLAIN.replace("00:00:", ""), False),
        (PLAIN.replace(" 00:00:", "T00:00:"), True),
        (PLAIN.replace("2024-01-01 00:00:", ""), True),
        (PLAIN.replace(" 00:00:0", "").replace(" 00:00:", ""), True),
        (PLAIN.replace(",7.5", ",").replace(",8.5", ",NaN").replace(",9.5", ",-"), True),
        (PLAIN.replace("119.5", "a"), False),
        (PLAIN.replace("119.5", "1e60"), True),
        (PLAIN.replace("119.5,", '"1,119.5",'), False),
        (PLAIN.replace("119.5,0", "119.5,0.5"), True),
        (PLAIN.replace("119.5,0", "119.5,"), True),
        (PLAIN.replace("119.5,0", "119.5,+1"), True),
        (PLAIN.replace("00:00:39,119.5", "00:00:38,119.5"), True),
        (PLAIN + "m2,2024-01-01 00:01:00\n", False),
        (PLAIN + "m2,2024-01-01 00:01:00,3.5,1", True),
        (PLAIN + "m2,,3.5,1", False),
        (PLAIN + ",,,\n", False),
        (PLAIN + "# the end\n", False),
        (PLAIN + "unique_id,ds,a,b\n" + ROWS, False),
        (PLAIN.replace("m1", "m1\0"), False),
        (PLAIN.encode().replace(b"m1", b"m\xe9"), False),
        (PLAIN.replace("a,b", "a,a"), False),
        (PLAIN.replace("unique_id,ds", "machine,when"), True),
        (PLAIN.replace("m0", "true").replace("m1", "false").replace("m2", ""), False),
        ("t,x,y\n" + "".join(f"{2000 + i}.01,{i}.5,{i % 3}\n" for i in range(60)), True),
        ("t,x,y\n" + "".join(f"{i / 4},{i}.5,{i % 3}\n" for i in range(60)), True),
        ("t,x,y\n" + "".join(f"{20240101 + i},{i}.5,{i % 3}\n" for i in range(30)), True),
        ("t,x,y\n" + "".join(f"{1704067200 + i},{i}.5,{i % 3}\n" for i in range(30)), True),
        ("x,date,clock\n" + "".join(f"{i},2024-01-01,00:{i}\n" for i in range(10, 60)), False),
        ("day,y\n" + "".join(f"2024-01-{i},{i}.5\n" for i in range(10, 32)), True),
        ("x,,y\n" + "1.5,,2\n" * 50, False),
        ("y\n" + "1.5\n" * 50, False),
        ("1.5,2\n" * 50, True),
    ],
)  # fmt: skip
def test_a_csv_is_the_same_in_parts(tmp_path, text, in_parts):
    assert assert_alike(tmp_path, text) == in_parts


@pytest.mark.parametrize(
    "asked",
    [
        {"id": "b"}, {"label": "b"}, {"label": "a"}, {"group": "unique_id", "id": "none"},
        {"time": "none"}, {"time": "a"}, {"id": "unique_id,b"}, {"missing": ["5", 2.5]},
        {"missing": ["off"]}, {"channels": ["b"]}, {"ignore": ["a"]}, {"layout": "wide"},
        {"layout": "series"}, {"repeated": "mean"}, {"id": "a"}, {"label": "ds"}, {"id": "nobody"},
        {"time_zone": "Europe/Berlin"}, {"windows": 10}, {"repeated": "mean", "id": "b"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_options_do_the_same_in_parts(tmp_path, asked, name):
    data = PLAIN
    if name == "a.parquet":
        file = io.BytesIO()
        pd.read_csv(io.StringIO(PLAIN), parse_dates=["ds"]).to_parquet(file)
        data = file.getvalue()
    assert assert_alike(tmp_path, data, name=name, **asked)


CELLS = {
    "name": st.sampled_from(["a", "b", "007", "7", "", "nan", "true", "A b", '"x,y"']),
    "number": st.sampled_from(["0", "1.5", "-2", "", "NaN", "1e3", "007", "+4", "2.50", " 3", "x"]),
    "whole": st.integers(-20, 20).map(str),
    "time": st.sampled_from(["2024-01-01", "2024-01-02 03:04", "2024-01-03T05", "2024-02-30"]),
}


@examples(150)
@given(data=st.data(), separator=st.sampled_from(",;\t"))
def test_any_csv_is_the_same_in_parts(tmp_path_factory, data, separator):
    kinds = data.draw(st.lists(st.sampled_from([*CELLS]), min_size=2, max_size=4))
    named = st.sampled_from(["unique_id", "ds", "label", "y", "id", "date", "group", "t", "x", ""])
    names = data.draw(st.lists(named, min_size=len(kinds), max_size=len(kinds), unique=True))
    usual = {kind: data.draw(cells) for kind, cells in CELLS.items()}
    rows = [[usual[kind] for kind in kinds] for _ in range(data.draw(st.integers(1, 30)))]
    for _ in range(data.draw(st.integers(0, 12))):
        row = data.draw(st.integers(0, len(rows) - 1))
        rows[row] = [data.draw(CELLS[kind]) for kind in kinds]
    text = "\n".join(separator.join(row) for row in [names, *rows])
    assert_alike(tmp_path_factory.mktemp("large"), text, block=data.draw(st.integers(60, 300)))


@examples(60)
@given(seed=st.integers(0, 999), gaps=st.booleans(), index=st.booleans(), order=st.booleans())
def test_any_parquet_is_the_same_in_parts(tmp_path_factory, seed, gaps, index, order):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(["b", "a", "c"], 20),
            "ds": np.tile(pd.date_range("2024-01-01", periods=20, unit="s"), 3),
            "x": rng.normal(101325, 1, 60),
            "n": rng.integers(0, 3, 60),
            "small": rng.normal(size=60).astype(np.float32),
            "label": pd.Categorical(np.repeat(["on", "off", "on"], 20), ["off", "never", "on"]),
            "flag": rng.random(60) < 0.5,
        }
    )
    if gaps:
        frame = frame.mask(rng.random(frame.shape) < 0.1).assign(
            unique_id=frame.unique_id, ds=frame.ds
        )
    frame = frame.sample(frac=1, random_state=seed) if order else frame
    file = io.BytesIO()
    (frame.set_index(["unique_id", "ds"]) if index else frame).to_parquet(file, row_group_size=17)
    folder = tmp_path_factory.mktemp("large")
    assert assert_alike(folder, file.getvalue(), name="a.parquet")


def test_nested_columns_and_names_twice_are_read_whole(tmp_path):
    nested = pyarrow.table({"unique_id": ["a", "a"], "y": [1.0, 2.0], "z": [[1], [2]]})
    for names in (["unique_id", "y", "z"], ["unique_id", "y", "y"]):
        file = io.BytesIO()
        pyarrow.parquet.write_table(nested.rename_columns(names), file)
        assert not assert_alike(tmp_path, file.getvalue(), name="a.parquet")


def test_a_large_file_does_not_wait_for_pandas(tmp_path):
    (tmp_path / "a.csv").write_text(PLAIN)
    code = (
        "import sys; import selftime as st; from selftime.data.formats import large;"
        f"large.LARGE = 0; st.read({str(tmp_path / 'a.csv')!r}); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
