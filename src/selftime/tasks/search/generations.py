"""Generations: an index as a folder, written whole beside the one before and named last."""

import os
import re
import zlib
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float16

from selftime.data.files import (
    is_free,
    place_of,
    remove_folder,
    whole_folder,
    write_json,
)
from selftime.data.packing import pack
from selftime.data.places import check_place, only_writer
from selftime.data.readers import read
from selftime.data.records import read_values
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import option, through
from selftime.engine.model import Model, ModelError
from selftime.engine.model import load as load_model
from selftime.tasks.search.nearest import Graph

POINTER = "index.json"
"""The file that names the generation in use, which is replaced last."""
_FORMAT = 1
_NAME = re.compile(r"generation-[0-9a-f]{8}")
_VECTORS, _SERIES, _MODEL, _GRAPH = "vectors.npy", "series", "model", "graph"
_TRIES = 20
"""Generations that a reader may see replaced while it opens one."""


class Stored(NamedTuple):
    """All that a folder of an index holds."""

    model: Model
    series: SeriesSet
    vectors: Float16[np.ndarray, "N D"]
    graph: Graph | None


def is_index(folder: Path) -> bool:
    """Return whether a folder holds an index."""
    return (folder / POINTER).is_file()


def write_index(stored: Stored, path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Write a generation, name it in the pointer, and remove those before; see ``save``."""
    target = place_of(path)
    check_place(target)
    with only_writer(target):
        if is_index(target):
            if not overwrite:
                mend = f"choose another path, or {option('overwrite', True)}"
                raise FileExistsError(f"{target} exists: {mend}")
        elif not is_free(target):
            raise FileExistsError(f"{target} is no index and is left alone: choose another")
        name = f"generation-{token_hex(4)}"
        with whole_folder(target / name, overwrite=False) as draft:
            with through("python", lambda _: None):
                pack(stored.series, draft / _SERIES, progress=False)
            np.save(draft / _VECTORS, stored.vectors, allow_pickle=False)
            stored.model.save(draft / _MODEL)
            if stored.graph is not None:
                stored.graph.save(draft / _GRAPH)
        about = {"selftime index": _FORMAT, "generation": name, "entries": len(stored.vectors)}
        about |= {"dim": stored.model.dim, "approximate": stored.graph is not None}
        about |= {"checksum": _checksum(stored.vectors)}
        write_json(target / POINTER, about)
        for old in target.glob("generation-*"):
            if _NAME.fullmatch(old.name) and old.name != name:
                remove_folder(old)
    return target


def _checksum(vectors: np.ndarray) -> str:
    """Return a checksum of the first and last vectors: enough to tell one file from another."""
    ends = np.concatenate([vectors[:64], vectors[-64:]])
    return f"{zlib.crc32(np.ascontiguousarray(ends).view(np.uint8).data):08x}"


def open_generation(path: str | os.PathLike[str]) -> Stored:
    """Open the generation that the pointer names, or the next where that was replaced meanwhile.

    Raises:
        ModelError: no index, or a damaged one.
    """
    folder, before = place_of(path), None
    for _ in range(_TRIES):
        about = _pointer_of(folder)
        try:
            return _open(folder / about["generation"], about)
        except (OSError, ValueError, SeriesError) as error:
            before = error
            with suppress(ModelError):
                if _pointer_of(folder) == about:
                    break
    raise ModelError(f"{folder} is a damaged index ({before}): restore it, or index anew")


def _pointer_of(folder: Path) -> dict[str, Any]:
    try:
        about = read_values(folder / POINTER)
    except (ValueError, OSError) as error:
        raise ModelError(f"{folder} is no index: {error}") from None
    wanted = {"generation": str, "entries": int, "dim": int, "approximate": bool, "checksum": str}
    is_plain = isinstance(about, dict) and all(
        isinstance(about.get(name), kind) for name, kind in wanted.items()
    )
    if not is_plain or not _NAME.fullmatch(about["generation"]):
        raise ModelError(f"{folder} is a damaged index ({POINTER}): restore it, or index anew")
    if about.get("selftime index") != _FORMAT:
        raise ModelError(
            f"{folder} has format {about.get('selftime index')}, wanted {_FORMAT}: index anew"
        )
    return dict(about)


def _open(folder: Path, about: dict[str, Any]) -> Stored:
    vectors = np.load(folder / _VECTORS, mmap_mode="c", allow_pickle=False)  # never written back
    shape = about["entries"], about["dim"]
    if vectors.shape != shape or vectors.dtype != np.float16:
        raise ValueError(f"{_VECTORS} holds {vectors.dtype} of shape {vectors.shape}")
    if _checksum(vectors) != about["checksum"]:
        raise ValueError(f"{_VECTORS} is not as it was written")
    model, series = load_model(folder / _MODEL), read(folder / _SERIES)
    if len(series) != shape[0] or model.dim != shape[1]:
        raise ValueError(f"{len(series)} series and {model.dim} numbers for {shape} vectors")
    graph = Graph.load(folder / _GRAPH, *shape[::-1]) if about["approximate"] else None
    return Stored(model, series, np.asarray(vectors), graph)
