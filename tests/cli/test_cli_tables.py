"""Tables as people have them, through the commands: names, types, stamps and fill values travel."""

import csv
import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from typer.testing import CliRunner

from selftime.cli import app

pytestmark = pytest.mark.late


def run(*words, code: int = 0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def rows_of(path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def machines(order: tuple[str, ...], seed: int, **changes) -> pa.Table:
    """Twenty machines of 30 steps: classes differ in temperature alone."""
    rng = np.random.default_rng(seed)
    ids = np.repeat([f"{i:03d}" for i in range(20)], 30)
    state = np.repeat(["007" if i % 2 else "07" for i in range(20)], 30)
    hot = np.repeat(np.arange(20) % 2, 30)
    columns = {
        "temp": 3 * hot + rng.normal(size=600),
        "press": 900 + 20 * rng.normal(size=600),
        **changes,
    }
    known = {"machine": ids, "ds": np.tile(np.arange(30), 20), "label": state}
    return pa.table(known | {name: columns[name] for name in order})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    arrow_csv.write_csv(machines(("temp", "press"), 0), folder / "train.csv")
    arrow_csv.write_csv(machines(("press", "temp"), 1), folder / "swapped.csv")
    run("pretrain", folder / "train.csv", "--out", folder / "run", "--encoder", "quantiles")
    return folder


def test_columns_in_another_order_are_the_same(folder, tmp_path):
    words = ["--train", folder / "train.csv", "--test", folder / "swapped.csv"]
    told = run("classify", folder / "run", *words, "--out", tmp_path / "p.csv", "--json")
    assert json.loads(told.stdout)["accuracy"] == 1.0
    rows = rows_of(tmp_path / "p.csv")
    assert [row["machine"] for row in rows[:2]] == ["000", "001"]
    assert {row["class"] for row in rows} == {"007", "07"}  # text as it came


def test_a_column_of_another_name_is_refused_and_named(folder, tmp_path):
    table = machines(("temp", "press"), 1).rename_columns(["machine", "ds", "label", "t", "press"])
    arrow_csv.write_csv(table, tmp_path / "other.csv")
    told = run("embed", folder / "run", tmp_path / "other.csv", "--out", tmp_path / "v.csv", code=2)
    assert "channel 'temp' is missing" in told.stderr and "rename 't'" in told.stderr


def test_a_blank_label_is_no_class(folder, tmp_path):
    text = (folder / "train.csv").read_text().replace('"019",', '"019",').splitlines()
    blank = [line.replace('"007"', "") if '"019"' in line else line for line in text]
    (tmp_path / "some.csv").write_text("\n".join(blank))
    words = ["--train", tmp_path / "some.csv", "--test", folder / "swapped.csv"]
    told = run("classify", folder / "run", *words, "--out", tmp_path / "p.csv", "--json")
    assert json.loads(told.stdout)["labelled"] == 19
    assert {row["class"] for row in rows_of(tmp_path / "p.csv")} == {"007", "07"}


def test_months_go_on_as_months(tmp_path):
    months = [dt.date(2014 + i // 12, i % 12 + 1, 1) for i in range(120)]
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(120) / 12)
    arrow_csv.write_csv(pa.table({"ds": months, "y": y}), tmp_path / "m.csv")
    run("forecast", tmp_path / "m.csv", "--horizon", 3, "--out", tmp_path / "f.csv")
    stamps = [row["ds"] for row in rows_of(tmp_path / "f.csv")]
    assert stamps == ["2024-01-01", "2024-02-01", "2024-03-01"]


def test_a_stamp_that_repeats_is_said_and_counts_once(tmp_path):
    hours = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=i) for i in range(300)]
    y = np.sin(2 * np.pi * np.arange(300) / 24)
    table = pa.table({"ds": [*hours[:100], hours[99], *hours[100:]], "y": np.insert(y, 100, 9)})
    arrow_csv.write_csv(table, tmp_path / "t.csv")
    told = run("backtest", tmp_path / "t.csv", "--horizons", 12)
    assert "1 row repeats a stamp" in told.stderr and "--repeated mean" in told.stderr
    run("backtest", tmp_path / "t.csv", "--horizons", 12, "--repeated", "refuse", code=2)
    told = run("detect", tmp_path / "t.csv", "--out", tmp_path / "s.csv")
    assert "1 row repeats a stamp" in told.stderr
    assert [row["ds"] for row in rows_of(tmp_path / "s.csv")][:2] == [
        "2024-01-01T00:00:00",
        "2024-01-01T01:00:00",
    ]


def test_fill_values_are_said_and_made_missing_when_asked(tmp_path):
    temp = np.random.default_rng(0).normal(size=600)
    temp[[5, 50, 500]] = -9999
    arrow_csv.write_csv(machines(("temp", "press"), 0, temp=temp), tmp_path / "t.csv")
    told = run("inspect", tmp_path / "t.csv")
    assert "-9999" in told.output and "--missing" in told.output
    found = json.loads(run("inspect", tmp_path / "t.csv", "--missing", "-9999", "--json").stdout)
    assert found["missing"] == pytest.approx(3 / 1200, abs=1e-4)
