"""docs/studio.md shows what was measured, names files and keys that are there; its lines run."""

import json
import re
import shlex
from pathlib import Path

import pytest
import uvicorn
from benchmarks import studio
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.studio.app import PAGE
from selftime.studio.session import LOG, TABLE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "studio.md").read_text(encoding="utf8")


def test_figures_are_as_measured():
    found = json.loads(studio.OUT.read_text(encoding="utf8"))
    shown = TEXT.split(studio.BEGIN)[1].split(studio.END)[0]
    assert shown.strip() == studio.words_of(found).strip()
    large, kills = found["large"], found["kills"]
    assert large["series"] == 50_000 and large["first_picture_seconds"]["worst"] < 3
    assert large["selection_ms"]["worst"] < 100
    assert kills["kills"] == 20 and kills["lost"] == 0 and kills["acknowledged"] > 100


def test_keys_files_and_pictures_of_the_page_are_there():
    keys = (PAGE / "keys.js").read_text(encoding="utf8")
    named = set(re.findall(r"`([a-z?])`", TEXT))
    assert {"n", "s", "x", "u", "f", "a", "?"} <= named
    assert all(f'"{key}' in keys for key in named - {"s"}) and LOG in TEXT and TABLE in TEXT
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / "docs" / target).stat().st_size < 150_000
    said = CliRunner().invoke(app, ["studio", "--help"]).output
    options = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert {"--session", "--windows", "--empty", "--port"} <= options
    assert all(word in said for word in options)


@pytest.mark.late
def test_the_lines_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    st.pretrain(st.sample("JapaneseVowels", "train"), encoder="quantiles").save("run")

    def label(self, sockets):
        session, own = self.config.app.state.desk.session, st.sample("JapaneseVowels", "train")
        for row in range(0, 270, 5):
            session.act(f"key-{row:05}", "label", [row], str(own.labels[row]))

    monkeypatch.setattr(uvicorn.Server, "run", label)
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    run = [shlex.split(line)[1:] for line in lines if re.match("selftime (studio|classify)", line)]
    assert [words[0] for words in run] == ["studio", "classify"]
    run[0] += ["--no-open", "--port", "0"]
    for words in run:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert len((tmp_path / "speakers.csv").read_text(encoding="utf8").splitlines()) == 371
