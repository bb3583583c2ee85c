"""Bounds on the memory that a file may take: packed, promised by a header, or in its width."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from selftime.data.arrays import SeriesError
from selftime.door import option

USUAL = 1_000_000_000
"""Bytes of memory that a file of any size may take."""
_TIMES = 50
"""A file may take so many times the bytes it has: numbers that are packed well take twenty."""
TEXT = 4
"""Bytes of memory for a byte of text: its cells are kept beside it, and then their numbers."""
COLUMN = 10_000
"""Bytes of memory for a column of a table, whatever is in it (measured with 100,000 columns)."""
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}

_limit: ContextVar[int | None] = ContextVar("limit", default=None)


@contextmanager
def limit_memory(limit: int | str | None) -> Iterator[None]:
    """Let files that are read take so much memory at most: bytes, or text such as "4 GB".

    Raises:
        SeriesError: another text or number.
    """
    before = _limit.set(_limit.get() if limit is None else parse_bytes(limit))
    try:
        yield
    finally:
        _limit.reset(before)


def parse_bytes(limit: int | str) -> int:
    """Return bytes from text such as "500 MB".

    Example:
        >>> parse_bytes("1.5 GB")
        1500000000
    """
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([kmgt]?b)\s*", str(limit).lower())
    is_number = isinstance(limit, int) and not isinstance(limit, bool)
    size = int(float(found[1]) * _UNITS[found[2]]) if found else limit if is_number else 0
    if not isinstance(size, int) or size < 1:
        raise SeriesError(f"got the limit {limit!r}, wanted memory: {option('limit', '4 GB')}")
    return size


def most_bytes(stored: int) -> int:
    """Return the memory that a file of so many bytes may take."""
    return _limit.get() or max(USUAL, _TIMES * stored)


def check_memory(size: int, stored: int, what: str) -> None:
    """Raise a SeriesError where a file of ``stored`` bytes would take too much memory.

    Args:
        size: bytes of memory that it would take, about.
        stored: bytes that it has.
        what: what there is so much of, such as "holds 1,000,000 columns".
    """
    if size > (most := most_bytes(stored)):
        raise SeriesError(
            f"{what}, which takes about {size_in_words(size)} of memory, wanted at most "
            f"{size_in_words(most)}: if the file is right, raise the limit, "
            f"{option('limit', _above(size))}"
        )


def size_in_words(size: int) -> str:
    """Return bytes in the largest unit that leaves a whole number before the point.

    Example:
        >>> size_in_words(1_260_000_000)
        '1.3 GB'
    """
    name = next((n for n in ("TB", "GB", "MB", "kB") if size >= _UNITS[n.lower()]), "B")
    return f"{size / _UNITS[name.lower()]:,.{0 if name == 'B' else 1}f} {name}".replace(".0 ", " ")


def _above(size: int) -> str:
    """Return a limit in whole units above a size."""
    name = next((n for n in ("TB", "GB", "MB") if size >= _UNITS[n.lower()]), "MB")
    return f"{size // _UNITS[name.lower()] + 1} {name}"


_NO_FILES = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_is_file(path: Path) -> None:
    """Raise a SeriesError for pipes, sockets and devices, which may never end."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # said by who opens it
    for is_kind, name in _NO_FILES:
        if is_kind(mode):
            raise SeriesError(f"{path}: is {name}, wanted a file: write what comes out to one")
