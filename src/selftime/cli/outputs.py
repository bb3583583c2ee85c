"""What commands write: whole or not at all, and over nothing unless told to."""

import io
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

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
    """A fresh folder to fill, which takes its place when all is there, and else vanishes.

    Raises:
        FileExistsError: as :func:`check_folder`.
    """
    check_folder(target, force=force)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        _take_place(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _take_place(fresh: Path, target: Path) -> None:
    """Rename ``fresh`` to ``target``; what stood there is removed last, or put back."""
    old = fresh.with_name(f"{fresh.name}.old")
    try:
        with suppress(FileNotFoundError):
            target.rename(old)
        fresh.rename(target)
    except BaseException:
        with suppress(FileNotFoundError):
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_file(target: Path, data: bytes) -> None:
    """Put a file there in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_json(target: Path, content: dict[str, Any]) -> None:
    """Plain values as JSON that people can read."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    target.write_text(text + "\n", encoding="utf8")


def write_rows(target: Path, content: dict[str, Any]) -> None:
    """Plain values as JSON, a line for each item of a list: for files with a row a series."""
    parts = [f"{json.dumps(name)}: {in_rows(value)}" for name, value in content.items()]
    write_file(target, ("{\n" + ",\n".join(parts) + "\n}\n").encode("utf8"))


def in_rows(value: Any) -> str:
    """A list with an item a line, anything else on one line."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(in_line(item) for item in value) + "\n]"
    return in_line(value)


def in_line(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


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
