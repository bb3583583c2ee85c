"""Frames: columns of results as tables of pandas, polars and arrow, of files and of notebooks."""

from abc import abstractmethod
from collections.abc import Mapping
from html import escape
from importlib import import_module
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from selftime.data.clock import iso_text

Columns = Mapping[str, Any]
"""Arrays (N,) or (N,D) or arrow columns by name."""
_SHOWN_ROWS, _SHOWN_COLUMNS = 8, 12
"""Of a table in a notebook."""


class Tabular:
    """A result with columns: a frame of any kind, a picture, and a table in a notebook.

    Example:
        >>> import selftime as st
        >>> series = st.SeriesSet.of([[1.0, 2.0], [3.0, 4.0]], ids=["a", "b"])
        >>> series.to_polars().rows()
        [('a', 1.0), ('a', 2.0), ('b', 3.0), ('b', 4.0)]
    """

    @abstractmethod
    def to_columns(self) -> dict[str, Any]:
        """Return the columns by name: ids and times in the types in which they came."""

    def to_arrow(self) -> pa.Table:
        """Return a table of arrow."""
        return arrow_table(self.to_columns())

    def to_pandas(self) -> Any:
        """Return a frame of pandas; days are its timestamps."""
        return frame_of(self.to_columns(), "pandas")

    def to_polars(self) -> Any:
        """Return a frame of polars."""
        return frame_of(self.to_columns(), "polars")

    def plot(self) -> Any:
        """Return a picture, a figure of matplotlib: see :func:`selftime.plot`."""
        return import_module("selftime").plot(self)  # pictures live floors above what they show

    def __repr__(self) -> str:
        columns = self.to_columns()
        names = ", ".join(list(columns)[:_SHOWN_COLUMNS])
        more = ", …" if len(columns) > _SHOWN_COLUMNS else ""
        return f"{type(self).__name__}({_rows_of(columns):,} rows: {names}{more})"

    def _repr_html_(self) -> str:
        return html_table(self.to_columns(), type(self).__name__)


def join_columns(*parts: Columns) -> dict[str, Any]:
    """Return the columns of all parts; one whose name is taken gets an underscore.

    Example:
        >>> list(join_columns({"class": [7]}, {"class": ["a"], "p_a": [0.9]}))
        ['class', 'class_', 'p_a']
    """
    out: dict[str, Any] = {}
    for name, column in (item for part in parts for item in part.items()):
        out[free_name(name, out)] = column
    return out


def free_name(name: str, *taken: Any) -> str:
    """Return the name, with underscores at its end until it is not among those that are taken."""
    while any(name in others for others in taken):
        name += "_"
    return name


def arrow_table(columns: Columns) -> pa.Table:
    """Return columns as an arrow table; a matrix has a column for each of its own.

    Example:
        >>> arrow_table({"id": ["a"], "vectors": np.ones((1, 2))}).column_names
        ['id', 'e0', 'e1']
    """
    flat: dict[str, Any] = {}
    for name, values in columns.items():
        if not isinstance(values, np.ndarray) or values.ndim < 2:
            flat = join_columns(flat, {name: values})
            continue
        stem = "e" if name == "vectors" else f"{name}_"
        flat = join_columns(flat, {f"{stem}{j}": column for j, column in enumerate(values.T)})
    return pa.table({name: pa.array(values) for name, values in flat.items()})


def frame_of(columns: Columns, backend: Any, *, dates: bool = False) -> Any:
    """Return columns as a frame: "pandas", "polars", "pyarrow" or what else narwhals knows.

    With ``dates`` days are dates in pandas too, not timestamps. Whole numbers and truth values of
    which some are missing stay what they are.
    """
    table = arrow_table(columns)
    kind: Any = nw.Implementation.from_backend(backend)
    if not kind.is_pandas():
        return nw.from_arrow(table, backend=kind).to_native()
    pandas, frame = kind.to_native_namespace(), table.to_pandas(date_as_object=dates)
    exact = {name: _nullable(table.column(name)) for name in table.column_names}
    for name, dtype in exact.items():
        if dtype:
            cells = pandas.array(table.column(name).to_pylist(), dtype=dtype)
            frame[name] = cells
    return frame


def _nullable(column: pa.ChunkedArray) -> str:
    """Return the type of pandas that keeps a column of which some are missing."""
    if not column.null_count:
        return ""
    if pa.types.is_boolean(column.type):
        return "boolean"
    return "Int64" if pa.types.is_integer(column.type) else ""


