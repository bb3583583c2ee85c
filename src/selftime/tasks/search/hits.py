"""Hits: what a search returned, which entries may be hits, and how far apart they lie."""

import fnmatch
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from selftime.data.arrays import spans
from selftime.data.clock import iso_text
from selftime.data.frames import Tabular, join_columns
from selftime.data.series import SeriesError, SeriesSet

WHERE = {"id": "id", "label": "label", "start": "a begin from", "end": "an end up to"}
"""What entries can be asked for by, as messages say it."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SearchHits(Tabular):
    """Entries of an index that are nearest to each query, nearest first: M of them in all.

    Attributes:
        series: the entries that were hit, each once.
        rows: (M,) the entry of each hit among them.
        similarities: (M,) cosines of their vectors and the query's, 1 for the same.
        queries: (M,) the query of each, a row of ``asked``.
        ranks: (M,) 1 for the nearest of its query.
        asked: the queries, as series; None where vectors were given.
        names: names of the queries.
    """

    series: SeriesSet
    rows: Int64[np.ndarray, "M"]
    similarities: Float32[np.ndarray, "M"]
    queries: Int64[np.ndarray, "M"]
    ranks: Int64[np.ndarray, "M"]
    asked: SeriesSet | None
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.similarities)

    def to_columns(self) -> dict[str, Any]:
        """Return query, rank, what names the entry, similarity, distance (1 - that), and label."""
        asked = {"query": np.array(self.names)[self.queries], "rank": self.ranks}
        near = {"similarity": self.similarities, "distance": 1 - self.similarities}
        labels = {} if self.series.labels is None else {"label": self.series.labels}
        keys, label = (
            {name: column.take(self.rows) for name, column in part.items()}
            for part in (self.series.keys(), labels)
        )
        return join_columns(asked, keys, near, label)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, a record per hit; times as text."""
        table = self.to_arrow()
        columns = {name: iso_text(table.column(name).combine_chunks())
                   if str(table.column(name).type).startswith("timestamp")
                   else table.column(name) for name in table.column_names}  # fmt: skip
        plain = [column.to_pylist() for column in columns.values()]
        rows = zip(*plain, strict=True)
        return {"hits": [dict(zip(columns, row, strict=True)) for row in rows]}


def owners_of(series: SeriesSet) -> np.ndarray:
    """Return the recording that each entry is a window of, or its own id."""
    return series.ids if series.recordings is None else series.recordings


def rows_where(series: SeriesSet, where: Mapping[str, Any]) -> Bool[np.ndarray, "N"]:
    """Return True for each entry that is asked for; see :meth:`SeriesIndex.search`.

    Raises:
        SeriesError: something is asked for by what no entry has.
    """
    for name in set(where) - set(WHERE):
        raise SeriesError(f"got where={{{name!r}: …}}, wanted some of {', '.join(WHERE)}")
    keep = np.ones(len(series), bool)
    if where.get("id") is not None:
        names = owners_of(series), series.ids
        keep &= np.logical_or(*(_among(own, where["id"]) for own in names))
    if where.get("label") is not None:
        if series.labels is None:
            raise SeriesError("the entries have no labels to be found by: add labelled series")
        keep &= _among(np.array([*map(_text, series.labels)]), where["label"])
    first, last = ends_of(series)
    if where.get("start") is not None:
        keep &= first >= like(first, where["start"])
    if where.get("end") is not None:
        keep &= last <= like(last, where["end"])
    return keep


def words_of_where(where: Mapping[str, Any]) -> str:
    """Return what is asked of entries, in words."""
    return " and ".join(
        f"{WHERE[name]} {value}" for name, value in where.items() if value is not None
    )


def _text(label: Any) -> str:
    return "" if label is None else str(label)


def _among(names: np.ndarray, wanted: str | Collection[Any]) -> Bool[np.ndarray, "N"]:
    """Return True for each name that a pattern fits, or that is among several."""
    texts = names.astype(str)
    if isinstance(wanted, str):
        unique, codes = np.unique(texts, return_inverse=True)
        fits = np.array([fnmatch.fnmatchcase(name, wanted) for name in unique], bool)
        return np.asarray(fits[codes])
    return np.isin(texts, [str(name) for name in wanted])


def ends_of(series: SeriesSet) -> tuple[np.ndarray, np.ndarray]:
    """Return first and last time of each entry as the clock on the wall shows them, or steps."""
    if series.times is not None:
        ends = series.offsets[:-1], series.offsets[1:] - 1
        first, last = (series.stamps.wall_clock(series.times[rows]) for rows in ends)
        return first, last
    starts = np.zeros(len(series), np.int64) if series.starts is None else series.starts
    return starts, starts + series.lengths - 1


def like(bounds: np.ndarray, value: Any) -> Any:
    """Return a time or step, given as text or number, in the type of others.

    Raises:
        SeriesError: it is no such time.
    """
    try:
        return np.datetime64(value) if bounds.dtype.kind == "M" else float(value)
    except (ValueError, TypeError):
        wanted = "a time such as 2024-03-01T05:30" if bounds.dtype.kind == "M" else "a number"
        raise SeriesError(f"got {value!r}, wanted {wanted}, as the entries have them") from None


class Spacing:
    """Places of entries in their recordings, so that no hit lies on another.

    Args:
        series: the entries.
        apart: window lengths that lie between the beginnings of two hits of a recording.
    """

    def __init__(self, series: SeriesSet, apart: float | int) -> None:
        self.recordings, self.apart = owners_of(series), apart
        self.starts = np.zeros(len(series)) if series.starts is None else series.starts
        self.lengths = series.lengths
        self.are_windows = series.starts is not None and apart > 0

    def clear(self, rows: Int64[np.ndarray, "m"], taken: list[int], k: int) -> Iterator[int]:
        """Yield the first ``k`` of some rows that lie apart from those taken and each other."""
        if not self.are_windows:
            free = rows[~np.isin(rows, taken)] if taken else rows
            yield from free[:k].tolist()
            return
        seen = list(taken)
        for row in rows.tolist():
            if k == 0:
                return
            other = np.array(seen, np.int64)
            same = other[self.recordings[other] == self.recordings[row]]
            gap = np.abs(self.starts[same] - self.starts[row])
            if not (gap < self.apart * np.minimum(self.lengths[same], self.lengths[row])).any():
                seen.append(row)
                k -= 1
                yield row


def cut(series: SeriesSet, start: Any, end: Any) -> SeriesSet:
    """Return the steps of every series from one time or step to another, both included.

    Raises:
        SeriesError: a series has no step there.
    """
    if start is None and end is None:
        return series
    if series.times is None:
        at = np.arange(len(series.steps)) - np.repeat(series.offsets[:-1], series.lengths)
    else:
        at = series.stamps.wall_clock(series.times)
    keep = np.ones(len(at), bool)
    keep &= True if start is None else at >= like(at, start)
    keep &= True if end is None else at <= like(at, end)
    counts = np.add.reduceat(keep.astype(np.int64), series.offsets[:-1])
    if not counts.all():
        name = series.ids[int(np.argmin(counts))]
        raise SeriesError(f"series '{name}' has no step from {start} to {end}: widen the span")
    first = np.searchsorted(np.cumsum(keep), np.cumsum(counts) - counts, side="right")
    owners = np.arange(len(series))
    return series.slice_rows(spans(first, counts), counts, owners, series.ids)
