"""Columns of tables as numbers, times, names and labels, whatever the types of their cells."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int32

from selftime.data.arrays import SeriesError, column_of
from selftime.data.cells import array_of, codes_of, decoded, is_number, is_text, known_in, valid_in
from selftime.data.clock import Stamps, dates_in, in_zone
from selftime.data.formats.text import MISSING_CELLS, labels_of, numbers
from selftime.data.formats.times import ParsedTimes, parse_times, times_of_numbers
from selftime.data.schema import Asked
from selftime.door import option


class Table(NamedTuple):
    """An arrow table from a file or a frame; ``first_line`` is None where cells have types.

    Attributes:
        cells: the table.
        named: whether columns came with names.
        first_line: line of the first row in a text file.
        notes: what was decided in reading the file.
        lines: of all rows, counted from 1, where some lie between them; rows of cells with types.
        levels: columns that were the levels of an index of pandas.
    """

    cells: Any
    named: bool = True
    first_line: int | None = None
    notes: tuple[str, ...] = ()
    lines: np.ndarray | None = None
    levels: tuple[str, ...] = ()

    def place(self, row: int, column: str) -> str:
        """Return the place of a cell, for messages."""
        at = f"row {row + 1}" if self.first_line is None else f"line {row + self.first_line}"
        if self.lines is not None:
            at = f"{'row' if self.first_line is None else 'line'} {self.lines[row]}"
        return f"{at}, column {column!r}"


def _as_number(mark: Any) -> float | None:
    try:
        return float(mark)
    except ValueError:
        return None


def numbers_in_column(table: Table, name: str, asked: Asked) -> Float64[np.ndarray, "R"]:
    """Return the numbers in a column, NaN where missing or as good as (``missing``)."""
    cells = decoded(table.cells.column(name))
    if is_text(cells.type):
        texts = (*MISSING_CELLS, "", *map(str, asked.missing))
        remedy = f"; if such texts mean that, say so, {option('missing')}"
        values = numbers(cells, lambda row: table.place(row, name), texts, remedy=remedy)
    elif is_number(cells.type):
        values = _finite(table, name, cells)
    else:
        raise SeriesError(
            f"column {name!r} holds {cells.type}, wanted numbers: name others, {option('channels')}"
        )
    marks = [number for mark in asked.missing if (number := _as_number(mark)) is not None]
    for number in marks:
        values = np.where(np.isclose(values, number, rtol=1e-6, atol=0), np.nan, values)
    return values


def _finite(table: Table, name: str, cells: Any) -> Float64[np.ndarray, "R"]:
    plain = pa.types.is_float64(cells.type)
    values = array_of(cells if plain else cells.cast(pa.float64(), safe=False))
    ends = np.array([np.fmin.reduce(values), np.fmax.reduce(values)])
    with np.errstate(over="ignore"):
        if not np.isinf(ends.astype(np.float32)).any():
            return values
        row = int(np.argmax(np.isinf(values.astype(np.float32))))
    raise SeriesError(
        f"{table.place(row, name)}: got {cells[row].as_py()}, wanted a finite 32-bit number: "
        f"rescale, or say that it means missing, {option('missing')}"
    )


def times_in(
    table: Table, name: str | None, asked: Asked
) -> tuple[np.ndarray | None, Stamps, tuple[str, ...]]:
    """Return the stamps of the rows, in UTC where they have a zone, what they are, and notes."""
    if name is None:
        return None, Stamps(), ()
    times, zone, kind, notes = _stamps_of(table, name, _cells(table, name))
    lost = np.isnat(times) if times.dtype.kind in "mM" else ~np.isfinite(times)
    if lost.any():
        raise SeriesError(
            f"{table.place(int(np.argmax(lost)), name)}: got no time, wanted one for each row: "
            f"drop the row, or read rows in their order, {option('time', 'none')}"
        )
    if times.dtype.kind not in "mM":
        return *(dates_in(times) or (times, Stamps(None, "number"))), notes
    return *in_zone(times, Stamps(zone, kind), asked.time_zone), notes


def _stamps_of(table: Table, name: str, cells: Any) -> ParsedTimes:
    """Return the cells of a column as times or numbers, whatever their type."""
    kind, copy = cells.type, isinstance(table.cells, pa.Table)  # a frame may change later
    if is_text(kind):
        return parse_times(cells, lambda row: table.place(row, name), epochs=False)
    if pa.types.is_date(kind):
        days = array_of(cells.cast(pa.timestamp("s")))
        return ParsedTimes(days.astype("M8[ns]"), None, "date")
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind):
        times = array_of(cells).astype("M8[ns]", copy=copy)
        return ParsedTimes(times, getattr(kind, "tz", None), "time")
    if pa.types.is_integer(kind) and not cells.null_count:
        whole = array_of(cells).astype(np.int64, copy=copy)
        if table.first_line is not None:
            return times_of_numbers(whole, epochs=False)
        return ParsedTimes(whole, None, "number")
    if is_number(kind):
        plain = array_of(cells.cast(pa.float64(), safe=False))
        return ParsedTimes(plain.astype(np.float64, copy=copy), None, "number")
    raise SeriesError(f"column {name!r} holds {kind}, wanted times or numbers")


def labels_in(table: Table, name: str | None) -> tuple[Int32[np.ndarray, "R"], np.ndarray | None]:
    """Return the number of each row's label or group, -1 for none, and the values of a column."""
    if name is None:
        return np.empty(0, np.int32), None
    codes, values = codes_of(table.cells.column(name))
    cells = known_in(values)
    known = cells.drop_null()
    if not len(known):
        return codes, None
    words = names_of(table, known)
    _, place, number = np.unique(words.astype(str), return_index=True, return_inverse=True)
    numbers = np.full(len(cells) + 1, -1, np.int32)  # the last one is that of no cell
    numbers[np.flatnonzero(valid_in(cells))] = number
    return numbers[codes], words[place]


def take_names(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the value of each number, None for -1."""
    whole = (codes >= 0).all()
    found: np.ndarray = (values if whole else np.array([*values.tolist(), None], object))[codes]
    return found


def column_in(table: Table, name: str | None) -> np.ndarray | None:
    """Return labels or groups as they are, or parsed where cells come from a text file.

    None stands where there is no label.
    """
    if name is None:
        return None
    cells = known_in(_cells(table, name))
    known = cells.drop_null()
    if not len(known):
        return None
    values = names_of(table, known)
    if len(known) == len(cells):
        return values
    out = np.full(len(cells), None, object)
    out[valid_in(cells)] = values.tolist()
    return out


def names_of(table: Table, cells: Any) -> np.ndarray:
    """Return ids or labels in their own type; texts of a file are numbers where nothing is lost."""
    if is_text(cells.type) and table.first_line is not None:
        return labels_of(cells)
    if pa.types.is_temporal(cells.type):
        return np.asarray(cells.to_numpy(zero_copy_only=False))
    return column_of(cells.to_pylist(), "labels")


def ids_in(table: Table, name: str | None) -> np.ndarray | None:
    """Return the ids of rows in their own type."""
    if name is None:
        return None
    check_no_gap(table, name)
    return names_of(table, _cells(table, name))


def check_no_gap(table: Table, name: str) -> None:
    """Check that each row has a name."""
    cells = table.cells.column(name)
    if cells.null_count:
        row = cells.is_null().to_pylist().index(True)
        raise SeriesError(f"{table.place(row, name)}: got nothing, wanted a name: fill it in")


def _cells(table: Table, name: str) -> Any:
    return decoded(table.cells.column(name))
