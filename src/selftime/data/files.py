"""The one atomic writer: after a crash a file or folder is there whole or not at all.

Content is first written to a hidden draft beside its target, brought to disk and renamed. Drafts
are locked by the process that writes them, and the next writer in the same folder removes those
that nobody holds any more.
"""

import ctypes
import io
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from safetensors import SafetensorError

from selftime.data.places import FULL, PATIENCE, check_place, hold, mark_of, only_writer, seize
from selftime.door import option

AT_FDCWD, RENAME_EXCHANGE = -100, 2
HIDDEN = re.compile(r"\.(draft|old|lock)-[0-9a-f]{8}")
"""Names of drafts, of folders with a folder that was moved aside, and of locks."""
MARK = ".replaces"
"""The file in a folder that will replace the one beside it."""
_drafts: set[Path] = set()
"""Drafts of this process that were not removed yet."""


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return a path as people give it, ``~`` replaced by the home folder.

    Example:
        >>> place_of("~/models") == Path.home() / "models"
        True
    """
    return Path(os.path.expanduser(path))


def write_file(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file in one step, and make its folder where there is none."""
    with whole_file(path) as file:
        file.write(data)
    return place_of(path)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a file to fill; it becomes the one at a path when the block ends without an error."""
    target = place_of(path)
    with _room_for(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        with _draft_in(target.parent, lambda draft: draft.touch(exist_ok=False)) as draft:
            with draft.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, target)
            _to_disk(target.parent)


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


def append_line(path: Path, line: str) -> None:
    """Add a line to a file; a kill may tear it off, which readers must stand."""
    with _room_for(path), path.open("a", encoding="utf8") as file:
        file.write(line + "\n")


def write_rows(path: Path, data: np.ndarray, row: int) -> None:
    """Write rows into a ``.npy`` that grows, from one row on; rows behind them are cut off.

    They are on disk when this returns. The header says that they are there once they are, so that
    the file can be read at every moment; a kill may leave some of them behind the others.
    """
    shape, head = (row + len(data), *data.shape[1:]), io.BytesIO()
    write_header: Any = npy.write_array_header_1_0  # of the same length, however many rows
    write_header(head, {"descr": data.dtype.str, "fortran_order": False, "shape": shape})
    with _room_for(path), path.open("r+b" if row else "wb") as file:
        file.seek(len(head.getvalue()) + row * data[:1].nbytes)
        file.write(np.ascontiguousarray(data).view(np.uint8).data)
        end = file.tell()
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        file.write(head.getvalue())
        file.truncate(end)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def whole_folder(
    target: str | os.PathLike[str], *, overwrite: bool, own: re.Pattern[str] | None = None
) -> Iterator[Path]:
    """Yield a fresh folder to fill; it becomes ``target`` when the block ends without an error.

    The old folder stays until the new one is whole and on disk; without ``overwrite`` it is a
    FileExistsError. A crash at any moment leaves one of the two: under the name ``target`` where
    the kernel can exchange two names, and elsewhere under that name after :func:`restore`,
    :func:`sweep` or the next writer.

    Args:
        target: the folder.
        overwrite: replace a folder that stands there.
        own: paths of files within it that are replaced; others go over into the new one. All are
            replaced when None.

    Raises:
        FileExistsError: the folder exists and ``overwrite`` is False.
        BlockingIOError: another process writes there.
        OSError: the disk is full.
    """
    final = Path(os.path.realpath(place_of(target)))
    check_place(place_of(target))
    with _room_for(place_of(target)):
        final.parent.mkdir(parents=True, exist_ok=True)
        sweep(final.parent)
        if os.path.lexists(final) and not overwrite:
            raise FileExistsError(
                f"{target} exists: choose another path, or {option('overwrite', True)}"
            )
        with _draft_in(final.parent, Path.mkdir) as draft:
            yield draft
            _settle(draft)
            with only_writer(final):
                _put(draft, final, overwrite, own)


def _settle(draft: Path) -> None:
    """Give all files the mode that the user's mask asks for, and wait until they are on disk."""
    mode = draft.stat().st_mode & 0o666
    for folder, _, names in os.walk(draft, topdown=False):
        for name in names:
            os.chmod(os.path.join(folder, name), mode)
            _to_disk(Path(folder, name))
        _to_disk(Path(folder))


def _put(draft: Path, final: Path, overwrite: bool, own: re.Pattern[str] | None) -> None:
    """Give a folder that is whole its name; the old one, if there is one, ends as the draft."""
    is_there = os.path.lexists(final)
    if overwrite and is_there and own is not None:
        _carry_over(final, draft, own)
    if not overwrite or not is_there:
        os.rename(draft, final)
    elif not _exchange(draft, final):
        with _draft_in(final.parent, Path.mkdir, "old") as holder:
            os.rename(final, holder / final.name)
            os.rename(draft, final)
    _to_disk(final.parent)


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


def _carry_over(old: Path, new: Path, own: re.Pattern[str]) -> None:
    """Link, or copy, what others put into a folder into the one that replaces it."""
    for folder, folders, names in os.walk(old):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for path in (Path(folder, name) for name in (*names, *links)):
            within = path.relative_to(old)
            ours = own.fullmatch(within.as_posix()) or within.name == MARK
            is_hidden = any(HIDDEN.fullmatch(part) for part in within.parts)
            if ours or is_hidden or os.path.lexists(new / within):
                continue
            (new / within).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, new / within, follow_symlinks=False)
            except OSError:  # a file system without links
                shutil.copy2(path, new / within, follow_symlinks=False)


