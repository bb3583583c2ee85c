"""Fitted estimators of every kind and head on small named series; and what they say of new ones.

Run as a program with a folder it opens every estimator in there, in a process of its own, and
writes what each says of the same series with their channels in another order.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import selftime as st
from selftime.tasks.forecasting import network

CHANNELS = ("heat", "force")
N, T = 24, 60


def waves(seed: int, n: int = N, length: int = T) -> st.SeriesSet:
    """Series of two named channels and two kinds."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 2
    t = np.arange(length)
    x = np.stack([np.sin(t * (0.2 + 0.3 * k) + rng.uniform(0, 6)) for k in kinds])
    x = np.stack([x, 5 + 2 * np.roll(x, 3, axis=1)], axis=1)
    labels = np.array(["007", "12"])[kinds]
    return st.SeriesSet.of(x + 0.1 * rng.normal(size=x.shape), labels=labels, channels=CHANNELS)


def turned(series: st.SeriesSet) -> st.SeriesSet:
    """The same series, their channels in another order."""
    return replace(
        series,
        steps=series.steps[:, ::-1].copy(),
        channels=series.channels[::-1],
    )


def flat(found: Any) -> np.ndarray:
    """Any answer as one array."""
    return np.concatenate([np.ravel(part) for part in found]) if len(found) else np.zeros(0)


def fine_tune_briefly(own: Any, on: Any, steps: int, seed: int, **how: Any) -> Any:  # noqa: ARG001
    """Train a forecaster for two steps: a test of what is kept, not of what is learned."""
    return FINE_TUNE(own, on, 2, seed, **how)


FINE_TUNE = network.fine_tune_forecaster


def fitted() -> dict[str, Any]:
    """An estimator of every kind, and of every head that there is.

    Networks that forecast are trained by :func:`fine_tune_briefly` where a test patches it in.
    """
    few = "2 steps"
    x, y = waves(0), np.linspace(0, 1, N)
    fixed = st.pretrain(x, encoder="quantiles")
    steps = st.pretrain(x, objective="ts2vec", budget=few)
    single = st.pretrain(waves(1).values[:, :1], objective="ts2vec", budget=few)
    patches = st.pretrain(waves(1).values[:, :1], objective="masked_patches", budget=few)
    several, of_steps = np.eye(3, dtype=int)[np.arange(N) % 3], [np.arange(T) > 30] * N
    long = waves(2, 2, 200)
    made: dict[str, Any] = {
        f"classifier {head}": st.Classifier(fixed, head=head).fit(x)
        for head in ("linear", "knn", "prototypes", "self_training", "spread")
    }
    made |= {
        f"network {head}": st.Classifier(steps, head=head, strategy="full", budget=few).fit(x)
        for head in ("linear", "mlp", "deep_mlp", "normed_linear", "attention")
    }
    made |= {
        "classifier of several": st.Classifier(fixed).fit(x, several),
        "classifier from scratch": st.Classifier(fixed, strategy="scratch", budget=few).fit(x),
        "classifier with its own model": st.Classifier().fit(x),
        "regressor": st.Regressor(fixed).fit(x, y),
        "regressor of several": st.Regressor(steps, strategy="partial", budget=few).fit(
            x, np.stack([y, y**2], axis=1)
        ),
        "segmenter": st.Segmenter(steps).fit(x, of_steps),
        "segmenter network": st.Segmenter(steps, strategy="full", budget=few).fit(x, of_steps),
        "transformer": st.SelfSupervised(encoder="quantiles").fit(x),
        "forecaster": st.Forecaster(horizon=3).fit(long),
        "forecaster with covariates": st.Forecaster(horizon=3).fit(long, covariates=["heat"]),
        "forecaster with a model": st.Forecaster(single, horizon=3).fit(long),
        "forecaster network": st.Forecaster(single, strategy="head", horizon=3).fit(long),
        "forecaster of patches": st.Forecaster(patches, strategy="full", horizon=3).fit(long),
        "imputer": st.Imputer().fit(long),
        "imputer with a model": st.Imputer(single).fit(long),
        "imputer of whole series": st.Imputer().fit(waves(4, 30, 30)),
        "detector": st.AnomalyDetector().fit(long),
        "detector with a model": st.AnomalyDetector(steps, cool_down=3).fit(long),
    }
    return made


def say(estimator: Any, series: st.SeriesSet, long: st.SeriesSet) -> np.ndarray:
    """What an estimator says of new series, all of it, as one array."""
    words: dict[str, Callable[[], Any]] = {
        "Classifier": lambda: estimator.predict_proba(series),
        "Segmenter": lambda: estimator.predict_proba(series),
        "Regressor": lambda: estimator.predict(series),
        "SelfSupervised": lambda: estimator.transform(series),
        "AnomalyDetector": lambda: estimator.score(long),
        "Forecaster": lambda: forecast(estimator, long),
        "Imputer": lambda: estimator.imputation(holed(long)).quantiles,
    }
    with threadpool_limits(1):  # bits are promised for as many threads
        return flat(words[type(estimator).__name__]())


def holed(long: st.SeriesSet) -> st.SeriesSet:
    """The series with a gap in one channel of each."""
    values = long.values.copy()
    values[:, long.channels.index(CHANNELS[0]), 20:30] = np.nan
    return st.SeriesSet.of(values, channels=long.channels)


def forecast(estimator: Any, long: st.SeriesSet) -> Any:
    """Quantiles of what follows; covariates stay as they were at the end."""
    given = estimator.fitted_.config.covariates
    future = None
    if given:
        at = [long.channels.index(name) for name in given]
        future = st.SeriesSet.of(long.values[:, at, -3:], channels=given)
    return estimator.forecasts(long, future).quantiles


if __name__ == "__main__":
    where = Path(sys.argv[1])
    here, further = turned(waves(5, 6)), turned(waves(6, 2, 150))
    found = {path.name: say(st.load(path), here, further) for path in sorted(where.iterdir())}
    np.savez(sys.argv[2], **found)
