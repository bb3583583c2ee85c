"""Saved estimators: the same bits in another process, plain folders, and foreign ones refused."""

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import kept_material
import numpy as np
import pandas as pd
import pytest
from kept_material import CHANNELS, N, turned, waves
from safetensors.numpy import load_file, save_file
from unsigned import unsigned

import selftime as st
from selftime.data.arrays import SeriesError
from selftime.estimators.keeping import STATE
from selftime.tasks.forecasting import network
from selftime.tasks.probing.heads import HEAD_NAMES


@pytest.fixture(scope="module")
def model():
    return st.pretrain(waves(0), encoder="quantiles")


@pytest.fixture(scope="module")
def classifier(model):
    return st.Classifier(model).fit(waves(0))


@pytest.mark.late
@pytest.mark.again
def test_every_estimator_gives_the_same_bits_in_another_process_by_channels_in_any_order(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(network, "fine_tune_forecaster", kept_material.fine_tune_briefly)
    kept = kept_material.fitted()
    assert {f"classifier {'linear' if h == 'probe' else h}" for h in HEAD_NAMES} <= set(kept)
    for name, estimator in kept.items():
        estimator.save(tmp_path / "kept" / name)
    program = Path(kept_material.__file__)
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "kept"), str(tmp_path / "said.npz")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    said = np.load(tmp_path / "said.npz")
    here, further = waves(5, 6), waves(6, 2, 150)
    assert set(said) == set(kept)
    for name, estimator in kept.items():
        wanted = kept_material.say(estimator, here, further)
        assert len(wanted) and np.isfinite(wanted).all(), name
        np.testing.assert_array_equal(said[name], wanted, err_msg=name, strict=True)


LABELS = {
    "whole numbers": [3, 12],
    "text that looks like numbers": ["007", "7"],
    "yes and no": [False, True],
    "days": [np.datetime64("2024-03-01"), np.datetime64("2024-11-01")],
    "words": ["läuft", "steht"],
}


@pytest.mark.parametrize("name", LABELS)
def test_classes_come_back_in_their_own_type(model, tmp_path, name):
    y = np.array(LABELS[name])[np.arange(N) % 2]
    fitted = st.Classifier(model).fit(waves(0), y)
    same = st.load(fitted.save(tmp_path / "kept"))
    assert same.classes_.dtype == fitted.classes_.dtype
    np.testing.assert_array_equal(same.predict(waves(3)), fitted.predict(waves(3)), strict=True)


def test_a_folder_is_plain(classifier, tmp_path):
    folder = classifier.save(tmp_path / "kept")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "config.json",
        STATE,
        "README.md",
        *(f"model/{name}" for name in ("config.json", "model.safetensors", "README.md")),
        "model/seen.safetensors",
    }
    card = (folder / "README.md").read_text()
    for words in ("A selftime Classifier", "heat, force", "007, 12", "selftime predict"):
        assert words in card
    config = json.loads((folder / "config.json").read_text())
    assert config["estimator"]["channels_"] == list(CHANNELS)
    assert config["estimator"]["classes_"] == {"text": ["007", "12"]}


def test_what_was_loaded_is_what_was_fitted(classifier, tmp_path):
    same = st.load(classifier.save(tmp_path / "kept"))
    assert isinstance(same, st.Classifier)
    assert same.get_params()["head"] == "linear" and same.model is same.model_
    assert (same.strategy_, same.why_) == (classifier.strategy_, classifier.why_)
    again = st.load(same.save(tmp_path / "again"))  # and so on
    x = waves(4)
    np.testing.assert_array_equal(again.predict_proba(x), classifier.predict_proba(x))
    anew = same.fit(waves(0))  # an estimator like any other
    np.testing.assert_array_equal(anew.predict_proba(x), classifier.predict_proba(x))


def test_the_bank_is_stored_once(classifier, tmp_path):
    folder = classifier.save(tmp_path / "kept")
    assert not [name for name in load_file(folder / STATE) if "bank" in name]
    assert st.load(folder).solution_.head.reference_bank is not None


