"""Tables: read ``.csv``, ``.parquet`` and frames (pandas, polars, arrow); write csv."""

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from selftime.data.arrays import SeriesError
from selftime.data.cells import is_text
from selftime.data.clock import iso_text
from selftime.data.columns import Table
from selftime.data.formats.bounds import COLUMN, check_memory
from selftime.data.formats.dialects import (
    HEAD_LINES,
    SEPARATORS,
    Dialect,
    clock_column,
    kind_of,
    separator_of_columns,
    sniff,
    tabs_for_blanks,
    without_blanks_before_quotes,
)
from selftime.data.formats.numerals import with_plain_numbers
from selftime.data.formats.text import count_of, decoding, read_tsv, read_txt, utf8_of
from selftime.data.frames import arrow_table
from selftime.data.schema import ID_NAMES, LABEL_NAMES, TIME_NAMES
from selftime.data.series import SeriesSet, names_of_channels
from selftime.data.signals import Measurements, Text
from selftime.data.symbols import decode
from selftime.door import tell

CLOCK_NAMES = r"^$|time|clock|hour|zeit|uhr|stunde|heure|hora|ora"
"""Names that columns of clocks have."""


def read_csv(data: bytes, *, separator: str | None = None) -> Table:
    """Read a text table as text cells: separator, encoding, names and numerals are found out.

    Cells of numbers come with points before decimals and nothing between thousands. All that was
    guessed, save commas, UTF-8 and a first line of names, is in the notes of the table.

    Args:
        data: the file.
        separator: the character between cells; sniffed when None.

    Raises:
        SeriesError: rows of other widths, numbers that contradict each other, or no rows; the
            message names line and separator.
    """
    text, notes = utf8_of(data)
    text = without_blanks_before_quotes(text)
    return _table_of_text(text, notes, sniff(text, separator))


def read_tabs(data: bytes) -> SeriesSet | Table:
    """Read a UCR table where all of the first line but a label are numbers, else a text table."""
    text, _ = utf8_of(data)
    first, *cells = text.lstrip().partition(b"\n")[0].decode().rstrip("\r").split("\t")
    alone = not cells and kind_of(first) == "text"
    if alone or kind_of(first) == "date" or any(kind_of(cell) == "text" for cell in cells):
        return read_csv(data, separator=None if alone else "\t")
    return read_tsv(text)


def read_plain(data: bytes) -> SeriesSet | Table:
    """Read one value a line, all values on one line, or a table with blanks or separators."""
    text, notes = utf8_of(data)
    lines = text.strip().decode().split("\n")
    first, head = lines[0].split(), lines[:HEAD_LINES]
    alone = len(lines) == 1 or all(len(line.split()) < 2 for line in head)
    is_single = alone and not any(mark in line for line in head for mark in ",;|")
    if is_single and kind_of(first[0]) in ("number", "missing"):
        return read_txt(text)
    separator = separator_of_columns(text)
    if separator is None and (len(first) > 1 or kind_of(first[0]) != "text"):
        return read_txt(text)
    if separator == " ":
        text, notes = tabs_for_blanks(text), (*notes, "Cells are read with blanks between.")
        return _table_of_text(text, notes, sniff(text, "\t"))
    return _table_of_text(text, notes, sniff(text))


def _table_of_text(text: bytes, notes: tuple[str, ...], dialect: Dialect) -> Table:
    """Return the table of a text, its numbers written plainly, without what are no rows."""
    table, dropped, lines = _split_rows(text, dialect)
    width = table.num_columns
    names = dialect.names or list(names_of_channels(width))
    columns = [c.chunk(0) if c.num_chunks == 1 else c.combine_chunks() for c in table.columns]
    columns = [
        pc.utf8_trim_whitespace(c) if j in dialect.padded else c for j, c in enumerate(columns)
    ]
    columns, lines, more = _without_repeats(columns, names, dialect, lines)
    columns, names, rows, joined = _without_empty_columns(columns, names, dialect.rows)
    columns, names, rows, clock = _with_joined_clock(columns, names, rows, bool(dialect.names))

    def place(row: int, column: int) -> str:
        line = row + dialect.line if lines is None else lines[row]
        return f"line {line}, column {names[column]!r}"

    columns, plain = with_plain_numbers(
        columns, names, rows, place, dialect.separator, b'"' in text
    )
    notes = (*notes, *dialect.notes, *dropped, *more, *joined, *clock, *plain)
    cells, is_named = pa.table(columns, names=names), dialect.names is not None
    return Table(cells, is_named, dialect.line, notes, lines)


