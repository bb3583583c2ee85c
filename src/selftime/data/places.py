"""Places to write to: whether one can be written and has room, and who else writes there.

Whoever writes holds a lock that the kernel lets go of when its process ends, however it ends: no
number of a process is trusted, which another one may have by now.
"""

import errno
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from selftime.data.arrays import SeriesError
from selftime.data.formats.bounds import size_in_words
from selftime.door import option

if sys.platform != "win32":
    import fcntl

_URL = re.compile(r"[a-z][a-z0-9+.-]+(::[a-z][a-z0-9+.:-]+)*:/{1,2}(?!/).|file://.")
PATIENCE = 1.0
"""Seconds to wait for another process that renames or looks around: it takes far less."""
STALE = 24 * 3600.0
"""Seconds after which a draft is a dead one where the file system keeps no locks."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk, a quota or a limit that has no room left."""
_mine: ContextVar[frozenset[Path]] = ContextVar("mine", default=frozenset())


def is_url(path: object) -> bool:
    """Return whether a path is a URL, such as ``s3://bucket/a.csv``, or what Path made of one.

    Example:
        >>> is_url("s3://bucket/a.csv"), is_url("C:/a.csv"), is_url("plant/a.csv")
        (True, False, False)
    """
    is_path = isinstance(path, str | os.PathLike)
    return is_path and _URL.match(str(path)) is not None


def seize(path: Path) -> int | None:
    """Lock a file or folder and return its handle; None where another process holds it.

    Where the file system keeps no locks, whatever was changed of late counts as held.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # gone, not ours to open, or a folder on Windows
        return None
    with suppress(BlockingIOError):
        if _lock(handle) or time.time() - os.fstat(handle).st_mtime > STALE:
            return handle
    os.close(handle)
    return None


def hold(path: Path) -> int | None:
    """Lock a file or folder that was made just now and return its handle.

    None where a sweeper took it for a dead one in between: make another.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError:  # a folder on Windows
        return os.open(os.devnull, os.O_RDONLY)
    with suppress(BlockingIOError):
        _lock(handle)
        if os.path.lexists(path):
            return handle
    os.close(handle)
    return None


def _lock(handle: int) -> bool:
    """Lock an open file; False where the system keeps no locks.

    Raises:
        BlockingIOError: another process holds it.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            raise
        except OSError:  # some network file systems
            return False
    return False


def mark_of(path: Path) -> str:
    """Return eight letters for the name of a folder, for what lies beside it on its behalf."""
    return sha256(os.fsencode(path.name)).hexdigest()[:8]


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Be the only one who writes a folder, which need not be there yet, for a while.

    The lock lies beside the folder (within it, where its parent may not be written) and holds who
    took it and when. Calls within others of the same thread are let through.

    Raises:
        BlockingIOError: another process or thread writes there: which, and since when.
    """
    final = Path(os.path.realpath(folder))
    if final in _mine.get():
        yield
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    home = final.parent if os.access(final.parent, os.W_OK) else final
    lock = home / f".lock-{mark_of(final)}"
    before, handle = _mine.get(), _take(lock, folder)
    try:
        _mine.set(before | {final})
        yield
    finally:
        _mine.set(before)
        with suppress(OSError):
            lock.unlink()  # while it is held: nobody else can have taken it
        os.close(handle)


@contextmanager
def on_behalf_of_writer(folder: Path) -> Iterator[None]:
    """Write a folder for a while whose lock is held by the process that this one works for."""
    before = _mine.get()
    _mine.set(before | {Path(os.path.realpath(folder))})
    try:
        yield
    finally:
        _mine.set(before)


def _take(lock: Path, folder: Path) -> int:
    """Lock the file of a folder, and write into it by whom and when."""
    end = time.monotonic() + PATIENCE
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        mine = False
        try:
            _lock(handle)
            if os.path.samestat(os.fstat(handle), os.stat(lock)):
                os.ftruncate(handle, 0)
                os.write(handle, json.dumps(_owner()).encode())
                mine = True
                return handle
        except FileNotFoundError:
            pass  # its last owner removed it in between
        except BlockingIOError:
            if time.monotonic() > end:
                words = _owner_in_words(os.read(handle, 1000))
                raise BlockingIOError(f"{folder} is written {words}: {_MEND}") from None
            time.sleep(PATIENCE / 50)
        finally:  # whatever interrupts it: an open handle would hold the lock as long as we run
            if not mine:
                os.close(handle)


def _owner() -> dict[str, object]:
    return {"process": os.getpid(), "host": platform.node(), "since": _now()}


_MEND = "wait until that ends, or choose another folder"


def _now() -> str:
    return datetime.now(UTC).isoformat(sep=" ", timespec="seconds")


def _owner_in_words(owner: bytes) -> str:
    try:
        found = json.loads(owner)
        return f"by process {found['process']} on {found['host']} since {found['since']}"
    except (ValueError, LookupError, TypeError):
        return "by another process"


def check_place(target: Path, size: int = 0) -> None:
    """Check, before any work, that a file or folder can be written there.

    Args:
        target: the file or folder.
        size: bytes that it will take, about.

    Raises:
        PermissionError: its folder may not be written.
        NotADirectoryError: its folder is a file.
        OSError: a name longer than the file system takes, or a disk without that much room.
    """
    flag = option("out").removesuffix(" …")
    if is_url(target):
        raise SeriesError(
            f"results are written to this machine, got {str(target).split(':')[0]}: choose a path, "
            "and copy what is there afterwards"
        )
    another = f"choose another {flag if flag.startswith('--') else 'place'}"
    folder = next(parent for parent in Path(os.path.abspath(target)).parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, wanted a folder: {another}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} may not be written to: {another}")
    longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    for name in Path(os.path.abspath(target)).relative_to(folder).parts:
        if (length := len(os.fsencode(name))) > longest:
            raise OSError(f"{name[:20]}… has a name of {length} bytes, wanted at most {longest}")
    free = shutil.disk_usage(folder).free
    if size > free:
        words = (
            f"about {size_in_words(size)} are needed and {size_in_words(free)} are free: make room"
        )
        raise OSError(errno.ENOSPC, f"{words}, or {another}", str(target))
