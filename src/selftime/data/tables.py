"""Tables of named columns: roles of columns, and the layouts long, wide and series."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from selftime.data.arrays import SeriesError, column_of, trim_rows
from selftime.data.formats.text import MISSING_CELLS, labels_of, numbers
from selftime.data.formats.times import parse_times
from selftime.data.series import SeriesSet

Layout = Literal["long", "wide", "series"]
"""long: one row per step and a column of ids; wide: one row per series; series: one series."""

TIME_NAMES = ("ds", "date", "time", "timestamp", "datetime")
LABEL_NAMES = ("label", "class")

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Roles of the columns of a table; roles without a name are found by common names.

    Example:
        >>> import pandas as pd
        >>> import selftime as st
        >>> frame = pd.DataFrame({"machine": ["a", "a", "b", "b"], "temperature": [20, 21, 19, 18]})
        >>> st.read(frame, columns=st.Columns(id="machine", time=None)).ids.tolist()
        ['a', 'b']

    Attributes:
        id: names the series of each row in a long table.
        time: orders the rows; None reads without times, in the order of the file.
        label: class label of the series. A column ``label`` or ``class`` is found (``target`` too
            in a wide table, each only as first or last column), unless ``channels`` are named.
        group: subject, machine or session of the series; ``group`` is found likewise.
        channels: the value columns; all that are left when None.
    """

    id: str = "unique_id"
    time: str | None = "ds"
    label: str | None = None
    group: str | None = None
    channels: Sequence[str] | None = None


class Table(NamedTuple):
    """An arrow table from a file or a frame; ``first_line`` is None where cells have types."""

    cells: Any
    named: bool = True
    first_line: int | None = None
    notes: tuple[str, ...] = ()

    def place(self, row: int, column: str) -> str:
        """Return the place of a cell, for messages."""
        at = f"row {row + 1}" if self.first_line is None else f"line {row + self.first_line}"
        return f"{at}, column {column!r}"


class Roles(NamedTuple):
    """The layout, the reason for it, and the role of each column."""

    layout: Layout
    reason: str
    id: str | None
    time: str | None
    label: str | None
    group: str | None
    channels: tuple[str, ...]


def roles_of(table: Table, columns: Columns, layout: Layout | None) -> Roles:
    """Find the layout of a table (None: by its names and types) and the roles of its columns."""
    names = list(table.cells.column_names)
    _check_names(names, columns)
    id_ = columns.id if columns.id in names else None
    time = _time_column(table, columns)
    layout, reason = (layout, "as asked") if layout else recognise_layout(table, columns, id_, time)
    if layout == "long" and id_ is None:
        raise SeriesError(
            f"has columns {_list_names(names)}, wanted {columns.id!r} to name the series of each "
            "row: pass columns=Columns(id=...) or another layout"
        )
    label = columns.label or _label_column(names, columns, layout)
    group = columns.group or _find_name(names, columns, ("group",))
    used = {id_, label, group, time if layout != "wide" else None}
    channels = tuple(columns.channels or (name for name in names if name not in used))
    if not channels:
        raise SeriesError(f"has columns {_list_names(names)} and none of them holds values")
    return Roles(layout, reason, id_, time if layout != "wide" else None, label, group, channels)


def recognise_layout(
    table: Table, columns: Columns, id_: str | None, time: str | None
) -> tuple[Layout, str]:
    """Recognise the layout from the column names, and give the reason in words."""
    names = list(table.cells.column_names)
    label = columns.label or _label_column(names, columns, "wide")
    if id_ is not None:
        return "long", f"column {id_!r} names the series of each row"
    if time is not None:
        return "series", f"column {time!r} holds times, so rows are the steps of one series"
    if label is not None:
        return "wide", f"column {label!r} holds a label for each row, so each row is a series"
    if len(names) == 1:
        return "series", "the only column is one series"
    if columns.channels is not None:
        return "series", "columns are named as channels, so rows are the steps of one series"
    if table.named and not all(name.isdecimal() for name in names):
        return "series", "columns have names and none is a label, so they are channels"
    raise SeriesError(
        f"has {len(names)} columns without names, so rows may be series or steps: pass "
        'layout="wide" for a series a row (and columns=Columns(label=...) for a label column, '
        f'here "0" to "{len(names) - 1}"), or layout="series" for a channel a column'
    )


