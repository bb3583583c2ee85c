"""Large csv and parquet files: numbers, stamps and codes of names come in, never the whole file.

What is unusual in a file is left to the readers of whole files, which say it by line.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from mmap import mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from selftime.data.arrays import MISSING_LABELS, SeriesError
from selftime.data.cells import array_of, dtype_of, is_text, text_array, whole
from selftime.data.columns import Table
from selftime.data.formats.csv_parquet import check_parquet, with_index
from selftime.data.formats.dialects import (
    Dialect,
    clock_column,
    kind_of,
    sniff,
    without_blanks_before_quotes,
)
from selftime.data.formats.numerals import plain_columns
from selftime.data.formats.text import (
    MISSING_CELLS,
    MISSING_NUMBERS,
    cast_or_none,
    decoding,
    utf8_of,
)
from selftime.data.memory import memory_here
from selftime.data.series import names_of_channels

LARGE = 1 << 22
"""Bytes of a file from which on it is read in parts."""
HUGE = 8
"""A file that is larger than one in so many parts of the memory is huge."""
_BLOCK = 1 << 18
_ROWS = 1 << 16
_MOST_WORDS, _HEAD = 100_000, 8
_LONGEST_LINE = 1 << 25
_NUMBER = pa.float64()
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")
_MARKS = [*MISSING_CELLS, *MISSING_NUMBERS, ""]


class StoredColumns:
    """Columns of a file, each made when it is asked for; else like an arrow table.

    Args:
        schema: names and types.
        num_rows: number of rows.
        fetch: gives the cells of a column by its name.
        forget: lets go what is kept of a column, by its name.
        batches: yields the cells of some columns, so many rows at a time.
    """

    def __init__(
        self,
        schema: Any,
        num_rows: int,
        fetch: Callable[[str], Any],
        forget: Callable[[str], Any],
        batches: Callable[[Sequence[str]], Iterator[list[Any]]],
    ) -> None:
        self.schema, self.num_rows, self.column, self.forget = schema, num_rows, fetch, forget
        self.batches = batches

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.schema.names)

    def select(self, names: Sequence[str]) -> "StoredColumns":
        """Return some of the columns."""
        fields = [self.schema.field(name) for name in names]
        return StoredColumns(
            pa.schema(fields), self.num_rows, self.column, self.forget, self.batches
        )

    def rename_columns(self, names: Sequence[str]) -> "StoredColumns":
        """Return the columns under other names."""
        own = dict(zip(names, self.schema.names, strict=True))
        fields = [field.with_name(name) for field, name in zip(self.schema, names, strict=True)]
        return StoredColumns(
            pa.schema(fields),
            self.num_rows,
            lambda name: self.column(own[name]),
            lambda name: self.forget(own[name]),
            lambda some: self.batches([own[name] for name in some]),
        )

    def head(self, rows: int) -> Any:
        """Return the first rows of all columns as an arrow table."""
        names, found, count = self.column_names, list[Any](), 0
        for cells in self.batches(names):
            found.append(pa.Table.from_arrays(cells, names=names))
            count += len(cells[0])
            if count >= rows:
                break
        return pa.concat_tables(found).unify_dictionaries().slice(0, rows)

    def read(self) -> Any:
        """Return all columns as an arrow table."""
        return pa.Table.from_arrays(
            [self.column(name) for name in self.schema.names], schema=self.schema
        )


def is_huge(size: int) -> bool:
    """Return whether a file of so many bytes is not read as a whole where that can be avoided."""
    return size >= memory_here() // HUGE


def read_large(path: Path) -> Table | None:
    """Return the table of a large csv or parquet file; None for a small or an unusual one."""
    read = {".csv": _read_csv, ".parquet": _read_parquet}.get(path.suffix.lower())
    if read is None or path.stat().st_size < LARGE:
        return None
    with suppress(SeriesError), decoding(path.suffix):
        return read(path)
    return None


def _read_parquet(path: Path) -> Table | None:
    check_parquet(arrow_parquet.read_metadata(path), path.stat().st_size)
    plain = arrow_parquet.read_schema(path)
    if len(set(plain.names)) < len(plain) or any(pa.types.is_nested(kind) for kind in plain.types):
        return None
    texts = [field.name for field in plain if is_text(field.type)]
    file = arrow_parquet.ParquetFile(
        path, read_dictionary=texts, buffer_size=_BLOCK, pre_buffer=False
    )
    kinds = [pa.dictionary(pa.int32(), f.type) if f.name in texts else f.type for f in plain]
    fields = [field.with_type(kind) for field, kind in zip(plain, kinds, strict=True)]
    schema = pa.schema(fields, plain.metadata)
    fetch, rows = partial(_fetch, file, schema), file.metadata.num_rows
    batches = partial(_batches_of_parquet, file)
    return with_index(StoredColumns(schema, rows, fetch, lambda name: None, batches))


def _batches_of_parquet(file: Any, names: Sequence[str]) -> Iterator[list[Any]]:
    with decoding("parquet"):
        for batch in file.iter_batches(_ROWS, columns=[*names], use_threads=False):
            yield [batch.column(name) for name in names]


def _fetch(file: Any, schema: Any, name: str) -> Any:
    """Read a column of a parquet file: plain numbers and stamps batch by batch."""
    kind = schema.field(name).type
    with decoding("parquet"):
        if dtype_of(kind) is None:
            return file.read([name], use_threads=False).column(name).cast(kind)
        column = _Column(kind)
        column.reserve(file.metadata.num_rows)
        for batch in file.iter_batches(_ROWS, columns=[name], use_threads=False):
            if batch.column(0).null_count and not pa.types.is_floating(kind):
                return file.read([name], use_threads=False).column(name)
            column.add(batch.column(0))
        pa.default_memory_pool().release_unused()
        return pa.chunked_array([column.finish()])


def _read_csv(path: Path) -> Table | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_BLOCK)
        if head.count(b"\n") < _HEAD:
            head += file.read(_HEAD * _BLOCK)
        head = head if file.tell() == size else _cut(head)[0]
        text, said = utf8_of(head)
        if said or without_blanks_before_quotes(text) is not text or b"\n" not in text:
            return None
        dialect = sniff(text)
        names = dialect.names or list(names_of_channels(len(dialect.rows[0])))
        numeric = plain_columns(names, dialect.rows, dialect.separator)
        if numeric is None or _is_unusual(dialect, names):
            return None
        heads = zip(*dialect.rows, strict=True)
        kinds = [_kind_of_column(head, j in numeric.columns) for j, head in enumerate(heads)]
        while True:
            file.seek(dialect.start + len(head) - len(text))
            columns = [_COLUMNS[kind]().place(is_huge(size)) for kind in kinds]
            wrong = _add_blocks(columns, file, size, dialect.separator)
            if wrong is None:
                break
            kinds[wrong] = "number" if wrong in numeric.columns else "text"
    if all(column.is_last_empty() for column in columns):
        return None
    rows = columns[0].rows
    cells = {name: column.finish() for name, column in zip(names, columns, strict=True)}
    del columns
    schema = pa.schema([pa.field(name, column.type) for name, column in cells.items()])
    batches = partial(_batches_of_cells, cells, rows)
    stored = StoredColumns(
        schema, rows, lambda name: pa.chunked_array([cells[name]]), cells.pop, batches
    )
    return Table(stored, bool(dialect.names), dialect.line, (*dialect.notes, *numeric.notes))


def _batches_of_cells(
    cells: dict[str, Any], rows: int, names: Sequence[str]
) -> Iterator[list[Any]]:
    for row in range(0, rows, _ROWS):
        yield [cells[name].slice(row, _ROWS) for name in names]


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Return the whole lines of some bytes, and the rest."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _is_unusual(dialect: Dialect, names: Sequence[str]) -> bool:
    """Return whether rows need more than to be split into cells."""
    rows = dialect.rows
    empty = any(not name and not any(row[j] for row in rows) for j, name in enumerate(names))
    twice = len(set(names)) < len(names)
    clock = clock_column(rows) is not None
    return bool(empty or twice or len(names) == 1 or dialect.padded or clock)


def _kind_of_column(cells: Sequence[str], is_numeric: bool) -> str:
    if all(_WHOLE.fullmatch(cell) for cell in cells):
        return "whole"
    if is_numeric:
        return "number"
    return "time" if all(kind_of(cell) == "date" for cell in cells) else "text"


def _blocks_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield whole lines until the end of a file, about so many bytes at a time.

    Raises:
        SeriesError: what may be no plain text, or quotes that span lines.
    """
    rest, ended = b"", False
    while not ended:
        data = file.read(size)
        ended = not data
        if len(rest) > _LONGEST_LINE:
            raise SeriesError("a line is too long to be read in parts")
        data, rest = (rest.rstrip(b"\r\n"), b"") if ended else _cut(rest + data)
        if b"\0" in data or data.count(b'"') % 2:
            raise SeriesError("lines cannot be told apart")
        if data:
            yield data