def successor_of(folder: Path) -> Path:
    """Return the hidden folder beside one in which what will replace it is made, call by call."""
    final = Path(os.path.realpath(folder))
    return final.parent / f".next-{mark_of(final)}"


def begin_successor(folder: Path) -> Path:
    """Make the folder beside one that will replace it, in place of an earlier one."""
    beside = successor_of(folder)
    remove_folder(beside)
    beside.mkdir()
    write_text(beside / MARK, "will replace the folder beside it\n")
    return beside


def clear_successor(folder: Path) -> None:
    """Remove what a process left that was killed while it made a successor or put it into place."""
    with suppress(FileNotFoundError, NotADirectoryError):
        (folder / MARK).unlink()
    if not has_successor(folder):
        remove_folder(successor_of(folder))  # the old one, where they were exchanged


def has_successor(folder: Path) -> bool:
    """Return whether something that will replace a folder was begun beside it."""
    return (successor_of(folder) / MARK).is_file()


def install_successor(folder: Path, own: re.Pattern[str]) -> None:
    """Put what was made beside a folder into its place; ``own`` as in :func:`whole_folder`."""
    final, beside = Path(os.path.realpath(folder)), successor_of(folder)
    with _room_for(folder), only_writer(final):
        _settle(beside)
        (final / MARK).unlink(missing_ok=True)
        _put(beside, final, True, own)
        clear_successor(final)


def remove_folder(path: Path) -> None:
    """Remove a folder, first renamed to a draft, so that nobody reads it half removed."""
    draft = _hidden(path.parent, "draft")
    with suppress(FileNotFoundError):
        os.rename(path, draft)
    _discard(draft)


def drafts_left() -> list[Path]:
    """Return drafts of this process that are there, while it writes or after a failure."""
    return sorted(draft for draft in _drafts if os.path.lexists(draft))


def restore(target: Path) -> None:
    """Put back a folder that a killed writer moved away; readers call this first."""
    end = time.monotonic() + PATIENCE
    while not os.path.lexists(target):
        moved = (path for path in _list_hidden(target.parent) if path.name.startswith(".old"))
        old = next((path for path in moved if os.path.lexists(path / target.name)), None)
        if old is None:
            return
        handle = seize(old)
        if handle is not None or time.monotonic() > end:
            with suppress(OSError):  # another reader was quicker, or nobody may write here
                os.rename(old / target.name, target)
            if handle is not None:
                os.close(handle)
            return
        time.sleep(PATIENCE / 100)


def sweep(folder: Path) -> None:
    """Remove drafts that nobody holds in a folder, and put back what was moved aside."""
    for path in _list_hidden(folder):
        handle = seize(path)
        if handle is not None:
            with suppress(OSError):
                _discard(path)
            os.close(handle)


def sweep_below(folder: Path) -> None:
    """Sweep a folder and all within it."""
    for within, _, _ in os.walk(folder):
        sweep(Path(within))


def is_free(folder: Path) -> bool:
    """Return whether nothing but drafts stands at a place."""
    sweep(folder)
    return not os.path.lexists(folder) or (
        folder.is_dir() and all(HIDDEN.fullmatch(name) for name in os.listdir(folder))
    )


def _discard(path: Path) -> None:
    """Remove a draft, or a folder with one that was moved aside, which is put back if missing."""
    if path.name.startswith(".old") and path.is_dir():
        for old in path.iterdir():
            if not os.path.lexists(path.parent / old.name):
                os.rename(old, path.parent / old.name)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    _drafts.discard(path)


def _list_hidden(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if HIDDEN.fullmatch(entry.name)]
    except OSError:
        return []
    return [folder / name for name in names]


def _hidden(folder: Path, kind: str) -> Path:
    draft = folder / f".{kind}-{secrets.token_hex(4)}"
    _drafts.add(draft)
    return draft


@contextmanager
def _draft_in(folder: Path, make: Callable[[Path], object], kind: str = "draft") -> Iterator[Path]:
    """Make a draft and hold it; whatever has its name in the end is removed."""
    handle = None
    while handle is None:
        draft = _hidden(folder, kind)
        make(draft)
        handle = hold(draft)
    try:
        yield draft
    finally:
        _discard(draft)
        os.close(handle)


@contextmanager
def _room_for(target: Path) -> Iterator[None]:
    """Name the target in the error of a full disk, whoever raises it."""
    try:
        yield
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        if found is None:
            raise
        raise _os_error(int(found[1]), target) from None
    except OSError as error:
        if error.errno not in FULL or error.filename == str(target):
            raise
        raise _os_error(error.errno, target) from None


def _os_error(number: int, target: Path) -> OSError:
    mend = ": make room and call again; what stood there before still does"
    return OSError(number, os.strerror(number) + (mend if number in FULL else ""), str(target))


def _to_disk(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    if sys.platform == "win32":
        return  # nothing that was opened to be read can be waited for
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
