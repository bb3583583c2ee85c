"""Stores: a set of series as a folder of ``.npy`` files that are mapped, never loaded whole.

Each array of a ``.npz`` is a file of its own here. Rows of steps are written in shards, spans of
rows whose checksums stand in the index, ``store.json``; the index is written last.
"""

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from selftime.data.arrays import SeriesError
from selftime.data.files import place_of, restore
from selftime.data.formats.bounds import check_is_file
from selftime.data.formats.npz import parts_beside_values
from selftime.data.memory import row_blocks
from selftime.data.records import read_values, unpack
from selftime.data.schema import Column
from selftime.data.series import SeriesSet
from selftime.door import option, tell

INDEX, SHARDS = "store.json", "shards"
"""The index of a store, and the folder of what is known of each shard while it is packed."""
FORMAT = 1
GROWING = ("values", "observed", "times")
"""Arrays with a row a step, which are written shard by shard."""
TEXTS = ("channels", "stamps", "kind")
"""Arrays that stand in the index, where people can read them."""
_WHOLE = (
    *("offsets", "ids", "labels", "known_labels", "groups", "origin", "starts", "recordings"),
    *("rows", "step_labels", "known_step_labels", "fingerprints"),
)


class Shard(NamedTuple):
    """A span of rows of a store, and the checksum of each array within it."""

    rows: tuple[int, int]
    checksums: Mapping[str, str]


class StoreIndex(NamedTuple):
    """The index of a finished store, as ``store.json`` says it.

    Attributes:
        texts: names of channels, zone and kind of stamps, and the kind of signal.
        shards: in the order of rows.
        checksums: of the arrays that are written at once.
        columns: of the table that was read.
        notes: what was decided in reading.
        facts: what took a pass over all values, :class:`selftime.data.facts.Facts`.
    """

    texts: Mapping[str, np.ndarray]
    shards: tuple[Shard, ...]
    checksums: Mapping[str, str]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    facts: Mapping[str, Any]


def status_of(folder: Path) -> str:
    """Return "finished" or "packing" of a store, "" of what is none."""
    try:
        found = read_values(folder / INDEX)
    except (ValueError, OSError):
        return ""
    says = found.get("selftime store") if isinstance(found, dict) else None
    return says if says in ("finished", "packing") else ""


def is_store(folder: Path) -> bool:
    """Return whether a folder is a store, finished or not."""
    restore(folder)
    return status_of(folder) != ""


def read_store(folder: Path) -> SeriesSet:
    """Return the series of a store; their values stay in its files until they are looked at.

    Files that are newer than the index are compared with their checksums first.

    Raises:
        SeriesError: packing did not end, or a file is missing, damaged or of another form.
    """
    index = read_index(folder)
    if is_newer(folder, index):
        check_store(folder, index)
        again = f"selftime pack {folder} --verify"
        tell([f"files are newer than their index, so all were checked; {again} notes that"], folder)
    with _naming(folder):
        return _series_of(folder, index)


def verify_store(path: str | os.PathLike[str]) -> int:
    """Compare every file of a store with its checksums, and return how many shards it has.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import selftime as st
        >>> with TemporaryDirectory() as folder:
        ...     st.verify_store(st.pack("sample:ECG", folder + "/store"))
        1

    Raises:
        SeriesError: it is no store, or something in it is not as it was written: what, and where.
    """
    folder = place_of(path)
    if not is_store(folder):
        raise SeriesError(f"{folder}: is no store, wanted one to verify: check the path")
    index = read_index(folder)
    check_store(folder, index)
    with suppress(OSError):  # one that may not be written is verified at every reading
        os.utime(folder / INDEX)
    return len(index.shards)


def read_index(folder: Path) -> StoreIndex:
    """Return what the index of a store says.

    Raises:
        SeriesError: packing did not end, or it is no index of this version.
    """
    if status_of(folder) == "packing":
        raise SeriesError(
            f"{folder}: is a store whose packing did not end: call selftime pack as before to go on"
        )
    with _naming(folder):
        found = read_values(folder / INDEX)
        if found.get("format") != FORMAT:
            raise ValueError(f"format {found.get('format')}, wanted {FORMAT}")
        texts = {name: found[name] for name in TEXTS if name in found}
        names = unpack(texts["channels"], tuple[str, ...], {}, {})
        shards = tuple(
            Shard(unpack(part["rows"], tuple[int, int], {}, {}), dict(part["checksums"]))
            for part in found["shards"]
        )
        return StoreIndex(
            {name: np.array(text) for name, text in (texts | {"channels": names}).items()},
            shards,
            dict(found["checksums"]),
            tuple(Column(*unpack(c, tuple[str, str, str, str], {}, {})) for c in found["columns"]),
            unpack(found["notes"], tuple[str, ...], {}, {}),
            dict(found.get("facts", {})),
        )


