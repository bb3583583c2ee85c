"""Pretraining on pictures, texts, sounds, waveforms and films: choices, refusals, folders."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from kind_toys import MAKERS, series_of

import selftime as st
from selftime.data import scaling
from selftime.data.signals import Measurements, Wave
from selftime.encoders.wrappers.layered import Layered, network_of
from selftime.engine import defaults
from selftime.engine.choices import resolve
from selftime.engine.defaults import USUAL, check_task, default_encoder
from selftime.engine.monitoring.monitors import monitor_of
from selftime.objectives.formula import build_objective, objectives_for
from selftime.objectives.registry import OBJECTIVES
from selftime.views.registry import view_of

BY_GRADIENT = [name for name in MAKERS if name != "sound"]


@pytest.mark.late
@pytest.mark.parametrize("name", BY_GRADIENT)
def test_auto_learns_a_model_of_every_kind_that_comes_back_from_its_folder(name, tmp_path):
    x = series_of(name)
    model = st.pretrain(x, budget="1 step")
    settings = model.card["settings"]
    assert settings["objective"]["value"] == USUAL[name].gradient.value
    assert settings["encoder"]["value"] == USUAL[name].encoder.value
    same = st.load(model.save(tmp_path / "model"))
    assert same.kind == model.kind == x.kind
    assert np.array_equal(same.embed(x), model.embed(x))
    assert same.seen(x).all()


@pytest.mark.late
@pytest.mark.parametrize("name", ["sound", "film"])
def test_closed_forms_learn_from_what_has_a_size(name):
    x = series_of(name)
    model = st.pretrain(x, objective="spectral")
    assert model.kind == x.kind and model.embed(x).shape == (16, model.dim)
    strength = model.card["settings"]["strength"]["value"]
    assert strength in (0.25, 0.5, 1.0)
    if name == "film":
        assert len(x.channels) == 64 and model.card["settings"]["beside"]["value"] == "quantiles"


def test_where_steps_are_asked_for_sounds_are_learned_by_cpc():
    model = st.pretrain(series_of("sound"), budget="1 step")
    assert model.card["settings"]["objective"]["value"] == "cpc"
    assert default_encoder("cpc", series_of("wave")).value == "cpc_audio"
    assert default_encoder("next_step", series_of("text")).value == "dilated_causal"


@pytest.mark.parametrize(
    ("name", "objective", "meant"),
    [
        ("images", "cpc", "mae"),
        ("images", "simclr + 0.5*right_order", "vicreg"),
        ("text", "spectral", "bert"),
        ("film", "tf_c", "arrow_of_time"),
    ],
)
def test_a_pair_that_makes_no_sense_is_refused_with_those_that_do(name, objective, meant):
    wrong = objective.split("*")[-1]
    text = f"got objective='{wrong}' for {name}, which has nothing to learn there, wanted one of "
    with pytest.raises(ValueError, match=re.escape(text)) as raised:
        st.pretrain(series_of(name), objective=objective)
    assert meant in str(raised.value).split("wanted one of")[1]
    assert wrong not in str(raised.value).split("wanted one of")[1].split(", ")


def test_a_ready_objective_is_refused_too():
    encoder = st.pretrain(series_of("images"), budget="1 step").encoder
    ready = OBJECTIVES["segment_order"](encoder=encoder)
    with pytest.raises(ValueError, match="got SegmentOrder for images, which has nothing to learn"):
        st.pretrain(series_of("images"), objective=ready)


@pytest.mark.parametrize("name", ["images", "text", "film"])
@pytest.mark.parametrize("task", ["forecast", "detect"])
def test_tasks_that_make_no_sense_are_refused_with_a_remedy(name, task):
    text = f"got {name} to {task}, wanted one of series, sound, wave: "
    with pytest.raises(ValueError, match=text):
        st.pretrain(series_of(name), objective=st.Auto(task=task))
    check_task("classify", series_of(name).kind)
    assert st.Auto(task=task).objective(takes_steps=False, kind=Wave(rate=8000)).value == "cpc"


@pytest.mark.parametrize("name", ["images", "text", "film"])
def test_a_token_that_stands_for_itself_is_a_patch(name):
    x = series_of(name)
    found = resolve(x, scaling.fit(x), "masked_patches", "auto", "1 step", None, 0)[0]
    assert found.patch == found.encoder.stride == 1
    learner = resolve(x, scaling.fit(x), "next_step", "auto", "1 step", None, 0)[0]
    assert learner.frame == 1


def test_settings_of_measurements_stay_those_of_the_signature():
    encoder = st.pretrain(st.SeriesSet.of(np.eye(4, 30)), budget="1 step").encoder
    for name in objectives_for(Measurements()):
        if name in ("vicreg", "dino", "tf_c"):
            made = build_objective(name, network_of(encoder), length=30)
            usual = OBJECTIVES[name](encoder=network_of(encoder))
            assert repr(made) == repr(usual)


def test_monitors_see_the_view_of_the_kind():
    x = series_of("text")
    monitor = monitor_of(x, scaling.fit(x), 0)
    assert torch.equal(monitor.view.values, monitor.view.values.round())
    assert not torch.equal(monitor.view.observed, monitor.x.observed)
    assert repr(view_of(x.kind, strength=0.5)).startswith(
        "Chain(views=(swap_neighbours(chance=0.05)"
    )


def test_a_middle_layer_is_read_where_the_table_says_so(monkeypatch):
    usual = replace(USUAL["images"], layer=0.5)
    monkeypatch.setitem(defaults.USUAL, "images", usual)
    x = series_of("images")
    model = st.pretrain(x, budget="1 step")
    assert model.card["settings"]["layer"]["value"] == 2
    layered = [part for part in model.encoder.modules() if isinstance(part, Layered)]
    assert [part.layer for part in layered] == [2]
    further = st.pretrain(x, objective="mae", encoder=model, budget="1 step")
    assert type(network_of(further.encoder)).__name__ == "Transformer"
    other = st.pretrain(x, objective="vicreg", budget="1 step")
    assert "layer" not in other.card["settings"], "vicreg has no decoder to serve"


def test_models_go_on_and_adapt_within_their_kind():
    x = series_of("film")
    model = st.pretrain(x, budget="1 step")
    again = st.pretrain(series_of("film", seed=1), encoder=model, budget="1 step")
    assert again.kind == x.kind
    other = replace(y := series_of("film", seed=2), steps=3 * y.steps + 1)
    adapted = st.adapt(model, other)
    assert adapted.kind == x.kind and adapted.scaling == scaling.fit(other) != model.scaling
    with pytest.raises(st.SeriesError, match="got images, wanted film"):
        st.adapt(model, series_of("images"))
    with pytest.raises(ValueError, match="film"):
        st.pretrain(series_of("images"), encoder=model, budget="1 step")


def test_a_share_of_a_text_is_held_out_and_the_weights_that_read_it_best_are_kept(tmp_path):
    x, config = series_of("text", 40), st.TrainingConfig(judge_every=2)
    run = st.Run(folder=tmp_path / "run")
    small = st.pretrain(x, encoder="gru", budget="6 steps", config=config, run=run)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    read = {record["step"]: record.get("held_out_loss") for record in map(json.loads, lines)}
    assert [step for step, loss in read.items() if loss is not None] == [0, 2, 4, 6]
    known = {step: loss for step, loss in read.items() if loss is not None}
    best = min(known, key=lambda step: known[step])
    figures = small.card["figures"]
    assert figures["step of it"] == best
    assert figures["held-out loss"] == pytest.approx(known[best], abs=1e-4)
    assert small.card["settings"]["hold out"]["value"] == 0.1


@pytest.mark.late
def test_a_run_with_held_out_series_goes_on_as_if_it_had_never_stopped(tmp_path):
    x, config = series_of("images", 40), st.TrainingConfig(judge_every=2, hold_out=0.2)

    def stop_at_5(record):
        if record["step"] == 5:
            raise KeyboardInterrupt

    whole = st.pretrain(x, objective="vicreg", budget="8 steps", config=config)
    run = st.Run(folder=tmp_path / "run", log=stop_at_5)
    with pytest.raises(KeyboardInterrupt):
        st.pretrain(x, objective="vicreg", budget="8 steps", config=config, run=run)
    rest = st.pretrain(x, objective="vicreg", budget="8 steps", config=config, run=tmp_path / "run")
    assert np.array_equal(rest.embed(x), whole.embed(x))
    assert rest.card["figures"]["step of it"] == whole.card["figures"]["step of it"]


@pytest.mark.late
def test_a_voice_of_its_own_is_not_read_where_levels_tell_nothing(tmp_path):
    x, config = series_of("sound"), st.TrainingConfig(own_level=True)
    bands = np.random.default_rng(1).normal(size=x.n_channels)
    louder = replace(x, steps=(x.steps + bands).astype(np.float32))
    usual = st.pretrain(x, encoder="gru", budget="2 steps")
    model = st.load(
        st.pretrain(x, encoder="gru", budget="2 steps", config=config).save(tmp_path / "model")
    )
    assert model.card["settings"]["own level"] == {"value": True, "reason": "given"}
    np.testing.assert_allclose(model.embed(louder), model.embed(x), atol=1e-3)
    assert np.abs(usual.embed(louder) - usual.embed(x)).max() > 0.1
    further = st.pretrain(x, encoder=model, objective="cpc", budget="1 step")
    assert further.scaling == model.scaling
    with pytest.raises(ValueError, match="got text to count from the mean of each channel"):
        st.pretrain(series_of("text"), objective="simclr", budget="1 step", config=config)


def test_nothing_is_held_out_of_series_unless_asked():
    x = st.SeriesSet.of(np.random.default_rng(0).normal(size=(20, 1, 30)))
    assert "hold out" not in st.pretrain(x, budget="1 step").card["settings"]
    with pytest.raises(ValueError, match="got hold_out 1.5, wanted a share from 0 to below 1"):
        st.TrainingConfig(hold_out=1.5)


def test_a_model_reads_what_it_learned_from(tmp_path):
    texts = series_of("text")
    model = st.pretrain(texts, objective="simclr", budget="1 step", progress=False)
    said = ["abba", "a cab"]
    assert np.array_equal(model.embed(said), model.embed(st.read(said, kind=model.kind)))
    assert st.embed(model, said).vectors.shape == (2, model.dim)
    found = st.Classifier(model).fit(texts).predict(said)
    assert len(found) == 2 and set(found) <= {"left", "right"}
    again = st.Classifier(model).fit(texts).set_params(model=None, budget=None)
    numbers = np.random.default_rng(0).normal(size=(6, 1, 30))
    assert again.fit(numbers, [0, 1] * 3).model_.kind.name == "series"
    pictures = series_of("images")
    model = st.pretrain(pictures, objective="simclr", budget="1 step", progress=False)
    assert model.embed(np.zeros((3, 16, 16), np.uint8)).shape == (3, model.dim)


def test_pixels_that_are_often_alike_are_no_marks_of_missing_values(caplog):
    x = series_of("images", 40)
    steps = x.steps.copy()
    steps[::9, 0] = -999.0
    marked = replace(x, steps=steps)
    st.pretrain(replace(marked, kind=Measurements()), objective="spectral", encoder="quantiles")
    assert "-999" in caplog.text
    caplog.clear()
    st.pretrain(marked, objective="spectral", encoder="quantiles")
    assert "-999" not in caplog.text
