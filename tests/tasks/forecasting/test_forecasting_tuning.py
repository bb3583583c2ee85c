"""Pretrained models as forecasters: what they are shown, what is trained, what is refused."""

from functools import partial

import numpy as np
import pytest
import torch
from benchmarks.patchtst import NetworkSize, patch_network
from forecast_material import waves

import selftime as st
from selftime.data.batch import Batch
from selftime.data.series import SeriesError
from selftime.engine.training.config import Budget
from selftime.objectives.masked_patches import MaskedPatches
from selftime.tasks.forecasting import fitting
from selftime.tasks.forecasting.features import ModelVectors
from selftime.tasks.forecasting.folds import cut_folds
from selftime.tasks.forecasting.network import (
    TrainingSteps,
    bare_encoder,
    fine_tune_forecaster,
    finetune_forecaster,
    look_back_of,
    training_windows,
    with_head,
)
from selftime.tasks.forecasting.protocols import channel_scale

SIZE = NetworkSize(look_back=24, patch=6, dim=8, depth=2, heads=2)
SHORT = TrainingSteps(head=30, full=30)
LEVELS = (0.1, 0.9)


@pytest.fixture(scope="module")
def history():
    return waves(400, 2)


@pytest.fixture(scope="module")
def patched(history):
    """A patch Transformer of one channel, after a few steps on hidden patches."""
    windows = st.windows(st.SeriesSet.of(history[:, 0][None]), 24, stride=4).select()
    objective = MaskedPatches(encoder=patch_network(SIZE, 0), patch=6, seed=0)
    return st.pretrain(windows, objective=objective, budget=Budget(amount=4))


@pytest.fixture(scope="module")
def closed(history):
    windows = st.windows(st.SeriesSet.of(5000 + 300 * history[:, 0][None]), 24, stride=4).select()
    return st.pretrain(windows, encoder="quantiles")


def test_a_model_is_shown_windows_as_its_encoder_knows_them(closed, np_rng):
    """In any units: the encoder sees the last 24 steps at mean 0 and deviation 1."""
    past = np_rng.normal(size=(3, 2, 40)).astype(np.float32)
    found = ModelVectors(closed, 2).of(past)
    for n in range(3):
        for c in range(2):
            x = past[n, c, -24:]
            own = x.std() + 0.01
            unit = torch.from_numpy((x - x.mean()) / own)[None, None]
            with torch.no_grad():
                vector = closed.encoder.embed(Batch(unit, torch.ones_like(unit).bool()))[0]
            np.testing.assert_allclose(found[n, c], vector * own, atol=1e-5)
    assert (found.std(axis=(0, 1)) > 0.01).mean() > 0.5  # windows differ, so do their vectors


@pytest.mark.late
@pytest.mark.parametrize("strategy", ["head", "partial", "full"])
def test_strategies_train_what_they_say(patched, history, strategy):
    found = finetune_forecaster([history], 6, patched, strategy, levels=LEVELS, steps=SHORT)
    before = bare_encoder(patched).state_dict()
    after = found.forecaster.network.encoder.state_dict()
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    if strategy == "head":
        assert not changed
    assert found.predict([history]).shape == (1, 3, 2, 6)
    assert found.reason.startswith(f"strategy {strategy}: ")


@pytest.mark.late
def test_partial_training_moves_the_last_block_alone(history):
    on = training_windows(cut_folds([channel_scale(history).apply(history)], 6, look_back=24))
    begun = with_head(patch_network(SIZE, 0), 24, 6, 0)
    own = fine_tune_forecaster(begun, on, 60, 0, last=1)
    *earlier, last = zip(begun.encoder.blocks(), own.encoder.blocks(), strict=True)
    assert len(earlier) >= 1
    for before, after in earlier:
        assert all(map(torch.equal, before.parameters(), after.parameters()))
    assert not all(map(torch.equal, last[0].parameters(), last[1].parameters()))


@pytest.mark.late
def test_full_training_moves_the_encoder_and_the_model_stays(patched, history):
    before = {name: weight.clone() for name, weight in patched.encoder.state_dict().items()}
    told = []
    given = {"levels": LEVELS, "steps": SHORT, "progress": lambda *at: told.append(at[:3])}
    found = finetune_forecaster([history], 6, patched, "full", **given)
    stages = (("training a head", SHORT.head), ("training with the model", SHORT.full))
    assert told == [(name, i, of) for name, of in stages for i in range(of + 1)]
    own = found.forecaster.network.encoder.state_dict()
    first = bare_encoder(patched).state_dict()
    assert any(not torch.equal(own[name], weight) for name, weight in first.items())
    for name, weight in patched.encoder.state_dict().items():
        assert torch.equal(weight, before[name])


@pytest.mark.slow
def test_a_trained_head_forecasts_better_than_the_last_value(patched, history):
    steps = TrainingSteps(head=300, full=0)
    found = finetune_forecaster([history[:380]], 6, patched, "head", levels=LEVELS, steps=steps)
    made, truth = found.predict([history[:380]])[0, 0], history[380:386].T
    assert np.mean((made - truth) ** 2) < 0.5 * np.mean((history[379][:, None] - truth) ** 2)


def test_intervals_are_quantiles_of_what_was_held_out(patched, history):
    found = finetune_forecaster([history], 6, patched, "head", levels=LEVELS, steps=SHORT)
    scaled = channel_scale(history).apply(history)
    assert found.offsets.shape == (2, 2, 6) and np.all(found.offsets[0] < found.offsets[1])
    low, high = found.predict([history])[0, 1:]
    middle = found.predict([history])[0, 0]
    spread = scaled[-24:].std(axis=0) + 0.05
    unit = channel_scale(history).sd * spread
    np.testing.assert_allclose(low, middle + found.offsets[0] * unit[:, None], rtol=1e-4)
    np.testing.assert_allclose(high, middle + found.offsets[1] * unit[:, None], rtol=1e-4)


@pytest.mark.late
def test_closed_models_can_be_trained_on(closed, history):
    found = finetune_forecaster([history], 6, closed, "full", levels=LEVELS, steps=SHORT)
    assert np.isfinite(found.predict([history])).all()


def test_the_estimator_takes_a_strategy(patched, history, monkeypatch):
    monkeypatch.setattr(fitting, "finetune_forecaster", partial(finetune_forecaster, steps=SHORT))
    forecaster = st.Forecaster(patched, strategy="head", horizon=6)
    found = forecaster.fit(history.T[None])
    assert found.predict().shape == (1, 2, 6) and "strategy head" in found.reason_


def test_what_cannot_be_trained_is_refused(closed, history):
    x = history.T[None]
    with pytest.raises(ValueError, match="got strategy 'deep', wanted one of probe, head, partial"):
        st.Forecaster(closed, strategy="deep", horizon=6).fit(x)
    with pytest.raises(
        ValueError, match="got strategy 'full' with no model, wanted a model of one"
    ):
        st.Forecaster(strategy="full", horizon=6).fit(x)
    with pytest.raises(ValueError, match="got strategy 'full' with covariates 1, wanted none"):
        st.Forecaster(closed, strategy="full", horizon=6).fit(x, covariates=("1",))
    with pytest.raises(SeriesError, match="got series of 40 steps, wanted at least 64 for horizon"):
        look_back_of(closed, [history[:40]], 20)
