"""The index: series or windows by their vectors, and the ones most like a query."""

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float32

from selftime.data.channels import concatenate
from selftime.data.frames import Tabular, join_columns
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.embeddings import Embeddings
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.progress import Progress
from selftime.tasks.probing.reference_bank import unit_vectors
from selftime.tasks.search.generations import Stored, open_generation, write_index
from selftime.tasks.search.hits import (
    SearchHits,
    Spacing,
    cut,
    owners_of,
    rows_where,
    words_of_where,
)
from selftime.tasks.search.nearest import Graph, Nearest, nearest

_MORE = 4
"""Times as many candidates as hits that are wanted, where some may lie on one another."""


class SeriesIndex(Tabular):
    """Series, or windows of recordings, found by what a model sees in them.

    Entries are compared by the cosine of their vectors, which are kept as 16-bit floats. On the
    training parts of 13 of 25 open sets 75.7 % of ten neighbours were of the series' own class so,
    75.9 % by Euclidean distance, and 58.9 % once each number was standardised.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")
        >>> index = st.SeriesIndex(st.pretrain(x, encoder="quantiles")).add(x)
        >>> index.search(x[:1], k=2).to_polars()["unique_id"].to_list()[0] == x.ids[0]
        True

    Args:
        model: pretrained, or its folder.
        approximate: keep a graph of neighbours beside the vectors (extra ``ann``), for millions of
            them: searches look at few of the vectors and miss a few hits in a hundred.
    """

    def __init__(self, model: ModelOrFolder, *, approximate: bool = False) -> None:
        self.model: Model = model_at(model)
        self.series: SeriesSet | None = None
        self.vectors: Float16[np.ndarray, "N D"] = np.empty((0, self.model.dim), np.float16)
        self.graph: Graph | None = None
        self.approximate = approximate

    @classmethod
    def of(
        cls, model: ModelOrFolder, series: SeriesSet, vectors: Float32[np.ndarray, "N D"]
    ) -> "SeriesIndex":
        """Return an index of series whose vectors are known already."""
        found = cls(model)
        found.series, found.vectors = series, unit_vectors(vectors).astype(np.float16)
        return found

    def __len__(self) -> int:
        return len(self.vectors)

    def to_columns(self) -> dict[str, Any]:
        """Return what names the entries, and labels if there are any."""
        series = self._entries()
        labels = {} if series.labels is None else {"label": series.labels}
        return join_columns(series.keys(), labels)

    def add(
        self,
        x: Any,
        *,
        windows: int | str | None = None,
        stride: int | str | None = None,
        progress: bool | Progress | None = None,
    ) -> "SeriesIndex":
        """Add series, or windows of recordings, as entries.

        Args:
            x: whatever :func:`selftime.read` takes.
            windows: cut recordings: steps or a duration such as "10min".
            stride: from one window to the next; a window when None.
            progress: a bar where a person looks when None.

        Raises:
            SeriesError: bad input, other channels than the model's, or ids that are there already.
        """
        kind = kind_for(x, self.model.kind)
        series = self.model.check(read(x, kind=kind, windows=windows, stride=stride))
        if self.series is not None:
            if (self.series.starts is None) != (series.starts is None):
                raise SeriesError(
                    "got whole series and windows, wanted either: keep an index of each"
                )
            there = series.ids[np.isin(series.ids, self.series.ids)]
            if len(there):
                raise SeriesError(
                    f"series '{there[0]}' and {len(there) - 1:,} others are in the index already: "
                    "remove them first, or rename them"
                )
        found = unit_vectors(self.model.embed(series, progress=progress)).astype(np.float16)
        whole = series if self.series is None else concatenate([self.series, series])
        first, self.vectors = len(self), np.concatenate([self.vectors, found])
        self.series = replace(whole, notes=())
        if self.approximate:
            self._link(first)
        return self

    def _link(self, first: int = 0) -> None:
        """Bring the graph up to the vectors, of which those from ``first`` on are new."""
        if self.graph is None or first == 0:
            self.graph = Graph.of(self.vectors)
        else:
            self.graph.add(self.vectors[first:], first)

    def remove(self, ids: Collection[Any] | str) -> "SeriesIndex":
        """Remove entries by id, and all windows of a recording by its id.

        Raises:
            SeriesError: an id that no entry has.
        """
        series = self._entries()
        wanted = [ids] if isinstance(ids, str) else [*ids]
        texts = [own.astype(str) for own in (owners_of(series), series.ids)]
        for id in wanted:
            if not any((own == str(id)).any() for own in texts):
                raise SeriesError(f"no entry of the index is called '{id}': check its id")
        rows = np.flatnonzero(~np.any([np.isin(t, [*map(str, wanted)]) for t in texts], axis=0))
        self.vectors, self.graph = self.vectors[rows], None
        self.series = series[rows] if len(rows) else None
        if self.approximate and len(rows):
            self._link()
        return self

    def search(  # noqa: PLR0913 - each is one thing that people ask by
        self,
        x: Any = None,
        *,
        k: int = 10,
        id: str | None = None,
        start: Any = None,
        end: Any = None,
        where: Mapping[str, Any] | None = None,
        apart: float | int = 1.0,
        exact: bool = False,
    ) -> SearchHits:
        """Return the ``k`` entries most like each query.

        Args:
            x: queries: whatever :func:`selftime.read` takes, or vectors as :func:`selftime.embed`
                returns them. Or none, and an ``id``.
            k: hits of each query; fewer where no more pass.
            id: an entry, or all windows of a recording, as queries. They are no hits themselves.
            start: with ``x`` where the span of it begins that is looked for, with ``id`` before
                which none of its windows begins; a time of the clock on the wall, else a step.
            end: with ``x`` where that span ends, with ``id`` after which none of its windows ends.
            where: entries that may be hits: ``id`` and ``label`` are patterns such as "pump*" or
                collections, ``start`` and ``end`` bound their time. Every entry that passes is
                looked at, also in an approximate index.
            apart: window lengths between the beginnings of two hits of one recording, so that ten
                hits are not one found ten times; 0 permits any.
            exact: look at every entry of an approximate index too.

        Raises:
            SeriesError: an empty index, bad queries, or nothing that passes.
        """
        series = self._entries()
        if k < 1 or apart < 0:
            raise SeriesError(f"got k={k} and apart={apart}, wanted at least 1 and at least 0")
        asked, queries, own = self._queries(x, id, start, end)
        rows = np.flatnonzero(rows_where(series, where)) if where else None
        if rows is not None and not len(rows):
            raise SeriesError(
                f"no entry of the index has {words_of_where(where or {})}: ask for less"
            )
        places = Spacing(series, apart)
        found = self._hits(queries, k, places, rows, own, exact)
        unique, hits = np.unique(
            np.concatenate([part.rows[0] for part in found]), return_inverse=True
        )
        if not len(unique):
            raise SeriesError("no entry is left to be a hit: ask for less, or add series")
        counts = [part.rows.shape[1] for part in found]
        names = [f"vector {i}" for i in range(len(queries))] if asked is None else asked.ids
        return SearchHits(
            series=series[unique],
            rows=hits,
            similarities=np.concatenate([part.similarities[0] for part in found]),
            queries=np.repeat(np.arange(len(queries)), counts),
            ranks=np.concatenate([np.arange(count) + 1 for count in counts]),
            asked=asked,
            names=tuple(map(str, names)),
        )

    def _queries(
        self, x: Any, id: str | None, start: Any, end: Any
    ) -> tuple[SeriesSet | None, Float32[np.ndarray, "Q D"], list[list[int]]]:
        """Return the queries as series and as vectors, and the entries that each one is."""
        if (x is None) == (id is None):
            raise SeriesError(
                "wanted something to look for: series, vectors, or the id of an entry"
            )
        if id is not None:
            series = self._entries()
            asked = {"id": [id], "start": start, "end": end}
            rows = np.flatnonzero(rows_where(series, asked))
            if not len(rows):
                some = ", ".join(f"'{own}'" for own in series.ids[:3].tolist())
                within = "" if start is None and end is None else " within that time"
                raise SeriesError(
                    f"no entry of the index is called '{id}'{within}, wanted one such as {some}"
                )
            return (
                series[rows],
                self.vectors[rows].astype(np.float32),
                [[row] for row in rows.tolist()],
            )
        if isinstance(x, Embeddings):
            vectors, given = x.vectors, x.series
        else:
            given = cut(read(x, kind=kind_for(x, self.model.kind)), start, end)
            vectors = self.model.embed(given, progress=False)
        if vectors.shape[1] != self.model.dim:
            raise SeriesError(f"got vectors of {vectors.shape[1]}, wanted {self.model.dim} numbers")
        return given, unit_vectors(vectors), [[]] * len(vectors)

    def _hits(  # noqa: PLR0913 - what a search depends on
        self,
        queries: Float32[np.ndarray, "Q D"],
        k: int,
        places: Spacing,
        rows: np.ndarray | None,
        own: list[list[int]],
        exact: bool,
    ) -> list[Nearest]:
        """Return up to ``k`` hits of each query, asking for more candidates until there are enough.

        Candidates of all queries are looked for together, which reads the vectors once.
        """
        among = self.vectors if rows is None else self.vectors[rows]
        look = rows is not None or self.graph is None or exact
        wanted = _MORE * k if places.are_windows else k + max(map(len, own))
        found: dict[int, Nearest] = {}
        todo = list(range(len(queries)))
        while todo:
            asked = queries[todo]
            if look or self.graph is None:
                near = nearest(among, asked, wanted)
            else:
                near = self.graph.nearest(asked, wanted)
            every = near.rows if rows is None else rows[near.rows]
            for query, candidates, similarities in zip(todo, every, near.similarities, strict=True):
                free = list(places.clear(candidates, own[query], k))
                if len(free) == k or wanted >= len(among):
                    at = np.flatnonzero(np.isin(candidates, free))
                    hits = Nearest(candidates[at][None], np.minimum(similarities[at], 1)[None])
                    found[query] = hits
            todo = [query for query in todo if query not in found]
            wanted = min(_MORE * wanted, len(among))
        return [found[query] for query in range(len(queries))]

    def _entries(self) -> SeriesSet:
        if self.series is None:
            raise SeriesError("the index is empty: add series first")
        return self.series

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the index as a folder that :func:`selftime.load` opens without reading it whole.

        A new generation of files is written beside the old one, and the small file that names it
        is replaced last: who reads meanwhile has the old one, whole, or the new one.

        Raises:
            FileExistsError: the folder exists and ``overwrite`` is False, or holds no index.
            SeriesError: an empty index.
        """
        stored = Stored(self.model, self._entries(), self.vectors, self.graph)
        return write_index(stored, path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "SeriesIndex":
        """Open an index; its vectors and series stay in their files until they are looked at.

        Raises:
            ModelError: no index, or a damaged one.
        """
        stored = open_generation(path)
        found = cls(stored.model, approximate=stored.graph is not None)
        found.series, found.vectors, found.graph = stored.series, stored.vectors, stored.graph
        return found
