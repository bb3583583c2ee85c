"""Nearest vectors: beside a plain sort in float64, and a graph beside the exact search."""

import sys

import numpy as np
import pytest

from selftime.tasks.search import nearest as room
from selftime.tasks.search.nearest import Graph, cosines_of, nearest

RNG = np.random.default_rng(0)


def units(n: int, dim: int) -> np.ndarray:
    x = RNG.normal(size=(n, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("m", [1, 7, 50])
def test_the_nearest_are_those_of_a_plain_sort(monkeypatch, m):
    monkeypatch.setattr(room, "_BLOCK", 8)
    monkeypatch.setattr(room, "_QUERIES", 2)
    vectors, queries = units(50, 6).astype(np.float16), units(5, 6)
    found = nearest(vectors, queries, m)
    plain = queries.astype(np.float64) @ vectors.astype(np.float64).T
    for query, rows, cosines in zip(plain, *found, strict=True):
        np.testing.assert_array_equal(rows, np.argsort(-query)[:m])
        np.testing.assert_allclose(cosines, np.sort(query)[::-1][:m], atol=1e-6)  # 32 bits


def test_of_equal_ones_the_lower_row_comes_first_and_more_than_all_is_all():
    vectors = np.ones((4, 1), np.float16)
    assert nearest(vectors, np.ones((1, 1), np.float32), 9).rows.tolist() == [[0, 1, 2, 3]]


def test_vectors_in_a_file_give_the_same_bits(tmp_path):
    vectors, queries = units(700, 5).astype(np.float16), units(3, 5)
    np.save(tmp_path / "v.npy", vectors)
    for mode in ("r", "c"):
        mapped = np.load(tmp_path / "v.npy", mmap_mode=mode)
        np.testing.assert_array_equal(cosines_of(mapped, queries), cosines_of(vectors, queries))


def test_a_graph_finds_nearly_all_and_is_read_again(tmp_path, monkeypatch):
    pytest.importorskip("usearch")
    monkeypatch.setattr(room, "_SHARD", 256)
    vectors, queries = units(600, 8).astype(np.float16), units(40, 8)
    graph = Graph.of(vectors[:100])
    graph.add(vectors[100:400], 100)
    graph.add(vectors[400:], 400)
    graph.save(tmp_path / "graph")
    wanted = nearest(vectors, queries, 5)
    for made in (graph, Graph.load(tmp_path / "graph", 8, 600)):
        assert [len(shard) for shard in made.shards] == [256, 256, 88]
        found = made.nearest(queries, 5)
        shares = [len({*a} & {*b}) / 5 for a, b in zip(wanted.rows, found.rows, strict=True)]
        assert np.mean(shares) > 0.95
        np.testing.assert_allclose(found.similarities[:, 0], wanted.similarities[:, 0], atol=2e-3)


def test_a_graph_that_is_damaged_or_of_other_vectors_says_so(tmp_path):
    pytest.importorskip("usearch")
    Graph.of(units(20, 4).astype(np.float16)).save(tmp_path / "graph")
    for dim, count in ((8, 20), (4, 21)):
        with pytest.raises(ValueError, match="links 20 vectors"):
            Graph.load(tmp_path / "graph", dim, count)
    (tmp_path / "graph" / "0000.usearch").write_bytes(b"no graph")
    with pytest.raises(ValueError, match="0000.usearch"):
        Graph.load(tmp_path / "graph", 4, 20)


def test_without_usearch_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ValueError, match=r"pip install 'selftime\[ann\]'"):
        Graph.of(units(3, 4).astype(np.float16))
