"""Memory: how much of it this process may use, and a note before work that takes most of it."""

import os
import sys
from contextlib import suppress
from pathlib import Path

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
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min(sizes if most == resource.RLIM_INFINITY else [*sizes, most])


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
