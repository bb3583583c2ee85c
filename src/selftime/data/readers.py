"""The door for data: files, folders, arrays and frames become a SeriesSet."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from selftime.data.arrays import SeriesError
from selftime.data.decoding import read_bytes, suffix_of
from selftime.data.folders import read_folder
from selftime.data.npz_format import read_npy, read_npz
from selftime.data.plain_text import read_tsv, read_txt
from selftime.data.samples import sample
from selftime.data.series import SeriesSet
from selftime.data.sound import read_wav
from selftime.data.table_files import read_csv, read_parquet, table_of_frame
from selftime.data.table_layouts import series_of_table
from selftime.data.tables import Columns, Layout, Table
from selftime.data.ts_format import read_ts

_SERIES_READERS: dict[str, Callable[[bytes], SeriesSet]] = {
    ".ts": read_ts,
    ".tsv": read_tsv,
    ".txt": read_txt,
    ".npy": read_npy,
    ".npz": read_npz,
    ".wav": read_wav,
}
_TABLE_READERS: dict[str, Callable[[bytes], Table]] = {".csv": read_csv, ".parquet": read_parquet}
SUFFIXES = (*_SERIES_READERS, *_TABLE_READERS)
"""What :func:`read` knows, each also with ``.gz`` behind it."""

_DEFAULT_COLUMNS = Columns()


def read(
    source: Any,
    *,
    labels: Any = None,
    groups: Any = None,
    columns: Columns = _DEFAULT_COLUMNS,
    layout: Layout | None = None,
) -> SeriesSet:
    """Series from a file, a folder, an array, a list of arrays, a frame or a SeriesSet.

    Files go by suffix: ``.ts``, ``.tsv`` (UCR), ``.csv``, ``.parquet``, ``.npy``, ``.npz``,
    ``.txt`` (one value a line) and ``.wav``, each also as ``.gz``. A folder is read with
    everything under it: ids are the paths within it, files of other kinds and hidden ones are
    passed over, and the names of its sub-folders become labels when there are at least two and
    the files carry no labels themselves. Missing values become a mask, here and nowhere else.

    Tables (csv, parquet, frames) come in three layouts, recognised by their column names: "long"
    has a column that names the series of each row, "wide" has one row a series and a label,
    "series" has one row a step and a column for each channel. Rows are put in the order of time.

    Args:
        source: a path, a bundled data set as "sample:NAME" or "sample:NAME:SPLIT", an array
            (N,C,T) or (N,T), a list of (C,T) or (T,) arrays, a pandas, polars or arrow frame, or
            a SeriesSet.
        labels: (N,) class labels, in place of those of the source.
        groups: (N,) subject, machine or session of each series, in place of those of the source.
        columns: the names of the columns of a table.
        layout: how a table is laid out; recognised when None.

    Returns:
        The series, values as 32-bit floats.

    Raises:
        SeriesError: the source cannot be read as it is; the message names the file, the line or
            the series, and what to do.
    """
    series = _series_of(source, columns, layout)
    return SeriesSet.of(series, labels, groups=groups)


def _series_of(source: Any, columns: Columns, layout: Layout | None) -> SeriesSet:
    if isinstance(source, str | os.PathLike):
        return replace(_read_named(source, columns, layout), source=os.fsdecode(source))
    if isinstance(source, SeriesSet):
        return source
    table = table_of_frame(source)
    return SeriesSet.of(source) if table is None else series_of_table(table, columns, layout)


def _read_named(
    source: str | os.PathLike[str], columns: Columns, layout: Layout | None
) -> SeriesSet:
    if isinstance(source, str) and source.startswith("sample:"):
        _, name, *split = source.split(":", 2)
        return sample(name, split[0] if split else None)
    return _read_path(Path(source), columns, layout)


def _read_path(path: Path, columns: Columns, layout: Layout | None) -> SeriesSet:
    if os.path.isdir(path):
        return read_folder(path, SUFFIXES, lambda file: _read_file(file, columns, layout))
    if not os.path.exists(path):
        raise SeriesError(f"{path}: no such file or folder, wanted one to read: check the path")
    return _read_file(path, columns, layout)


def _read_file(path: Path, columns: Columns, layout: Layout | None) -> SeriesSet:
    suffix = suffix_of(path)
    try:
        if suffix in _SERIES_READERS:
            return _SERIES_READERS[suffix](read_bytes(path))
        if suffix in _TABLE_READERS:
            return series_of_table(_TABLE_READERS[suffix](read_bytes(path)), columns, layout)
        raise SeriesError(f"ends in {suffix!r}, wanted one of {', '.join(SUFFIXES)}: convert it")
    except SeriesError as error:
        raise SeriesError(f"{path}: {error}") from None
