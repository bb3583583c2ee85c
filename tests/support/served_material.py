"""Small saved folders of every kind for the tests of serving, and series as bodies."""

from pathlib import Path
from typing import Any

import numpy as np
from kept_material import N, T, waves

import selftime as st
from selftime.encoders.networks.dilated import Dilated


def save_folders(folder: Path) -> dict[str, str]:
    """Saved folders of every kind, by name."""
    x, long = waves(0), waves(2, 2, 200)
    fixed = st.pretrain(x, encoder="quantiles")
    network = Dilated(channels=2, hidden=8, depth=3, dim=16, causal=True)
    steps = st.pretrain(x, objective="ts2vec", encoder=network, budget="1 steps")
    made: dict[str, Any] = {
        "model": fixed,
        "steps": steps,
        "speakers": st.Classifier(fixed).fit(x),
        "both": st.Classifier(fixed).fit(x, np.eye(3, dtype=int)[np.arange(N) % 3]),
        "wear": st.Regressor(fixed).fit(x, np.linspace(0, 1, N)),
        "phases": st.Segmenter(steps).fit(x, [np.arange(T) > 30] * N),
        "vectors": st.SelfSupervised(encoder="quantiles").fit(x),
        "sales": st.Forecaster(horizon=3).fit(long),
        "sales-with-heat": st.Forecaster(horizon=3).fit(long, covariates=["heat"]),
        "filled": st.Imputer().fit(long),
        "pumps": st.AnomalyDetector().fit(long),
    }
    return {name: str(one.save(folder / name)) for name, one in made.items()}


def body_of(series: st.SeriesSet) -> dict[str, Any]:
    """Series as a body of JSON."""
    values = [
        np.where(np.isnan(part), None, part.astype(object)).tolist()
        for part in (series.series(i) for i in range(len(series)))
    ]
    return {"series": values, "channels": list(series.channels), "ids": series.ids.tolist()}
