"""Processes that are killed right before one of their operations that write files."""

import os
import sys
import warnings
from collections.abc import Callable

import safetensors.numpy
import safetensors.torch

from selftime.data import files

ON_FILES = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.chmod", "os.truncate"),
    "shutil.rmtree",
}
"""What Python reports, before it happens, of what a writer does on disk, beside files that are
opened to be written; what it does not report is patched."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def killed_before(operation: int, work: Callable[[], object]) -> bool:
    """Do some work in a process that is killed right before one of its operations on files.

    Returns:
        Whether it was killed: else it had fewer operations.
    """

    def count(number: int) -> None:
        if number == operation:
            os._exit(1)

    code = forked(work, count)
    assert code in (0, 1)
    return code == 1


def operations_of(work: Callable[[], object]) -> int:
    """Do some work in a process, and count its operations on files."""
    reads, writes = os.pipe()
    assert forked(work, lambda _: os.write(writes, b".")) == 0
    os.close(writes)
    with os.fdopen(reads, "rb") as file:
        return len(file.read())


def forked(work: Callable[[], object], count: Callable[[int], object]) -> int:
    """Do some work in a process that calls ``count`` before each operation; its exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: the child calls none of them
        child = os.fork()
    if child == 0:
        done = [0]

        def hear(event="patched", given=()):
            opened = event == "open" and given[2] & WRITING
            if event == "patched" or opened or event in ON_FILES:
                count(done[0])
                done[0] += 1

        def counted(call):
            return lambda *given, **named: (hear(), call(*given, **named))[1]

        sys.addaudithook(hear)
        os.fsync, files._exchange = counted(os.fsync), counted(files._exchange)
        for module in (safetensors.numpy, safetensors.torch):
            module.serialize_file = counted(module.serialize_file)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
