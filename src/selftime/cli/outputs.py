"""What commands write: whole or not at all, and over nothing unless told to."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from selftime.data import files
from selftime.data.files import write_file as write_file
from selftime.data.files import write_json as write_json

RUN, COMPARISON = "run.json", "comparison.json"
"""What tells a folder of ours from any other: --force replaces no folder without one of them."""
EVALUATION, STRATEGIES = "evaluation.json", "strategies.json"
"""What else may lie in such a folder: a judged classifier, ways of using the model."""


def check_folder(target: Path, *, force: bool) -> None:
    """Before any work: nothing is in the way.

    Raises:
        FileExistsError: something stands there and may not be replaced.
    """
    if not os.path.lexists(target):
        return
    if not force:
        raise FileExistsError(f"{target} exists: choose another --out, or --force to replace it")
    ours = any((target / name).is_file() for name in (RUN, COMPARISON))
    if target.is_symlink() or not (ours or _is_empty(target)):
        raise FileExistsError(
            f"{target} was not made by selftime and is left alone: choose another"
        )


def check_file(target: Path, known: dict[str, Any], *, force: bool) -> None:
    """Before any work: the suffix is known and nothing is in the way.

    Raises:
        ValueError: a suffix that cannot be written.
        FileExistsError: something stands there and may not be replaced.
    """
    if target.suffix.lower() not in known:
        raise ValueError(f"{target}: wanted a name ending in {', '.join(known)}")
    if target.is_dir() or (os.path.lexists(target) and not force):
        mend = "choose another --out" + ("" if target.is_dir() else ", or --force to replace it")
        raise FileExistsError(f"{target} exists: {mend}")


@contextmanager
def whole_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """A fresh folder to fill, as :func:`selftime.data.files.whole_folder`, where it may be.

    Raises:
        FileExistsError: as :func:`check_folder`.
    """
    check_folder(target, force=force)
    with files.whole_folder(target, overwrite=force) as fresh:
        yield fresh


def write_rows(target: Path, content: dict[str, Any]) -> None:
    """Plain values as JSON, a line for each item of a list: for files with a row a series."""
    write_json(target, content, rows=True)


def npz_of(columns: dict[str, np.ndarray]) -> bytes:
    """Named arrays, without pickle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **columns)
    return buffer.getvalue()


def npy_of(columns: dict[str, np.ndarray]) -> bytes:
    """The vectors alone."""
    buffer = io.BytesIO()
    np.save(buffer, columns["vectors"], allow_pickle=False)
    return buffer.getvalue()


def csv_of(columns: dict[str, np.ndarray]) -> bytes:
    """One row a series; a matrix becomes a column for each of its own."""
    buffer = io.BytesIO()
    arrow_csv.write_csv(_table(columns), buffer)
    return buffer.getvalue()


def parquet_of(columns: dict[str, np.ndarray]) -> bytes:
    """One row a series, as :func:`csv_of`."""
    buffer = io.BytesIO()
    arrow_parquet.write_table(_table(columns), buffer)
    return buffer.getvalue()


Encode = Callable[[dict[str, np.ndarray]], bytes]
TABLES: dict[str, Encode] = {".csv": csv_of, ".parquet": parquet_of}
VECTORS: dict[str, Encode] = {".npz": npz_of, ".npy": npy_of, **TABLES}
"""How results are written, by suffix."""


def _table(columns: dict[str, np.ndarray]) -> Any:
    flat: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        single = values.ndim == 1
        flat |= {name: values} if single else {f"{name}_{j}": v for j, v in enumerate(values.T)}
    return pa.table({name: pa.array(values) for name, values in flat.items()})


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
