"""Packing: whatever can be read becomes a store, shard by shard, and goes on where it ended."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from selftime.data.arrays import SeriesError
from selftime.data.files import (
    begin_successor,
    clear_successor,
    has_successor,
    install_successor,
    is_free,
    place_of,
    remove_folder,
    restore,
    successor_of,
    sweep,
    sweep_below,
    write_text,
)
from selftime.data.parts import use_join
from selftime.data.places import check_place, is_url, only_writer
from selftime.data.readers import read
from selftime.data.records import read_values
from selftime.data.remote import without_secrets
from selftime.data.shards import Packing
from selftime.data.store import INDEX, SHARDS, status_of
from selftime.door import option
from selftime.progress import Progress, open_progress

_OWN = re.compile(rf"{INDEX}|[a-z_]+\.npy|{SHARDS}/.*")
"""Paths of files that packing writes into the folder of a store."""


def pack(
    source: Any,
    out: str | os.PathLike[str],
    *,
    reading: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: bool | Progress | None = None,
) -> Path:
    """Write series into a store: a folder that every call and command reads, never as a whole.

    Files of a folder, or of a list, are read one by one, so that they need not fit in memory
    together; each has to by itself. A call that ended early goes on where its last shard ended
    when it is made again. :func:`verify_store` compares a store with its checksums.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import selftime as st
        >>> with TemporaryDirectory() as folder:
        ...     st.read(st.pack("sample:PenDigits:test", folder + "/store"))
        SeriesSet(3498 series, 2 channels, 8 steps)

    Args:
        source: whatever :func:`selftime.read` takes.
        out: folder of the store.
        reading: options of :func:`selftime.read`, such as ``{"label": "state"}``.
        overwrite: replace a store that stands there, which stays until the new one is whole; or
            begin anew where packing ended early.
        progress: a bar where a person looks when None; :func:`selftime.progress.open_progress`.

    Returns:
        The folder.

    Raises:
        SeriesError: the source cannot be read, or packing was begun with other options.
        FileExistsError: something else stands there.
        OSError: the disk is full: what was packed is kept; or another process writes there.
    """
    target, options = place_of(out), dict(reading or {})
    check_place(target)
    _check_apart(source, target)
    with only_writer(target), open_progress(progress) as bar:
        _put_in_place(target)
        asked = json.loads(json.dumps([_name_of(source), options], default=repr))
        packing = Packing(_begin(target, asked, overwrite=overwrite), bar)
        with _kept_if_begun(packing.folder), use_join(packing.join):
            series = read(source, **options)
        packing.finish(series)
        _put_in_place(target)
    return target


def _name_of(source: Any) -> str:
    if is_url(source):
        return without_secrets(source)
    is_path = isinstance(source, str | os.PathLike) and not str(source).startswith("sample:")
    return os.path.abspath(place_of(source)) if is_path else repr(source)[:200]


def _check_apart(source: Any, target: Path) -> None:
    """Check that a store is not written into the folder that it is packed from."""
    folder = place_of(source) if isinstance(source, str | os.PathLike) else Path(os.devnull)
    if Path(os.path.realpath(folder)) in Path(os.path.realpath(target)).parents:
        raise FileExistsError(f"{target} lies in {source}, which is read: choose another place")


def _put_in_place(target: Path) -> None:
    """Let a finished store that was made beside another take its place, and sweep up."""
    restore(target)
    sweep(target.parent)
    if has_successor(target) and status_of(successor_of(target)) == "finished":
        install_successor(target, _OWN)
    if not has_successor(target):
        clear_successor(target)
    for home in (target, successor_of(target)):
        if status_of(home) == "finished":
            remove_folder(home / SHARDS)
        if status_of(home):
            sweep_below(home)


def _begin(target: Path, asked: Any, *, overwrite: bool) -> Path:
    """Return the folder in which a store is made, with what was packed there already."""
    status, work = status_of(target), target
    if status == "finished":
        if not overwrite:
            raise FileExistsError(
                f"{target} exists: choose another path, or {option('overwrite', True)}"
            )
        work = successor_of(target)
        if not has_successor(target) or _request_of(work) != asked:
            begin_successor(target)
    elif status == "packing":
        if overwrite:
            remove_folder(work / SHARDS)
        elif _request_of(work) != asked:
            raise SeriesError(
                f"{target}: was begun from {_in_words(_request_of(work))}, got {_in_words(asked)}: "
                f"give the same to go on, or begin anew, {option('overwrite', True)}"
            )
    elif not is_free(target):
        raise FileExistsError(f"{target} is no store and is left alone: choose another")
    write_text(work / INDEX, json.dumps({"selftime store": "packing", "asked": asked}) + "\n")
    (work / SHARDS).mkdir(exist_ok=True)
    return work


@contextmanager
def _kept_if_begun(work: Path) -> Iterator[None]:
    """Remove what an error leaves of a store of which no shard is there."""
    try:
        yield
    except BaseException:
        if not any((work / SHARDS).iterdir()):
            remove_folder(work)
        raise


def _request_of(work: Path) -> Any:
    """Return what a store was begun with; None where that cannot be read."""
    with suppress(ValueError, OSError, AttributeError):
        return read_values(work / INDEX).get("asked")
    return None


def _in_words(asked: Any) -> str:
    name, options = asked if isinstance(asked, list) and len(asked) == 2 else (asked, {})
    return " ".join([str(name), *(option(k, v) for k, v in dict(options).items() if v)])
