"""Tables: read ``.csv``, ``.parquet`` and frames (pandas, polars, arrow); write csv."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from selftime.data.arrays import SeriesError
from selftime.data.formats.text import MISSING_CELLS, decoding, text_lines
from selftime.data.schema import ID_NAMES, LABEL_NAMES, TIME_NAMES
from selftime.data.series import SeriesSet, names_of_channels
from selftime.data.tables import Table


def read_csv(data: bytes) -> Table:
    """Read comma-separated cells as text; the first line holds names if it is not all numbers.

    A first line of 0, 1, 2, … counts as names too: pandas writes frames without names so.
    """
    head, _, rows = data.partition(b"\n")
    cells = next(csv.reader(text_lines(head)))
    named = _are_names(cells)
    if not cells or (named and not rows.strip()):
        raise SeriesError("has no rows under its first line, wanted names, then at least one row")
    names = cells if named else list(names_of_channels(len(cells)))
    unique = [str(i) for i in range(len(names))]  # arrow looks types up by name; ours may repeat
    options = arrow_csv.ReadOptions(column_names=unique, skip_rows=int(named), use_threads=False)
    options.block_size = min(len(data) + 1, 2**31 - 1)  # a row must not be longer than a block
    with decoding("csv", "give every row the same number of cells and close every quote"):
        table = arrow_csv.read_csv(
            pa.BufferReader(data.rstrip(b"\r\n")),
            options,
            arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(unique, pa.large_string())),
        )
    return Table(table.rename_columns(names), named=named, first_line=1 + named)


def encode_csv(x: SeriesSet) -> bytes:
    """Return a long table: unique_id, then ds, label and group if there are any, then channels."""
    rows = np.repeat(np.arange(len(x)), x.lengths)
    columns = {
        "unique_id": x.ids[rows],
        "ds": x.times,
        "label": None if x.labels is None else x.labels[rows],
        "group": None if x.groups is None else x.groups[rows],
    }
    taken = {"unique_id", *TIME_NAMES, *LABEL_NAMES, "group"}
    unclear = [name for name in x.channels if name.lower() in taken or not name.isprintable()]
    if unclear or len(set(x.channels)) < x.n_channels:
        raise SeriesError(
            f"got channels {', '.join(map(repr, x.channels))}, wanted different names without "
            f"control characters and none of {', '.join(sorted(taken))}: rename or write .npz"
        )
    present = {name: pa.array(column) for name, column in columns.items() if column is not None}
    gaps = np.zeros(x.steps.shape, bool) if x.observed is None else ~x.observed
    for c, name in enumerate(x.channels):
        present[name] = pa.array(x.steps[:, c], mask=gaps[:, c])
    buffer = io.BytesIO()
    arrow_csv.write_csv(pa.table(present), buffer)
    return buffer.getvalue()


def read_parquet(data: bytes) -> Table:
    """Read the columns of a parquet file; pandas writes the index of a frame there, too."""
    with decoding("parquet"):
        return _with_index(arrow_parquet.read_table(pa.BufferReader(data), use_threads=False))


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
        return _with_index(frame.to_arrow())


def _with_index(cells: Any) -> Table:
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


def _are_names(cells: list[str]) -> bool:
    counting = len(cells) > 1 and cells == [str(i) for i in range(len(cells))]
    return counting or not all(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    text = cell.strip()
    try:
        return not text or text in MISSING_CELLS or float(text) is not None
    except ValueError:
        return False
