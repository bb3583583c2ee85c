"""Commands x outputs: ids and times come back under their names, in their types and order."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app

T = 30
BERLIN = pa.timestamp("ns", "Europe/Berlin")
IDS = {
    "text": ["007", "07", "b", "a", "x y", "ü"],
    "numbers": [7, 70, 3, 11, 5, 2],
}
TIMES = {
    "dates": [dt.date(2024, 2, 10) + dt.timedelta(days=k) for k in range(T)],
    "zoned": pd.date_range("2024-03-30", periods=T, freq="h", tz="Europe/Berlin").to_list(),
    "numbers": list(range(100, 100 + T)),
}
KINDS = [("text", "dates"), ("numbers", "zoned"), ("text", "numbers")]


def table_of(ids: str, times: str) -> pa.Table:
    """Six shops of two kinds, their rows shuffled; of the last one the kind is not known."""
    stamps = pa.array(TIMES[times], BERLIN if times == "zoned" else None)
    rng = np.random.default_rng(0)
    wave = [np.sin(np.arange(T) * (0.5 + 0.6 * (k % 2)) + k) for k in range(6)]
    whole = pa.table(
        {
            "shop": pa.array(IDS[ids]).take(pa.array(np.repeat(np.arange(6), T))),
            "date": stamps.take(pa.array(np.tile(np.arange(T), 6))),
            "sales": np.concatenate(wave) + 0.1 * rng.normal(size=6 * T),
            "label": np.repeat(["even", "odd", "even", "odd", "even", None], T),
        }
    )
    return whole.take(pa.array(rng.permutation(6 * T)))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Tables of each kind, as parquet and csv, and a model of each."""
    folder = tmp_path_factory.mktemp("outputs")
    for ids, times in KINDS:
        name, table = f"{ids}-{times}", table_of(ids, times)
        parquet.write_table(table, folder / f"{name}.parquet")
        st.pretrain(table, encoder="quantiles").save(folder / name)
        plain = table
        if times == "zoned":
            texts = [stamp.isoformat() for stamp in plain["date"].to_pylist()]
            plain = plain.set_column(1, "date", pa.array(texts))
        arrow_csv.write_csv(plain, folder / f"{name}.csv")
    return folder


def run(*words) -> None:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output


def out_of(world, command: str, kind: tuple[str, str], suffix: str) -> tuple[pa.Table, pa.Table]:
    """What went in, and what the command writes."""
    name = "-".join(kind)
    data, model, out = world / f"{name}{suffix}", world / name, world / f"{command}{suffix}"
    words = {
        "embed": ["embed", model, data],
        "classify": ["classify", model, "--train", data, "--test", data],
        "suggest": ["suggest", model, data, "--label", "none", "--n", 6],
        "forecast": ["forecast", data, "--horizon", 2],
        "detect": ["detect", data],
    }[command]
    zone = ["--time-zone", "Europe/Berlin"] if kind[1] == "zoned" and suffix == ".csv" else []
    run(*words, *zone, "--out", out, "--force")
    read = parquet.read_table if suffix == ".parquet" else read_text
    return read(data), read(out)


def read_text(path) -> pa.Table:
    """A csv with every cell as the text that stands there."""
    lines = path.read_text().splitlines()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(frame) == len(lines) - 1
    return pa.Table.from_pandas(frame, preserve_index=False)


def first_seen(column: pa.ChunkedArray) -> list:
    return list(dict.fromkeys(column.to_pylist()))


@pytest.mark.late
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("command", ["embed", "classify", "suggest", "forecast", "detect"])
def test_ids_and_times_come_back(world, command, kind, suffix):
    given, found = out_of(world, command, kind, suffix)
    assert found.column_names[0] == "shop"
    assert found["shop"].type == given["shop"].type
    names = first_seen(found["shop"])
    if command == "suggest":  # the most useful first
        assert sorted(names) == sorted(first_seen(given["shop"]))
    else:
        assert names == first_seen(given["shop"])
    if command == "detect":
        assert found["shop"].equals(given["shop"]) and found["date"].equals(given["date"])
        assert found.column_names == ["shop", "date", "step", "score", "alarm"]
    if command == "forecast":
        assert found["date"].type == given["date"].type and found.column_names[1] == "date"
        assert found["date"].to_pylist()[:2] == after(kind[1], suffix)


def after(times: str, suffix: str) -> list:
    """The two stamps after the last one, as a table or a text file has them."""
    if times == "numbers":
        both = [100 + T, 101 + T]
        return both if suffix == ".parquet" else list(map(str, both))
    if times == "dates":
        both = [TIMES["dates"][-1] + dt.timedelta(days=k) for k in (1, 2)]
        return both if suffix == ".parquet" else [day.isoformat() for day in both]
    both = [TIMES["zoned"][-1] + pd.Timedelta(hours=k) for k in (1, 2)]
    return both if suffix == ".parquet" else [stamp.isoformat() for stamp in both]


