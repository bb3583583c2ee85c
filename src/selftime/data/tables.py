"""Tables of named columns, and what each column of one is for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from selftime.data.arrays import SeriesError

Layout = Literal["long", "wide", "series"]
"""long: a row a step, a column names the series; wide: a row a series; series: one series."""

TIME_NAMES = ("ds", "date", "time", "timestamp", "datetime")
LABEL_NAMES = ("label", "class")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column is what; names that are not given are looked for.

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
    """Rows and columns as they came, from a file or a frame.

    Attributes:
        cells: an arrow table.
        named: whether the columns came with names.
        first_line: line of the first row in a text file; None where cells have types.
    """

    cells: Any
    named: bool = True
    first_line: int | None = None

    def place(self, row: int, column: str) -> str:
        """Where a cell is, for messages."""
        at = f"row {row + 1}" if self.first_line is None else f"line {row + self.first_line}"
        return f"{at}, column {column!r}"


class Roles(NamedTuple):
    """What each column is for, and why the table was read that way."""

    layout: Layout
    reason: str
    id: str | None
    time: str | None
    label: str | None
    group: str | None
    channels: tuple[str, ...]


def roles_of(table: Table, columns: Columns, layout: Layout | None) -> Roles:
    """The layout of a table and the use of its columns.

    Args:
        table: its names (and types) decide.
        columns: names that the caller knows.
        layout: None to recognise it.

    Raises:
        SeriesError: a named column is not there, names repeat, the layout cannot be told, or no
            column is left for values.
    """
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
    """The layout that the column names tell, and the reason in words.

    Raises:
        SeriesError: the names do not tell.
    """
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
