"""Memory: how much of it there is, notes before work that takes most of it, and maps of files."""

import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from jaxtyping import Int64

from selftime.data.arrays import spans
from selftime.data.formats.bounds import size_in_words

if sys.platform != "win32":
    import resource

CGROUP = Path("/sys/fs/cgroup/memory.max")
"""Where Linux says what a container may use."""


def memory_here() -> int:
    """Return the bytes of memory of this machine, or of the container or limit that it runs in."""
    if sys.platform == "win32":
        return 1 << 62  # not known
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(ValueError, OSError):  # "max" is no number
        sizes.append(int(CGROUP.read_text()))
    limits = [resource.getrlimit(what)[0] for what in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min([*sizes, *(most for most in limits if most != resource.RLIM_INFINITY)])


def memory_note(work: str, needed: float) -> list[str]:
    """Say how much memory work takes, about, where that is more than half of what there is.

    Example:
        >>> memory_note("embedding", 1e6)
        []
        >>> memory_note("embedding", 1e18)  # doctest: +ELLIPSIS
        ['embedding takes about 1000000.0 TB of memory, and there are ...: ...']
    """
    here = memory_here()
    if 2 * needed <= here:
        return []
    return [
        f"{work} takes about {size_in_words(int(needed))} of memory, and there are "
        f"{size_in_words(here)}: where that is too much, give fewer series or shorter windows"
    ]


BLOCK = 1 << 22
"""Bytes of a large array that are looked at at a time."""


_FEW = 16
_GATHERED = 1 << 18
"""Bytes that are gathered before what was read is let go: the kernel reads far more around them."""


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array lies in a file, of which only what is looked at is in memory."""
    return _map_of(array) is not None


def file_of(array: np.ndarray) -> Path | None:
    """Return the file that an array lies in; None where it is in memory, or in a nameless one."""
    mapped = _mapped_by(array)
    return None if mapped is None or mapped.filename is None else Path(mapped.filename)


def bytes_held(array: np.ndarray) -> int:
    """Return the bytes of memory that an array keeps: none where it lies in a file."""
    return 0 if is_mapped(array) else array.nbytes


def release(*arrays: np.ndarray | None) -> None:
    """Let go of what was read of arrays that lie in files: it is read again when it is needed."""
    for array in arrays:
        found = None if array is None else _map_of(array)
        if found is not None and hasattr(mmap, "MADV_DONTNEED"):
            found.madvise(mmap.MADV_DONTNEED)


def row_blocks(*arrays: np.ndarray | None) -> Iterator[slice]:
    """Yield blocks of rows that arrays of equal length have in common, and release each after."""
    there = [array for array in arrays if array is not None]
    rows = len(there[0])
    some = max(BLOCK * rows // max(there[0].nbytes, 1), 1)
    for first in range(0, rows, some):
        yield slice(first, min(first + some, rows))
        release(*there)


def gather(array: np.ndarray, index: Int64[np.ndarray, "..."] | slice) -> np.ndarray:
    """Return rows of an array in any order, some at a time where it lies in a file."""
    if isinstance(index, slice) or not is_mapped(array):
        found: np.ndarray = array[index]
        return found
    out = np.empty((*index.shape, *array.shape[1:]), array.dtype)
    some = max(_GATHERED * len(index) // max(out.nbytes, 1), 1)
    for first in range(0, len(index), some):
        out[first : first + some] = array[index[first : first + some]]
        release(array)
    return out


def rows_of_spans(
    array: np.ndarray, starts: Int64[np.ndarray, "N"], lengths: Int64[np.ndarray, "N"]
) -> Int64[np.ndarray, "S"] | slice:
    """Return the rows of several spans end to end.

    They are a slice, which copies nothing, where the array lies in a file and one span follows on
    another.
    """
    ends = np.cumsum(lengths)
    if is_mapped(array) and len(ends) and bool((starts[1:] == starts[0] + ends[:-1]).all()):
        return slice(int(starts[0]), int(starts[0] + ends[-1]))
    return spans(starts, lengths)


def make_room(shape: tuple[int, ...], *, beside: np.ndarray) -> np.ndarray:
    """Return room for 32-bit floats, to be filled: in memory, or in a temporary file.

    The file is for results of arrays that lie in files themselves, where the results take more
    than a few blocks; it vanishes with the array.

    Raises:
        OSError: the disk of temporary files has no room.
    """
    size = 4 * int(np.prod(shape))
    if not is_mapped(beside) or size <= _FEW * BLOCK:
        return np.empty(shape, np.float32)
    with TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # a map of a full disk would end the process
        return np.memmap(file, np.float32, "w+", shape=shape)


def _map_of(array: Any) -> Any:
    """Return the map of a file that an array is a view of, if changes to it go to the file."""
    mapped = _mapped_by(array)
    return None if mapped is None or mapped.mode == "c" else mapped._mmap


def _mapped_by(array: Any) -> Any:
    """Return the array of NumPy's that maps the file which an array is a view of."""
    while array is not None:
        if isinstance(array, np.memmap) and array._mmap is not None:  # type: ignore[attr-defined]
            return array
        array = getattr(array, "base", None)  # strided views stand on an object of NumPy's own
    return None