@pytest.mark.late
def test_classes_come_with_all_probabilities_and_what_was_labelled(world):
    given, found = out_of(world, "classify", ("text", "dates"), ".parquet")
    probabilities = ["p_even", "p_odd"]
    assert found.column_names == [
        *("shop", "class", "probability", "runner_up", *probabilities, "label", "labelled")
    ]
    rows = found.to_pylist()
    assert [row["labelled"] for row in rows].count(False) == 1
    assert {row["shop"] for row in rows if row["label"] is None} == {"ü"}
    for row in rows:
        assert row["probability"] == max(row[name] for name in probabilities)
        assert {row["class"], row["runner_up"]} == {"even", "odd"}
        assert sum(row[name] for name in probabilities) == pytest.approx(1)


@pytest.mark.late
def test_json_has_ids_in_their_types(world):
    data, model = world / "numbers-zoned.parquet", world / "numbers-zoned"
    words = ["suggest", model, data, "--label", "none", "--n", 6, "--json"]
    said = CliRunner().invoke(app, list(map(str, words)))
    found = json.loads(said.stdout)["suggestions"]
    assert sorted(row["id"] for row in found) == sorted(IDS["numbers"])
    words = ["detect", data, "--out", world / "json.csv", "--force", "--json"]
    said = CliRunner().invoke(app, list(map(str, words)))
    ids = [one["id"] for one in json.loads(said.stdout)["recordings"]]
    assert sorted(ids) == sorted(IDS["numbers"])


@pytest.mark.late
def test_labels_from_a_file_are_counted_once(world, tmp_path):
    data, model, labels = world / "text-dates.parquet", world / "text-dates", tmp_path / "l.csv"
    labels.write_text("shop,label\n007,p\nb,q\na,q\n")
    words = ["classify", model, "--train", data, "--test", data, "--labels", labels]
    said = CliRunner().invoke(app, [*map(str, words), "--out", str(tmp_path / "o.csv")])
    assert said.exit_code == 0, said.output
    lines = [line for line in said.stderr.splitlines() if "3 of 6" in line]
    assert len(lines) == 2 and all("series labelled" in line for line in lines)  # train and test


@pytest.mark.late
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_comparison_names_series_and_classes_as_they_came(world, tmp_path, kind):
    name = "-".join(kind)
    data = world / f"{name}.parquet"
    words = ["--train", data, "--test", data, "--model", world / name, "--draws", 1]
    run("compare", *words, "--labels-per-class", "1", "--out", tmp_path / "c")
    given = parquet.read_table(data)
    given = given.filter(given["label"].is_valid())
    told = json.loads((tmp_path / "c" / "evaluation.json").read_text())
    assert told["ids"] == first_seen(given["shop"]) and told["classes"] == ["even", "odd"]
    table = st.read_run(tmp_path / "c").evaluation.to_arrow()
    assert table.column_names[:3] == ["shop", "class", "probability"]
    assert table["shop"].to_pylist() == told["ids"]
    kinds = dict(zip(given["shop"].to_pylist(), given["label"].to_pylist(), strict=True))
    assert table["label"].to_pylist() == [kinds[shop] for shop in table["shop"].to_pylist()]


def test_classes_of_an_evaluation_keep_their_type():
    found = st.Evaluation(
        classes=np.array([3, 7]),
        ids=np.array([10, 20]),
        truth=np.array([0, 1]),
        predicted=np.array([0, 0]),
        probabilities=np.array([[0.9, 0.1], [0.6, 0.4]]),
        labelled=2,
        id_name="unit",
    )
    again = st.Evaluation.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.to_arrow().equals(found.to_arrow())
    assert again.to_arrow()["class"].to_pylist() == [3, 3]


@pytest.mark.late
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_model_of_a_race_takes_the_same_table(world, tmp_path, kind):
    data, words = world / f"{'-'.join(kind)}.parquet", ["--objectives", "spectral"]
    run("race", data, *words, "--encoder", "quantiles", "--out", tmp_path / "r")
    run("embed", tmp_path / "r", data, "--out", tmp_path / "e.parquet")
    given, found = parquet.read_table(data), parquet.read_table(tmp_path / "e.parquet")
    assert found["shop"].type == given["shop"].type
    assert first_seen(found["shop"]) == first_seen(given["shop"])
    assert set(found["label"].to_pylist()) == {"even", "odd", None}


@pytest.mark.late
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_backtest_does_not_depend_on_the_order_of_rows(tmp_path, suffix):
    days = [dt.date(2022, 1, 1) + dt.timedelta(days=k) for k in range(300)]
    values = np.sin(np.arange(300) / 3) + 0.1 * np.random.default_rng(0).normal(size=300)
    whole = pa.table({"when": days, "sales": values})
    turned = whole.take(pa.array(np.random.default_rng(1).permutation(300)))
    said = []
    for name, table in {"whole": whole, "turned": turned}.items():
        path = tmp_path / f"{name}{suffix}"
        write = arrow_csv.write_csv if suffix == ".csv" else parquet.write_table
        write(table, path)
        told = CliRunner().invoke(app, ["backtest", str(path), "--horizons", "4", "--json"])
        assert told.exit_code == 0, told.output
        said.append(json.loads(told.stdout))
    one, other = said
    assert {"mse", "mae", "coverage", "references"} <= set(one)
    assert one | {"seconds": 0} == other | {"seconds": 0}