def _split_rows(text: bytes, dialect: Dialect) -> tuple[Any, tuple[str, ...], np.ndarray | None]:
    """Return the rows as an arrow table of text without what are no rows, notes, and lines."""
    width, bad = len(dialect.rows[0]), []
    unique = [str(i) for i in range(width)]  # arrow looks types up by name; ours may repeat

    def put_aside(row: Any) -> str:
        bad.append((row.number, row.actual_columns, row.text))
        return "skip"

    end = len(text)
    while end > dialect.start and text[end - 1] in b"\r\n":
        end -= 1
    options = arrow_csv.ReadOptions(column_names=unique, use_threads=False)
    options.block_size = min(len(text) + 1, 2**31 - 1)  # a row must not be longer than a block
    with decoding("csv", "give every row the same number of cells and close every quote"):
        table = arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(memoryview(text)[dialect.start : end])),
            options,
            arrow_csv.ParseOptions(
                delimiter=dialect.separator,
                newlines_in_values=True,
                ignore_empty_lines=width > 1,
                invalid_row_handler=put_aside,
            ),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(unique, pa.large_string())),
        )
    count = table.num_rows + len(bad)
    lines = _lines_of_rows(text, dialect, [number for number, *_ in bad], count)
    return table, _judge_rows(bad, count, dialect, text), lines if width > 1 else None


def _lines_of_rows(text: bytes, dialect: Dialect, bad: list[int], count: int) -> np.ndarray | None:
    """Return the line of each row, from 1; None where one follows the other (or hold several)."""
    if not bad and b"\n\n" not in text and b"\n\r\n" not in text:
        return None
    body = np.frombuffer(text, np.uint8, offset=dialect.start)
    ends = np.append(np.flatnonzero(body == 10), len(body))
    starts = np.append(0, ends[:-1] + 1)
    last = body[np.minimum(starts, len(body) - 1)]
    empty = (ends == starts) | ((ends == starts + 1) & (last == 13))
    lines = np.flatnonzero(~empty) + dialect.line
    return np.delete(lines, np.array(bad, int) - 1) if len(lines) == count else None


def _judge_rows(
    bad: list[tuple[int, int, str]], count: int, dialect: Dialect, text: bytes
) -> tuple[str, ...]:
    """Return notes on lines of another width that are no rows; refuse others."""
    width, notes, last = len(dialect.rows[0]), [], count
    is_cut = not text.endswith((b"\n", b"\r"))
    has_text = kind_of(dialect.rows[0][0]) == "text"
    for number, cells, line in reversed(bad):
        at_end, last = number == last, last - (number == last)
        place = f"line {_line_number(line, text, dialect) or dialect.line + number - 1}"
        first = line.strip().split(dialect.separator)[0].strip(' "')
        if not line.strip(f" \t{dialect.separator}"):
            continue
        if line.lstrip().startswith(("#", "%", "//", "!")):
            notes.append(f"{place.capitalize()} is a comment, left out.")
        elif number == count and is_cut and cells < width:
            notes.append(f"{place.capitalize()} is cut short ({cells} of {width} cells), left out.")
        elif at_end and kind_of(first) == "text" and (cells < width or not has_text):
            notes.append(f"{place.capitalize()} ({first[:40]}) stands under the table, left out.")
        else:
            raise SeriesError(
                f"{place}: got {cells} cells, wanted {width} as in line {dialect.line}, with "
                f"{SEPARATORS[dialect.separator]} between: give every row the same number of "
                "cells, put cells that hold a separator in quotes, and close every quote"
            )
    return tuple(reversed(notes))


def _line_number(line: str, text: bytes, dialect: Dialect) -> int:
    """Return the number of a line that stands somewhere in the rows, 0 if none is like it."""
    found = re.compile(rb"(?m)^" + re.escape(line.encode()) + rb"\r?$").search(text, dialect.start)
    return 1 + text.count(b"\n", 0, found.start()) if found else 0


