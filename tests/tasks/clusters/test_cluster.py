"""Clusters: groups that are there are found, counted, named; states are the best path."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import selftime as st
from selftime.data.series import SeriesError
from selftime.tasks.clusters.groups import (
    Tried,
    by_size,
    choose_number,
    distances_to,
    margins,
)
from selftime.tasks.clusters.states import smooth_path

RNG = np.random.default_rng(4)
COUNTS = (30, 20, 10)
KINDS = np.repeat([0, 1, 2], COUNTS)
POINTS = (10 * np.eye(3, 6)[KINDS] + RNG.normal(size=(60, 6))).astype(np.float32)
X = st.SeriesSet.of(RNG.normal(size=(60, 12)), ids=[f"s{i}" for i in range(60)])


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_groups_that_are_there_are_found_and_counted(method):
    found = st.cluster(POINTS, X, method=method)
    inside = found.clusters >= 0
    assert len(found) == 3 and inside.mean() > 0.7
    assert adjusted_rand_score(KINDS[inside], found.clusters[inside]) == 1
    counts = np.bincount(found.clusters[inside])
    assert (np.diff(counts) <= 0).all()
    assert np.isnan(found.distances[~inside]).all() and (found.sure[~inside] == 0).all()
    assert ((found.sure >= 0) & (found.sure <= 1)).all()
    for c, row in enumerate(found.medoids):
        rows = np.flatnonzero(found.clusters == c)
        assert row == rows[found.distances[rows].argmin()]
    assert found.to_columns()["is_medoid"].sum() == 3


def test_the_choice_is_said_and_asked_for_ones_are_made():
    found = st.cluster(POINTS, X)
    assert found.why.startswith("3 clusters: that has the greatest silhouette")
    assert "2 to 12 were tried" in found.why and len(found.tried) == 11
    assert len(st.cluster(POINTS, X, 5)) == 5
    assert st.cluster(POINTS, X, 5).why == "5 clusters were asked for"
    same = st.cluster(POINTS, X, seed=0)
    np.testing.assert_array_equal(found.clusters, same.clusters)


def test_a_number_is_stable_before_its_silhouette_counts():
    tried = (Tried(2, 0.3, 0.9), Tried(3, 0.5, 0.85), Tried(4, 0.9, 0.2))
    assert choose_number(tried)[0] == 3
    assert choose_number(())[0] == 1


def test_a_few_equal_series_are_no_error():
    flat = np.ones((4, 3), np.float32)
    with pytest.warns(Warning, match="distinct clusters"):
        st.cluster(flat, X[:4], 2)
    assert len(st.cluster(POINTS[:2], X[:2])) == 1


def test_distances_margins_and_order_by_hand():
    points, centres = np.array([[0.0, 0], [3, 4], [1, 0]]), np.array([[0.0, 0], [4, 0]])
    wanted = [[0, 4], [5, 17**0.5], [1, 3]]
    np.testing.assert_allclose(distances_to(points, centres), wanted)
    np.testing.assert_allclose(margins(points, centres), [1, 1 - 17**0.5 / 5, 2 / 3])
    assert by_size(np.array([2, 0, 0, -1, 1, 0, 1])).tolist() == [2, 0, 0, -1, 1, 0, 1]
    assert by_size(np.array([0, 1, 1, -1])).tolist() == [1, 0, 0, -1]


def test_names_are_given_by_number_or_series():
    found = st.cluster(POINTS, X, 3, names={0: "idle"})
    more = found.with_names({"s35": "climb"})
    assert [more.name_of(c) for c in (0, 1, 2, -1)] == [
        "idle", "climb", "cluster 2", "in no cluster",
    ]  # fmt: skip
    assert set(more.to_columns()["name"]) == {"idle", "climb", "cluster 2"}
    assert "name" not in st.cluster(POINTS, X, 3).to_columns()
    with pytest.raises(SeriesError, match="0 to 2"):
        found.with_names({7: "none"})


@pytest.mark.parametrize(
    "text",
    [
        "cluster,name\n0,idle\ns35,climb\n",
        "\ufeffcluster;name\n0;idle\ns35;climb\n2;\n",
        "0\tidle\n1\tclimb\n",
        "0\tidle\ns35\tclimb\n",
        'id,name\n"0","idle"\n"s35","climb"\n',
    ],
)
def test_names_come_in_files_as_people_have_them(tmp_path, text):
    """With a head or none, by commas, semicolons or tabs; no row is lost."""
    path = tmp_path / "names.csv"
    path.write_text(text, encoding="utf8")
    found = st.cluster(POINTS, X, 3, names=path)
    wanted = st.cluster(POINTS, X, 3, names={0: "idle", "s35": "climb"})
    assert found.names == wanted.names


@pytest.mark.parametrize(
    "how, words",
    [
        ({"k": 99}, "1 to 60"),
        ({"k": 2, "method": "hdbscan"}, "none with hdbscan"),
    ],
)
def test_what_cannot_be_is_told(how, words):
    with pytest.raises(SeriesError, match=words):
        st.cluster(POINTS, X, **how)
    with pytest.raises(SeriesError, match="60 series"):
        st.cluster(POINTS[:5], X)


def test_the_path_is_the_best_of_all():
    for penalty, seed in itertools.product((0.0, 0.3, 2.0), range(4)):
        costs = np.random.default_rng(seed).random((6, 3))

        def price(path, costs=costs, penalty=penalty):
            path = np.array(path)
            return costs[np.arange(6), path].sum() + penalty * (np.diff(path) != 0).sum()

        best = min(itertools.product(range(3), repeat=6), key=price)
        assert price(smooth_path(costs, penalty)) == pytest.approx(price(best), abs=1e-12)


def recordings() -> tuple[st.SeriesSet, np.ndarray]:
    """Two recordings of 120 steps that change at step 60, and vectors that show it."""
    x = st.SeriesSet.of(RNG.normal(size=(2, 120)), ids=["one", "two"])
    cut = st.read(x, windows=20, stride=10)
    late = (cut.starts + 9.5 > 60).astype(int)
    noise = np.random.default_rng(0).normal(size=(len(cut), 4))
    return cut, (5 * np.eye(2, 4)[late] + 0.5 * noise).astype(np.float32)


def test_states_change_where_the_recording_does():
    cut, vectors = recordings()
    found = st.states(vectors, cut, 2)
    table = found.to_polars()
    assert table["unique_id"].to_list() == ["one", "one", "two", "two"]
    assert table["start"].to_list() == [0, 65, 0, 65] and table["end"].to_list() == [64, 119] * 2
    assert table["is_change"].to_list() == [False, True] * 2
    assert table["state"].to_list()[0] != table["state"].to_list()[1]
    assert table["sure"].min() == 1 and found.to_dict()["changes"] == 2


def test_a_penalty_bridges_what_does_not_last():
    cut, vectors = recordings()
    vectors[2] = vectors[-1]
    assert st.states(vectors, cut, 2, penalty=0).is_change.sum() == 4
    assert st.states(vectors, cut, 2, penalty=1000).is_change.sum() < 4
    with pytest.raises(SeriesError, match="0 or more"):
        st.states(vectors, cut, 2, penalty=-1)
    with pytest.raises(SeriesError, match="wanted windows"):
        st.states(POINTS, X)


def test_windows_in_any_order_give_the_same_states():
    cut, vectors = recordings()
    order = np.random.default_rng(1).permutation(len(cut))
    wanted = st.states(vectors, cut, 2).to_columns()
    found = st.states(vectors[order], cut[order], 2).to_columns()
    for name in ("start", "end", "is_change"):
        np.testing.assert_array_equal(found[name], wanted[name])


def test_states_of_times_are_times():
    times = np.datetime64("2024-03-01") + np.arange(120) * np.timedelta64(1, "m")
    frame = pd.DataFrame({"ds": times, "y": RNG.normal(size=120)})
    cut = st.read(frame, windows=20, stride=10)
    found = st.states(recordings()[1][:11], cut, 2).to_pandas()
    assert [str(time) for time in found["start"]] == ["2024-03-01 00:00:00", "2024-03-01 01:05:00"]
    assert str(found["end"].iloc[0]) == "2024-03-01 01:04:00"