def is_newer(folder: Path, index: StoreIndex) -> bool:
    """Return whether a file of a store was changed after its index was written."""
    with _naming(folder):
        since = os.stat(folder / INDEX).st_mtime_ns
        return any(os.stat(path_of(folder, n)).st_mtime_ns > since for n in names_in(index))


def check_store(folder: Path, index: StoreIndex) -> None:
    """Compare every file of a store with its checksums.

    Raises:
        SeriesError: something is not as it was written: what, and where.
    """
    with _naming(folder):
        for name, wanted in index.checksums.items():
            if checksum_of(open_array(folder, name)) != wanted:
                raise ValueError(f"{name}.npy is not as it was written")
        offsets, ids = (open_array(folder, name) for name in ("offsets", "ids"))
        for number, shard in enumerate(index.shards):
            if broken := damage_in(folder, shard):
                rows = (
                    np.searchsorted(offsets, [shard.rows[0], shard.rows[1] - 1], side="right") - 1
                )
                raise ValueError(
                    f"{broken}.npy is not as it was written in shard {number}, of the series "
                    f"{str(ids[rows[0]])!r} to {str(ids[rows[1]])!r}"
                )


def damage_in(folder: Path, shard: Shard) -> str | None:
    """Return the first array whose rows in a shard are not as they were written; None without."""
    for name, wanted in shard.checksums.items():
        rows = open_array(folder, name)[slice(*shard.rows)]
        if len(rows) < shard.rows[1] - shard.rows[0] or checksum_of(rows) != wanted:
            return name
    return None


def checksum_of(array: np.ndarray) -> str:
    """Return the CRC-32 of the bytes of an array, read block by block."""
    found = 0
    for rows in row_blocks(array):
        found = zlib.crc32(np.ascontiguousarray(array[rows]).view(np.uint8).data, found)
    return f"{found:08x}"


def open_array(folder: Path, name: str) -> np.ndarray:
    """Return an array of a store, mapped from its file; it cannot be written to."""
    path = path_of(folder, name)
    check_is_file(path)
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(found)


def path_of(folder: Path, name: str) -> Path:
    """Return the file of an array.

    Raises:
        ValueError: a name that no array has.
    """
    if name not in (*GROWING, *_WHOLE):
        raise ValueError(f"it has no array {str(name)[:60]!r}")
    return folder / f"{name}.npy"


def names_in(index: StoreIndex) -> list[str]:
    """Return the names of all arrays of a store."""
    return [*index.checksums, *dict.fromkeys(n for shard in index.shards for n in shard.checksums)]


def _series_of(folder: Path, index: StoreIndex) -> SeriesSet:
    arrays = {name: open_array(folder, name) for name in names_in(index)}
    values, offsets, ids = (arrays[name] for name in ("values", "offsets", "ids"))
    observed: Bool[np.ndarray, "S C"] | None = arrays.get("observed")
    wanted = {"values": np.float32, "offsets": np.int64, "observed": bool, "origin": np.float64}
    sizes = {"values": 2, "observed": 2, "origin": 2}
    for name, array in arrays.items():
        if array.dtype != wanted.get(name, array.dtype) or array.ndim != sizes.get(name, 1):
            raise ValueError(f"{name}.npy holds {array.dtype} of shape {array.shape}")
    if observed is not None and observed.shape != values.shape:
        raise ValueError(f"observed.npy has shape {observed.shape}, values.npy {values.shape}")
    return SeriesSet(
        steps=values,
        offsets=offsets,
        channels=tuple(index.texts["channels"].tolist()),
        ids=ids,
        observed=observed,
        origin=arrays.get("origin"),
        rows=arrays.get("rows"),
        columns=index.columns,
        notes=index.notes,
        **parts_beside_values(arrays | dict(index.texts)),
    )


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Say of which store something is wrong, and what to do."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        said = " ".join(str(error).split())
        raise SeriesError(
            f"{folder}: is a damaged store ({said}): restore it, or pack it again, "
            f"{option('overwrite', True)}"
        ) from None
