"""Overlap of test series with pretraining and labels is counted, and always said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_material import a_run
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.windows import windows
from selftime.estimators import Classifier
from selftime.report.page.content import Content
from selftime.report.page.page import verdict_of
from selftime.report.page.results import results_section
from selftime.tasks.comparison import compare as rooms
from selftime.tasks.comparison.compare import Comparison, comparison_from_dict, comparison_to_dict
from selftime.tasks.comparison.leaks import Leaks, find_leaks


def waves(n: int, seed: int) -> st.SeriesSet:
    """Noisy sines of two frequencies."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = np.sin((0.4 + 0.4 * y)[:, None] * np.arange(20) + rng.uniform(0, 6, size=(n, 1)))
    return st.SeriesSet.of(x + 0.3 * rng.normal(size=x.shape), np.array(["a", "b"])[y])


def both(first: st.SeriesSet, second: st.SeriesSet) -> st.SeriesSet:
    labels = np.concatenate([first.labels, second.labels])
    return st.SeriesSet.of(np.concatenate([first.values, second.values]), labels)


TRAIN, TEST = waves(16, 0), waves(12, 1)
SEEN = "5 of 12 test series were seen in pretraining: the result is transductive"


@pytest.fixture(scope="module")
def clean():
    return st.pretrain(TRAIN, encoder="quantiles")


@pytest.fixture(scope="module")
def greedy():
    """A model that had some test series in its pretraining."""
    return st.pretrain(both(TRAIN, TEST[::-1][:5]), encoder="quantiles")


def test_nothing_is_said_where_all_is_well(clean):
    leaks = find_leaks(clean, TRAIN, TEST)
    assert leaks == Leaks(test=12, seen=0) and leaks.sentences() == []
    assert json.dumps(leaks.to_dict())


def test_test_series_in_pretraining_are_counted(greedy):
    leaks = find_leaks(greedy, TRAIN, TEST)
    assert (leaks.seen, leaks.doubled) == (5, 0)
    (sentence,) = leaks.sentences()
    assert sentence.startswith(SEEN)
    assert find_leaks(greedy, TRAIN, TEST[:4]).seen == 0


def test_a_model_that_does_not_know_says_so_by_none(greedy):
    assert find_leaks(replace(greedy, fingerprints=None), TRAIN, TEST).seen is None


def test_rows_in_both_parts_are_counted(clean):
    leaks = find_leaks(clean, TRAIN, both(TEST, TRAIN[[2, 7]]))
    assert (leaks.seen, leaks.doubled) == (2, 2)
    assert "2 of 14 test series occur among the labelled ones too" in leaks.sentences()[1]


def test_windows_of_one_recording_on_both_sides_are_noted(clean):
    long = st.SeriesSet.of(np.random.default_rng(0).normal(size=(5, 60)), ids=list("abcde"))
    cut = windows(long, 20, stride=10).select()
    first, second = cut[:17], cut[17:]  # the fourth recording lies in both
    leaks = find_leaks(clean, first, second)
    assert leaks.shared == ("d",) and leaks.doubled == 0
    assert "train and test share 1 groups (d)" in leaks.sentences()[0]
    many = Leaks(test=3, shared=("a", "b", "c", "d", "e")).sentences()[0]
    assert "share 5 groups (a, b, c, …)" in many


@pytest.fixture(scope="module")
def comparison(greedy):
    rows = {
        name: rooms.COMPARISON_ROWS[name]
        for name in ("selftime", "untrained encoder", "raw values")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "COMPARISON_ROWS", rows)
        return st.compare(greedy, TRAIN, TEST, labels_per_class=(1, None), draws=2)


def test_the_comparison_and_its_verdict_say_it(comparison):
    assert comparison.seen == 5
    words = comparison.verdict()
    assert len(words) == 3 and words[-1].startswith(SEEN)
    plain = json.loads(json.dumps(comparison.to_dict()))
    assert plain["leaks"] == {"test": 12, "seen": 5, "doubled": 0, "shared": []}


def test_card_and_report_say_it(comparison):
    assert f"- {SEEN}" in results_section(comparison)
    content = Content(run=a_run(), series=TEST, vectors=np.zeros((12, 2)), comparison=comparison)
    assert SEEN in verdict_of(content).note


def test_score_warns_of_a_given_model_that_had_them(greedy, clean):
    warned = Classifier(greedy).fit(TRAIN)
    with pytest.warns(UserWarning, match=SEEN):
        warned.score(TEST, TEST.labels)
    quiet = Classifier(clean).fit(TRAIN)
    assert quiet.score(TEST, TEST.labels) == np.mean(quiet.predict(TEST) == TEST.labels)


def test_classify_prints_it(greedy, tmp_path):
    greedy.save(tmp_path / "model")
    for name, part in {"train": TRAIN, "test": TEST}.items():
        st.write(part, tmp_path / f"{name}.npz")
    where = [str(tmp_path / name) for name in ("model", "train.npz", "test.npz", "out.csv")]
    words = ["classify", where[0], "--train", where[1], "--test", where[2], "--out", where[3]]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and SEEN in " ".join(result.stdout.split())
    shown = json.loads(CliRunner().invoke(app, [*words, "--force", "--json"]).stdout)
    assert shown["leaks"]["seen"] == 5


@pytest.mark.slow
def test_the_archive_repeats_rows_of_its_training_parts(data_root: Path, clean):
    for name, doubled in {"SwedishLeaf": 2, "FaceAll": 1, "Trace": 0}.items():
        files = (next((data_root / "ucr" / name).glob(f"*_{p}.*")) for p in ("TRAIN", "TEST"))
        train, test = map(st.read, files)
        assert find_leaks(clean, train, test).doubled == doubled, name


def test_leaks_are_kept_in_the_file_of_a_comparison():
    hits = {name: {1: np.eye(4, dtype=bool)[:2]} for name in ("selftime", "untrained encoder")}
    leaks = Leaks(test=4, seen=2, doubled=1, shared=("a", "b"))
    made = Comparison((1,), hits | {"raw values": hits["selftime"]}, {1: 2}, leaks)
    again = comparison_from_dict(json.loads(json.dumps(comparison_to_dict(made))))
    assert again.leaks == leaks and again.verdict() == made.verdict()
    assert comparison_from_dict(comparison_to_dict(replace(made, leaks=None))).leaks is None
