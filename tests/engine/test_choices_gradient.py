"""Choices of gradient runs: each with a reason, wrong ones refused with what to do."""

import re

import numpy as np
import pytest

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.choices import describe_objective, resolve, resolve_training
from selftime.engine.training.config import TrainingConfig, parse_budget
from selftime.objectives.base import Recipe
from selftime.objectives.simclr import SimCLR
from selftime.objectives.ts2vec import TS2Vec

X = SeriesSet.of(np.random.default_rng(0).normal(size=(6, 2, 16)))
SMALL = Dilated(channels=2, hidden=4, depth=2, dim=6)


def choose(objective, encoder="auto", seed=0):
    scale = scaling.fit_channels(X)
    learner, _, choices = resolve(X, scale, objective, encoder, None, None, seed)
    return learner, choices


@pytest.mark.parametrize("name, kind", [("ts2vec", TS2Vec), ("simclr", SimCLR)])
def test_every_choice_has_a_reason(name, kind):
    learner, choices = choose(name, seed=7)
    assert type(learner) is kind and isinstance(learner.encoder, Dilated)
    assert learner.encoder.channels == 2 and learner.encoder.seed == 7
    assert (choices["objective"].value, choices["objective"].reason) == (name, "given")
    assert choices["encoder"].value == "dilated" and "TS2Vec" in choices["encoder"].reason
    assert choices["method"].value == describe_objective(learner)
    assert choices["method"].value.startswith(f"{kind.__name__}(") and choices["seed"].value == 7
    assert "encoder=" not in choices["method"].value


def test_what_is_given_is_copied():
    learner, choices = choose("simclr", SMALL)
    assert learner.encoder is not SMALL and repr(learner.encoder) == repr(SMALL)
    assert choices["encoder"].value == repr(SMALL) and choices["encoder"].reason == "given"
    ready = SimCLR(encoder=SMALL, temperature=0.7)
    copied, choices = choose(ready)
    assert copied is not ready and copied.temperature == 0.7
    assert choices["objective"].value == repr(ready)


@pytest.mark.parametrize("encoder", [pytest.param("rocket", marks=pytest.mark.slow), "quantiles"])
def test_features_without_weights_cannot_be_trained(encoder):
    text = "SimCLR trains its encoder by gradient, and .* has no weights to train: use "
    text += "encoder='dilated', or objective='spectral'"
    with pytest.raises(ValueError, match=text):
        choose("simclr", encoder)
    ready = SimCLR(encoder=BUILDERS[encoder](channels=2, length=16))
    with pytest.raises(ValueError, match=text):
        choose(ready)


def test_an_encoder_beside_a_ready_objective_is_refused():
    with pytest.raises(ValueError, match="got an objective and an encoder: give the encoder to"):
        choose(SimCLR(encoder=SMALL), "dilated")


@pytest.mark.parametrize("given", [None, TrainingConfig()])
def test_the_usual_training_is_that_of_the_paper(given):
    learner = TS2Vec(encoder=SMALL)
    budget, config, choices = resolve_training(learner, X, None, given)
    assert str(budget) == "200 steps" and config.recipe == TS2Vec.recipe
    assert choices["budget"].reason == "200 steps for up to 100,000 values, 600 for more"
    assert (choices["batch size"].value, choices["batch size"].reason) == (8, "recipe of TS2Vec")
    assert {choices[n].reason for n in ("precision", "accumulate", "clip")} == {"the usual"}
    assert choices["on collapse"].value == "warn"


def test_many_values_take_more_steps():
    many = SeriesSet.of(np.zeros((2, 1, 50_001)))
    assert str(resolve_training(TS2Vec(encoder=SMALL), many, None, None)[0]) == "600 steps"


def test_what_is_given_is_said_to_be_given():
    given = TrainingConfig(recipe=Recipe(rate=0.5), clip=1.0, on_collapse="stop", stop_below=0.2)
    learner = SimCLR(encoder=SMALL)
    budget, config, choices = resolve_training(learner, X, parse_budget("3 epochs"), given)
    assert (budget, config) == (parse_budget("3 epochs"), given)
    for name, value in {
        "budget": "3 epochs",
        "rate": 0.5,
        "clip": 1.0,
        "on collapse": "stop",
        "stop below": 0.2,
    }.items():
        assert (choices[name].value, choices[name].reason) == (value, "given")
    assert choices["precision"].reason == "the usual"
    assert str(resolve_training(learner, X, "5 minutes", None)[0]) == "5 minutes"


def test_a_budget_that_is_none_is_refused():
    text = "got a budget of 'a while', wanted such as '200 steps', '10 epochs' or '2.5 minutes'"
    with pytest.raises(ValueError, match=re.escape(text)):
        resolve_training(SimCLR(encoder=SMALL), X, "a while", None)
