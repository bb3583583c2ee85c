"""The protocol of the contrastive papers: a ridge from the vector of a single step."""

import numpy as np
import pytest
from benchmarks.per_step import (
    ALPHAS,
    futures,
    per_step_errors,
    step_vectors,
    sums_of,
)
from forecast_material import waves

import selftime as st
from selftime.data.series import SeriesError
from selftime.engine.training.config import Budget
from selftime.tasks.forecasting.protocols import setting_of

H = 4


@pytest.fixture(scope="module")
def setting():
    return setting_of(st.SeriesSet.of(waves(400, 2).T[None]), "70-10-20")


@pytest.fixture(scope="module")
def model(setting):
    part = st.SeriesSet.of(setting.values[: setting.borders.train].T[None])
    windows = st.windows(part, 40, stride=10).select()
    return st.pretrain(
        windows, objective="ts2vec", encoder="dilated_causal", budget=Budget(amount=3)
    )


def test_vectors_know_nothing_of_what_follows(setting, model):
    changed = setting.values.copy()
    changed[250:] += 3
    before, after = step_vectors(model, setting.values), step_vectors(model, changed)
    np.testing.assert_allclose(before[:250], after[:250], atol=1e-5)
    assert np.abs(before[250:] - after[250:]).max() > 0.01


def test_errors_are_those_of_a_ridge_beside_loops(setting, model):
    train, validation, end = setting.borders
    x, V = setting.values, step_vectors(model, setting.values).astype(float)
    rows = {"fit": range(1, train - H + 1), "judge": range(train, validation - H + 1)}
    rows["test"] = range(validation, end - H + 1)
    past = {part: np.array([V[o - 1] for o in origins]) for part, origins in rows.items()}
    ahead = {
        part: np.array([x[o : o + H].T.ravel() for o in origins]) for part, origins in rows.items()
    }
    centre, level = past["fit"].mean(axis=0), ahead["fit"].mean(axis=0)
    found = []
    for alpha in ALPHAS:
        own = past["fit"] - centre
        w = np.linalg.solve(
            own.T @ own + alpha * np.eye(len(own[0])), own.T @ (ahead["fit"] - level)
        )
        miss = {part: (past[part] - centre) @ w + level - ahead[part] for part in rows}
        loss = np.mean(miss["judge"] ** 2) ** 0.5 + np.mean(np.abs(miss["judge"]))
        found.append((loss, np.mean(miss["test"] ** 2), np.mean(np.abs(miss["test"]))))
    errors = per_step_errors(setting, H, model)
    assert errors.mse == pytest.approx(min(found)[1], rel=1e-4)
    assert errors.mae == pytest.approx(min(found)[2], rel=1e-4)


def test_sums_do_not_depend_on_how_steps_are_cut(setting, monkeypatch):
    vectors = setting.values.astype(np.float32)
    whole = sums_of(setting, vectors, H, 1, 280)
    monkeypatch.setattr("benchmarks.per_step.CHUNK", 50)
    for a, b in zip(whole, sums_of(setting, vectors, H, 1, 280), strict=True):
        np.testing.assert_allclose(a, b)
    np.testing.assert_array_equal(futures(setting, H, 5, 7)[1], setting.values[6:10].T.ravel())


@pytest.mark.late
def test_models_that_look_ahead_are_refused(setting):
    part = st.windows(st.SeriesSet.of(setting.values.T[None]), 40, stride=10).select()
    model = st.pretrain(part, encoder="quantiles")
    with pytest.raises(SeriesError, match="got a model whose steps see what follows them, or that"):
        step_vectors(model, setting.values)
