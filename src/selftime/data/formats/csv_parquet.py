"""Tables: read ``.csv``, ``.parquet`` and frames (pandas, polars, arrow); write csv."""

import csv
import io
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from selftime.data.arrays import SeriesError
from selftime.data.formats.text import MISSING_CELLS, decoding, text_lines
from selftime.data.schema import LABEL_NAMES, TIME_NAMES
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
    """Read the columns of a parquet file."""
    with decoding("parquet"):
        table = arrow_parquet.read_table(pa.BufferReader(data), use_threads=False)
    own = [name for name in table.column_names if not name.startswith("__index_level_")]
    return Table(_without_index(table, own))


def table_of_frame(source: Any) -> Table | None:
    """Return the columns of a pandas, polars or arrow frame (lazy ones are collected), else None.

    The index of a pandas frame is kept where it holds timestamps; ``reset_index()`` keeps others.
    """
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return None
    with decoding("frame", "give every column one type and a name of text"):
        return Table(_without_index(frame.to_arrow(), [str(name) for name in frame.columns]))


def _without_index(table: Any, own: list[str]) -> Any:
    """Drop the columns that hold the index of a pandas frame, except times."""
    schema = enumerate(table.schema)
    return table.select(
        [i for i, field in schema if field.name in own or pa.types.is_timestamp(field.type)]
    )


def _are_names(cells: list[str]) -> bool:
    counting = len(cells) > 1 and cells == [str(i) for i in range(len(cells))]
    return counting or not all(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    text = cell.strip()
    try:
        return not text or text in MISSING_CELLS or float(text) is not None
    except ValueError:
        return False
