"""Suggestions: the greedy sum beside loops; coverage, uncertainty and words."""

import json
from dataclasses import replace

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import selftime
from selftime.cli import app
from selftime.data.series import SeriesError, SeriesSet
from selftime.tasks.selection import suggest as room
from selftime.tasks.selection.suggest import (
    cosine_similarities,
    facility_location,
    nearest_counts,
    suggest,
    uncertainty,
)

KINDS = np.random.default_rng(5).normal(size=(4, 30)).cumsum(axis=1)


def series_of(counts: list[int], seed: int = 0, noise: float = 0.2) -> SeriesSet:
    """So many noisy copies of each kind, with their kinds as labels."""
    kinds = np.repeat(np.arange(len(counts)), counts)
    x = KINDS[kinds] + noise * np.random.default_rng(seed).normal(size=(len(kinds), 30))
    return SeriesSet.of(x, [f"kind {k}" for k in kinds], ids=[f"s{i}" for i in range(len(kinds))])


X = series_of([12, 9, 6, 3])


@pytest.fixture(scope="module")
def model():
    return selftime.pretrain(X, encoder="quantiles")


def greedy_by_loops(similarity, n, weight, covered):
    """Every row is tried at every step, the whole sum counted anew."""

    def total(rows):
        out = 0.0
        for i in range(len(similarity)):
            out += weight[i] * max([covered[i], *(similarity[i][s] for s in rows)])
        return out

    chosen = []
    for _ in range(n):
        rest = [j for j in range(len(similarity)) if j not in chosen]
        sums = [total([*chosen, j]) for j in rest]
        chosen.append(rest[int(np.argmax(np.round(sums, 9)))])
    return chosen


@given(st.integers(2, 12), st.integers(0, 100))
@examples(40)
def test_it_is_the_greedy_of_the_loops(size, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(size, 3)).astype(np.float32)
    similarity, _ = cosine_similarities(vectors, None)
    weight, covered = rng.random(size) + 0.1, rng.uniform(-1, 0.9, size)
    n = int(rng.integers(1, size + 1))
    chosen = facility_location(similarity, n, weight=weight, covered=covered).tolist()
    assert len(set(chosen)) == n
    wanted = greedy_by_loops(similarity.astype(np.float64), n, weight, covered)
    values = [worth(similarity, rows, weight, covered) for rows in (chosen, wanted)]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def worth(similarity, rows, weight, covered):
    return float((weight * np.maximum(covered, similarity[:, rows].max(axis=1))).sum())


def test_likeness_is_the_cosine_around_the_mean():
    rng = np.random.default_rng(0)
    vectors, known = (rng.normal(size=(n, 4)).astype(np.float32) for n in (5, 2))
    similarity, covered = cosine_similarities(vectors, known)
    centre = vectors.astype(np.float64).mean(axis=0)

    def cosine(a, b):
        return (a - centre) @ (b - centre) / np.linalg.norm(a - centre) / np.linalg.norm(b - centre)

    for i in range(5):
        assert similarity[i].tolist() == pytest.approx(
            [cosine(vectors[i], v) for v in vectors], abs=1e-5
        )
        assert covered[i] == pytest.approx(max(cosine(vectors[i], k) for k in known), abs=1e-5)


def test_one_of_each_kind_comes_first_and_the_largest_before_all(model):
    found = suggest(model, X, n=4)
    assert sorted(X.labels[found.rows]) == ["kind 0", "kind 1", "kind 2", "kind 3"]
    assert X.labels[found.rows[0]] in ("kind 0", "kind 1")
    assert found.ids.tolist() == [f"s{row}" for row in found.rows]
    assert found.stands_for.sum() == 30


def test_fewer_are_the_first_of_more(model):
    many = suggest(model, X, n=12)
    assert suggest(model, X, n=5).rows.tolist() == many.rows[:5].tolist()
    assert len(set(many.rows.tolist())) == len(many) == 12


def test_labels_of_the_series_are_not_read(model):
    bare = replace(X, labels=None)
    assert suggest(model, bare, n=6).rows.tolist() == suggest(model, X, n=6).rows.tolist()


def test_what_is_labelled_counts_as_chosen(model):
    known = X[[0, 1, 12, 13]]  # two of each of the first two kinds
    found = suggest(model, X, n=2, labelled=known)
    assert sorted(X.labels[found.rows]) == ["kind 2", "kind 3"]
    everything = suggest(model, X, n=26, labelled=known)
    assert not set(everything.rows.tolist()) & {0, 1, 12, 13}


