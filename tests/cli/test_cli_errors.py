"""Whatever goes wrong is said in one line, with a mend, and nothing is overwritten."""

import numpy as np
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.cli.app import in_one_line
from selftime.engine import pretrain as engine

TRAIN = "sample:JapaneseVowels:train"


def failed(*words, code: int = 2) -> str:
    """The one line on stderr of a command that must fail."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    assert result.stdout == "" and "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("selftime: ")
    return lines[-1].removeprefix("selftime: ")


@pytest.fixture
def table(tmp_path):
    """Four short series without labels."""
    x = np.random.default_rng(0).normal(size=(4, 1, 12))
    return st.write(st.SeriesSet.of(x), tmp_path / "table.csv")


@pytest.mark.parametrize("command", ["inspect", "pretrain"])
def test_missing_data(command, tmp_path):
    words = [] if command == "inspect" else ["--out", tmp_path / "run"]
    said = failed(command, tmp_path / "nowhere.csv", *words)
    assert said.endswith("nowhere.csv: no such file or folder, wanted one to read: check the path")


def test_unknown_sample():
    assert failed("inspect", "sample:Iris").startswith("got sample 'Iris', wanted one of Japanese")
    assert "wanted none or 'train' or 'test'" in failed("inspect", "sample:PenDigits:dev")


def test_unknown_column(table):
    assert "has no column 'kind', only 'unique_id'" in failed("inspect", table, "--label", "kind")


def test_unknown_names(table, tmp_path):
    words = ["pretrain", table, "--out", tmp_path / "run"]
    assert failed(*words, "--encoder", "magic").startswith("got encoder 'magic', wanted one of ")
    assert failed(*words, "--objective", "x").startswith("got objective 'x', wanted one of spec")
    assert not (tmp_path / "run").exists()


def test_not_a_model(table, tmp_path):
    said = failed("embed", tmp_path, table, "--out", tmp_path / "z.npz")
    assert said.startswith(f"{tmp_path} is not a model folder: ") and said.endswith("is missing")


def test_labels_that_are_not_there(table, tmp_path):
    said = failed("compare", "--train", table, "--test", table)
    wanted = "wanted one for some series at least: name their column, --label …, or a file of ids "
    assert said == f"train has no labels, {wanted}and labels, --labels …"


@pytest.mark.parametrize("labels", ["some", "0", "1,,2", "-1", "1.5"])
def test_labels_that_are_no_numbers(labels):
    said = failed("compare", "--train", TRAIN, "--test", TRAIN, f"--labels-per-class={labels}")
    wanted = "wanted numbers, shares or all, such as 1,2,5,10%,all"
    assert said == f"got {labels!r} as labels per class, {wanted}"


def test_suffix_is_checked_before_any_work(tmp_path):
    said = failed("embed", "no-model", "no-data", "--out", tmp_path / "z.xlsx")
    assert said == f"{tmp_path}/z.xlsx: wanted a name ending in .npz, .npy, .csv, .parquet"
    words = ["--train", "x", "--test", "y", "--out", tmp_path / "p.npz"]
    assert failed("classify", "no-model", *words).endswith("wanted a name ending in .csv, .parquet")


def test_a_file_in_the_way_is_kept(tmp_path):
    out = tmp_path / "z.npz"
    out.write_text("precious")
    said = failed("embed", "no-model", "no-data", "--out", out)
    assert said == f"{out} exists: choose another --out, or --force to replace it"
    assert out.read_text() == "precious"


@pytest.mark.parametrize("name", ["run.json", "comparison.json"])
def test_a_folder_in_the_way_is_kept(name, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / name).write_text("precious")
    said = failed("pretrain", "no-data", "--out", out)
    assert said == f"{out} exists: choose another --out, or --force to replace it"
    assert (out / name).read_text() == "precious"


@pytest.mark.parametrize("command", ["pretrain", "demo", "compare"])
def test_force_leaves_folders_of_others_alone(command, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("precious")
    words = {"pretrain": ["no-data"], "demo": [], "compare": ["--train", "x", "--test", "y"]}
    said = failed(command, *words[command], "--out", home, "--force")
    assert said == f"{home} was not made by selftime and is left alone: choose another"
    assert (home / "thesis.txt").read_text() == "precious"


def test_ctrl_c_leaves_nothing(table, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "write_finished", interrupted)
    words = ["pretrain", table, "--encoder", "quantiles", "--out", tmp_path / "run"]
    assert failed(*words, code=130) == "interrupted, nothing half-written was left"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_bugs_are_not_dressed_as_bad_input(table, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "fit_closed_form", broken)
    result = CliRunner().invoke(app, ["pretrain", str(table), "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, ZeroDivisionError)


def test_wrong_usage_is_explained():
    result = CliRunner().invoke(app, ["classify", "model", "--test", "x"])
    assert result.exit_code == 2 and "Missing option '--train'" in result.stderr


def test_messages_are_one_line():
    assert in_one_line(ValueError("two\n  lines")) == "two lines"
    assert in_one_line(ValueError()) == "ValueError"
    assert in_one_line(PermissionError(13, "Permission denied", "/x")) == "/x: Permission denied"
    assert in_one_line(FileExistsError("a run exists")) == "a run exists"
