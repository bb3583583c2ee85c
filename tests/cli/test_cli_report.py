"""``selftime report``: every figure of a folder again, from its files alone; the page anew."""

import json
import re
import shutil

import numpy as np
import pytest
from judged_material import TABLE
from report_material import Seen
from scratch_material import make_scratch_quick
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.report.page.calibration import metric_rows
from selftime.report.page.evaluation import WITHOUT
from selftime.tasks.comparison import compare as tasks
from selftime.tasks.comparison.compare import comparison_from_dict, comparison_to_dict
from selftime.tasks.evaluation.evaluation import Evaluation


def waves(n: int, seed: int) -> st.SeriesSet:
    """Three kinds of noisy wave, ``n`` of each."""
    rng = np.random.default_rng(seed)
    speed = np.repeat([2.0, 2.6, 1.0], n)[:, None]
    phase = rng.uniform(0, 6, (3 * n, 1))
    x = np.sin(speed * np.linspace(0, 6, 40) + phase) + 0.8 * rng.normal(size=(3 * n, 40))
    return st.SeriesSet.of(x, np.repeat(["calm", "fast", "slow"], n))


def call(*words) -> tuple[str, str]:
    """What a command that succeeds says on stdout and on stderr."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def failed(*words) -> str:
    """The line on stderr of a command that must fail."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2 and result.stdout == "", result.output
    return result.stderr.splitlines()[-1].removeprefix("selftime: ")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A comparison that learned its own model, a run, and predictions, with their data."""
    folder = tmp_path_factory.mktemp("world")
    train, test = (st.write(waves(n, n), folder / f"{n}.npz") for n in (8, 10))
    with pytest.MonkeyPatch.context() as patch:
        make_scratch_quick(patch)
        few = {
            name: tasks.COMPARISON_ROWS[name]
            for name in ("selftime", "untrained encoder", "raw values")
        }
        patch.setattr(tasks, "COMPARISON_ROWS", few)
        call("pretrain", train, "--encoder", "quantiles", "--out", folder / "run")
        model = st.load(folder / "run")
        patch.setattr(tasks, "pretrain", lambda *_, **__: model)
        data = ["--train", train, "--test", test]
        call(
            "compare",
            *data,
            "--labels-per-class",
            "1,2,all",
            "--draws",
            2,
            "--out",
            folder / "compared",
        )
        call("classify", folder / "run", *data, "--out", folder / "predictions.csv")
    return folder, data


def bare(world, tmp_path, name: str = "compared"):
    """A copy of a folder that holds its JSON files alone."""
    target = tmp_path / "bare"
    target.mkdir()
    for path in (world[0] / name).glob("*.json*"):
        shutil.copy(path, target)
    return target


@pytest.mark.late
def test_the_model_is_judged_with_all_labels_as_in_the_comparison(world):
    content = json.loads((world[0] / "compared" / "evaluation.json").read_text())
    figures = json.loads((world[0] / "compared" / "comparison.json").read_text())
    assert content["figures"]["accuracy"] == figures["accuracy"]["selftime"]["all labels"] < 1
    assert content["labelled"] == 24 and content["test_series"] == 30
    assert content["test"] == {
        "source": world[1][3].as_posix(),
        "fingerprint": waves(10, 10).fingerprint(),
    }
    rows = (world[0] / "compared" / "evaluation.json").read_text().splitlines()
    assert len([row for row in rows if row.startswith("[0.") or row.startswith("[1.")]) >= 30


def test_classify_writes_what_it_found_beside_its_predictions(world):
    content = json.loads((world[0] / "predictions.evaluation.json").read_text())
    found = Evaluation.from_dict(content)
    model = st.load(world[0] / "run")
    few = waves(8, 8)
    wanted = st.Classifier(model).fit(few, few.labels).score(waves(10, 10), waves(10, 10).labels)
    assert found.accuracy == pytest.approx(wanted) and content["run"]["command"] == "classify"


def test_everything_is_told_from_the_files_alone(world, tmp_path):
    folder = bare(world, tmp_path)
    said, _ = call("report", folder)
    comparison = comparison_from_dict(json.loads((folder / "comparison.json").read_text()))
    found = Evaluation.from_dict(json.loads((folder / "evaluation.json").read_text()))
    plain = " ".join(said.split())
    for name, value, _ in metric_rows(found):
        assert f"{name} {value}" in plain
    for sentence in comparison.verdict():
        assert sentence in plain
    for k, row in enumerate(found.confusion.tolist()):
        assert " ".join([str(found.classes[k]), *map(str, row)]) in plain
    for mistake in found.mistakes:
        assert f"{mistake.id} {mistake.truth} {mistake.predicted}" in plain
    assert "encoder quantiles given" in plain and f"Report: {folder / 'report.html'}" in said


def test_json_holds_every_figure(world, tmp_path):
    folder = bare(world, tmp_path)
    told = json.loads(call("report", folder, "--json")[0])
    for name in ("run", "comparison", "evaluation"):
        content = json.loads((folder / f"{name}.json").read_text())
        content.pop("hits", None)
        assert told[name] == content
    assert told["report"] == str(folder / "report.html")


def test_the_page_made_anew_says_what_it_lacks(world, tmp_path):
    folder = bare(world, tmp_path)
    call("report", folder)
    seen = Seen((folder / "report.html").read_text())
    ids = [a["id"] for a in seen.all("section")]
    assert ids == ["data", "learning", "results", "judged", "calibration", "mistakes", "use"]
    assert "map and views are left out" in seen.words and WITHOUT in seen.words


def test_figures_of_both_pages_are_the_same(world, tmp_path):
    folder = bare(world, tmp_path)
    call("report", folder)
    pages = [(where / "report.html").read_text() for where in (world[0] / "compared", folder)]
    for name in ("results", "judged", "calibration"):
        old, new = (
            re.search(rf'<section id="{name}">.*?</section>', p, re.S).group() for p in pages
        )
        assert old == new


def test_with_the_series_the_page_is_what_it_was(world, tmp_path):
    folder = world[0] / "compared"
    call("report", folder, *world[1], "--out", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == (folder / "report.html").read_text()


def test_without_the_model_there_is_no_map_but_views_and_series(world, tmp_path):
    folder = bare(world, tmp_path)
    call("report", folder, *world[1])
    seen = Seen((folder / "report.html").read_text())
    ids = [a["id"] for a in seen.all("section")]
    assert "map" not in ids and "views" in ids
    assert "the folder holds no model" in seen.words and WITHOUT not in seen.words


def test_a_run_is_told_again(world, tmp_path):
    said, _ = call("report", world[0] / "run", "--out", tmp_path / "run.html")
    assert "selftime pretrain, seed 0" in said and "encoder" in said
    call("report", world[0] / "run", world[1][0], world[1][1], "--out", tmp_path / "with.html")
    old, new = (p.read_text() for p in (world[0] / "run" / "report.html", tmp_path / "with.html"))
    assert old == new


def test_predictions_are_told_again(world, tmp_path):
    out = tmp_path / "p.html"
    said, _ = call("report", world[0] / "predictions.evaluation.json", "--out", out)
    assert "balanced accuracy" in said and "the model was there before" in said
    words = Seen(out.read_text()).words
    assert "selftime classify" in words and "in one pass." in words  # how long is not known


def test_strategies_are_shown_where_a_file_holds_them(world, tmp_path):
    folder = bare(world, tmp_path)
    table = {name: {str(n): list(v) for n, v in row.items()} for name, row in TABLE.items()}
    (folder / "strategies.json").write_text(json.dumps(table))
    said, _ = call("report", folder)
    assert "70.0 % (60.0 to 80.0)" in said
    assert 'id="strategies"' in (folder / "report.html").read_text()


def test_the_ranking_of_a_race_is_told(world, tmp_path):
    folder = bare(world, tmp_path, "run")
    ranks = [("simclr", 0.9, 0.75, 3.25, None), ("byol", None, None, 1.0, "diverged at step 3")]
    names = ("name", "probe", "criterion", "seconds", "failure")
    race = {
        "verdict": "simclr is kept.",
        "finishes": [dict(zip(names, r, strict=True)) for r in ranks],
    }
    (folder / "race.json").write_text(json.dumps(race))
    plain = " ".join(call("report", folder)[0].split())
    assert "simclr 90.0 % 0.750 3.2 s" in plain and "byol diverged at step 3 1.0 s" in plain
    assert "simclr is kept." in plain


def test_a_log_of_steps_is_summed_up(world, tmp_path):
    folder = bare(world, tmp_path, "run")
    log = [{"step": k, "loss": 2.0 - k, "monitors": {"spread": 0.5 + k}} for k in range(2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in log))
    said, _ = call("report", folder)
    assert re.search(r"loss +2 \(step 0\) +1 \(step 1\)", said)
    assert re.search(r"spread +0.5 \(step 0\) +1.5 \(step 1\)", said)
    assert json.loads(call("report", folder, "--json")[0])["metrics"] == log


@pytest.mark.late
def test_nothing_is_replaced_unless_told(world, tmp_path):
    folder = bare(world, tmp_path)
    page = folder / "report.html"
    page.write_text("precious")
    assert f"Left as it is: {page}" in call("report", folder)[0]
    assert failed("report", folder, "--out", page) == (
        f"{page} exists: choose another --out, or --force"
    )
    assert page.read_text() == "precious"
    call("report", folder, "--force")
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_the_card_holds_the_key_figures(world):
    text = (world[0] / "compared" / "model" / "README.md").read_text()
    content = json.loads((world[0] / "compared" / "evaluation.json").read_text())
    assert text.count("## Results") == 1 and "### With 24 labelled series" in text
    for name, value, about in metric_rows(Evaluation.from_dict(content)):
        assert f"| {name} | {value} | {about} |" in text


def test_other_data_are_refused(world, tmp_path):
    train, test = world[1][1], world[1][3]
    folder = world[0] / "compared"
    said = failed("report", folder, "--test", train, "--out", tmp_path / "x.html")
    assert said == (
        f"--test {train} holds other series than {folder} is about: name the data it was made "
        f"with ({test})"
    )


@pytest.mark.parametrize(
    "name, content, text",
    [
        ("run.json", None, "does not say what was run: name the folder of a run or a comparison"),
        ("run.json", '{"status": "running"}', "holds a run that was not finished: go on with it"),
        ("comparison.json", "{", "cannot be read (Expecting"),
        ("comparison.json", "[]", "holds a list, wanted an object: make it anew"),
        (
            "comparison.json",
            '{"labels_per_class": [1]}',
            "the comparison lacks or garbles 'test_series'",
        ),
        ("evaluation.json", '{"format": 7}', "got an evaluation of format 7, wanted 1"),
    ],
)
def test_damaged_folders_are_refused(world, tmp_path, name, content, text):
    folder = bare(world, tmp_path)
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    assert text in failed("report", folder)


def test_a_comparison_survives_its_file(world):
    rng = np.random.default_rng(0)
    hits = {
        n: {b: rng.random((2, 13)) < 0.5 for b in (3, None)}
        for n in ("selftime", "untrained encoder", "raw values")
    }
    whole = tasks.Comparison((3, None), hits, {3: 9, None: 40})
    again = comparison_from_dict(json.loads(json.dumps(comparison_to_dict(whole))))
    assert again.labels_per_class == whole.labels_per_class and again.n_labels == whole.n_labels
    assert again.to_dict() == whole.to_dict()
    for name, row in hits.items():
        for budget, bits in row.items():
            np.testing.assert_array_equal(again.hits[name][budget], bits)
    broken = comparison_to_dict(whole) | {"test_series": 99}
    with pytest.raises(ValueError, match="hits that are not of 99 series: compare again"):
        comparison_from_dict(broken)