def _without_repeats(
    columns: list[Any], names: list[str], dialect: Dialect, lines: np.ndarray | None
) -> tuple[list[Any], np.ndarray | None, tuple[str, ...]]:
    """Leave out lines that repeat the names, and rows of empty cells at the end."""
    notes: tuple[str, ...] = ()
    named = [j for j, name in enumerate(names) if name]
    if dialect.names and named and pc.any(pc.equal(columns[named[0]], names[named[0]])).as_py():
        same = pc.equal(columns[named[0]], names[named[0]])
        for j in named[1:]:
            same = pc.and_(same, pc.equal(columns[j], names[j]))
        count = int(pc.sum(same).as_py() or 0)
        if count:
            columns = [column.filter(pc.invert(same)) for column in columns]
            lines = np.arange(len(same)) + dialect.line if lines is None else lines
            lines = lines[~np.asarray(same)]
            notes = (f"{count_of(count, 'line')} with the names again: left out.",)
    full = len(columns[0])
    while full and len(columns) > 1 and not any(len(c[full - 1].as_py()) for c in columns):
        full -= 1
    if full < len(columns[0]):
        note = f"{count_of(len(columns[0]) - full, 'row')} of empty cells at the end: left out."
        return [column[:full] for column in columns], lines, (*notes, note)
    return columns, lines, notes


def _without_empty_columns(
    columns: list[Any], names: list[str], rows: list[list[str]]
) -> tuple[list[Any], list[str], list[list[str]], tuple[str, ...]]:
    """Leave out columns that have neither a name nor any cell."""
    empty = {
        j
        for j, name in enumerate(names)
        if not name and not any(row[j] for row in rows) and pc.all(pc.equal(columns[j], "")).as_py()
    }
    kept = [j for j in range(len(names)) if j not in empty]
    if not empty or not kept:
        return columns, names, rows, ()
    note = f"{count_of(len(empty), 'column')} without a name and without cells: left out."
    rows = [[row[j] for j in kept] for row in rows]
    return [columns[j] for j in kept], [names[j] for j in kept], rows, (note,)


def _with_joined_clock(
    columns: list[Any], names: list[str], rows: list[list[str]], is_named: bool
) -> tuple[list[Any], list[str], list[list[str]], tuple[str, ...]]:
    """Join a column of dates and one of clocks to its right into one of times."""
    j = clock_column(rows)
    if j is None or (is_named and not re.search(CLOCK_NAMES, names[j].lower())):
        return columns, names, rows, ()
    blank = pa.scalar(" ", columns[j].type)
    joined = pc.binary_join_element_wise(columns[j - 1], columns[j], blank)
    name = names[j - 1] or names[j]
    note = f"Columns {names[j - 1]!r} and {names[j]!r} are joined into one of times, {name!r}."
    rows = [[*row[: j - 1], f"{row[j - 1]} {row[j]}", *row[j + 1 :]] for row in rows]
    columns = [*columns[: j - 1], joined, *columns[j + 1 :]]
    return columns, [*names[: j - 1], name, *names[j + 1 :]], rows, (note,)


def encode_csv(x: SeriesSet) -> bytes:
    """Return a long table: unique_id, then ds, label and group if there are any, then channels.

    Texts are a row each.
    """
    if x.labels is not None and x.step_labels is not None:
        raise SeriesError("got labels of series and of steps, wanted one of both: write .npz")
    if isinstance(x.kind, Text):
        return _encode_texts(x, x.kind)
    _say_what_is_lost(x)
    _check_names(x)
    present = replace(x, columns=()).to_columns()
    if "ds" in present:
        present["ds"] = _stamps_of(x)
    for name in x.channels:
        if pc.any(pc.greater_equal(pc.abs(present[name]), 2**24)).as_py():
            present[name] = present[name].cast(
                pa.float64()
            )  # 32 bits are written with fewer digits
    buffer = io.BytesIO()
    arrow_csv.write_csv(arrow_table(present), buffer)
    return buffer.getvalue()


def _say_what_is_lost(x: SeriesSet) -> None:
    """Say what a csv has no columns for; refuse where that is everything."""
    if not x.kind.in_rows:
        raise SeriesError(f"got {x.kind.name}, which a csv has no columns for: write .npz")
    if x.kind != Measurements():
        tell([f"a csv does not hold that these are {x.kind.words}: write .npz to keep it"])
    if x.starts is not None:
        tell(["a csv does not hold which recordings windows are from: write .npz to keep it"])


def _check_names(x: SeriesSet) -> None:
    """Check that columns can be named as channels are."""
    taken = {"unique_id", *TIME_NAMES, *LABEL_NAMES, "group"}
    unclear = [
        name
        for name in x.channels
        if name.lower() in taken or not name.isprintable() or name.strip(" '\"") != name
    ]
    if unclear or len(set(x.channels)) < x.n_channels:
        raise SeriesError(
            f"got channels {', '.join(map(repr, x.channels))}, wanted different names without "
            "control characters, blanks or quotes at their ends, and none of "
            f"{', '.join(sorted(taken))}: rename or write .npz"
        )


