"""``selftime race``: a folder with ranking, best model and report; it goes on where it stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.cli.options import words_in

run = CliRunner().invoke


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A finished race on labelled waves."""
    folder = tmp_path_factory.mktemp("races")
    rng = np.random.default_rng(0)
    speeds = np.repeat([1, 4], 8)
    x = np.sin(2 * np.pi * (speeds[:, None] * np.arange(32) / 32 + rng.random((16, 1))))
    st.write(st.SeriesSet.of(x[:, None].astype(np.float32), speeds), folder / "waves.npz")
    result = run(app, order(folder, "race", "--json"))
    assert result.exit_code == 0, result.output
    return folder, json.loads(result.stdout)


def order(folder, out: str, *words: str) -> list[str]:
    what = ["race", str(folder / "waves.npz"), "--out", str(folder / out), "--minutes", "0.02"]
    return [*what, "--objectives", "spectral, simclr", *words]


@pytest.mark.slow
def test_the_folder_holds_ranking_model_and_report(world):
    folder, said = world
    assert {row["name"] for row in said["finishes"]} == {"spectral", "simclr"}
    assert json.loads((folder / "race" / "race.json").read_text())["verdict"] == said["verdict"]
    facts = json.loads((folder / "race" / "run.json").read_text())
    assert facts["status"] == "finished" and facts["race"]["minutes"] == 0.02
    model = st.load(folder / "race")
    best = said["finishes"][0]["name"]
    assert model.card["settings"]["objective"]["value"] == best
    assert best in (folder / "race" / "report.html").read_text()
    assert (folder / "race" / "contenders" / "simclr" / "metrics.jsonl").is_file()


@pytest.mark.slow
def test_a_finished_race_is_not_overwritten_and_a_stopped_one_goes_on(world):
    folder, said = world
    assert "--force to replace it" in run(app, order(folder, "race")).output
    facts = json.loads((folder / "race" / "run.json").read_text())
    (folder / "race" / "run.json").write_text(json.dumps(facts | {"status": "running"}))
    again = run(app, order(folder, "race", "--json"))
    assert again.exit_code == 0, again.output
    seconds = {row["name"]: row["seconds"] for row in json.loads(again.stdout)["finishes"]}
    assert seconds == {row["name"]: row["seconds"] for row in said["finishes"]}


@pytest.mark.slow
def test_the_table_names_everyone_and_the_verdict(world):
    folder, said = world
    shown = run(app, order(folder, "again"))
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert "spectral" in text and "simclr" in text and "is kept: its probe gets" in text


def test_names_are_checked_before_any_work():
    assert words_in("simclr +  0.5*ts2vec,spectral") == ("simclr + 0.5*ts2vec", "spectral")
    again = run(app, ["race", "sample:PenDigits", "--out", "x", "--objectives", "simclr,nobody"])
    assert again.exit_code == 2 and "got objective 'nobody'" in again.stderr
    assert not Path("x").exists()
