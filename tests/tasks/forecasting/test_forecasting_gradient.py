"""Forecasts by a patch Transformer: heads, losses, what is trained and what is kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.patchtst import (
    NetworkSize,
    TrainingSteps,
    gradient_rows,
    material_in,
    patch_network,
)
from forecast_material import waves

import selftime as st
from selftime.data.batch import Batch
from selftime.objectives.supervised.heads import AllTokens
from selftime.objectives.supervised.targets import Future
from selftime.tasks.forecasting import network as forecasting_network
from selftime.tasks.forecasting.backtest import errors_of
from selftime.tasks.forecasting.network import (
    NetworkForecaster,
    fine_tune_forecaster,
    mean_and_std,
    validation_error,
    with_head,
)
from selftime.tasks.forecasting.protocols import setting_of

SMALL = NetworkSize(look_back=24, patch=6, dim=8, depth=1, heads=2)


@pytest.fixture(scope="module")
def setting():
    return setting_of(st.SeriesSet.of(waves(600, 2).T[None]), "70-10-20")


@pytest.fixture(scope="module")
def on(setting):
    return material_in(setting, 4, 24)


def test_windows_are_those_of_their_part(setting, on):
    x = setting.values.astype(np.float32)  # training part to step 420, validation part to 480
    origins = range(24, 420 - 4 + 1)
    assert len(on.past) == 2 * len(origins) and len(on.validation_past) == -(-57 // 4)
    for row, o in ((0, 24), (7, 27)):
        c = row % 2
        np.testing.assert_array_equal(on.past[row, 0], x[o - 24 : o, c])
        mean, sd = x[o - 24 : o, c].mean(), (x[o - 24 : o, c].var() + 1e-5) ** 0.5
        np.testing.assert_allclose(on.targets[row, :4], (x[o : o + 4, c] - mean) / sd, rtol=1e-4)
        assert float(on.targets[row, 4]) == pytest.approx(float(sd), rel=1e-5)
    np.testing.assert_array_equal(on.validation_future[1], x[424:428].T)


def test_the_loss_is_the_error_in_units_of_the_series(np_rng):
    outputs, targets = np_rng.normal(size=(3, 2)), np_rng.normal(size=(3, 3))
    total = 0.0
    for b in range(3):
        for h in range(2):
            total += ((outputs[b, h] - targets[b, h]) * targets[b, 2]) ** 2 / 6
    found = Future(2).loss(torch.from_numpy(outputs), torch.from_numpy(targets))
    assert float(found) == pytest.approx(total)


def test_tokens_stand_side_by_side():
    tokens = torch.arange(12.0).view(2, 3, 2)
    found = AllTokens()(tokens, torch.ones(2, 3, dtype=torch.bool))
    assert found.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_forecasts_are_the_map_of_the_tokens_beside_a_loop(np_rng):
    network = with_head(patch_network(SMALL, 0), 24, 4, 0).eval()
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(1))
    past = np_rng.normal(size=(3, 2, 30)).astype(np.float32) + 5
    found = NetworkForecaster(network, 24).predict(past)
    for n in range(3):
        for c in range(2):
            x = torch.from_numpy(past[n, c, 6:])[None, None]
            with torch.no_grad():
                tokens = network.encoder(st_batch(x))[0].flatten()
                outputs = network.head.weight @ tokens + network.head.bias
            level, spread = mean_and_std(past[n : n + 1, c : c + 1, 6:])
            expected = level[0] + spread[0] * outputs.numpy()
            np.testing.assert_allclose(found[n, c], expected, rtol=1e-4, atol=1e-4)


def st_batch(x):
    return Batch(x, torch.ones_like(x, dtype=torch.bool))


@pytest.mark.late
def test_a_head_alone_leaves_the_encoder_and_full_training_does_not(on):
    begun = with_head(patch_network(SMALL, 0), 24, 4, 0)
    for full in (False, True):
        own = fine_tune_forecaster(begun, on, 30, 0, last=None if full else 0)
        before, after = (net.encoder.state_dict() for net in (begun, own))
        same = all(torch.equal(before[name], after[name]) for name in before)
        assert same is not full
        assert validation_error(own, on) < validation_error(begun, on)


def test_the_weights_that_erred_least_are_kept(on, monkeypatch):
    """Errors on the validation part are made up: lowest after 4 of 6 steps."""
    config = replace(forecasting_network.CONFIG, judge_every=2)
    monkeypatch.setattr(forecasting_network, "CONFIG", config)
    said, seen = iter([9.0, 3.0, 1.0, 2.0]), []

    def error(network, on):
        seen.append(network.head.weight.detach().clone())
        return next(said)

    monkeypatch.setattr(forecasting_network, "validation_error", error)
    own = fine_tune_forecaster(with_head(patch_network(SMALL, 0), 24, 4, 0), on, 6, 0, last=0)
    assert len(seen) == 4 and torch.equal(own.head.weight, seen[2])
    assert not torch.equal(seen[2], seen[3])


@pytest.mark.late
def test_an_encoder_may_come_from_another_series(setting):
    steps = TrainingSteps(pretraining=2, head=2, full=2)
    other = setting_of(st.SeriesSet.of(3 - waves(500, 1, seed=5).T[None]), "70-10-20")
    own = gradient_rows(setting, 4, size=SMALL, steps=steps, seed=0)
    moved = gradient_rows(setting, 4, size=SMALL, steps=steps, seed=0, source=other)
    for name in own:
        before, after = (rows[name].network.encoder.state_dict() for rows in (own, moved))
        same = all(torch.equal(before[key], after[key]) for key in before)
        assert same == (name in ("PatchTST supervised", "PatchTST untrained"))


@pytest.mark.late
def test_four_rows_of_one_size_never_see_the_test_part(setting):
    steps = TrainingSteps(pretraining=2, head=4, full=3)
    rows = gradient_rows(setting, 4, size=SMALL, steps=steps, seed=0)
    names = ["frozen", "fine-tuned", "supervised", "untrained"]
    assert list(rows) == [f"PatchTST {name}" for name in names]
    changed = setting.values.copy()
    changed[setting.borders.validation :] = 7.0
    others = gradient_rows(setting._replace(values=changed), 4, size=SMALL, steps=steps, seed=0)
    past = np.random.default_rng(0).normal(size=(2, 2, 24)).astype(np.float32)
    for name, row in rows.items():
        np.testing.assert_array_equal(row.predict(past), others[name].predict(past))
        assert np.isfinite(errors_of(row, setting, 4).mse)