def _add_blocks(
    columns: Sequence["_Column"], file: BinaryIO, size: int, separator: str
) -> int | None:
    """Add all rows of a csv to its columns; return the first column that holds something else."""
    unique = [str(j) for j in range(len(columns))]  # arrow looks types up by name
    parse = arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    convert = arrow_csv.ConvertOptions(
        column_types={name: column.read for name, column in zip(unique, columns, strict=True)},
        null_values=_MARKS,
    )
    for block in _blocks_of(file, _BLOCK * (1 + len(columns) // 100)):
        read = arrow_csv.ReadOptions(
            column_names=unique, use_threads=False, block_size=len(block) + 1
        )
        rows = arrow_csv.read_csv(
            pa.BufferReader(block), read, parse, convert, pa.system_memory_pool()
        )
        for j, column in enumerate(columns):
            if not column.rows:
                column.reserve(int(1.1 * rows.num_rows * size / len(block)))
            if not column.add(whole(rows.column(j))):
                return j
    return None


class _Column:
    """A column of numbers that grows, on pages of memory of its own, or of a temporary file.

    Args:
        type: of the cells.
        read: the type in which arrow reads them.
    """

    def __init__(self, type: Any = _NUMBER, read: Any = _NUMBER) -> None:
        self.type, self.read, self.rows = type, read, 0
        self.values = np.empty(0, dtype_of(type))
        self.on_disk = False

    def place(self, on_disk: bool) -> "_Column":
        self.on_disk = on_disk
        return self

    def reserve(self, size: int) -> None:
        """Make room for so many rows."""
        if size > len(self.values):
            kind = self.values.dtype
            few = size < _ROWS
            room = (
                np.empty(size, kind) if few else np.frombuffer(self._pages(8 * size), kind)[:size]
            )
            room[: self.rows] = self.values[: self.rows]
            self.values = room

    def _pages(self, size: int) -> mmap:
        if not self.on_disk:
            return mmap(-1, size)
        with TemporaryFile() as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # a full disk would end the process
            return mmap(file.fileno(), size)

    def add(self, cells: Any) -> bool:
        """Add the cells of a block; False where they are of another kind."""
        return self.put(array_of(cells))

    def put(self, values: np.ndarray) -> bool:
        if self.rows + len(values) > len(self.values):
            self.reserve(int(1.5 * (self.rows + len(values))))
        self.values[self.rows : self.rows + len(values)] = values
        self.rows += len(values)
        return True

    def finish(self) -> Any:
        """Return the cells as an arrow array, not copied."""
        buffer = pa.py_buffer(self.values[: self.rows])
        return pa.Array.from_buffers(self.type, self.rows, [None, buffer])

    def is_last_empty(self) -> bool:
        """Return whether the last cell holds nothing."""
        last = self.values[self.rows - 1]
        return bool(last != last)


class _Whole(_Column):
    """Whole numbers, written so that no digit of the text is lost."""

    def __init__(self) -> None:
        super().__init__(pa.int64(), pa.string())

    def add(self, cells: Any) -> bool:
        numbers = cast_or_none(cells, pa.int64())
        same = numbers is not None and numbers.cast(pa.string()).equals(cells)
        return same and self.put(array_of(numbers))


class _Times(_Column):
    """Times in ISO 8601 without a zone."""

    def __init__(self) -> None:
        super().__init__(pa.timestamp("ns"), pa.string())
        self.has_clock = False

    def add(self, cells: Any) -> bool:
        times = cells.cast(self.type)  # others are read as a whole
        self.has_clock |= bool((array_of(pc.utf8_length(cells)) > 10).any())
        return self.put(array_of(times))

    def finish(self) -> Any:
        if not self.has_clock:
            self.type = pa.date32()
            self.values = self.values[: self.rows].astype("M8[D]").astype(np.int32)
        return super().finish()


class _Words(_Column):
    """Texts of which few differ: their numbers, and each of them once."""

    def __init__(self) -> None:
        super().__init__(pa.int32(), pa.dictionary(pa.int32(), pa.string()))
        self.words: dict[str, int] = {}

    def add(self, cells: Any) -> bool:
        own = cells.dictionary.to_pylist()
        number = np.array([self.words.setdefault(word, len(self.words)) for word in own], np.int32)
        if len(self.words) > _MOST_WORDS:
            raise SeriesError("too many different texts")
        return self.put(number[array_of(cells.indices)])

    def finish(self) -> Any:
        known = {word.strip().lower() for word in self.words} - {*map(str.lower, MISSING_LABELS)}
        if known <= {"true", "false"}:
            raise SeriesError("holds truth values")
        words = text_array(list(self.words), pa.string())
        return pa.DictionaryArray.from_arrays(super().finish(), words)

    def is_last_empty(self) -> bool:
        return bool(self.words.get("") == self.values[self.rows - 1])


_COLUMNS = {"number": _Column, "whole": _Whole, "time": _Times, "text": _Words}
