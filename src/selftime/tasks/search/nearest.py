"""Nearest vectors: exactly by blocked matrix products, or nearly by a graph of neighbours."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float16, Float32, Int64

from selftime.data.memory import release

BLOCK = 512
"""Vectors that are brought to 32 bits at a time: 2 MB at 1,024 numbers, which a cache holds."""
_QUERIES = 64
"""Queries that are answered at once, each with a cosine for every vector."""
CONNECTIONS, BREADTH_OF_ADDING, BREADTH = 16, 64, 128
"""Of the graph: edges of a vector, and candidates while one is added and while one is looked for:
recall .95 and more on a million clustered vectors (benchmarks/results/search.json)."""


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
    for i in range(0, len(vectors), BLOCK):
        rows = vectors[i : i + BLOCK]
        block = torch.from_numpy(rows if rows.flags.writeable else rows.copy())
        wide = wide if wide.shape == block.shape else torch.empty(block.shape)
        wide.copy_(block)
        out[:, i : i + len(block)] = asked @ wide.T
    release(vectors)
    return out.numpy()


class Graph:
    """A hierarchical navigable small world of vectors (Malkov & Yashunin 2018), by usearch."""

    def __init__(self, index: Any) -> None:
        self.index = index

    @classmethod
    def of(cls, vectors: Float16[np.ndarray, "N D"]) -> "Graph":
        """Link vectors of length 1.

        Raises:
            ValueError: usearch is not installed.
        """
        found = cls(_usearch().Index(**_settings(vectors.shape[1])))
        found.add(vectors, 0)
        return found

    def add(self, vectors: Float16[np.ndarray, "N D"], first: int) -> None:
        """Link more vectors, whose rows begin at ``first``."""
        self.index.add(np.arange(first, first + len(vectors)), np.ascontiguousarray(vectors))

    def nearest(
        self, queries: Float32[np.ndarray, "Q D"], m: int, *, breadth: int = BREADTH
    ) -> Nearest:
        """Return ``m`` vectors that are nearly the nearest to each query, nearest first.

        A greater breadth finds more of them and takes longer.
        """
        self.index.expansion_search = max(breadth, m)
        found = self.index.search(queries.astype(np.float16), min(m, len(self.index)))
        rows, apart = (np.atleast_2d(part) for part in (found.keys, found.distances))
        return Nearest(rows.astype(np.int64), (1 - apart).astype(np.float32))

    def save(self, path: Path) -> None:
        """Write the graph."""
        self.index.save(os.fspath(path))

    @classmethod
    def load(cls, path: Path, dim: int) -> "Graph":
        """Read a graph of vectors of ``dim`` numbers.

        Raises:
            ValueError: usearch is not installed, or the file holds another graph.
        """
        index = _usearch().Index(**_settings(dim))
        try:
            index.load(os.fspath(path))
        except RuntimeError as error:
            raise ValueError(f"{path.name} is damaged ({error})") from None
        if index.ndim != dim:
            raise ValueError(f"{path.name} links vectors of {index.ndim} numbers, wanted {dim}")
        return cls(index)


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