def frame_head(source: Any) -> Any:
    """Return the first row of a frame or Series, which tells its kind and types; None of others.

    Lazy frames are collected; an index of pandas that names anything is a column.
    """
    if hasattr(source, "to_frame") and not hasattr(source, "columns"):  # a Series
        source = source.to_frame("0" if source.name is None else source.name)
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.head(1).collect()
    if not isinstance(frame, nw.DataFrame):
        return None
    head = frame.head(1).to_native()
    index = getattr(head, "index", None)
    if index is None or type(index).__name__ == "RangeIndex":
        return head
    free = not set(index.names) & set(head.columns)
    return head.reset_index() if free else head


def frame_like(source: Any, columns: Columns) -> Any:
    """Return columns as a frame of the kind of the source (pandas, polars, arrow).

    Columns that the source has too are of its types, and times in its units.

    Args:
        source: a frame, or what :func:`frame_head` returned of it.
        columns: by name.
    """
    head = frame_head(source)
    given = nw.from_native(head, eager_only=True)
    kinds = given.schema
    dates = any(kind in (nw.Date, nw.Object) for kind in kinds.values())
    native = frame_of(columns, given.implementation, dates=dates)
    frame = nw.from_native(native, eager_only=True)
    units = [kind.time_unit for kind in kinds.values() if isinstance(kind, nw.Datetime)]
    casts = []
    for name, own in frame.schema.items():
        wanted = _type_like(own, kinds.get(name), units)
        if wanted != own and not frame[name].null_count():
            casts.append(nw.col(name).cast(wanted))
    found = frame.with_columns(*casts).to_native() if casts else native
    return _with_texts_like(head, found) if isinstance(found, pa.Table) else found


def frame_with(source: Any, cells: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    """Return a frame, or a Series, with other numbers at some rows of some columns.

    All else stays as it is, to the bit: cells and columns that are not named, order, types, index.
    A column of whole numbers becomes one of floats where something is put into it.

    Args:
        source: a frame or Series of pandas, polars or arrow; lazy ones are collected.
        cells: rows and the numbers that go there, by the name of the column.
    """
    is_column = hasattr(source, "to_frame") and not hasattr(source, "columns")
    if is_column:
        frame = nw.from_native(source, series_only=True).alias("0").to_frame()
        cells = dict(zip(("0",), cells.values(), strict=True))
    else:
        frame = nw.from_native(source)
        frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    made = []
    for name, (rows, values) in cells.items():
        if not len(rows):
            continue
        numbers = np.array(frame.get_column(name).cast(nw.Float64).to_numpy(), np.float64)
        numbers[rows] = values
        column = nw.new_series(name, numbers, backend=frame.implementation)
        is_single = frame.schema[name] == nw.Float32
        made.append(column.cast(nw.Float32) if is_single else column)
    native = frame.with_columns(*made)
    if not is_column:
        return native.to_native()
    return native.get_column("0").alias(source.name).to_native()


def _with_texts_like(given: pa.Table, found: pa.Table) -> pa.Table:
    """Return a table of arrow whose texts are as long as those of another: joins ask for that."""
    for i, name in enumerate(found.column_names):
        kind = given.schema.field(name).type if name in given.column_names else None
        if pa.types.is_string(found.schema.types[i]) and kind == pa.large_string():
            found = found.set_column(i, name, found.column(i).cast(kind))
    return found


def _type_like(own: Any, given: Any, units: list[Any]) -> Any:
    """Return the type of a column as the source has it, where both are of one family."""
    if isinstance(own, nw.Datetime):
        unit = given.time_unit if isinstance(given, nw.Datetime) else (units or [own.time_unit])[0]
        return nw.Datetime(unit, own.time_zone)
    both_whole = given is not None and own.is_integer() and given.is_integer()
    is_named = own == nw.String and given in (nw.Categorical, nw.Enum)
    return given if both_whole or is_named else own


def html_table(columns: Columns, caption: str) -> str:
    """Return the first rows of columns as a small table of HTML, every cell escaped."""
    head = arrow_table({name: values[:_SHOWN_ROWS] for name, values in columns.items()})
    names = head.column_names[:_SHOWN_COLUMNS]
    cells = [[_cell(v) for v in _plain_list(head.column(name))] for name in names]
    rows = ["".join(f"<td>{text}</td>" for text in row) for row in zip(*cells, strict=True)]
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    count = f"{_rows_of(columns):,} rows × {head.num_columns:,} columns"
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table><p>{count}</p>"
    )


def _plain_list(column: pa.ChunkedArray) -> list[Any]:
    is_time = pa.types.is_timestamp(column.type)
    return list((iso_text(column.combine_chunks()) if is_time else column).to_pylist())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else escape(str(value))


def _rows_of(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))