def _encode_texts(x: SeriesSet, kind: Text) -> bytes:
    """Return a table with a text in each row, which ``kind="text"`` reads again."""
    tell(["a csv holds texts but not their vocabulary: write .npz to keep it"])
    texts = [decode(x.series(i)[0], kind) for i in range(len(x))]
    known = {"unique_id": x.ids, "label": x.labels, "group": x.groups, "text": texts}
    buffer = io.BytesIO()
    present = {name: column for name, column in known.items() if column is not None}
    arrow_csv.write_csv(arrow_table(present), buffer)
    return buffer.getvalue()


def _stamps_of(x: SeriesSet) -> Any:
    """Return times as they are written: with the offset of their zone, dates without a clock."""
    if x.times is None or x.times.dtype.kind != "M":
        return x.times
    column = x.stamps.column(x.times)
    return iso_text(column) if x.stamps.zone else column


def read_parquet(data: bytes) -> Table:
    """Read the columns of a parquet file; pandas writes the index of a frame there, too."""
    with decoding("parquet"):
        file = arrow_parquet.ParquetFile(pa.BufferReader(data))
        check_parquet(file.metadata, len(data))
        texts = [field.name for field in file.schema_arrow if is_text(field.type)]
        cells = arrow_parquet.read_table(
            pa.BufferReader(data), use_threads=False, read_dictionary=texts
        )
        return with_index(_spelt_out(cells, file.schema_arrow, len(data)))


def check_parquet(metadata: Any, stored: int) -> None:
    """Raise a SeriesError for a parquet file of so many bytes that would take too much memory."""
    rows, columns = metadata.num_rows, metadata.num_columns
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    plain = max(sum(max(group.total_byte_size, 0) for group in groups), 8 * rows * columns)
    what = f"holds {rows:,} rows of {columns:,} columns"
    check_memory(2 * plain + COLUMN * columns, stored, what)


def _spelt_out(cells: Any, schema: Any, stored: int) -> Any:
    """Return a table with texts in every cell in place of numbers of texts."""
    for i, field in enumerate(cells.schema):
        if not pa.types.is_dictionary(field.type) or not is_text(field.type.value_type):
            continue
        for chunk in cells.column(i).chunks:
            lengths = pc.binary_length(chunk.dictionary).cast(pa.int64()).take(chunk.indices)
            size = 2 * (pc.sum(lengths).as_py() or 0)
            check_memory(size, stored, f"holds one text many times in column {field.name!r}")
        cells = cells.set_column(i, schema[i], cells.column(i).cast(schema[i].type))
    return cells


def table_of_frame(source: Any) -> Table | None:
    """Return the columns of a pandas, polars or arrow frame (lazy ones are collected), else None.

    The index of a pandas frame counts as columns, save one that only numbers the rows.
    """
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return None
    with decoding("frame", "give every column one type and a name of text"):
        return with_index(frame.to_arrow())


def with_index(cells: Any) -> Table:
    """Return a table in which the levels of an index of pandas are named columns, or left out."""
    described = cells.schema.pandas_metadata or {}
    levels = [name for name in described.get("index_columns", ()) if name in cells.column_names]
    names = {level: _name_of_level(cells, level, levels) for level in levels}
    kept = [name for name in cells.column_names if names.get(name, name) is not None]
    cells = cells.select([*(n for n in kept if n in levels), *(n for n in kept if n not in names)])
    columns = [names.get(name) or name for name in cells.column_names]
    return Table(
        cells.rename_columns(columns), levels=tuple(n for n in names.values() if n is not None)
    )


def _name_of_level(cells: Any, level: str, levels: Sequence[str]) -> str | None:
    """Return the name of a column for a level of an index; None for one that only numbers rows."""
    kind, known = cells.schema.field(level).type, (*ID_NAMES, *TIME_NAMES, *LABEL_NAMES)
    named = not level.startswith("__index_level_")
    dated = pa.types.is_temporal(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if len(levels) == 1 and number and (not named or level.strip().lower() not in known):
        return None
    if named:
        return level
    last = level == levels[-1] and (dated or len(levels) > 1)
    new = "ds" if last else "id" if len(levels) < 3 else f"level {levels.index(level)}"
    return level if new in cells.column_names else new
