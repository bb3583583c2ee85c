"""Folds and gaps: no group in two places, no past that reaches into what is judged."""

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.series import SeriesError, SeriesSet
from selftime.data.splits import (
    draw_per_class,
    emptiest_fold,
    folds_by_group,
    folds_by_time,
    split_by_time,
    without_end,
)
from selftime.data.windows import windows
from selftime.engine.pretrain import pretrain
from selftime.tasks.selection.race import probe_accuracy

GROUPS = st.lists(st.sampled_from("abcdefgh"), min_size=4, max_size=40)


def numbered(groups: list[str], labels: list[int] | None = None) -> SeriesSet:
    return SeriesSet.of(np.arange(2.0 * len(groups)).reshape(-1, 2), labels, groups=groups)


@examples(40)
@given(GROUPS, st.integers(2, 5), st.integers(0, 3))
def test_no_group_lies_in_two_folds(groups: list[str], n: int, seed: int) -> None:
    if len(set(groups)) < n:
        groups = [*groups, *"abcde"]
    fold = folds_by_group(numbered(groups), n, np.random.default_rng(seed))
    assert set(fold.tolist()) == set(range(n))
    for name in set(groups):
        assert len({int(f) for f, g in zip(fold, groups, strict=True) if g == name}) == 1


@given(st.integers(2, 5), st.integers(1, 4), st.integers(2, 4), st.integers(0, 3))
@examples(30)
def test_equal_groups_of_one_class_each_spread_evenly(
    n: int, each: int, classes: int, seed: int
) -> None:
    """n · each groups of every class: every fold gets exactly ``each`` of every class."""
    labels = np.repeat(np.arange(classes), n * each * 3)
    groups = np.repeat(np.arange(classes * n * each), 3)
    series = SeriesSet.of(np.zeros((len(labels), 2)), labels, groups=groups)
    fold = folds_by_group(series, n, np.random.default_rng(seed))
    for k in range(classes):
        assert np.bincount(fold[labels == k], minlength=n).tolist() == [3 * each] * n


def test_without_groups_classes_are_stratified(np_rng: np.random.Generator) -> None:
    labels = np.repeat([0, 1, 2], [20, 10, 5])
    fold = folds_by_group(SeriesSet.of(np.zeros((35, 2)), labels), 5, np_rng)
    table = [np.bincount(labels[fold == f], minlength=3).tolist() for f in range(5)]
    assert table == [[4, 2, 1]] * 5


def test_a_group_goes_where_the_sum_of_squares_grows_least() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        held, added = rng.integers(0, 5, size=(4, 3)) / 7, rng.integers(0, 4, size=3) / 7
        sums = []
        for f in range(4):
            after = held.copy()
            after[f] += added
            sums.append((after**2).sum())
        assert sums[emptiest_fold(held, added)] == pytest.approx(min(sums))


def test_windows_of_one_recording_stay_in_one_fold(np_rng: np.random.Generator) -> None:
    cut = windows(SeriesSet.of(np.zeros((6, 30))), 10, stride=5).select()
    fold = folds_by_group(cut, 3, np_rng)
    owner = np.array([name.split("@")[0] for name in cut.ids])
    assert all(len(set(fold[owner == name].tolist())) == 1 for name in set(owner.tolist()))
    assert np.bincount(fold).tolist() == [10, 10, 10]


def test_same_seed_same_folds() -> None:
    series = SeriesSet.of(np.zeros((40, 2)))
    a, b, c = (folds_by_group(series, 4, np.random.default_rng(s)).tolist() for s in (1, 1, 2))
    assert a == b != c


@pytest.mark.parametrize("n", [1, 3])
def test_folds_that_cannot_be_are_refused(n: int, np_rng: np.random.Generator) -> None:
    with pytest.raises(SeriesError, match=f"got {n} folds for 2 groups, wanted at least 2"):
        folds_by_group(numbered(list("aabb")), n, np_rng)


