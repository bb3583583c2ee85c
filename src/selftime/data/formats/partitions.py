"""Parquet data sets: one table in many files, as Spark and others write it, in a folder.

Folders named ``year=2024`` are columns of it; files whose names begin with ``_`` or ``.`` are none.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from selftime.data.arrays import SeriesError
from selftime.data.cells import is_text
from selftime.data.columns import Table
from selftime.data.formats.csv_parquet import with_index
from selftime.data.formats.large import StoredColumns
from selftime.data.formats.text import decoding

_MARKS = ("_SUCCESS", "_metadata", "_common_metadata")
"""Files that say that a folder is a data set, or describe it."""
_ROWS = 1 << 16


def files_of_parquet_set(folder: Path, found: Sequence[Path]) -> list[Path]:
    """Return the files of a parquet data set among all below a folder; none where it is no such.

    Args:
        folder: the folder.
        found: paths of files within it, in order.
    """
    data = [name for name in found if not any(part[0] in "._" for part in name.parts)]
    marked = any(name.name in _MARKS for name in found)
    split = data and all("=" in part for name in data for part in name.parts[:-1])
    nested = any(len(name.parts) > 1 for name in data)
    if any(name.suffix.lower() != ".parquet" for name in data):
        return []
    return [folder / name for name in data] if split and (marked or nested) else []


def read_parquet_set(folder: Path, files: Sequence[Path]) -> Table:
    """Return the table of a data set, its rows in the order of the names of its files.

    Raises:
        SeriesError: a file is damaged or has other columns.
    """
    import pyarrow.dataset as arrow_dataset

    with decoding("parquet"):
        found = arrow_dataset.dataset(
            [str(path) for path in files],
            format=arrow_dataset.ParquetFileFormat(),
            partitioning=arrow_dataset.HivePartitioning.discover(infer_dictionary=False),
            partition_base_dir=str(folder),
        )
        for part in found.get_fragments():
            _check_alike(part, found.schema, folder)
        rows = found.count_rows()
    texts = {field.name for field in found.schema if is_text(field.type)}
    fields = [
        field.with_type(pa.dictionary(pa.int32(), field.type)) if field.name in texts else field
        for field in found.schema
    ]
    schema = pa.schema(fields, found.schema.metadata)
    fetch, batches = partial(_column, found, schema), partial(_batches, found, schema)
    return with_index(StoredColumns(schema, rows, fetch, lambda name: None, batches))


def _check_alike(part: Any, schema: Any, folder: Path) -> None:
    """Check that a file has the columns of the first one."""
    own = part.physical_schema
    other = [
        field.name
        for field in schema
        if field.name in own.names and own.field(field.name).type != field.type
    ] + [name for name in own.names if name not in schema.names]
    if other:
        name = Path(part.path).relative_to(folder).as_posix()
        raise SeriesError(
            f"{name} has a column {other[0]!r} that is not as in the first file, wanted the same "
            "in every file: write the data set anew"
        )


def _column(found: Any, schema: Any, name: str) -> Any:
    with decoding("parquet"):
        return (
            found.to_table(columns=[name], use_threads=False)
            .column(0)
            .cast(schema.field(name).type)
        )


def _batches(found: Any, schema: Any, names: Sequence[str]) -> Iterator[list[Any]]:
    with decoding("parquet"):
        for batch in found.to_batches(
            columns=[*names],
            use_threads=False,
            batch_size=_ROWS,
            batch_readahead=1,
            fragment_readahead=1,
        ):
            if batch.num_rows:
                yield [batch.column(name).cast(schema.field(name).type) for name in names]
