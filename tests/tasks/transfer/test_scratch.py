"""Supervised from scratch: it learns, ends when there is nothing left to learn, and repeats."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.registry import recipe_of
from selftime.encoders.wrappers.projected import Standardised, UnitLength
from selftime.engine.training.trainer import Trainer
from selftime.tasks.transfer import scratch
from selftime.tasks.transfer import tune as tuning
from selftime.tasks.transfer.scratch import FromScratch, network_like, scaled_rows

SMALL = Dilated(channels=1, hidden=8, depth=3, dim=16, seed=2)


def sines(n, seed, channels=1):
    """Rows (n,channels·16) of sines of two speeds with noise, and which speed."""
    rng = np.random.default_rng(seed)
    y = np.array(["slow", "fast"])[np.arange(n) % 2]
    speed = np.where(y == "slow", 0.4, 1.2)[:, None, None]
    x = np.sin(speed * np.arange(16) + rng.uniform(0, 6, size=(n, channels, 1)))
    return (x + 0.1 * rng.normal(size=x.shape)).reshape(n, -1).astype(np.float32), y


def head(**changes):
    return FromScratch(**{"recipe": recipe_of(SMALL), "channels": 1, "steps": 60} | changes)


@pytest.fixture
def steps_taken(monkeypatch):
    """Losses of all steps that are made in a test."""
    losses = []

    def advance(training):
        record = whole(training)
        losses.append(record["loss"])
        return record

    whole = Trainer.advance
    monkeypatch.setattr(Trainer, "advance", advance)
    return losses


@pytest.mark.late
@pytest.mark.again
def test_it_learns_to_tell_waves_apart_and_ends_when_it_can(steps_taken):
    (X, y), (other, truth) = sines(40, 0), sines(60, 1)
    model = head(steps=400).fit(X, y)
    assert model.classes_.tolist() == ["fast", "slow"]
    assert (model.predict(other) == truth).mean() > 0.9
    assert 5 <= len(steps_taken) < 400
    assert max(steps_taken[-5:]) <= tuning.STOP_LOSS < max(steps_taken[-6:-1])


def test_it_takes_no_more_steps_than_it_may(steps_taken):
    head(steps=4).fit(*sines(8, 0))
    assert len(steps_taken) == 4


def test_the_usual_number_of_steps_is_read_when_it_learns(steps_taken, monkeypatch):
    model = head(steps=None)
    monkeypatch.setattr(scratch, "MAX_TRAINING_STEPS", 3)
    model.fit(*sines(8, 0))
    assert len(steps_taken) == 3


@pytest.mark.late
def test_the_same_seed_gives_the_same_bits():
    (X, y), (other, _) = sines(12, 0), sines(20, 1)
    made = head(steps=8, seed=5)
    fits = [m.fit(X, y).network_ for m in (made, clone(made), head(steps=8, seed=6))]
    scores = [network.outputs(batch(other)) for network in fits]
    assert torch.equal(scores[0], scores[1]) and not torch.equal(scores[0], scores[2])
    np.testing.assert_array_equal(made.predict(other), clone(made).fit(X, y).predict(other))


def batch(rows):
    series = SeriesSet.of(rows[:, None])
    return scaling.none().apply(scratch.batch_of(series))


def test_predictions_are_of_the_highest_score():
    X, y = sines(12, 0)
    model = head(steps=8).fit(X, y)
    wanted = model.network_.outputs(batch(X)).argmax(dim=1).numpy()
    np.testing.assert_array_equal(model.predict(X), model.classes_[wanted])


@pytest.mark.late
@pytest.mark.again
def test_missing_values_and_several_channels():
    X, y = sines(40, 0, channels=2)
    X[::3, 5:9] = np.nan  # in the first channel
    X[1::4, -4:] = np.nan  # the end of the second
    two = Dilated(channels=2, hidden=8, depth=3, dim=16, seed=2)
    model = head(recipe=recipe_of(two), channels=2, steps=200).fit(X, y)
    other, truth = sines(40, 3, channels=2)
    other[:, 20] = np.nan
    assert (model.predict(other) == truth).mean() > 0.9


def test_longer_rows_that_end_in_nothing_are_the_same_series():
    X, y = sines(12, 0)
    model = head(steps=8).fit(X, y)
    longer = np.pad(X, ((0, 0), (0, 7)), constant_values=np.nan)
    ours, theirs = (model.network_.outputs(batch(rows)) for rows in (X, longer))
    torch.testing.assert_close(ours, theirs)


def test_the_recipe_is_not_written_into():
    recipe = recipe_of(SMALL)
    before = dict(recipe)
    head(recipe=recipe, steps=2).fit(*sines(8, 0))
    assert recipe == before and SMALL.training


def test_the_network_is_the_trained_part_of_an_encoder():
    ready = UnitLength(encoder=Standardised(encoder=SMALL))
    assert network_like(ready, 1, 16) == recipe_of(SMALL)


@pytest.mark.parametrize("name", ["rocket", "quantiles"])
def test_the_network_is_dilated_where_there_is_none(name):
    encoder = BUILDERS[name](channels=3, length=30)
    usual = BUILDERS["dilated"](channels=3, length=30)
    assert network_like(encoder, 3, 30) == recipe_of(usual)


def test_rows_are_scaled_values_and_nothing_where_nothing_was_observed():
    x = [np.array([[1.0, np.nan, 5.0], [2.0, 4.0, 6.0]]), np.array([[3.0, 7.0], [8.0, 0.0]])]
    series = SeriesSet.of(x)
    rows = scaled_rows(series, scaling.none())
    nan = np.nan
    np.testing.assert_array_equal(rows, [[1, nan, 5, 2, 4, 6], [3, 7, nan, 8, 0, nan]])
    scaled = scaled_rows(series, scaling.fit_channels(series))
    np.testing.assert_allclose(np.nanmean(scaled.reshape(2, 2, 3), axis=(0, 2)), 0, atol=1e-6)
