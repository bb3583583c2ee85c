"""Places of results: what stands in a folder, what it is about, and who may write there."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selftime.data.files import drafts_left, is_free, place_of, sweep
from selftime.data.places import check_place
from selftime.data.series import SeriesSet
from selftime.data.store import status_of
from selftime.engine.training.run_folder import COMPARISON, ROOM, RUN_FILE, Run, only_run


def check_output(path: str | os.PathLike[str], size: int = 0) -> None:
    """Check, before any work, that a file or folder of about so many bytes can be written.

    What killed processes left beside it is put right.

    Raises:
        OSError: its folder cannot be written or is a file, its name is too long, or the disk has
            no room.
    """
    check_place(place_of(path), size)
    sweep(place_of(path).parent)


@contextmanager
def claim_folder(
    target: Path, *, overwrite: bool, again: str = "", resume: bool = False
) -> Iterator[None]:
    """Be the only one who writes a run folder, after a check that nothing is in the way.

    Args:
        target: the folder.
        overwrite: replace a run that stands there.
        again: a command that goes on with its own run that was stopped, and may find it there.
        resume: a run is to go on: it is checked by whoever goes on with it.

    Raises:
        FileExistsError: something stands there and may not be replaced.
        BlockingIOError: another process writes there: which, and since when.
        OSError: as :func:`check_output`.
    """
    with only_run(target, ROOM):
        if not resume:
            check_folder(target, overwrite=overwrite, again=again)
        yield


def check_folder(target: Path, *, overwrite: bool, again: str = "") -> None:
    """Raise a FileExistsError unless the place is free, or holds a run that may be replaced."""
    found = {} if overwrite else record_in(Run(folder=target).work)
    is_stopped = found.get("status") == "running"
    if is_stopped and again and found.get("command") == again:
        return
    if is_stopped:
        raise FileExistsError(
            f"{target} holds a run that was stopped: --resume goes on with it, --force begins anew"
        )
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise FileExistsError(f"{target} exists: choose another --out, or --force to replace it")
    is_ours = any((target / name).is_file() for name in (RUN_FILE, COMPARISON))
    if target.is_symlink() or not (is_ours or is_free(target)):
        raise FileExistsError(
            f"{target} was not made by selftime and is left alone: choose another"
        )


def remains_of(places: Iterable[Path]) -> str:
    """Say what is left, at the places it was to write to, of a command that was ended."""
    for place in places:
        sweep(place.parent)
        work = Run(folder=place).work
        record = record_in(work) if os.path.lexists(work) else {}
        if record.get("status") == "running":
            how = "the same command" if record.get("command") == "race" else "--resume"
            return f"{place} holds what was done so far: {how} goes on with it"
        if status_of(work) == "packing":
            return f"{place} holds what was packed so far: the same command goes on with it"
    if drafts := drafts_left():
        return f"{drafts[0]} was left, which the next call there removes"
    return "nothing half-written was left"


def record_in(folder: Path) -> dict[str, Any]:
    """Read ``run.json`` of a folder, however far the run is; empty if there is none."""
    try:
        return json_in(folder / RUN_FILE)
    except ValueError:
        return {}


def json_in(path: Path) -> dict[str, Any]:
    """Read an object from a file; an empty one where there is no file.

    Raises:
        ValueError: the file is damaged, or holds something else.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}): make it anew") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, wanted an object: make it anew")
    return content


def check_same(series: SeriesSet, known: Mapping[str, Any], option: str, folder: Path) -> None:
    """Raise a ValueError for other series than a result is about, which knows their fingerprint."""
    if known.get("fingerprint") == series.fingerprint():
        return
    source = known.get("source", "not recorded")
    again = ", the same part, read by the same options" if source == series.source else ""
    raise ValueError(
        f"{option} {series.source or ''} holds other series than {folder} is about: name the data "
        f"it was made with ({source}){again}"
    )