def _check_names(names: list[str], columns: Columns) -> None:
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise SeriesError(f"has two columns named {twice!r}, wanted each name once: rename one")
    single = [(getattr(columns, f.name), f.default) for f in fields(columns)[:-1]]
    given = [name for name, usual in single if name not in (usual, None)]
    for name in [*given, *(columns.channels or ())]:
        if name not in names:
            raise SeriesError(f"has no column {name!r}, only {_list_names(names)}: check the name")


def _time_column(table: Table, columns: Columns) -> str | None:
    if columns.time is None:
        return None
    names = list(table.cells.column_names)
    if columns.time in names:
        return columns.time
    usual = [name for name in names if name.lower() in TIME_NAMES]
    typed = [field.name for field in table.cells.schema if pa.types.is_timestamp(field.type)]
    return next(iter(usual or typed), None)


def _label_column(names: list[str], columns: Columns, layout: Layout) -> str | None:
    if layout == "wide":
        return _find_name([names[0], names[-1]], columns, (*LABEL_NAMES, "target"))
    return _find_name(names, columns, LABEL_NAMES)


def _find_name(names: list[str], columns: Columns, wanted: Sequence[str]) -> str | None:
    if columns.channels is not None:
        return None
    return next((name for name in names if name.lower() in wanted), None)


def _list_names(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def series_of_table(table: Table, columns: Columns, layout: Layout | None = None) -> SeriesSet:
    """Read the series in a table.

    Rows are sorted by time within each series; without a time column they keep their order. The
    reason for a recognised layout is logged.
    """
    if table.cells.num_rows == 0:
        raise SeriesError("has no rows, wanted at least one: check the query or the file")
    roles = roles_of(table, columns, layout)
    log.info("read as layout=%r: %s", roles.layout, roles.reason)
    return _wide(table, roles) if roles.layout == "wide" else _long(table, roles)


def _wide(table: Table, roles: Roles) -> SeriesSet:
    steps, lengths = trim_rows(np.stack([_numbers(table, name) for name in roles.channels], axis=1))
    ids = None if roles.id is None else _names(table, roles.id).to_pylist()
    series = SeriesSet.from_steps(steps, lengths, ids=ids, labels=_column(table, roles.label))
    return replace(series, groups=_column(table, roles.group))


def _long(table: Table, roles: Roles) -> SeriesSet:
    """Read a long table; one series is a long table in which every row has the same id."""
    ids, codes = ["0"], np.zeros(table.cells.num_rows, np.int64)
    if roles.layout == "long" and roles.id is not None:
        encoded = _names(table, roles.id).dictionary_encode()  # by first appearance
        ids, codes = encoded.dictionary.to_pylist(), np.asarray(encoded.indices, np.int64)
    lengths = np.bincount(codes)
    times = _times(table, roles.time)
    order = np.argsort(codes, kind="stable") if times is None else np.lexsort((times, codes))
    if times is not None:
        _check_times(table, roles, times, order, codes)
    first = order[np.cumsum(lengths) - lengths]
    series = SeriesSet.from_steps(
        np.stack([_numbers(table, name) for name in roles.channels], axis=1)[order],
        lengths,
        ids=ids,
        channels=roles.channels,
        labels=_constant(table, roles.label, first, codes),
    )
    return replace(
        series,
        times=None if times is None else times[order],
        groups=_constant(table, roles.group, first, codes),
    )


def _numbers(table: Table, name: str) -> Float32[np.ndarray, "R"]:
    cells = _cells(table, name)
    if _is_text(cells):
        where = lambda row: table.place(row, name)  # noqa: E731
        return numbers(cells, where, (*MISSING_CELLS, "")).astype(np.float32)
    if not _is_number(cells):
        raise SeriesError(
            f"column {name!r} holds {cells.type}, wanted numbers: name the value columns with "
            "columns=Columns(channels=[...])"
        )
    values = np.asarray(cells.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False))
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        raise SeriesError(
            f"{table.place(row, name)}: got {cells[row].as_py()}, wanted a finite 32-bit number: "
            "mark missing values as NaN or rescale"
        )
    return values


