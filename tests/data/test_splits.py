"""Splits: whole, ordered, and blind to what lies on their other side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.scaling import fit_channels
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.splits import (
    draw_per_class,
    draw_share,
    hold_out,
    split_by_group,
    split_by_time,
)
from selftime.data.windows import batch_of, windows

SHARES = st.lists(st.integers(1, 10), min_size=1, max_size=4)


@given(st.lists(st.integers(40, 60), min_size=1, max_size=4), SHARES)
def test_parts_end_to_end_are_the_series(lengths: list[int], weights: list[int]) -> None:
    series = SeriesSet.of([np.arange(2.0 * T).reshape(2, T) for T in lengths])
    fractions = [weight / sum(weights) for weight in weights]
    parts = split_by_time(series, fractions)
    for i, T in enumerate(lengths):
        joined = np.concatenate([part.series(i) for part in parts], axis=1)
        np.testing.assert_array_equal(joined, series.series(i))
        first = sum(weights[:1]) * T // sum(weights)  # in whole numbers: nothing is rounded
        assert parts[0].lengths[i] == first


def test_float_error_of_fractions_costs_no_step() -> None:
    parts = split_by_time(SeriesSet.of(np.zeros((1, 10))), (0.7, 0.1, 0.2))  # 0.7 + 0.1 < 0.8
    assert [int(part.lengths[0]) for part in parts] == [7, 1, 2]


def test_parts_keep_what_is_known_of_the_series() -> None:
    x = [np.array([1.0, np.nan, 3.0, 4.0]), np.arange(6.0)]
    series = SeriesSet.of(x, ["a", "b"], groups=[1, 2], ids=["x", "y"], channels=["v"])
    for part in split_by_time(series, (0.5, 0.5)):
        assert part.ids.tolist() == ["x", "y"]
        assert part.channels == ("v",)
        assert part.labels is not None
        assert part.labels.tolist() == ["a", "b"]
        assert part.groups is not None
        assert part.groups.tolist() == [1, 2]
    np.testing.assert_array_equal(split_by_time(series, (0.5, 0.5))[0].series(0), [[1, np.nan]])


def test_the_future_changes_nothing_before_it(np_rng: np.random.Generator) -> None:
    x = np_rng.normal(size=(5, 3, 50))
    changed = x.copy()
    changed[:, :, 35:] = 1e6 * np_rng.normal(size=(5, 3, 15))
    changed[:, 0, 40:] = np.nan
    train, other = (split_by_time(SeriesSet.of(v), (0.7, 0.3))[0] for v in (x, changed))
    np.testing.assert_array_equal(train.values, other.values)
    assert fit_channels(train) == fit_channels(other)
    scaled = [fit_channels(part).apply(batch_of(windows(part, 8))) for part in (train, other)]
    assert scaled[0].values.equal(scaled[1].values)
    assert fit_channels(train) != fit_channels(SeriesSet.of(x))


def test_no_window_crosses_a_split() -> None:
    series = SeriesSet.of(np.arange(30.0).reshape(1, 30))
    train, test = split_by_time(series, (0.6, 0.4))
    assert windows(train, 5).select().steps.max() == 17
    assert windows(test, 5).select().steps.min() == 18


@pytest.mark.parametrize("fractions", [(), (0.5, 0.4), (1.2, -0.2), (0.5, 0.6)])
def test_fractions_add_up_to_one(fractions: tuple[float, ...]) -> None:
    with pytest.raises(SeriesError, match="wanted positive shares that add up to 1, such as"):
        split_by_time(SeriesSet.of(np.zeros((1, 10))), fractions)


def test_too_short_a_series_is_named() -> None:
    series = SeriesSet.of([np.zeros(9), np.zeros(2)], ids=["long", "short"])
    wanted = r"series 'short' of 2 steps is too short for the split \(0.2, 0.8\): leave it out"
    with pytest.raises(SeriesError, match=wanted):
        split_by_time(series, (0.2, 0.8))


def test_part_without_any_value_is_named() -> None:
    series = SeriesSet.of(np.array([[1, 2, np.nan, np.nan]]), ids=["sensor"])
    with pytest.raises(SeriesError, match="sensor, part 2.* has no observed value at all"):
        split_by_time(series, (0.5, 0.5))


@given(
    st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=30).filter(lambda g: len(set(g)) > 1),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
def test_groups_stay_whole(groups: list[str], fraction: float, seed: int) -> None:
    series = SeriesSet.of(np.arange(2.0 * len(groups)).reshape(-1, 2), groups=groups)
    first, second = split_by_group(series, fraction, np.random.default_rng(seed))
    assert first.groups is not None
    assert second.groups is not None
    assert not set(first.groups) & set(second.groups)
    ids = [int(i) for i in (*first.ids, *second.ids)]
    assert sorted(ids) == list(range(len(groups)))
    assert first.ids.tolist() == sorted(first.ids.tolist(), key=int)
    biggest = max(groups.count(g) for g in groups)
    assert abs(len(first) - fraction * len(groups)) <= biggest


def test_series_without_groups_are_their_own(np_rng: np.random.Generator) -> None:
    first, second = split_by_group(SeriesSet.of(np.zeros((10, 4))), 0.8, np_rng)
    assert (len(first), len(second)) == (8, 2)


def test_windows_of_one_series_stay_together(np_rng: np.random.Generator) -> None:
    selected = windows(SeriesSet.of(np.zeros((4, 9))), 3).select()
    first, second = split_by_group(selected, 0.5, np_rng)
    owners = [{name.split("@")[0] for name in part.ids} for part in (first, second)]
    assert owners[0].isdisjoint(owners[1])
    assert (len(first), len(second)) == (14, 14)


def test_same_seed_same_split() -> None:
    series = SeriesSet.of(np.zeros((40, 4)))
    drawn = [
        split_by_group(series, 0.5, np.random.default_rng(s))[0].ids.tolist() for s in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_group_split_errors(np_rng: np.random.Generator) -> None:
    series = SeriesSet.of(np.zeros((3, 4)), groups=["a"] * 3)
    with pytest.raises(SeriesError, match="got 1 group, wanted at least 2: use split_by_time"):
        split_by_group(series, 0.5, np_rng)
    with pytest.raises(SeriesError, match="got fraction 1.0, wanted a share between 0 and 1"):
        split_by_group(series, 1.0, np_rng)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 6), st.integers(0, 5))
def test_each_class_gives_k_labels_or_all(labels: list[str], k: int, seed: int) -> None:
    column = np.array(labels, dtype=str)
    drawn = draw_per_class(column, k, np.random.default_rng(seed))
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    for name in set(labels):
        assert (column[drawn] == name).sum() == min(k, labels.count(name))


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=30),
    st.floats(0.01, 1.0),
    st.integers(0, 5),
)
def test_each_class_gives_its_share_and_one_at_least(
    labels: list[str], share: float, seed: int
) -> None:
    column = np.array(labels, dtype=str)
    drawn = draw_share(column, share, np.random.default_rng(seed))
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    for name in set(labels):
        assert (column[drawn] == name).sum() == max(round(share * labels.count(name)), 1)


def test_shares_out_of_range_are_refused(np_rng: np.random.Generator) -> None:
    for share in (0.0, 1.5):
        with pytest.raises(SeriesError, match=f"got share {share}, wanted above 0 and at most 1"):
            draw_share(np.array([0, 1]), share, np_rng)


def test_every_label_can_be_drawn() -> None:
    labels = np.array([0, 1] * 5)
    drawn = [draw_per_class(labels, 1, np.random.default_rng(seed)) for seed in range(60)]
    assert set(np.concatenate(drawn).tolist()) == set(range(10))


def test_draw_errors(np_rng: np.random.Generator) -> None:
    with pytest.raises(SeriesError, match=r"got k=0 and labels of shape \(2,\), wanted k >= 1"):
        draw_per_class(np.array([0, 1]), 0, np_rng)


@given(st.integers(2, 9), st.integers(0, 5), st.integers(0, 99), st.booleans())
def test_what_is_held_out_is_a_share_of_each_class(
    each: int, bare: int, seed: int, grouped
) -> None:
    labels = np.array(["a", "b"] * each + [None] * bare, object)
    ids = [f"s{i}" for i in range(len(labels))]
    groups = np.arange(len(labels)) // 2 if grouped else None
    series = SeriesSet.of(np.zeros((len(labels), 4)), labels, groups=groups, ids=ids)
    rest, judged = hold_out(series, seed=seed)
    assert rest.source == judged.source == series.source
    assert sorted([*rest.ids, *judged.ids]) == sorted(ids)
    assert judged.labelled.all() and len(judged) >= 1
    assert set(rest.labels[rest.labelled]) == {"a", "b"}
    assert int((~rest.labelled).sum()) == bare
    if grouped:
        assert not set(rest.groups) & set(judged.groups)
        assert abs(len(judged) - 2 * each / 3) <= 2
    else:
        assert [(judged.labels == name).sum() for name in "ab"] == [
            each - max(round(2 * each / 3), 1)
        ] * 2
    again = hold_out(series, seed=seed)[1]
    assert again.ids.tolist() == judged.ids.tolist()


def test_what_cannot_be_held_out_says_what_to_do() -> None:
    bare = SeriesSet.of(np.zeros((5, 4)))
    with pytest.raises(SeriesError, match="got 0 labelled series, wanted at least 2.*labels="):
        hold_out(bare)
    with pytest.raises(SeriesError, match="got share 1.0, wanted a share between 0 and 1"):
        hold_out(bare, 1.0)
