"""One reader for files, folders, arrays and frames: they become a SeriesSet."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.formats.csv_parquet import read_csv, read_parquet, table_of_frame
from selftime.data.formats.npz import read_npy, read_npz
from selftime.data.formats.text import read_bytes, read_tsv, read_txt, suffix_of
from selftime.data.formats.ts import read_ts
from selftime.data.formats.wav import read_wav
from selftime.data.samples import sample
from selftime.data.series import SeriesSet
from selftime.data.tables import Columns, Layout, Table, series_of_table


def read_folder(
    folder: Path, suffixes: Collection[str], read_file: Callable[[Path], SeriesSet]
) -> SeriesSet:
    """Read all files under a folder whose names end in ``suffixes``, in the order of their names.

    Ids are paths within the folder, ``a/b.csv`` for the one series of a file and ``a/b.tsv:7`` for
    one of several. Sub-folders right under the folder give the labels when there are at least two,
    every file is in one and no file carries labels. Hidden files and folders are left out.
    """
    found = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = [name for name in found if not any(part.startswith(".") for part in name.parts)]
    names = [name for name in names if suffix_of(name) in suffixes]
    if not names:
        raise SeriesError(
            f"{folder}: none of the {len(found)} files in it can be read, wanted some ending in "
            f"{', '.join(suffixes)}: check the path"
        )
    parts = [_add_file_name(read_file(folder / name), name) for name in names]
    series = _merge(parts, [str(folder / name) for name in names])
    kinds = [name.parts[0] if len(name.parts) > 1 else "" for name in names]
    if series.labels is None and "" not in kinds and len(set(kinds)) > 1:
        return replace(series, labels=np.repeat(kinds, [len(part) for part in parts]))
    return series


def _add_file_name(series: SeriesSet, name: Path) -> SeriesSet:
    if series.ids.tolist() == ["0"]:
        return replace(series, ids=np.array([name.as_posix()]))
    return replace(series, ids=np.array([f"{name.as_posix()}:{i}" for i in series.ids]))


def _merge(parts: Sequence[SeriesSet], names: Sequence[str]) -> SeriesSet:
    """Join SeriesSets; ``names`` are theirs, for messages."""
    for part, name in zip(parts, names, strict=True):
        if part.channels != parts[0].channels:
            raise SeriesError(
                f"{name}: has {part.n_channels} channels ({', '.join(part.channels[:8])}), "
                f"{names[0]} has {parts[0].n_channels} ({', '.join(parts[0].channels[:8])}): "
                "wanted the same in every file, read others on their own"
            )
    gaps = [part for part in parts if part.observed is not None]
    full = (np.ones(p.steps.shape, bool) if p.observed is None else p.observed for p in parts)
    return SeriesSet(
        steps=np.concatenate([part.steps for part in parts]),
        offsets=np.cumsum([0, *np.concatenate([part.lengths for part in parts])], dtype=np.int64),
        observed=np.concatenate(list(full)) if gaps else None,
        channels=parts[0].channels,
        ids=np.concatenate([part.ids for part in parts]),
        times=_join_columns("times", [part.times for part in parts], names),
        labels=_join_columns("labels", [part.labels for part in parts], names),
        groups=_join_columns("groups", [part.groups for part in parts], names),
    )


def _join_columns(
    what: str, columns: Sequence[np.ndarray | None], names: Sequence[str]
) -> np.ndarray | None:
    """Join one column of all files; all must have it, of one kind, or none."""
    kinds = ["no" if column is None else column.dtype.kind for column in columns]
    other = next((i for i, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise SeriesError(
            f"{names[other]}: {_describe(columns[other], what)}, {names[0]} "
            f"{_describe(columns[0], what)}: wanted the same in every file, read others on their "
            "own"
        )
    present = [column for column in columns if column is not None]
    return np.concatenate(present) if present else None


def _describe(column: np.ndarray | None, what: str) -> str:
    return f"has no {what}" if column is None else f"has {what} of type {column.dtype}"


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
"""The endings that :func:`read` knows, each also followed by ``.gz``."""

_DEFAULT_COLUMNS = Columns()


def read(
    source: Any,
    *,
    labels: Any = None,
    groups: Any = None,
    columns: Columns = _DEFAULT_COLUMNS,
    layout: Layout | None = None,
) -> SeriesSet:
    """Read series from a file, a folder, an array, a list of arrays, a frame or a SeriesSet.

    Files go by suffix: ``.ts``, ``.tsv`` (UCR), ``.csv``, ``.parquet``, ``.npy``, ``.npz``,
    ``.txt`` (one value a line) and ``.wav``, each also as ``.gz``. A folder is read with
    everything under it: ids are the paths within it, files of other kinds and hidden ones are
    passed over, and the names of its sub-folders become labels when there are at least two and
    the files carry no labels themselves. Missing values become a mask.

    Tables (csv, parquet, frames) come in three layouts, recognised by their column names: "long"
    has a column that names the series of each row, "wide" has one row per series and a label,
    "series" has one row per step and a column per channel. Rows are sorted by time.

    Example:
        >>> import numpy as np
        >>> import selftime as st
        >>> st.read(np.ones((3, 2, 50)), labels=["a", "b", "a"])
        SeriesSet(3 series, 2 channels, 50 steps)

    Args:
        source: a path, a bundled data set as "sample:NAME" or "sample:NAME:SPLIT", an array
            (N,C,T) or (N,T), a list of (C,T) or (T,) arrays, a pandas, polars or arrow frame, or
            a SeriesSet.
        labels: (N,) class labels, in place of those of the source.
        groups: (N,) subject, machine or session of each series, in place of those of the source.
        columns: the names of the columns of a table.
        layout: "long", "wide" or "series" for a table; recognised when None.

    Returns:
        The series, values as 32-bit floats.

    Raises:
        SeriesError: the source cannot be read as it is; the message names the file, the line or
            the series, and what to do.
    """
    return SeriesSet.of(_series_of(source, columns, layout), labels, groups=groups)


def _series_of(source: Any, columns: Columns, layout: Layout | None) -> SeriesSet:
    if isinstance(source, str | os.PathLike):
        return replace(_read_path(source, columns, layout), source=os.fsdecode(source))
    if isinstance(source, SeriesSet):
        return source
    table = table_of_frame(source)
    return SeriesSet.of(source) if table is None else series_of_table(table, columns, layout)


def _read_path(
    source: str | os.PathLike[str], columns: Columns, layout: Layout | None
) -> SeriesSet:
    if isinstance(source, str) and source.startswith("sample:"):
        _, name, *split = source.split(":", 2)
        return sample(name, split[0] if split else None)
    path = Path(source)
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
