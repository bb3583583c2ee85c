"""Nearest vectors: exactly by blocked matrix products, or nearly by a graph of neighbours."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float16, Float32, Int64

from selftime.data.memory import release

_BLOCK = 512
"""Vectors that are brought to 32 bits at a time: 2 MB at 1,024 numbers, which a cache holds."""
_QUERIES = 64
"""Queries that are answered at once, each with a cosine for every vector."""
CONNECTIONS, BREADTH_OF_ADDING, BREADTH = 16, 64, 128
"""Of the graph: edges of a vector, and candidates while one is added and while one is looked for:
recall .95 and more on a million clustered vectors (benchmarks/results/search.json)."""
_SHARD = 1 << 17
"""Vectors of a graph: one of 500,000 found .90 where one of 250,000 found .96 of ten neighbours."""


class Nearest(NamedTuple):
    """Rows of the vectors nearest to each of Q queries, nearest first, with their cosines."""

    rows: Int64[np.ndarray, "Q m"]
    similarities: Float32[np.ndarray, "Q m"]


def nearest(
    vectors: Float16[np.ndarray, "N D"], queries: Float32[np.ndarray, "Q D"], m: int
) -> Nearest:
    """Return the ``m`` vectors of greatest cosine to each query; all vectors are of length 1.

    Every vector is looked at. Of equal cosines the lower row comes first.
    """
    m = min(m, len(vectors))
    found = [_top(vectors, queries[i : i + _QUERIES], m) for i in range(0, len(queries), _QUERIES)]
    return Nearest(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _top(
    vectors: Float16[np.ndarray, "N D"], queries: Float32[np.ndarray, "Q D"], m: int
) -> Nearest:
    cosines = cosines_of(vectors, queries)
    rows = np.argpartition(-cosines, m - 1, axis=1)[:, :m] if m < len(vectors) else None
    if rows is None:
        rows = np.tile(np.arange(len(vectors)), (len(queries), 1))
    rows.sort(axis=1)
    own = np.take_along_axis(cosines, rows, axis=1)
    order = np.argsort(-own, axis=1, kind="stable")
    return Nearest(*(np.take_along_axis(part, order, axis=1) for part in (rows, own)))


def cosines_of(
    vectors: Float16[np.ndarray, "N D"], queries: Float32[np.ndarray, "Q D"]
) -> Float32[np.ndarray, "Q N"]:
    """Return the product of every query and every vector, block by block in 32 bits.

    torch widens 16-bit floats several times faster than NumPy does.
    """
    asked, wide = torch.from_numpy(np.ascontiguousarray(queries)), torch.empty(0)
    out = torch.empty(len(queries), len(vectors))
    for i in range(0, len(vectors), _BLOCK):
        rows = vectors[i : i + _BLOCK]
        block = torch.from_numpy(rows if rows.flags.writeable else rows.copy())
        wide = wide if wide.shape == block.shape else torch.empty(block.shape)
        wide.copy_(block)
        out[:, i : i + len(block)] = asked @ wide.T
    release(vectors)
    return out.numpy()


class Graph:
    """Hierarchical navigable small worlds of vectors (Malkov & Yashunin 2018), by usearch.

    Each holds the next :data:`_SHARD` vectors, and a search asks all of them: small ones are linked
    faster and miss fewer neighbours than a large one does.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.shards: list[Any] = []

    @classmethod
    def of(cls, vectors: Float16[np.ndarray, "N D"]) -> "Graph":
        """Link vectors of length 1.

        Raises:
            ValueError: usearch is not installed.
        """
        found = cls(vectors.shape[1])
        found.add(vectors, 0)
        return found

    def add(self, vectors: Float16[np.ndarray, "N D"], first: int) -> None:
        """Link more vectors, whose rows begin at ``first``."""
        while len(vectors):
            shard, free = first // _SHARD, _SHARD - first % _SHARD
            if shard == len(self.shards):
                self.shards.append(_usearch().Index(**_settings(self.dim)))
            rows = np.arange(first, first + len(vectors[:free]))
            self.shards[shard].add(rows, np.ascontiguousarray(vectors[:free]))
            vectors, first = vectors[free:], first + len(rows)

    def nearest(
        self, queries: Float32[np.ndarray, "Q D"], m: int, *, breadth: int = BREADTH
    ) -> Nearest:
        """Return ``m`` vectors that are nearly the nearest to each query, nearest first.

        A greater breadth finds more of them and takes longer.
        """
        asked, rows, near = queries.astype(np.float16), [], []
        for shard in self.shards:
            shard.expansion_search = max(breadth, m)
            found = shard.search(asked, min(m, len(shard)))
            rows.append(np.atleast_2d(found.keys).astype(np.int64))
            near.append(1 - np.atleast_2d(found.distances).astype(np.float32))
        every, cosines = np.concatenate(rows, axis=1), np.concatenate(near, axis=1)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :m]
        return Nearest(*(np.take_along_axis(part, order, axis=1) for part in (every, cosines)))

    def save(self, folder: Path) -> None:
        """Write a file for each shard into a folder."""
        folder.mkdir()
        for number, shard in enumerate(self.shards):
            shard.save(os.fspath(folder / f"{number:04}.usearch"))

    @classmethod
    def load(cls, folder: Path, dim: int, count: int) -> "Graph":
        """Read the graph of so many vectors of ``dim`` numbers.

        Raises:
            ValueError: usearch is not installed, or a file holds another graph.
        """
        found = cls(dim)
        for number in range(-(-count // _SHARD)):
            path = folder / f"{number:04}.usearch"
            index = _usearch().Index(**_settings(dim))
            try:
                index.load(os.fspath(path))
            except RuntimeError as error:
                raise ValueError(f"{path.name} is damaged ({error})") from None
            wanted = min(_SHARD, count - number * _SHARD), dim
            if (len(index), index.ndim) != wanted:
                raise ValueError(f"{path.name} links {len(index)} vectors, wanted {wanted[0]}")
            found.shards.append(index)
        return found


def _settings(dim: int) -> dict[str, Any]:
    expansion = {"expansion_add": BREADTH_OF_ADDING, "expansion_search": BREADTH}
    return {"ndim": dim, "metric": "ip", "dtype": "f16", "connectivity": CONNECTIONS, **expansion}


def _usearch() -> Any:
    try:
        return import_module("usearch.index")
    except ImportError:
        raise ValueError(
            "approximate search needs the package usearch: pip install 'selftime[ann]', or leave "
            "it exact"
        ) from None
