"""Processes that are killed right before one of their operations on files."""

import os
import sys
import warnings
from collections.abc import Callable

from selftime.data import files

ON_FILES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}
"""What Python reports, before it happens, of what a writer does on disk; the rest is patched."""


def killed_before(operation: int, work: Callable[[], object]) -> bool:
    """Do some work in a process that is killed right before one of its operations on files.

    Returns:
        Whether it was killed: else it had fewer operations.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: the child calls none of them
        child = os.fork()
    if child == 0:
        left = [operation]

        def count(event="patched", _=()):
            if event == "patched" or event in ON_FILES:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(1)

        def counted(call):
            return lambda *given: (count(), call(*given))[1]

        sys.addaudithook(count)
        os.fsync, files._exchange = counted(os.fsync), counted(files._exchange)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 1)
    return code == 1
