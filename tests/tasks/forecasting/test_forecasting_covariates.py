"""What is known ahead: its effect is found, taken out, added again, or left alone."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.series import SeriesError
from selftime.tasks.forecasting import features as latents
from selftime.tasks.forecasting.backtest import ALONE, PLAIN, backtest
from selftime.tasks.forecasting.covariates import KnownChannels, changes_in, fit_effect
from selftime.tasks.forecasting.folds import cut_folds

H = 8


def driven(steps, seed=0, sign=1.0):
    """A season, a slow walk, and twice the square of something that is known ahead (T,2)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=steps)
    y = np.sin(np.arange(steps) * 2 * np.pi / 12) + 0.05 * np.cumsum(rng.normal(size=steps))
    return np.stack([y + sign * 2 * z**2, z], axis=1)


@pytest.fixture(scope="module", autouse=True)
def few_waves():
    """Features of a fifth of the size: what they are worth is measured in the benchmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "PATCH_WAVES", 40)
        yield


@pytest.fixture(scope="module")
def fitted():
    x = driven(400 + H)
    return x, st.Forecaster(horizon=H, season=12).fit(x[:400].T[None], covariates=("1",))


def test_moments_of_changes_beside_a_loop(np_rng):
    x, z = np_rng.normal(size=(60, 2)), np_rng.normal(size=(60, 1))
    folds = cut_folds([x], 3, look_back=4)
    effect = fit_effect(folds, [z], 5, np.random.default_rng(0))
    found = changes_in(folds, [z], effect, 5, folds.edges, 1)
    features, squares, cross = effect.features(z), 0.0, 0.0
    for t in range(folds.edges[0][1], folds.edges[0][2]):
        squares = squares + (x[t] - x[t - 5]) ** 2
        cross = cross + np.outer(features[t] - features[t - 5], x[t] - x[t - 5])
    np.testing.assert_allclose(found.squares, squares)
    np.testing.assert_allclose(found.cross, cross, atol=1e-9)
    weights = np_rng.normal(size=cross.shape)
    left = 0.0
    for t in range(folds.edges[0][1], folds.edges[0][2]):
        left += np.sum((x[t] - x[t - 5] - (features[t] - features[t - 5]) @ weights) ** 2)
    assert found.error(weights) == pytest.approx(left)


def test_an_effect_that_bends_is_found_under_a_walk():
    x = driven(600)
    folds = cut_folds([x[:, :1]], H)
    found = fit_effect(folds, [x[:, 1:]], 12, np.random.default_rng(0)).of(x[:, 1:])[:, 0]
    assert np.corrcoef(found, 2 * x[:, 1] ** 2)[0, 1] > 0.98


@pytest.mark.late
def test_what_is_known_ahead_makes_forecasts_better(fitted):
    x, forecaster = fitted
    assert "the effect of covariates is taken out and added again" in forecaster.reason_
    found = forecaster.predict(future=x[400:, 1][None, None])
    assert found.shape == (1, 1, H)
    without = st.Forecaster(horizon=H, season=12).fit(x[:400, 0][None]).predict()
    errors = [np.mean((made[0, 0] - x[400:, 0]) ** 2) for made in (found, without)]
    assert errors[0] < 0.2 * errors[1]


def test_intervals_are_those_of_what_is_left(fitted):
    x, forecaster = fitted
    quantiles = forecaster.forecasts(future=x[400:, 1][None, None]).quantiles
    assert np.all(quantiles[0, -1, 0] - quantiles[0, 0, 0] < 4)  # the effect alone spans 6 and more
    assert np.mean((x[400:, 0] > quantiles[0, 0, 0]) & (x[400:, 0] < quantiles[0, -1, 0])) > 0.5


@pytest.mark.late
def test_what_says_nothing_is_left_out(np_rng):
    x = driven(300)
    x[:, 1] = np_rng.normal(size=300)
    forecaster = st.Forecaster(horizon=H, season=12).fit(x.T[None], covariates=("1",))
    assert "covariates were left out" in forecaster.reason_
    ahead = np_rng.normal(size=(1, 1, H))
    without = st.Forecaster(horizon=H, season=12).fit(x[:, 0][None]).predict()
    np.testing.assert_array_equal(forecaster.predict(future=ahead), without)


@pytest.mark.late
def test_what_never_changes_turns_an_effect_round():
    """Series of two kinds, on which the same weather works in opposite ways."""
    kinds = [1.0, -1.0] * 4
    parts = [driven(200 + H, seed, kind) for seed, kind in enumerate(kinds)]
    x = [
        np.vstack([part.T, np.full(200 + H, kind)]) for part, kind in zip(parts, kinds, strict=True)
    ]
    past, future = [part[:, :200] for part in x], np.stack([part[1:2, 200:] for part in x])
    names = {"channels": ("y", "weather", "kind")}
    errors = []
    for given in (("weather",), ("weather", "kind")):
        chosen = [part if "kind" in given else part[:2] for part in past]
        series = st.SeriesSet.of(chosen, channels=names["channels"][: len(chosen[0])])
        forecaster = st.Forecaster(horizon=H, season=12).fit(series, covariates=given)
        ahead = st.SeriesSet.of(future, channels=("weather",))
        made = forecaster.predict(series, future=ahead)[:, 0]
        errors.append(np.mean((made - np.stack([part[0, 200:] for part in x])) ** 2))
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.late
def test_frames_are_matched_by_their_ids():
    rows = []
    for name, seed in (("a", 0), ("b", 1)):
        x = driven(200 + H, seed)
        times = pd.date_range("2026-01-01", periods=200 + H, freq="h")
        rows.append(pd.DataFrame({"unique_id": name, "ds": times, "y": x[:, 0], "z": x[:, 1]}))
    past = pd.concat([part.iloc[:200] for part in rows])
    future = pd.concat([part.iloc[200:][["unique_id", "ds", "z"]] for part in reversed(rows)])
    forecaster = st.Forecaster(horizon=H, season=12).fit(past, covariates=("z",))
    found = forecaster.predict(past, future)
    assert list(found.columns[:3]) == ["unique_id", "ds", "y"] and len(found) == 2 * H
    for part in rows:
        own = found[found.unique_id == part.unique_id.iloc[0]]
        truth = part.y.to_numpy()[200:]
        assert np.mean((own.y.to_numpy() - truth) ** 2) < 0.3 * np.var(truth)


def test_wrong_covariates_are_refused(fitted):
    x, forecaster = fitted
    with pytest.raises(SeriesError, match="got covariates 2 of series with channels 0, 1, wanted"):
        st.Forecaster(horizon=H).fit(x.T[None], covariates=("2",))
    with pytest.raises(SeriesError, match="wanted some of these, each once, and a channel left to"):
        KnownChannels(("0", "1")).targets(st.SeriesSet.of(x.T[None]))
    with pytest.raises(SeriesError, match="got no future of covariate '1', which changes within"):
        forecaster.predict()
    with pytest.raises(
        SeriesError, match="the future lacks 3 of the 8 steps after series '0', wanted"
    ):
        forecaster.predict(future=np.zeros((1, 1, 5)))


@pytest.mark.late
def test_a_backtest_says_what_covariates_are_worth():
    series = st.SeriesSet.of(driven(500).T[None])
    found = backtest(series, [H], covariates=("1",))
    assert found.covariates_used == {H: True}
    assert found.errors[H].mse < 0.3 * found.references[PLAIN][H].mse
    assert found.references[ALONE][H].mse < 0.3 * found.references[PLAIN][H].mse
    assert 0.6 < found.calibrations[H].coverage[0.8] < 0.95
    without = backtest(series[[0]], [H], covariates=("1",), refit=False)
    assert without.fitted_on == "training part" and ALONE not in without.references
    assert without.errors[H] == found.references[ALONE][H]


@pytest.mark.late
def test_commands_take_covariates(tmp_path):
    x = driven(300)
    past, future = tmp_path / "past.csv", tmp_path / "future.csv"
    pd.DataFrame(x[:292], columns=["y", "z"]).to_csv(past, index=False)
    pd.DataFrame(x[292:, 1:], columns=["z"]).to_csv(future, index=False)
    out = tmp_path / "f.csv"
    words = ["forecast", str(past), "--horizon", "8", "--season", "12", "--covariates", "z"]
    result = CliRunner().invoke(app, [*words, "--future", str(future), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert "the effect of covariates is taken out" in json.loads(result.stdout)["features"]
    assert np.mean((pd.read_csv(out)["y"] - x[292:, 0]) ** 2) < 0.3 * np.var(x[292:, 0])
    words = ["backtest", str(past), "--horizons", "8", "--covariates", "z", "--no-refit", "--json"]
    said = json.loads(CliRunner().invoke(app, words).stdout)
    assert said["covariates_used"] == {"8": True} and said["fitted_on"] == "training part"
    assert said["mse"]["8"] < said["references"][PLAIN]["mse"]["8"]
