"""Labels in a file of their own, for some of the series: through every command, and back again."""

import csv
import json

import numpy as np
import pyarrow.parquet as parquet
import pytest
from scratch_material import make_scratch_quick
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result


def json_of(*words) -> dict:
    return json.loads(run(*words, "--json").stdout)


def rows_of(path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def waves(n: int, seed: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    kinds = ["fast" if i % 2 else "slow" for i in range(n)]
    speed = np.array([0.5 if kind == "fast" else 0.2 for kind in kinds])[:, None]
    x = np.sin(speed * np.arange(60) + rng.uniform(0, 6, (n, 1))) + 0.1 * rng.normal(size=(n, 60))
    return x, kinds


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        make_scratch_quick(patch)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two folders of csv files, labels of some of them in a file beside, and two models."""
    folder = tmp_path_factory.mktemp("labels")
    rows = ["file,label"]
    for part, n, known in (("train", 24, 10), ("test", 12, 6)):
        x, kinds = waves(n, len(part))
        (folder / part).mkdir()
        for i in range(n):
            name = f"{part}_{i:02d}.csv"
            values = "".join(f"{v:.5f}\n" for v in x[i])
            (folder / part / name).write_text("value\n" + values)
            rows += [f"{name},{kinds[i]}"] * (i < known)
    (folder / "labels.csv").write_text("\n".join([*rows, "nobody.csv,slow", ""]))
    (folder / "of_train.csv").write_text("\n".join(rows[:11]))
    run("pretrain", folder / "train", "--encoder", "quantiles", "--out", folder / "run")
    run("pretrain", folder / "train", "--encoder", "quantiles", "--seed", 1, "--out", folder / "b")
    return folder


@pytest.mark.late
def test_some_series_are_labelled_by_a_file(world):
    found = json_of("inspect", world / "train", "--labels", world / "labels.csv")
    assert (found["labelled"], found["unlabelled"]) == (10, 14)
    assert found["labels"] == {"fast": 5, "slow": 5}
    said = run("inspect", world / "train", "--labels", world / "labels.csv").stdout
    assert "2 classes (series): fast (5), slow (5); 10 labelled, 14 not" in said
    assert "10 of 24 series labelled; 7 rows match no series" in said.replace("\n", " ")


@pytest.mark.late
def test_classes_are_told_from_the_labelled_ones_and_judged_on_them(world, tmp_path):
    out = tmp_path / "out.csv"
    words = ["classify", world / "run", "--train", world / "train", "--test", world / "test"]
    found = json_of(*words, "--out", out, "--labels", world / "labels.csv")
    assert (found["labelled"], found["series"], found["judged"]) == (10, 12, 6)
    table = rows_of(out)
    assert [row["label"] for row in table][6:] == [""] * 6 and table[0]["label"] == "slow"
    right = np.mean([row["class"] == row["label"] for row in table[:6]])
    assert found["accuracy"] == pytest.approx(right)
    said = run(*words, "--out", out, "--labels", world / "labels.csv", "--force").stdout
    assert "12 series classified with 10 labelled ones." in said and "of 6 labelled)" in said
    bare = json_of(*words, "--out", tmp_path / "o.csv", "--labels", world / "of_train.csv")
    assert "accuracy" not in bare and "label" not in rows_of(tmp_path / "o.csv")[0]


@pytest.mark.late
def test_without_test_series_those_without_a_label_are_classified(world, tmp_path):
    out = tmp_path / "rest.csv"
    words = ["classify", world / "run", "--train", world / "train", "--out", out]
    done = run(*words, "--labels", world / "of_train.csv")
    assert "14 series classified with 10 labelled ones" in done.stdout
    rows = rows_of(out)
    assert [row["unique_id"] for row in rows] == [f"train_{i:02d}.csv" for i in range(10, 24)]
    assert [row["class"] for row in rows] == ["slow", "fast"] * 7
    everything = world / "all.csv"
    everything.write_text("file,label\n" + "".join(f"train_{i:02d}.csv,a\n" for i in range(24)))
    done = CliRunner().invoke(app, [*map(str, words), "--force", "--labels", str(everything)])
    assert done.exit_code == 2 and "every series of" in done.stderr and "--test" in done.stderr


def test_a_third_of_the_labels_judges_where_no_test_part_is_given(world, tmp_path):
    words = ["compare", "--train", world / "train", "--labels", world / "of_train.csv"]
    found = json_of(*words, "--labels-per-class", "1,all", "--draws", "2")
    assert found["test_series"] == 4 and found["labels"]["all labels"] == 6


def test_comparisons_advice_and_races_take_labelled_series_alone(world, tmp_path):
    labels = ["--labels", world / "labels.csv"]
    both = ["--train", world / "train", "--test", world / "test", *labels]
    words = ["compare", "--model", world / "run", "--model", world / "b", *both]
    found = json_of(*words, "--labels-per-class", "1,all", "--draws", 2)
    assert found["labels"]["all labels"] == 10 and found["test_series"] == 6
    names = list(found["accuracy"])
    assert names[0] == "run" and names[-1] == "b" and "untrained encoder" in names
    assert json_of("advise", world / "train", *labels)["labels"] == 10
    raced = json_of(
        "race", world / "train", "--objectives", "spectral", *labels, "--out", tmp_path / "race"
    )
    assert raced["finishes"][0]["probe"] is not None
    page = (tmp_path / "race" / "report.html").read_text()
    assert "unlabelled" in page and ">None<" not in page and '"None"' not in page


@pytest.mark.late
def test_what_is_suggested_comes_back(world, tmp_path):
    out = tmp_path / "list.csv"
    words = ["suggest", world / "run", world / "train", "--labels", world / "of_train.csv"]
    found = json_of(*words, "--n", 4, "--out", out)["suggestions"]
    known = {f"train_{i:02d}.csv" for i in range(10)}
    assert len(found) == 4 and not known & {one["id"] for one in found}
    table = rows_of(out)
    lines = [",".join(table[0])] + [
        ",".join({**row, "label": "fast"}.values()).replace(";", " ") for row in table
    ]
    out.write_text("\n".join(lines))
    again = st.read(world / "train", labels=out)
    assert again.labelled.sum() == 4
    assert set(again.ids[again.labelled]) == {one["id"] for one in found}


def test_windows_come_out_and_back_with_id_start_and_end(world, tmp_path):
    x, _ = waves(2, 5)
    long = tmp_path / "long.csv"
    rows = [f"{m},{t},{x[m // 9, t % 60]:.4f}" for m in (7, 9) for t in range(240)]
    long.write_text("\n".join(["machine,ds,value", *rows]))
    cut = ["--windows", "60", "--stride", "30"]
    out = tmp_path / "v.parquet"
    run("embed", world / "run", long, *cut, "--out", out)
    table = parquet.read_table(out)
    assert table.column_names[:3] == ["machine", "start", "end"]
    assert table["machine"].to_pylist() == [7] * 7 + [9] * 7
    assert table["start"].to_pylist()[:3] == [0, 30, 60] and table["end"].to_pylist()[0] == 59
    run("suggest", world / "run", long, "--windows", "60", "--n", 3, "--out", tmp_path / "l.csv")
    filled = rows_of(tmp_path / "l.csv")
    lines = ["id,start,end,label", *(f"{r['machine']},{r['start']},{r['end']},a" for r in filled)]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    again = st.read(long, labels=tmp_path / "l.csv", windows=60)
    keys = {name: column[again.labelled] for name, column in again.keys().items()}
    found = {tuple(map(int, row)) for row in zip(*keys.values(), strict=True)}
    assert found == {
        (int(r["machine"]), int(float(r["start"])), int(float(r["end"]))) for r in filled
    }


def test_inspect_prints_its_decisions(tmp_path):
    path = tmp_path / "log.csv"
    wave = np.sin(2 * np.pi * np.arange(400) / 20)
    rows = [f"2024-01-01 {t // 60:02d}:{t % 60:02d}:00,{wave[t]:.4f},ok" for t in range(400)]
    path.write_text("\n".join(["when,value,comment", *rows]))
    found = json_of("inspect", path, "--time", "when", "--time-zone", "Europe/Berlin")
    roles = {column["name"]: column["role"] for column in found["columns"]}
    assert roles["when"] == "time" and roles["value"] == "measurement"
    assert all(column["reason"] for column in found["columns"])
    assert found["zone"] == "Europe/Berlin" and found["windows"] == 50
    said = run("inspect", path, "--time", "when", "--time-zone", "Europe/Berlin").stdout
    assert "taken for" in said and "zone Europe/Berlin" in said
    assert "cut it into windows, --windows 50" in said


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("id,a,b,c\nx,1,2,3\ny,3,4,6\nz,1,2,1\n", "--layout wide"),
        ("unique_id,ds,y,label\na,0,1,p\na,1,2,p\nb,0,2,q\nb,1,3,q\nc,0,1,r\nc,1,1,r\n", "--label"),
    ],
)
def test_unlikely_shapes_are_flagged_with_the_other_reading(text, wanted, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    long = ["--layout", "long", "--id", "id"] if text.startswith("id") else []
    assert wanted in run("inspect", path, *long).stdout