def _times(table: Table, name: str | None) -> np.ndarray | None:
    """Return the times of the rows: datetime64 in UTC or float64."""
    if name is None:
        return None
    cells = _cells(table, name)
    if _is_text(cells):
        times = parse_times(cells, lambda row: table.place(row, name)).times
    elif pa.types.is_temporal(cells.type) and not pa.types.is_time(cells.type):
        times = np.asarray(cells.to_numpy(zero_copy_only=False))
    elif _is_number(cells):
        times = np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    else:
        raise SeriesError(f"column {name!r} holds {cells.type}, wanted times or numbers")
    lost = np.isnat(times) if times.dtype.kind in "mM" else ~np.isfinite(times)
    if lost.any():
        row = int(np.argmax(lost))
        raise SeriesError(
            f"{table.place(row, name)}: got no time, wanted one for each row: drop the row, or "
            "read without times: columns=Columns(time=None, channels=[...])"
        )
    return times


def _check_times(
    table: Table, roles: Roles, times: np.ndarray, order: np.ndarray, codes: np.ndarray
) -> None:
    same = (times[order][1:] == times[order][:-1]) & (codes[order][1:] == codes[order][:-1])
    if same.any():
        row = int(order[int(np.argmax(same)) + 1])
        raise SeriesError(
            f"{table.place(row, str(roles.time))}: got the time {times[row]} twice in one series, "
            "wanted each once: drop or average the repeated rows, or read without times in the "
            "order of the rows: columns=Columns(time=None, channels=[...])"
        )


def _constant(
    table: Table, name: str | None, first: np.ndarray, codes: np.ndarray
) -> np.ndarray | None:
    """Return the value per series of a column that does not change within a series."""
    column = _column(table, name)
    if column is None or name is None:
        return None
    changed = column != column[first][codes]
    if changed.any():
        row = int(np.argmax(changed))
        raise SeriesError(
            f"{table.place(row, name)}: got {column[row]!s} after {column[first][codes[row]]!s} in "
            "the same series, wanted one for each series: to leave the column out, or to read it "
            "as a channel, name the channels: columns=Columns(channels=[...])"
        )
    return np.asarray(column[first])


def _column(table: Table, name: str | None) -> np.ndarray | None:
    """Return labels or groups as they are, or parsed where cells come from a text file."""
    if name is None:
        return None
    cells = _cells(table, name)
    _check_no_gap(table, cells, name)
    if _is_text(cells) and table.first_line is not None:
        return labels_of(cells)
    return column_of(cells.to_pylist(), name)


def _names(table: Table, name: str) -> Any:
    cells = _cells(table, name)
    _check_no_gap(table, cells, name)
    return cells.cast(pa.large_string())


def _check_no_gap(table: Table, cells: Any, name: str) -> None:
    if cells.null_count:
        row = cells.is_null().to_pylist().index(True)
        raise SeriesError(f"{table.place(row, name)}: got nothing, wanted a name: fill it in")


def _cells(table: Table, name: str) -> Any:
    cells = table.cells.column(name).combine_chunks()
    if isinstance(cells, pa.ChunkedArray):  # older arrow keeps an empty or single chunk wrapped
        cells = cells.chunk(0)
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _is_text(cells: Any) -> bool:
    kind = cells.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(cells: Any) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return any(test(cells.type) for test in (*tests, pa.types.is_decimal, pa.types.is_null))