def test_with_two_labels_a_class_uncertainty_counts_and_is_said(model):
    known = X[[0, 1, 12, 13]]
    assert all(
        "unsure between kind" in reason for reason in suggest(model, X, labelled=known).reasons
    )
    few = suggest(model, X, labelled=X[[0, 12]])
    assert not any("unsure" in reason for reason in few.reasons)


def test_uncertainty_is_one_less_the_margin_over_its_mean():
    probabilities = np.array([[0.5, 0.5, 0.0], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    raw = np.array([1.0, 0.3, 0.5])
    np.testing.assert_allclose(uncertainty(probabilities), 0.3 + raw / raw.mean())
    np.testing.assert_allclose(uncertainty(np.array([[1.0, 0.0]])), 1.3)  # certain of all: equal


def test_uncertainty_moves_the_choice():
    """Two pairs of similar series: the uncertain one comes first."""
    similarity = np.array([[1, 0.9, 0, 0], [0.9, 1, 0, 0], [0, 0, 1, 0.9], [0, 0, 0.9, 1]])
    covered = np.zeros(4)
    for weight, first in (([1, 1, 0.9, 0.9], 0), ([0.9, 0.9, 1, 1], 2)):
        chosen = facility_location(similarity, 1, weight=np.array(weight), covered=covered)
        assert chosen.tolist() == [first]


def test_a_series_stands_for_those_nearest_to_it():
    similarity = np.array([[1.0, 0.2], [0.8, 0.3], [0.1, 1.0], [0.4, 0.3]])
    assert nearest_counts(similarity, np.full(4, -1.0)).tolist() == [3, 1]
    assert nearest_counts(similarity, np.array([-1, -1, -1, 0.5])).tolist() == [2, 1]


def test_of_many_series_some_are_drawn_by_the_seed(model, monkeypatch):
    monkeypatch.setattr(room, "POOL", 10)
    one, same, other = (suggest(model, X, n=4, seed=seed).rows.tolist() for seed in (0, 0, 1))
    assert one == same != other
    assert len(suggest(model, X, n=12)) == 12  # never fewer than asked for


@pytest.mark.parametrize("n", [0, 31])
def test_more_than_there_are_is_refused(model, n):
    with pytest.raises(SeriesError, match=f"got n={n}, but 30 series are without a label: ask"):
        suggest(model, X, n=n)


def test_labelled_series_need_labels(model):
    with pytest.raises(SeriesError, match="labelled has no labels, wanted one for some series"):
        suggest(model, X, n=2, labelled=replace(X, labels=None))


def test_it_beats_random_choice_where_kinds_are_unequal(model):
    """Probe accuracy with 4 labels; kinds of 12, 9, 6 and 3 series, new ones to judge by."""
    new = series_of([10, 10, 10, 10], seed=1)

    def accuracy(rows):
        clf = selftime.Classifier(model).fit(X[rows])
        return np.mean(clf.predict(new) == new.labels)

    ours = accuracy(suggest(model, X, n=4).rows)
    lots = [accuracy(np.random.default_rng(s).permutation(30)[:4]) for s in range(10)]
    assert ours > 0.95 and ours > np.mean(lots) + 0.1


def test_the_command_writes_a_list_to_fill_in(model, tmp_path):
    model.save(tmp_path / "model")
    selftime.write(X, tmp_path / "x.npz")
    selftime.write(X[[0, 1, 12, 13]], tmp_path / "known.npz")
    out = tmp_path / "next.csv"
    words = ["suggest", str(tmp_path / "model"), str(tmp_path / "x.npz"), "--n", "3"]
    words += ["--labelled", str(tmp_path / "known.npz")]
    shown = CliRunner().invoke(app, [*words, "--out", str(out), "--json"])
    assert shown.exit_code == 0, shown.output
    found = suggest(model, X, n=3, labelled=X[[0, 1, 12, 13]])
    result = json.loads(shown.stdout)
    assert [row["id"] for row in result["suggestions"]] == found.ids.tolist()
    assert result["suggestions"][0]["reason"] == found.reasons[0] and result["out"] == str(out)
    lines = out.read_text().splitlines()
    assert lines[0] == '"unique_id","label","row","stands_for","reason"' and len(lines) == 4
    plain = CliRunner().invoke(app, words)
    assert found.ids[0] in plain.stdout and "stands for" in plain.stdout
    again = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert again.exit_code == 2 and "--force" in again.output