@examples(30)
@given(st.lists(st.integers(40, 60), min_size=1, max_size=3), st.integers(1, 4), st.integers(0, 5))
def test_the_past_ends_a_gap_before_what_is_judged(lengths: list[int], n: int, gap: int) -> None:
    series = SeriesSet.of([np.arange(float(T)) for T in lengths])  # the value is the step
    pairs = folds_by_time(series, n, gap=gap)
    assert len(pairs) == n
    for i, T in enumerate(lengths):
        ends = [0]
        for past, following in pairs:
            before, after = past.series(i)[0], following.series(i)[0]
            assert before.tolist() == list(range(len(before)))
            assert after[0] - before[-1] == gap + 1
            ends.append(int(after[-1]) + 1)
            assert len(after) in (T // (n + 1), T // (n + 1) + 1)
        assert ends[-1] == T and ends == sorted(ends)
        judged = np.concatenate([following.series(i)[0] for _, following in pairs])
        assert judged.tolist() == list(range(int(judged[0]), T))  # each step once


def test_a_gap_of_a_window_keeps_overlapping_windows_apart() -> None:
    series = SeriesSet.of(np.arange(60.0).reshape(1, 60))
    for past, following in folds_by_time(series, 3, gap=4):
        smoothed = windows(past, 5).select()  # a running mean at step t knows t-4 … t
        assert smoothed.steps.max() + 4 < following.steps.min()


def test_the_future_changes_no_past() -> None:
    x = np.random.default_rng(0).normal(size=(2, 1, 40))
    changed = x.copy()
    changed[:, :, 20:] += 100
    pasts = [folds_by_time(SeriesSet.of(v), 3, gap=2)[0][0].values for v in (x, changed)]
    np.testing.assert_array_equal(*pasts)


def test_gap_of_a_split_is_cut_from_every_part_but_the_last() -> None:
    x = np.arange(20.0)
    x[3] = np.nan
    parts = split_by_time(SeriesSet.of([x, np.arange(10.0)]), (0.5, 0.3, 0.2), gap=1)
    assert [part.lengths.tolist() for part in parts] == [[9, 4], [5, 2], [4, 2]]
    assert parts[1].series(0)[0].tolist() == [10, 11, 12, 13, 14]
    assert np.isnan(parts[0].series(0)[0, 3]) and parts[0].series(1)[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("gap", [-1, 5])
def test_a_gap_that_leaves_nothing_is_refused(gap: int) -> None:
    text = f"got gap {gap} for parts of 5 steps and more, wanted at least 0 and a step left"
    with pytest.raises(SeriesError, match=text):
        without_end(SeriesSet.of(np.zeros((1, 5))), gap)
    with pytest.raises(SeriesError, match=text):
        split_by_time(SeriesSet.of(np.zeros((1, 10))), (0.5, 0.5), gap=gap)


def test_no_folds_in_time_are_refused() -> None:
    series = SeriesSet.of(np.zeros((1, 9)))
    with pytest.raises(SeriesError, match="got 0 folds, gap 0: wanted at least 1 fold"):
        folds_by_time(series, 0)
    with pytest.raises(SeriesError, match="got 2 folds, gap -1: wanted at least 1 fold"):
        folds_by_time(series, 2, gap=-1)


@examples(40)
@given(st.data(), st.integers(1, 4), st.integers(0, 3))
def test_labels_are_drawn_in_whole_groups(data: st.DataObject, k: int, seed: int) -> None:
    rows = data.draw(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 7)), max_size=30))
    labels = np.array([label for label, _ in rows], dtype=str)
    groups = np.array([group for _, group in rows], dtype=int)
    drawn = draw_per_class(labels, k, np.random.default_rng(seed), groups=groups)
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    rest = np.setdiff1d(np.arange(len(rows)), drawn)
    assert not set(groups[drawn].tolist()) & set(groups[rest].tolist())
    for name in set(labels.tolist()):
        assert (labels[drawn] == name).sum() >= min(k, (labels == name).sum())


def test_no_more_groups_are_drawn_than_classes_need() -> None:
    labels, groups = np.repeat(["a", "b"], 12), np.repeat(np.arange(8), 3)
    drawn = draw_per_class(labels, 4, np.random.default_rng(0), groups=groups)
    assert len(drawn) == 12  # two groups of three for each class
    with pytest.raises(SeriesError, match=r"got groups of shape \(3,\) for 24 labels"):
        draw_per_class(labels, 4, np.random.default_rng(0), groups=groups[:3])


def test_standing_judges_no_series_by_others_of_its_group() -> None:
    """Each recording has a shape of its own and a label by lot: knowing it cannot be earned."""
    rng = np.random.default_rng(0)
    owners = np.repeat(np.arange(8), 6)
    x = 5 * rng.normal(size=(8, 1, 12))[owners] + 0.01 * rng.normal(size=(48, 1, 12))
    labels = np.array(["a", "b", "b", "a", "a", "b", "a", "b"])[owners]
    series = SeriesSet.of(x, labels)
    model = pretrain(series, encoder="quantiles")
    known = probe_accuracy(model, series, 0)
    fair = probe_accuracy(model, SeriesSet.of(x, labels, groups=owners), 0)
    assert known == 1.0 and fair is not None and fair < 0.85
    assert probe_accuracy(model, SeriesSet.of(x, labels, groups=[0] * 48), 0) is None