def test_its_model_serves_where_a_model_is_wanted(classifier, tmp_path):
    folder = classifier.save(tmp_path / "kept")
    x = waves(4)
    np.testing.assert_array_equal(
        st.Classifier(folder).fit(waves(0)).predict_proba(x), classifier.predict_proba(x)
    )


@pytest.mark.late
def test_a_detector_without_a_model_serves_for_none(tmp_path):
    folder = st.AnomalyDetector().fit(waves(0, 2, 100)).save(tmp_path / "kept")
    with pytest.raises(st.ModelError, match="holds no model"):
        st.Classifier(folder).fit(waves(0))


def test_columns_are_checked_by_name(classifier, tmp_path):
    same, x = st.load(classifier.save(tmp_path / "kept")), waves(4)
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(N), x.lengths),
            "force": x.steps[:, 1],
            "heat": x.steps[:, 0],
        }
    )
    np.testing.assert_array_equal(same.predict(frame), classifier.predict(x))
    with pytest.raises(SeriesError, match=r"channel 'heat' is missing.*rename 'warmth'"):
        same.predict(frame.rename(columns={"heat": "warmth"}))
    with pytest.raises(SeriesError, match="'more'.*unknown here"):
        same.predict(frame.assign(more=1.0))


@pytest.mark.late
def test_channels_of_fit_count_where_a_model_has_none(tmp_path):
    bare = st.pretrain(waves(0).values, encoder="quantiles")
    fitted = st.Classifier(bare).fit(waves(0))
    same = st.load(fitted.save(tmp_path / "kept"))
    for one in (fitted, same):
        found = one.predict_proba(turned(waves(4)))
        np.testing.assert_array_equal(found, fitted.predict_proba(waves(4)))


@pytest.mark.late
@pytest.mark.again
def test_a_loaded_forecaster_has_no_histories(tmp_path):
    x = waves(0, 2, 120)
    fitted = st.Forecaster(horizon=3).fit(x)
    same = st.load(fitted.save(tmp_path / "kept"))
    np.testing.assert_array_equal(same.predict(x), fitted.predict())
    with pytest.raises(ValueError, match="got no histories.*give them as X"):
        same.predict()
    files = [path.stat().st_size for path in (tmp_path / "kept").iterdir()]
    assert sum(files) < 300_000


def test_folders_in_the_way(classifier, tmp_path):
    folder = classifier.save(tmp_path / "kept")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        classifier.save(folder)
    classifier.save(folder, overwrite=True)
    (tmp_path / "photos").mkdir()
    with pytest.raises(FileExistsError, match="left alone"):
        classifier.save(tmp_path / "photos", overwrite=True)


@pytest.mark.again
def test_no_other_precision(classifier, tmp_path):
    with pytest.raises(ValueError, match="wanted 'full' or 'half'"):
        classifier.save(tmp_path / "more", precision="double")
    assert not (tmp_path / "more").exists()


@pytest.mark.late
def test_half_precision_halves_the_model(tmp_path):
    steps = st.pretrain(waves(0), objective="ts2vec", budget="1 step")
    classifier = st.Classifier(steps).fit(waves(0))
    sizes = {}
    for precision in ("full", "half"):
        folder = classifier.save(tmp_path / precision, precision=precision)
        sizes[precision] = (folder / "model" / "model.safetensors").stat().st_size
    assert sizes["half"] < 0.6 * sizes["full"]
    x = waves(4)
    found = st.load(tmp_path / "half").predict_proba(x)
    np.testing.assert_allclose(found, classifier.predict_proba(x), atol=5e-3)


