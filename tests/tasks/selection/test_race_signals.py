"""Races and picks on other kinds than measurements, and tasks that are refused at every door."""

import re

import numpy as np
import pytest
from kind_toys import series_of

import selftime as st
from selftime.tasks.selection.race import DEFAULT_OBJECTIVES, criterion_value, default_contenders


def test_contenders_are_those_that_make_sense():
    assert default_contenders(st.SeriesSet.of(np.ones((2, 9))).kind) == list(DEFAULT_OBJECTIVES)
    of = {name: default_contenders(series_of(name, 2).kind) for name in ("images", "text", "film")}
    assert of["images"] == ["mae", "spectral", "simclr", "vicreg", "masked_patches"]
    assert of["text"] == ["bert", "simclr", "ts2vec", "vicreg", "masked_patches", "cpc"]
    assert of["film"][0] == "right_order"
    with pytest.raises(ValueError, match="got objective='spectral' for text, which has nothing"):
        st.race(series_of("text"), objectives=["bert", "spectral"], minutes=0.01)


@pytest.mark.late
def test_a_race_of_pictures_has_a_winner():
    found = st.race(series_of("images"), objectives=["mae", "vicreg"], minutes=0.02)
    assert {finish.name for finish in found.finishes} == {"mae", "vicreg"}
    assert found.model.kind == series_of("images").kind
    assert np.isfinite(criterion_value(found.model, series_of("images"), 0))


def test_the_best_layer_is_picked_for_texts():
    x = series_of("text", 12)
    model = st.pretrain(x, encoder="gru", budget="1 step")
    found = st.pick(model, x)
    assert found.model.kind == x.kind and found.model.embed(x).shape[0] == 12


DOORS = {
    "detect": lambda x, _: st.detect(x),
    "AnomalyDetector": lambda x, _: st.AnomalyDetector().fit(x),
    "StreamMonitor": lambda _, model: st.StreamMonitor(model),
    "Forecaster": lambda x, _: st.Forecaster(horizon=2).fit(x),
    "backtest": lambda x, _: st.backtest(x, horizons=(2,)),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["images", "text"])
def test_what_cannot_be_forecast_or_watched_is_refused_with_what_can_be_done(door, name):
    x, task = series_of(name, 4), "forecast" if door in ("Forecaster", "backtest") else "detect"
    model = st.pretrain(x, encoder="gru", objective="masked_values", budget="1 step")
    instead = "texts are continued by" if name == "text" else "pictures can be classified"
    text = f"got {name} to {task}, wanted one of series, sound, wave: {instead}"
    with pytest.raises(ValueError, match=re.escape(text)):
        DOORS[door](x, model)
