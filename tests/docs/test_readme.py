"""What the README says works: its Python, its commands, its links and its pictures."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from hub_double import serve_hub
from scipy.io import wavfile
from scratch_material import make_scratch_quick
from session_material import make_plant
from starlette.testclient import TestClient
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf8")


def blocks(language: str) -> list[str]:
    """The contents of all fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_five_commands_and_five_lines_do_the_job_on_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_scratch_quick(monkeypatch)  # a reference row that would take minutes
    make_plant(tmp_path, np.random.default_rng(0))
    commands = "".join(blocks("console")).splitlines()
    assert len(commands) == 5
    for command in commands:
        program, *words = shlex.split(command)
        result = CliRunner().invoke(app, words)
        assert program == "selftime" and result.exit_code == 0, f"{command}\n{result.output}"
    rows = [line.replace('"', "") for line in (tmp_path / "states.csv").read_text().splitlines()]
    by_id = {row.split(",")[0]: row for row in rows[1:]}
    assert len(by_id) == 6
    (lines,) = blocks("python")
    exec(compile(lines, "README.md", "exec"), {})
    said = re.findall(r"'(normal|worn)'", capsys.readouterr().out)[-6:]
    truth = ["worn" if i % 3 == 0 else "normal" for i in range(25, 31)]
    assert said == truth
    assert all(f",{state}," in by_id[f"pump-{i}.csv"] for i, state in enumerate(truth, 25))


VOWELS, TAXI = "sample:JapaneseVowels", "taxi.csv"
OF_ONE_CHANNEL = ("states", "impute", "forecast", "detect", "watch")
MORE = {
    "classify": ["--save", "kept"],
    "studio": ["--no-open", "--port", "0"],
    "serve": ["--port", "0"],
}
TABLE = re.findall(r"^\| .* \|$", TEXT.partition("## Results")[0], re.MULTILINE)
LINES = [line for row in TABLE for line in re.findall(r"selftime ([a-z]+ [^`]+)`", row)]


def on_samples(line: str) -> list[str]:
    """The words of a line of the table, with bundled data in place of the reader's own."""
    command, *words = shlex.split(line)
    one = command in OF_ONE_CHANNEL
    there = {"DATA": TAXI if one else f"{VOWELS}:train", "run": "taxi" if one else "run"}
    there |= {"NEW": f"{VOWELS}:test", "FOLDER": "spoken", "QUERY": "#train-0", "normal.csv": TAXI}
    return [command, *(there.get(word, word) for word in words), *MORE.get(command, [])]


@pytest.mark.slow
def test_every_line_of_the_table_runs_on_bundled_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = st.sample("JapaneseVowels", "train")
    rows = zip(train.ids[::9], train.labels[::9], strict=True)
    Path("labels.csv").write_text("id,label\n" + "".join(f"{i},{y}\n" for i, y in rows))
    st.sample("NYCTaxi").to_polars().tail(1_000).write_csv(TAXI)
    st.pretrain(st.read(TAXI, windows="1d"), encoder="quantiles").save("taxi")
    Path("spoken").mkdir()
    spoken = st.sample("Speech", "train")
    for i in range(20):
        wavfile.write(f"spoken/{i}.wav", 8000, spoken.series(i)[0].astype(np.float32))
    seen = []

    def ask(self, sockets):
        with TestClient(self.config.app, "http://localhost") as client:
            seen.append(client.get("/" if not seen else "/health").text)

    monkeypatch.setattr(uvicorn.Server, "run", ask)
    make_scratch_quick(monkeypatch)  # a reference row that would take minutes
    for line in LINES:
        result = CliRunner().invoke(app, on_samples(line), input="1\n" * 3)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        for written in re.findall(r"--(?:out|picture|save) (\S+)", line):
            assert Path(written).exists(), line
    page, health = seen
    assert "<main" in page and '"status":"ok"' in health.replace(" ", "")


@pytest.mark.slow
def test_the_line_of_the_hub_runs_on_bundled_data(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_machine_alone")
    x = st.sample("JapaneseVowels", "train")
    kept = st.Classifier(st.pretrain(x, encoder="quantiles")).fit(x[::9])
    kept.save("kept")
    row = next(row for row in TABLE if "push_to_hub" in row)
    give, address = re.findall(r"`(st\.load[^`]+)`.*`(hf://[^`]+)`", row)[0]
    with serve_hub() as (_, where):
        monkeypatch.setenv("HF_ENDPOINT", where)
        exec(give, {"st": st})
        assert np.array_equal(st.load(address).predict_proba(x), kept.predict_proba(x))


def test_it_fits_on_three_screens():
    assert len(TEXT.splitlines()) <= 150


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_and_pictures_are_there(target):
    assert target.startswith("https://") or (ROOT / target).exists()


def test_pictures_are_small_and_described():
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", TEXT)
    assert len(pictures) >= 1
    for words, path in pictures:
        assert len(words) > 40 and (ROOT / path).stat().st_size < 150_000


def test_make_targets_exist():
    targets = re.findall(r"^make (\w+)", "".join(blocks("sh")), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
