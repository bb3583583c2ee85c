"""What "auto" chooses: by task, budget and length, each with its reason."""

import re

import numpy as np
import pytest

import selftime
from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.builders import BUILDERS
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.wrappers.projected import Standardised
from selftime.engine import choices
from selftime.engine.choices import Auto, resolve_objective
from selftime.engine.defaults import BEST, LONG, TASKS, default_encoder
from selftime.engine.solve import fit_closed_form
from selftime.engine.training.config import TrainingConfig
from selftime.objectives.formula import takes_steps
from selftime.objectives.registry import OBJECTIVES
from selftime.objectives.spectral import Spectral
from selftime.report.methods import benchmark_results

X = np.random.default_rng(0).normal(size=(6, 1, 24)).astype(np.float32)


def of_length(steps: int) -> SeriesSet:
    return SeriesSet.of(np.zeros((2, 1, steps), np.float32))


def test_the_best_that_takes_steps_is_what_was_measured_to_be():
    rows = benchmark_results()["objective"]
    ranks = {name: row["rank"] for name, row in rows.items() if takes_steps(name)}
    assert min(ranks, key=ranks.get) == BEST
    assert rows["spectral"]["rank"] == 1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("budget", [None, "5 minutes", "5 steps"])
def test_every_choice_is_known_and_says_why(task, budget):
    choice = resolve_objective(Auto(task=task), budget, None)
    assert choice.value in OBJECTIVES and len(choice.reason) > 10
    assert takes_steps(choice.value) or budget != "5 steps"


def test_whole_series_are_learned_in_closed_form_unless_steps_are_asked_for():
    assert resolve_objective(Auto(), None, None).value == "spectral"
    assert resolve_objective("auto", "5 minutes", None).value == "spectral"  # time is a limit
    assert resolve_objective("auto", "50 steps", None).value == BEST
    assert resolve_objective("auto", None, TrainingConfig()).value == BEST
    assert resolve_objective(Auto(task="detect"), None, None).value == "ts2vec"


def test_the_encoder_goes_by_length_and_by_what_it_may_not_see():
    assert default_encoder("simclr", of_length(LONG - 1)).value == "dilated"
    long = default_encoder("simclr", of_length(LONG))
    assert long.value == "transformer" and f"{LONG:,} steps" in long.reason
    assert default_encoder("ts2vec", of_length(LONG)).value == "dilated"
    assert default_encoder("simclr + next_step", of_length(LONG)).value == "dilated_causal"
    assert {"transformer", "dilated", "dilated_causal"} <= set(BUILDERS)


def test_pretrain_takes_a_wish_and_writes_down_what_came_of_it():
    model = selftime.pretrain(X, objective=Auto(task="detect"), budget="1 steps")
    assert model.card["settings"]["objective"] == {
        "value": "ts2vec",
        "reason": "to detect takes a vector for every step",
    }


def test_wish_and_budget_say_whether_steps_are_taken():
    def steps(objective, budget=None) -> bool:
        return takes_steps(str(resolve_objective(objective, budget, None).value))

    assert not steps("auto")
    assert steps(Auto(task="forecast"))
    assert steps("auto", "2 epochs") and not steps("auto", "2 minutes")
    assert steps("simclr + 0.5*mae")


def test_an_unknown_task_is_refused():
    wanted = re.escape("got task 'sell', wanted one of classify, search")
    with pytest.raises(ValueError, match=wanted):
        Auto(task="sell")


def test_long_learning_is_said_first(monkeypatch, caplog):
    """From the seconds of the trials of strengths, which encode a known number of copies."""
    series = SeriesSet.of(np.random.default_rng(0).normal(size=(20, 1, 30)).cumsum(axis=2))
    clock = iter(np.arange(0.0, 1e6, 300.0))
    monkeypatch.setattr(choices.time, "perf_counter", lambda: next(clock))
    choices.resolve(series, scaling.fit_channels(series), "spectral", "quantiles", None, None, 0)
    assert "learning takes about" in caplog.text and "minutes" in caplog.text
    assert choices.time_note(59.0) == []
    assert choices.time_note(600.0) == ["learning takes about 10 minutes"]


def test_copies_that_are_encoded_are_counted(monkeypatch):
    counted = []
    whole = Encoder.embed

    def embed(self, x):
        if isinstance(self, Quantiles):
            counted.append(len(x.values))
        return whole(self, x)

    monkeypatch.setattr(Encoder, "embed", embed)
    series = SeriesSet.of(np.random.default_rng(0).normal(size=(20, 1, 30)).cumsum(axis=2))
    body = Standardised(encoder=Quantiles(channels=1, length=30))
    learner = Spectral(encoder=body, copies=3, dim=64)
    fit_closed_form(learner, series, scaling.fit_channels(series))
    assert sum(counted) == choices.learning_copies(series, 64, 3)
