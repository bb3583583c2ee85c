"""Tables larger than memory: whole series in buckets, files that are read one after another.

A first pass over the columns of names and times counts the rows of each series, a second writes
every row into the bucket of its series. Series keep the order, and every bit, that the whole table
gives them; where only all rows together could say what a column means, nothing is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int32, Int64

from selftime.data.arrays import SeriesError
from selftime.data.cells import array_of, codes_of, is_number, is_text, known_in, value_type, whole
from selftime.data.columns import Table, column_in, ids_in, labels_in, names_of, take_names
from selftime.data.digits import date_parts
from selftime.data.parts import Portion, join_parts
from selftime.data.schema import Asked, Schema
from selftime.data.series import SeriesSet
from selftime.data.tables import asked_names, is_indirect, schema_of, series_by_schema
from selftime.door import option

BUCKET = 1 << 26
"""Bytes of the cells of a bucket, about: what is in memory at a time."""
HEAD = 1 << 26
"""Bytes of the cells, about, from which it is decided what each column is."""
_MOST = 400
"""Buckets at most, which are open at the same time; of larger tables they are larger."""
_SURE = ("as asked", "its name", "numbers", "channels are named", "text")
"""Reasons for the role of a column that more rows would not change."""
_DATES = (180_001, 22_000_000)
"""Whole numbers that may be dates, if all of a column are."""


class _Plan(NamedTuple):
    """The series of a table, by first appearance.

    Attributes:
        ids, labels, groups: as the whole table gives them.
        counts: (N,) rows of each.
        ordered: rows lie in the order of series and times.
    """

    ids: np.ndarray
    labels: np.ndarray | None
    groups: np.ndarray | None
    counts: Int64[np.ndarray, "N"]
    ordered: bool


def series_in_buckets(table: Table, asked: Asked, path: Path) -> SeriesSet | None:
    """Read a table bucket by bucket; None where all of its rows have to be seen together.

    Args:
        table: its cells are ``StoredColumns``.
        asked: options.
        path: its file.

    Raises:
        SeriesError: columns are guessed from their values: they are to be named; or a bucket
            cannot be read.
    """
    cells = table.cells
    joined = asked.id is not None and "," in asked.id
    if any(map(is_indirect, cells.schema.types)) or len(table.levels) > 1 or joined:
        return None
    cells = cells.rename_columns([str(name).strip() for name in cells.column_names])
    if asked.time is None and date_parts(cells.column_names, asked_names(asked)):
        return None
    table = table._replace(cells=cells)
    rows = max(HEAD // (8 * len(cells.column_names)), 2)
    schema = schema_of(table._replace(cells=cells.head(rows)), asked)
    if not _can_be_parted(cells, schema, asked):
        return None
    if cells.num_rows > rows:
        _check_sure(schema, asked, rows)
    plan = _plan_wide(table, schema) if schema.layout == "wide" else _plan_long(table, schema)
    if plan is None:
        return None
    with TemporaryDirectory(prefix="selftime-") as folder:
        buckets = _Buckets(table, schema, asked, plan, Path(folder))
        found = join_parts([Portion(str(path), load, numbered=True) for load in buckets.loads()])
    notes = (*table.notes, *schema.notes, *found.series.notes)
    return replace(
        found.series,
        ids=plan.ids,
        labels=plan.labels,
        groups=plan.groups,
        columns=schema.columns,
        notes=notes,
    )


def _can_be_parted(cells: Any, schema: Schema, asked: Asked) -> bool:
    """Return whether cells mean the same in a part of a table as in all of it."""
    kinds = {column.name: cells.schema.field(column.name).type for column in schema.columns}
    if schema.layout == "series" or any(not is_number(kinds[name]) for name in schema.channels):
        return False
    if schema.layout == "wide":
        return True
    kind, time = kinds[str(schema.of("id"))], schema.of("time")
    if not is_text(value_type(kind)) and not pa.types.is_integer(kind):
        return False
    if time is None or pa.types.is_integer(kinds[time]):
        return True
    stamped = pa.types.is_timestamp(kinds[time]) or pa.types.is_date(kinds[time])
    return bool(stamped and (asked.time_zone is None or getattr(kinds[time], "tz", None)))


def _check_sure(schema: Schema, asked: Asked, rows: int) -> None:
    """Check that rows behind the first ones would not change what the columns are."""
    for column in schema.columns:
        if not column.reason.startswith(_SURE):
            role = {"measurement": "channels", "static": "ignore", "ignored": "ignore"}
            raise SeriesError(
                f"is too large to be read as a whole, and column {column.name!r} is taken for the "
                f"{column.role}, since {column.reason}, by its first {rows:,} rows alone: say so, "
                f"{option(role.get(column.role, column.role), column.name)}"
            )
    if schema.layout == "wide" and asked.layout is None:
        raise SeriesError(
            f"is too large to be read as a whole, and its first {rows:,} rows look like series "
            f"each: say so, {option('layout', 'wide')}"
        )


class _Numbers:
    """Different values of a column, numbered by first appearance."""

    def __init__(self) -> None:
        self.number: dict[Any, int] = {}
        self.new: list[Any] = []

    def add(self, cells: Any) -> Int32[np.ndarray, "R"]:
        """Return the number of each cell, -1 where it holds nothing."""
        codes, values = codes_of(cells)
        known = len(self.number)
        own = [self.number.setdefault(value, len(self.number)) for value in values.to_pylist()]
        fresh = np.flatnonzero(np.array(own, np.int64) >= known)
        self.new.append(
            values.take(
                pa.Array.from_buffers(
                    pa.int64(), len(fresh), [None, pa.py_buffer(fresh.astype(np.int64))]
                )
            )
        )
        numbers: np.ndarray = np.array([*own, -1], np.int32)[codes]
        return numbers

    def values(self) -> Any:
        """Return all values as one arrow array."""
        return pa.concat_arrays(self.new)


class _OfSeries:
    """The one value of each series in a column: a label, or a group."""

    def __init__(self) -> None:
        self.numbers, self.found = _Numbers(), np.full(0, -1, np.int32)
        self.changes = False

    def add(self, cells: Any, owners: Int32[np.ndarray, "R"], N: int) -> None:
        """Add the cells of rows of so many series in all."""
        if len(self.found) < N:
            more = np.full(N + len(self.found), -1, np.int32)
            more[: len(self.found)] = self.found
            self.found = more
        values = self.numbers.add(known_in(cells))
        owners, values = owners[values >= 0], values[values >= 0]
        free = self.found[owners] < 0
        self.found[owners[free][::-1]] = values[free][::-1]
        self.changes |= bool((self.found[owners] != values).any())

    def values_in(self, table: Table, name: str, N: int) -> np.ndarray | None:
        """Return the values of the series, as the whole column gives them."""
        cells = pa.table({name: self.numbers.values()})
        numbers, words = labels_in(table._replace(cells=cells), name)
        if words is None:
            return None
        return take_names(words, np.append(numbers, np.int32(-1))[self.found[:N]])


def _plan_long(table: Table, schema: Schema) -> _Plan | None:
    """Go through names and times once; None where a part of the rows would be read otherwise."""
    id_, time = str(schema.of("id")), schema.of("time")
    columns = {role: schema.of(role) for role in ("label", "group") if schema.of(role)}
    own = {role: _OfSeries() for role in columns}
    ids, counts, ordered = _Numbers(), np.zeros(0, np.int64), True
    last: tuple[Any, Any] | None = None
    for cells in table.cells.batches([id_, *filter(None, [time]), *map(str, columns.values())]):
        codes = ids.add(cells[0])
        N = len(ids.number)
        if (codes < 0).any():
            return None
        more = np.bincount(codes, minlength=N)
        more[: len(counts)] += counts
        counts = more
        times = None if time is None else array_of(whole(cells[1]))
        if time is not None and _may_be_dates(cells[1]):
            return None
        ordered = ordered and _in_order(codes, times, last)
        last = (codes[-1], None if times is None else times[-1])
        for role, values in zip(columns, cells[len(cells) - len(columns) :], strict=True):
            own[role].add(values, codes, N)
            if own[role].changes:
                return None
    N = len(counts)
    found = {role: own[role].values_in(table, str(columns[role]), N) for role in columns}
    groups = found.get("group")
    if groups is not None and any(group is None for group in groups.tolist()):
        return None
    names = names_of(table, ids.values())
    return _Plan(names, found.get("label"), groups, counts, ordered)


def _may_be_dates(cells: Any) -> bool:
    """Return whether whole numbers are missing, or write dates in some bucket."""
    if not pa.types.is_integer(cells.type):
        return False
    numbers = array_of(cells)
    return bool(cells.null_count or ((numbers >= _DATES[0]) & (numbers < _DATES[1])).any())


def _in_order(codes: np.ndarray, times: np.ndarray | None, last: tuple[Any, Any] | None) -> bool:
    """Return whether rows follow on each other and on the last one before them."""
    if last is not None:
        codes = np.append(last[0], codes)
        times = None if times is None else np.append(last[1], times)
    later = codes[1:] > codes[:-1]
    same = codes[1:] == codes[:-1]
    if times is not None:
        same &= times[1:] >= times[:-1]
    return bool((same | later).all())


def _plan_wide(table: Table, schema: Schema) -> _Plan:
    """Read names, labels and groups of a table with a series a row."""
    N = table.cells.num_rows
    ids = ids_in(table, schema.of("id"))
    labels, groups = (column_in(table, schema.of(role)) for role in ("label", "group"))
    ids = np.arange(N).astype(str) if ids is None else ids
    return _Plan(ids, labels, groups, np.ones(N, np.int64), True)


class _Buckets:
    """Buckets of the series of a table, written when the first is read."""

    def __init__(
        self, table: Table, schema: Schema, asked: Asked, plan: _Plan, folder: Path
    ) -> None:
        self.table, self.asked, self.plan, self.folder = table, asked, plan, folder
        kept = ("measurement", *(("id", "time") if schema.layout == "long" else ()))
        columns = tuple(column for column in schema.columns if column.role in kept)
        self.schema = schema._replace(columns=columns)
        self.names = [column.name for column in columns]
        rows = table.cells.num_rows
        most = max(BUCKET // (8 * (1 + len(columns))), rows // _MOST, 1)
        before = np.cumsum(plan.counts) - plan.counts
        self.bucket = np.unique(before // most, return_inverse=True)[1].astype(np.int32)
        self.written = False

    def loads(self) -> Iterator[Any]:
        """Yield what reads each bucket."""
        for number in range(int(self.bucket[-1]) + 1):
            yield partial(self._load, number)

    def _load(self, number: int) -> SeriesSet:
        if not self.written:
            self._write()
        with pa.OSFile(str(self._path(number))) as file, pa.ipc.open_stream(file) as stream:
            found = stream.read_all()
        self._path(number).unlink()
        rows, cells = array_of(whole(found.column(0))), found.remove_column(0)
        typed = self.table.first_line is None
        lines = rows + (1 if typed else self.table.first_line or 0)
        table = self.table._replace(cells=cells, lines=lines, notes=())
        return series_by_schema(
            *(table, self.schema, self.asked),
            ids=self.plan.ids[self.bucket == number],
            rows=None if self.plan.ordered else rows,
        )

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:04}.arrow"

    def _write(self) -> None:
        """Go through all rows, and write each into the bucket of its series."""
        id_ = self.schema.of("id") if self.schema.layout == "long" else None
        ids, row, files = _Numbers(), 0, dict[int, Any]()
        try:
            for cells in self.table.cells.batches(self.names):
                n = len(cells[0])
                rows = np.arange(row, row + n)
                codes = rows
                if id_ is not None:
                    place = self.names.index(id_)
                    codes = ids.add(cells[place])
                    cells[place] = pa.Array.from_buffers(pa.int32(), n, [None, pa.py_buffer(codes)])
                numbers = pa.Array.from_buffers(pa.int64(), n, [None, pa.py_buffer(rows)])
                batch = pa.record_batch([numbers, *cells], names=["", *self.names])
                for number, some in _parts_of(batch, self.bucket[codes]):
                    if number not in files:
                        files[number] = pa.ipc.new_stream(str(self._path(number)), batch.schema)
                    files[number].write_batch(some)
                row += n
        finally:
            for file in files.values():
                file.close()
        self.written = True


def _parts_of(batch: Any, bucket: Int32[np.ndarray, "R"]) -> Iterator[tuple[int, Any]]:
    """Yield the rows of each bucket in a batch, in their order."""
    if (bucket[1:] < bucket[:-1]).any():
        order = np.argsort(bucket, kind="stable")
        rows = pa.Array.from_buffers(pa.int64(), len(order), [None, pa.py_buffer(order)])
        batch, bucket = batch.take(rows), bucket[order]
    starts: Sequence[int] = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]]).tolist()
    for start, end in zip(starts, [*starts[1:], len(bucket)], strict=True):
        yield int(bucket[start]), batch.slice(start, end - start)
