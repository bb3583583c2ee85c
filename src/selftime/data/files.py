"""The one atomic writer: after a crash a file or folder is there whole or not at all.

Content is first written to a hidden draft beside its target, brought to disk and renamed. The names
of drafts hold the process that writes them, and the next writer in the same folder removes those of
dead processes.
"""

import ctypes
import json
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from selftime.door import option

PATIENCE = 1.0
"""Seconds that a reader waits for a writer between its two renames: they take far less."""

AT_FDCWD, RENAME_EXCHANGE = -100, 2
HIDDEN = re.compile(r"\.(draft|old)-(\d+)-(\w+)-[0-9a-f]{8}(?:-(.+))?", re.DOTALL)
"""Names of drafts, and of folders moved aside: process, machine, and what the latter replace."""


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return a path as people give it, ``~`` replaced by the home folder.

    Example:
        >>> place_of("~/models") == Path.home() / "models"
        True
    """
    return Path(os.path.expanduser(path))


def write_file(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file in one step, and make its folder where there is none."""
    target = place_of(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    draft = _hidden(target.parent, "draft")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
        _to_disk(target.parent)
    finally:
        draft.unlink(missing_ok=True)
    return target


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write UTF-8 text in one step."""
    return write_file(path, text.encode("utf8"))


def write_json(
    path: str | os.PathLike[str], content: dict[str, Any], *, rows: bool = False
) -> Path:
    """Write JSON for people in one step, with ``rows`` one line per list item; NaN is an error."""
    if rows:
        parts = [f"{json.dumps(name)}: {_format_rows(value)}" for name, value in content.items()]
        return write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n")


def _format_rows(value: Any) -> str:
    line = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(map(line, value)) + "\n]"
    return line(value)


@contextmanager
def whole_folder(target: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Yield a fresh folder to fill; it becomes ``target`` when the block ends without an error.

    The old folder stays until the new one is whole and on disk; without ``overwrite`` it is a
    FileExistsError. A crash at any moment leaves one of the two: under the name ``target`` where
    the kernel can exchange two names, and elsewhere under that name after :func:`restore`,
    :func:`sweep` or the next writer.
    """
    final = Path(os.path.realpath(place_of(target)))
    final.parent.mkdir(parents=True, exist_ok=True)
    sweep(final.parent)
    if os.path.lexists(final) and not overwrite:
        raise FileExistsError(
            f"{target} exists: choose another path, or {option('overwrite', True)}"
        )
    draft = _hidden(final.parent, "draft")
    draft.mkdir()
    try:
        yield draft
        for folder, _, names in os.walk(draft, topdown=False):
            for path in (*(Path(folder, name) for name in names), Path(folder)):
                _to_disk(path)
        if not overwrite or not os.path.lexists(final):
            os.rename(draft, final)
        elif not _exchange(draft, final):
            _replace_folder(draft, final)
        _to_disk(final.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # the old folder, if they were exchanged


def _exchange(one: Path, other: Path) -> bool:
    """Give each the name of the other in one step, where kernel and file system can do that."""
    call = _renameat2()
    arguments = AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE
    return call is not None and call(*arguments) == 0


@cache
def _renameat2() -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux, or an old C library
        return None


def _replace_folder(draft: Path, target: Path) -> None:
    """Rename twice; a kill in between leaves the old folder under a name with its target in it."""
    old = _hidden(target.parent, "old", target.name)
    os.rename(target, old)
    try:
        os.rename(draft, target)
    except BaseException:
        os.rename(old, target)
        raise
    remove_folder(old)


def remove_folder(path: Path) -> None:
    """Remove a folder, first renamed to a draft, so that nobody reads it half removed."""
    draft = _hidden(path.parent, "draft")
    with suppress(FileNotFoundError):
        os.rename(path, draft)
    shutil.rmtree(draft, ignore_errors=True)


def restore(target: Path) -> None:
    """Put back a folder that a killed writer moved away; readers call this first."""
    end = time.monotonic() + PATIENCE
    while not os.path.lexists(target):
        moved = (path for path, name in _moved_aside(target.parent) if name == target.name)
        old = next(moved, None)
        if old is None:
            return
        if _is_dead(old) or time.monotonic() > end:
            with suppress(OSError):  # another reader was quicker, or nobody may write here
                os.rename(old, target)
            return
        time.sleep(PATIENCE / 100)


def sweep(folder: Path) -> None:
    """Remove drafts of dead processes in a folder, and put back what they moved aside."""
    for path, name in _moved_aside(folder):
        if _is_dead(path):
            restore(folder / name)
    for path in _list_hidden(folder):
        if _is_dead(path):
            with suppress(OSError):
                path.unlink() if path.is_file() else remove_folder(path)


def _moved_aside(folder: Path) -> list[tuple[Path, str]]:
    found = [(path, HIDDEN.fullmatch(path.name)) for path in _list_hidden(folder)]
    return [(path, match[4]) for path, match in found if match and match[1] == "old"]


def _list_hidden(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if HIDDEN.fullmatch(entry.name)]
    except OSError:
        return []
    return [folder / name for name in names]


def _hidden(folder: Path, kind: str, name: str = "") -> Path:
    """Return a free name with process and machine in it."""
    mark = f".{kind}-{os.getpid()}-{_machine()}-{secrets.token_hex(4)}"
    return folder / (f"{mark}-{name}" if name else mark)


@cache
def _machine() -> str:
    return re.sub(r"\W", "_", platform.node())[:32] or "unknown"


def _is_dead(path: Path) -> bool:
    """Return whether the process that writes there has ended; False where that is unknown."""
    match = HIDDEN.fullmatch(path.name)
    if match is None or match[3] != _machine() or sys.platform == "win32":
        return False  # on Windows, asking with os.kill would end the process
    with suppress(PermissionError):
        try:
            os.kill(int(match[2]), 0)
        except (ProcessLookupError, OverflowError):
            return True
    return False


def _to_disk(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    if sys.platform == "win32":
        return  # nothing that was opened to be read can be waited for
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