@pytest.mark.late
def test_objects_cannot_be_kept(tmp_path):
    from selftime.encoders.fixed.quantiles import Quantiles

    encoder = Quantiles(channels=2, length=60)
    fitted = st.SelfSupervised(encoder=encoder).fit(waves(0))
    with pytest.raises(ValueError, match="encoder is a Quantiles, which"):
        fitted.save(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def put(*way):
    """A change of one value in the config."""
    *path, key, value = way

    def change(config):
        for step in path:
            config = config[step]
        config[key] = value

    return change


HEAD = ("estimator", "solution_", "head")
CHANGES = {
    "another format": put("format", 7),
    "no format": lambda config: config.pop("format"),
    "unknown estimator": put("estimator", "kind", "Oracle"),
    "a function": put("estimator", "kind", "os.system"),
    "a record of another floor": put("estimator", {"kind": "AnyClasses", "size": 3}),
    "an estimator that is text": put("estimator", "Classifier"),
    "an unknown head": put(*HEAD, "kind", "RandomForestClassifier"),
    "a head that is none": put(*HEAD, {"kind": "AnyClasses", "size": 2}),
    "an unknown field": put("estimator", "__class__", "int"),
    "a field too few": lambda config: config["estimator"].pop("strategy_"),
    "a number for text": put("estimator", "strategy_", 7),
    "text for a number": put(*HEAD, "temperature_", "0.3"),
    "yes for a number": put("estimator", "random_state", True),
    "nan": put(*HEAD, "temperature_", {"number": "nan"}),
    "a huge number": put(*HEAD, "rounds", 10**12),
    "a tensor that is missing": put(*HEAD, "coef_", {"array": "elsewhere"}),
    "a tensor of another shape": put(*HEAD, "coef_", {"array": "estimator.intercept_"}),
    "a tensor that is a list": put(*HEAD, "coef_", [[1.0, 2.0]]),
    "classes that are too many": put(*HEAD, "classes_", {"text": ["a", "b", "c"]}),
    "classes that are numbers": put("estimator", "classes_", {"text": [1, 2]}),
    "a time of no unit": put("estimator", "classes_", {"array": "x", "type": "datetime64[years]"}),
    "nested deep": put("estimator", "solution_", json.loads("[" * 300 + "]" * 300)),
    "no model": put("model", "none"),
    "an encoder": put("estimator", "solution_", "model", {"kind": "Model", "encoder": "x"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_foreign_configs_are_refused(classifier, tmp_path, name):
    folder = unsigned(classifier.save(tmp_path / "kept"))
    config = json.loads((folder / "config.json").read_text())
    before = copy.deepcopy(config)
    CHANGES[name](config)
    assert config != before
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(st.ModelError, match="kept"):
        st.load(folder)


@pytest.mark.parametrize("change", ["nan", "narrow", "gone", "text", "pickle", "cut"])
def test_foreign_tensors_are_refused(classifier, tmp_path, change):
    folder = unsigned(classifier.save(tmp_path / "kept"))
    state, name = load_file(folder / STATE), "solution_.head.coef_"
    if change in ("nan", "narrow", "gone"):
        coef = state.pop(name)
        changed = {"nan": coef * np.nan, "narrow": coef[:, 1:].copy()}.get(change)
        save_file(state | ({} if changed is None else {name: changed}), folder / STATE)
    else:
        data = {"text": b"hello", "pickle": pickle.dumps(state)}
        whole = (folder / STATE).read_bytes()
        (folder / STATE).write_bytes(data.get(change, whole[: len(whole) // 2]))
    with pytest.raises(st.ModelError, match="kept"):
        st.load(folder)


def test_a_flipped_bit_is_found(classifier, tmp_path):
    folder = classifier.save(tmp_path / "kept")
    data = bytearray((folder / STATE).read_bytes())
    data[-1] ^= 1
    (folder / STATE).write_bytes(data)
    with pytest.raises(st.ModelError, match="kept is damaged .*is not as it was written"):
        st.load(folder)


@pytest.mark.late
@pytest.mark.again
def test_foreign_forecasters_and_detectors_are_refused(tmp_path):
    x = waves(0, 2, 120)
    folder = unsigned(st.Forecaster(horizon=3).fit(x).save(tmp_path / "forecaster"))
    config = json.loads((folder / "config.json").read_text())
    config["estimator"]["fitted_"]["config"]["horizon"] = 9_999_999
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(st.ModelError, match="quantiles of shape"):
        st.load(folder)
    folder = unsigned(st.AnomalyDetector().fit(x).save(tmp_path / "detector"))
    config = json.loads((folder / "config.json").read_text())
    for name, value in (("boundaries_", [500]), ("rate", 7.0), ("channels_", "heat")):
        changed = copy.deepcopy(config)
        changed["estimator"][name] = value
        (folder / "config.json").write_text(json.dumps(changed))
        with pytest.raises(st.ModelError, match="detector"):
            st.load(folder)
