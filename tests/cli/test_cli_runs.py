"""Gradient runs on the command line: folder, report, stopping, going on, beginning anew."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from training_material import waves
from typer.main import get_command
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app, terminal
from selftime.cli.pretrain import words_to_resume
from selftime.engine.training.run_folder import facts_in, metrics_in


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def failed(*words) -> str:
    """The last line on stderr of a command that must fail with exit code 2."""
    result = call(*words)
    assert result.exit_code == 2 and result.stdout == "", result.output
    return result.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return st.write(waves(10, channels=1, steps=16), tmp_path_factory.mktemp("data") / "x.npz")


@pytest.fixture
def order(data, tmp_path):
    """A run of 4 steps."""
    words = ["pretrain", data, "--objective", "ts2vec", "--budget", "4 steps"]
    return [*words, "--out", tmp_path / "run"]


@pytest.fixture
def stopped(order, monkeypatch):
    """Its folder, and the command that goes on, after SIGTERM in its second step."""

    def log(record):
        if record["step"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(terminal, "warn", log)
        result = call(*order)
    assert result.exit_code == 143, result.output
    said = result.stderr.splitlines()[-1]
    assert said.startswith("selftime: stopped after step 2 of 4, which is saved; go on with: self")
    return order[-1], shlex.split(said.partition("go on with: selftime ")[2])


@pytest.mark.late
def test_everything_is_written_and_json_stands_alone(order):
    result = call(*order, "--json")
    assert result.exit_code == 0, result.output
    told, folder = json.loads(result.stdout), order[-1]
    assert told["run"] == str(folder) and told["settings"]["budget"]["value"] == "4 steps"
    made = {path.name for path in folder.iterdir()}
    assert made == {"run.json", "metrics.jsonl", "checkpoints", "model", "report.html"}
    assert facts_in(folder)["status"] == "finished" and st.load(folder).dim == told["dim"] == 320
    assert [record["step"] for record in metrics_in(folder)] == list(range(5))
    assert "training: 4 of 4 (" in result.stderr and "loss" in result.stderr
    assert failed(*order, "--resume").endswith("finished run: load it, or choose another folder")


@pytest.mark.late
def test_a_stopped_run_goes_on_as_it_was_told(stopped, order, tmp_path):
    folder, again = stopped
    assert failed(*order).endswith(
        f"{folder} holds a run that was stopped: --resume goes on with it, --force begins anew"
    )
    other = [word if word != "4 steps" else "7 steps" for word in order]
    assert "with budget 4 steps, this one has 7 steps: give the" in failed(*other, "--resume")
    result = call(*again)
    assert result.exit_code == 0, result.output
    assert [record["step"] for record in metrics_in(folder)] == list(range(5))
    straight = tmp_path / "straight"
    assert call(*order[:-1], straight).exit_code == 0
    x = waves(10, channels=1, steps=16)
    assert (st.load(folder).embed(x) == st.load(straight).embed(x)).all()


@pytest.mark.late
def test_force_begins_anew_once_the_settings_are_good(stopped, order):
    folder, _ = stopped
    before = (folder / "metrics.jsonl").read_text()
    assert "got a budget of 'soon'" in failed(*order, "--force", "--budget", "soon")
    assert "one token per step" in failed(*order, "--force", "--encoder", "quantiles")
    assert (folder / "metrics.jsonl").read_text() == before
    assert call(*order, "--force", "--seed", 3).exit_code == 0
    assert facts_in(folder)["seed"] == 3


def test_there_must_be_something_to_go_on_with(order, data, tmp_path):
    assert failed(*order, "--resume").endswith("is not a run folder: run.json is missing")
    words = ["pretrain", data, "--out", tmp_path / "run", "--resume"]
    assert failed(*words).endswith("goes on with a run of steps: name its --objective")


def test_a_wrong_budget_and_a_budget_of_nothing_to_step(order, data, tmp_path):
    assert "wanted such as '200 steps'" in failed(*order, "--budget", "4 parsecs")
    words = ["pretrain", data, "--objective", "spectral", "--budget", "4 steps"]
    assert "got a budget for Spectral" in failed(*words, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_stop_on_collapse_is_written_down_and_said_again(data, tmp_path):
    words = [str(data), "--objective", "ts2vec", "--budget", "4 steps", "--clip", "0.5"]
    words += ["--stop-on-collapse", "--label", "kind", "--track", "tensorboard"]
    words += ["-o", str(tmp_path / "a run"), "--force", "--json"]
    program = get_command(app)
    with program.make_context("selftime", ["pretrain", *words]):
        said = words_to_resume()
    with program.commands["pretrain"].make_context("pretrain", shlex.split(said)[1:]) as ctx:
        assert ctx.params["stop_on_collapse"] is True and ctx.params["clip"] == 0.5
    for again in ("--stop-on-collapse", "--clip 0.5", "--label kind", "--track tensorboard"):
        assert again in said
    assert shlex.quote(str(tmp_path / "a run")) in said and said.endswith("--resume")
    assert "--force" not in said and "--json" not in said and "--seed" not in said


def test_options_of_a_gradient_run_are_in_its_config(order, monkeypatch):
    heard = []
    monkeypatch.setattr(st, "pretrain", lambda *_, **settings: heard.append(settings["config"]))
    call(*order, "--stop-on-collapse", "--clip", "0.5", "--own-level")
    call(*order, "--compile", "--gradient-checkpointing", "--negatives", "own")
    assert heard == [
        st.TrainingConfig(clip=0.5, on_collapse="stop", own_level=True),
        st.TrainingConfig(compile=True, gradient_checkpointing=True, negatives="own"),
    ]


@pytest.mark.slow
@pytest.mark.long
def test_sigterm_in_the_middle_of_a_process(data, tmp_path):
    run = [sys.executable, "-c", "from selftime.cli import main; main()"]
    words = ["pretrain", str(data), "--objective", "simclr", "--budget", "40 steps"]
    words += ["--out", str(tmp_path / "run")]
    pipe = subprocess.PIPE
    with subprocess.Popen([*run, *words], stdout=pipe, stderr=pipe, text=True) as process:
        while len(metrics_in(tmp_path / "run")) < 3 and process.poll() is None:
            time.sleep(0.02)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    again = shlex.split(said.splitlines()[-1].partition("go on with: selftime ")[2])
    done = call(*again)
    assert done.exit_code == 0, done.output
    assert [record["step"] for record in metrics_in(tmp_path / "run")] == list(range(41))
