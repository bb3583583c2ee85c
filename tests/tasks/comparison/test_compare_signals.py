"""Comparisons of pictures, texts, sounds, waveforms and films: rows that are honest for each."""

import re
from dataclasses import replace

import numpy as np
import pytest
from kind_toys import LETTERS, MAKERS, series_of
from sklearn.linear_model import RidgeClassifierCV

import selftime as st
from selftime.data import scaling
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.engine.model import Model
from selftime.tasks.comparison import compare as rooms
from selftime.tasks.comparison.rows import band_moments, bands_ridge, texts_in, tfidf_ridge
from selftime.tasks.transfer.scratch import network_like

SCRATCH = "supervised from scratch"
NOBODY = Model(Quantiles(channels=1, length=4), scaling.none(), ("a",))
VALUES = ["raw values", "MiniRocket + ridge"]


def test_every_kind_has_the_rows_that_make_sense_for_it():
    rows = {name: list(rooms.rows_of(series_of(name, 2).kind)) for name in MAKERS}
    same = ["selftime", "untrained encoder"]
    assert rows["images"] == rows["film"] == rows["wave"] == [*same, *VALUES, SCRATCH]
    assert rows["text"] == [*same, SCRATCH, "TF-IDF + ridge"]
    assert rows["sound"] == [*same, *VALUES, SCRATCH, "mean log-mel + ridge"]


@pytest.mark.late
@pytest.mark.parametrize("name", MAKERS)
def test_a_comparison_of_every_kind_has_a_verdict(name, monkeypatch):
    train, test = series_of(name, 12), series_of(name, 8, seed=1)
    monkeypatch.setattr("selftime.tasks.transfer.scratch.MAX_TRAINING_STEPS", 2)
    found = st.compare(
        st.pretrain(train, budget="1 step"), train, test, labels_per_class=2, draws=1
    )
    assert list(found.hits) == list(rooms.rows_of(train.kind))
    assert found.verdict()[0].startswith("With 2 labels per class: ")
    assert found.leaks.seen == 0
    plain = "TF-IDF + ridge" if name == "text" else "mean log-mel + ridge"
    if name in ("text", "sound"):
        assert found.accuracy(plain, 2) == 1.0, "letters and bands tell these classes apart"


def test_means_and_deviations_of_bands_equal_a_loop():
    x = series_of("sound", 6)
    wanted = [
        [*(band.mean() for band in one), *(band.std() for band in one)]
        for one in (x.series(i).astype(np.float64) for i in range(6))
    ]
    np.testing.assert_allclose(band_moments(x), wanted, rtol=1e-4, atol=1e-5)
    row = bands_ridge(NOBODY, x, series_of("sound", 4, seed=1))
    assert row.train.shape == (6, 16) and row.test.shape == (4, 16)


def test_ngrams_are_those_of_the_training_texts():
    x, y = series_of("text", 6), series_of("text", 4, seed=1)
    row = tfidf_ridge(NOBODY, x, y)
    texts = texts_in(x)
    assert texts[0] == "".join(LETTERS[int(k)] for k in x.series(0)[0])
    single = [re.sub(" +", " ", text) for text in texts]  # one blank where there are several
    grams = {
        text[i : i + n] for text in single for n in (1, 2, 3) for i in range(len(text) - n + 1)
    }
    assert row.train.shape == (6, len(grams)) and row.test.shape == (4, len(grams))
    head = RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)).fit(row.train, x.labels)
    assert (head.predict(row.test) == y.labels).all()


def test_missing_symbols_are_shown_in_a_text():
    values = np.array([[[1, np.nan, 2.0]], [[3, 4, np.nan]]])
    some = replace(st.SeriesSet.of(values), kind=series_of("text", 2).kind)
    assert texts_in(some) == ["a▁b", "cd▁"]


def test_from_scratch_has_the_usual_network_where_nothing_was_trained():
    x = series_of("sound", 4)
    fixed = st.pretrain(x, objective="spectral", encoder="quantiles").encoder
    assert network_like(fixed, 8, 40, x.kind)["class"] == "Dilated"
    assert network_like(fixed, 1, 3200, series_of("wave", 2).kind)["class"] == "Embedded"


@pytest.mark.late
@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        *[("images", "full"), ("text", "staged"), ("text", "scratch")],
        *[("wave", "partial"), ("film", "probe"), ("film", "adapter")],
    ],
)
def test_strategies_work_for_every_kind(name, strategy):
    x = series_of(name, 12)
    model = st.pretrain(x, budget="1 step")
    fitted = st.Classifier(
        model, strategy=strategy, budget=None if strategy == "probe" else "2 steps"
    )
    fitted.fit(x, x.labels)
    assert set(fitted.predict(series_of(name, 4, seed=1))) <= {"left", "right"}


@pytest.mark.late
def test_evaluation_of_a_picture_classifier(tmp_path):
    x, y = series_of("images", 24), series_of("images", 12, seed=1)
    model = st.pretrain(x, budget="2 steps")
    fitted = st.Classifier(model).fit(x, x.labels)
    assert st.evaluate(model, fitted, x, y).accuracy >= 0.9, "bars at the left or at the right"
    same = st.load(fitted.save(tmp_path / "it"))
    assert (same.predict(y) == fitted.predict(y)).all()


@pytest.mark.late
def test_a_test_part_in_other_patches_is_judged_like_the_training_part(monkeypatch):
    few = ("selftime", "untrained encoder", "raw values")
    rows = {name: make for name, make in rooms.COMPARISON_ROWS.items() if name in few}
    monkeypatch.setattr(rooms, "COMPARISON_ROWS", rows)
    train, test = series_of("images", 12), series_of("images", 8, seed=1)
    model = st.pretrain(train, objective="simclr", budget="1 step", progress=False)
    alike, other = (
        st.compare(model, train, part, labels_per_class=2, draws=1, progress=False)
        for part in (test, st.read(test, patch=4))
    )
    for name in few:
        assert np.array_equal(alike.hits[name][2], other.hits[name][2])
