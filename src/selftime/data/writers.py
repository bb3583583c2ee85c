"""SeriesSets and tables of results to files, whole or not at all."""

import gzip
import operator
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as arrow
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from selftime.data.arrays import SeriesError
from selftime.data.clock import iso_text
from selftime.data.files import place_of, whole_file, write_file
from selftime.data.formats.csv_parquet import encode_csv
from selftime.data.formats.npz import encode_npz
from selftime.data.formats.text import suffix_of
from selftime.data.formats.ts import encode_ts
from selftime.data.frames import arrow_table
from selftime.data.series import SeriesSet
from selftime.door import option, tell
from selftime.texts import FORMULA, NUMBER, safe_cell

_ENCODERS: dict[str, Callable[[SeriesSet], bytes]] = {
    ".npz": encode_npz,
    ".ts": encode_ts,
    ".csv": encode_csv,
}


def write(series: SeriesSet, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write series to a file; an old file stays until the new one is complete.

    ``.npz`` keeps everything. ``.csv`` is a long table and keeps everything that text can tell
    apart: labels that look like numbers come back as numbers; of texts it keeps all but their
    vocabulary, of pictures and films nothing. ``.ts`` keeps values, gaps and labels (as text) of
    measurements. ``.gz`` may follow each.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import selftime as st
        >>> with TemporaryDirectory() as folder:
        ...     st.read(st.write(st.sample("PenDigits", "test"), folder + "/digits.npz"))
        SeriesSet(3498 series, 2 channels, 8 steps)

    Args:
        series: what to write.
        path: where to; its ending tells the format.
        overwrite: replace a file that exists.

    Returns:
        The path.

    Raises:
        SeriesError: unknown ending, a file in the way, no such folder, or something in the series
            that the format cannot hold.
    """
    target = place_of(path)
    is_packed = target.suffix.lower() == ".gz"
    encode = _ENCODERS.get(suffix_of(target) if is_packed else target.suffix.lower())
    if encode is None:
        raise SeriesError(f"{target}: wanted a name ending in {', '.join(_ENCODERS)} to write to")
    if target.exists() and not overwrite:
        raise SeriesError(
            f"{target}: is there already: choose another name or {option('overwrite', True)}"
        )
    if not target.parent.is_dir():
        raise SeriesError(f"{target}: no folder {target.parent}, wanted one to write in: make it")
    try:
        data = encode(series)
    except SeriesError as error:
        raise SeriesError(f"{target}: {error}") from None
    return write_file(target, gzip.compress(data, mtime=0) if is_packed else data)


def write_table(
    path: str | os.PathLike[str] | IO[bytes],
    columns: Mapping[str, Any],
    *,
    overwrite: bool = False,
    safe_cells: bool = True,
) -> Path | None:
    """Write a table of results to a file, one row for each entry of its columns.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> import selftime as st
        >>> table = {"id": np.array(["a"]), "x": np.ones((1, 2))}
        >>> with TemporaryDirectory() as folder:
        ...     st.write_table(folder + "/vectors.csv", table).read_text().split()
        ['"id","x_0","x_1"', '"a",1,1']

    Args:
        path: where to: ``.csv`` and ``.parquet`` have a column for each number of a matrix
            (``e0``, ``e1``, … of "vectors"), ``.npz`` holds the arrays as they are, ``.npy`` the
            matrix "vectors" alone; or a file open for bytes, such as ``sys.stdout.buffer``, which
            gets csv.
        columns: (N,) or (N,D) arrays by name; arrow columns keep their types.
        overwrite: replace a file that exists.
        safe_cells: in csv, put ``'`` before texts that a spreadsheet would compute: those that
            begin with ``=``, ``+``, ``-``, ``@`` or a blank of control and are no numbers. Where
            any did, a note says so.

    Raises:
        SeriesError: another ending.
        FileExistsError: a file in the way.
    """
    if not isinstance(path, str | os.PathLike):
        write_csv(columns, path, safe_cells=safe_cells)
        return None
    target = place_of(path)
    encode = TABLES.get(target.suffix.lower())
    if encode is None:
        raise SeriesError(f"{target}: wanted a name ending in {', '.join(TABLES)}")
    if os.path.lexists(target) and not overwrite:
        raise FileExistsError(
            f"{target} exists: choose another path, or {option('overwrite', True)}"
        )
    with whole_file(target) as file:
        if encode is write_csv:
            write_csv(columns, file, safe_cells=safe_cells)
        else:
            encode(columns, file)
    return target


def write_csv(columns: Mapping[str, Any], file: Any, *, safe_cells: bool = True) -> None:
    """Write columns as csv to a file open for bytes."""
    table = arrow_table(columns)
    if safe_cells:
        table = _with_safe_cells(table)
    arrow_csv.write_csv(_with_iso_times(table), file)


def _with_safe_cells(table: pa.Table) -> pa.Table:
    """Return a table in which no text begins as a formula does, nor the name of a column."""
    count = 0
    for i, field in enumerate(table.schema):
        column = table.column(i)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        begins = arrow.match_substring_regex(column, FORMULA)
        is_number = arrow.match_substring_regex(column, NUMBER)
        unsafe = arrow.fill_null(arrow.and_not(begins, is_number), False)
        if changed := arrow.sum(unsafe).as_py():
            count += changed
            marked = arrow.binary_join_element_wise("'", column, "")
            table = table.set_column(i, field.name, arrow.if_else(unsafe, marked, column))
    names = [safe_cell(name) for name in table.column_names]
    count += sum(map(operator.ne, names, table.column_names))
    if count:
        cells = f"{count:,} cell begins" if count == 1 else f"{count:,} cells begin"
        wish = option("safe_cells", False)
        tell([f"{cells} as a formula does and got ' before it, {wish} writes texts as they are"])
    return table.rename_columns(names)


def _with_iso_times(table: pa.Table) -> pa.Table:
    """Return a table with its stamps as text, no longer than they must be."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(i, field.name, iso_text(table.column(i).combine_chunks()))
    return table


def _plain(values: Any) -> np.ndarray:
    """Return dates as ISO text, and labels of which some are missing as text, empty for those."""
    if isinstance(values, pa.Array):
        dated = pa.types.is_temporal(values.type)
        return np.array((iso_text(values) if dated else values).to_pylist())
    missing = values.dtype == object
    return np.array(["" if v is None else str(v) for v in values]) if missing else values


TABLES: dict[str, Callable[[Mapping[str, Any], Any], Any]] = {
    ".csv": write_csv,
    ".parquet": lambda columns, file: arrow_parquet.write_table(arrow_table(columns), file),
    ".npz": lambda columns, file: np.savez_compressed(
        file, allow_pickle=False, **{name: _plain(values) for name, values in columns.items()}
    ),
    ".npy": lambda columns, file: np.save(file, columns["vectors"], allow_pickle=False),
}
"""Functions that write tables, by ending."""
