"""Half precision is near full on this machine, or it is refused, said and the run is in full."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from strided_toy import Strided
from training_material import advanced, assert_same_state, config_of, objective_of, waves
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import scaling
from selftime.encoders.base import Encoder
from selftime.engine.training.config import TrainingConfig, parse_budget
from selftime.engine.training.loop import Stopped, run_training
from selftime.engine.training.precision import ERROR_LIMIT, Refused, refusal
from selftime.engine.training.run_folder import Run, RunError, facts_in, metrics_in
from selftime.engine.training.trainer import Trainer
from selftime.estimators import Classifier
from selftime.objectives.simclr import SimCLR

REASON = "bf16 was given, but on this machine embeddings of the first batch are "
OTHER, NONE = "off in it (healthy is at most 10% off)", "no numbers in it"
SAID = ": learning in full precision instead; give precision 'no'"


class Halves(Strided):
    """Right in full precision; in half precision it gives what ``half`` makes of that."""

    half = staticmethod(lambda tokens: tokens)
    modes: tuple[bool, ...] = ()

    def forward(self, x):
        tokens = super().forward(x).float()
        if not torch.is_autocast_enabled("cpu"):
            return tokens
        self.modes += (self.training,)
        return self.half(tokens)


def run_of(half, precision="bf16", **changes):
    encoder = Halves(channels=2)
    encoder.half = half
    series, config = waves(), config_of("simclr", precision=precision, **changes)
    objective, scale = SimCLR(encoder=encoder), scaling.fit_channels(series)
    return Trainer(objective, series, scale, parse_budget("4 steps"), config, 3)


def noise(tokens):
    return torch.randn(tokens.shape, generator=torch.Generator().manual_seed(0))


WRONG = {
    "noise": (noise, OTHER),
    "of other series": (lambda tokens: tokens.flip(0), OTHER),
    "nothing": (torch.zeros_like, "100% " + OTHER),
    "too large": (lambda tokens: tokens * 2 * ERROR_LIMIT + tokens, "20% " + OTHER),
    "infinite": (lambda tokens: tokens / 0, NONE),
    "no number in one": (lambda tokens: tokens.index_fill(0, torch.tensor(1), torch.nan), NONE),
}


@pytest.mark.late
@pytest.mark.parametrize("half, off", WRONG.values(), ids=WRONG)
def test_wrong_half_precision_is_found_and_the_run_is_that_in_full(half, off):
    found, full = run_of(half), run_of(half, "no")
    assert (found.budget, found.config) == (
        full.budget,
        full.config,
    ) and found.accelerator.mixed_precision == "no"
    assert found.refused.value == "no" and full.refused is None
    assert found.refused.reason.startswith(REASON) and off in found.refused.reason
    assert advanced(found, 3) == advanced(full, 3)
    assert_same_state(found.state(), full.state())


def test_right_half_precision_is_used():
    exact, mixed = run_of(None, "no"), run_of(lambda tokens: tokens.bfloat16().float())
    assert mixed.refused is None and mixed.config.precision == "bf16"
    assert mixed.accelerator.mixed_precision == "bf16"
    exact, mixed = advanced(exact, 3), advanced(mixed, 3)
    assert mixed == pytest.approx(exact, rel=0.02) and mixed != exact


def test_the_comparison_is_made_in_use_and_leaves_the_encoder_in_training():
    training = run_of(lambda tokens: tokens)
    encoder = training.objective.encoder
    assert encoder.modes == (False,) and encoder.training
    assert all(weight.grad is None for weight in training.weights)


def test_numbers_that_are_none_are_not_near():
    assert refusal("bf16", 0.0) is None and refusal("bf16", ERROR_LIMIT) is None
    for error in (ERROR_LIMIT + 1e-6, float("nan"), float("inf")):
        assert refusal("bf16", error).value == "no"


@pytest.mark.parametrize("on_collapse", ["warn", "stop"])
def test_the_log_is_told_before_the_first_step_and_it_is_no_collapse(on_collapse):
    told, training = [], run_of(torch.zeros_like, on_collapse=on_collapse)
    run_training(training, callbacks=[told.append])
    message = f"{REASON}100% {OTHER}{SAID}"
    assert told[0]["step"] == 0 and training.step == 4
    assert told[0]["warnings"] == [{"monitor": "precision", "message": message}]
    assert not any("warnings" in record for record in told[1:])


@pytest.fixture
def broken(monkeypatch):
    """A machine on which every encoder gives vectors of other series in half precision."""
    embed = Encoder.embed

    def turned(self, x):
        vectors = embed(self, x)
        return vectors.flip(0) if torch.is_autocast_enabled("cpu") else vectors

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "embed", turned)
        yield patch


X = waves(10, steps=16)
HALF = TrainingConfig(precision="bf16")


def learnt(run=None, config=HALF):
    objective = objective_of("simclr")
    return st.pretrain(X, objective=objective, budget="2 steps", config=config, run=run)


def told_of(folder):
    return [message for r in metrics_in(folder) for message in r.get("warnings", ())]


@pytest.mark.again
def test_the_folder_of_a_run_says_so_and_people_are_warned(broken, tmp_path):
    with pytest.warns(Refused, match=SAID[2:]):
        model = learnt(tmp_path)
    setting = model.card["settings"]["precision"]
    assert setting == facts_in(tmp_path)["settings"]["precision"]
    assert setting["value"] == "no" and setting["reason"].startswith(REASON)
    assert [told["message"] for told in told_of(tmp_path)] == [setting["reason"] + SAID]
    full = learnt(config=None)
    assert (model.embed(X) == full.embed(X)).all()


def stopped(folder):
    """A run that got SIGTERM in its first step."""

    def log(record):
        if record["step"] == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        learnt(Run(folder=folder, log=log))


@pytest.mark.again
def test_a_refused_run_goes_on_to_the_same_bits(broken, tmp_path):
    stopped(tmp_path)
    with pytest.warns(Refused):
        resumed = learnt(tmp_path)
        straight = learnt()
    assert (resumed.embed(X) == straight.embed(X)).all()
    assert len(told_of(tmp_path)) == 1


@pytest.mark.again
def test_a_refused_run_does_not_go_on_in_half_precision_elsewhere(broken, tmp_path):
    stopped(tmp_path)
    broken.undo()
    with pytest.raises(RunError, match="holds a run with precision no, this one has bf16: give"):
        learnt(tmp_path)
    assert len(learnt(tmp_path, None).embed(X)) == 10


@pytest.mark.again
def test_networks_tuned_on_labels_warn(broken):
    y = np.arange(10) % 2
    model = learnt(config=None)
    with pytest.warns(Refused, match=REASON):
        Classifier(model, strategy="full", budget="2 steps", config=HALF).fit(X, y)


@pytest.mark.late
@pytest.mark.again
def test_commands_note_it_on_stderr_once(broken, tmp_path):
    data, out = st.write(X, tmp_path / "x.npz"), tmp_path / "run"
    words = ["pretrain", data, "--objective", "simclr", "--budget", "1 steps", "--out", out]
    result = CliRunner().invoke(app, [str(w) for w in (*words, "--precision", "bf16")])
    assert result.exit_code == 0, result.output
    assert result.stderr.count(f"warning: {REASON}") == 1 and SAID in result.stderr
    assert json.loads((out / "run.json").read_text())["settings"]["precision"]["value"] == "no"
    assert REASON in (out / "report.html").read_text()
