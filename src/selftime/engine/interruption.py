"""Ctrl-C and SIGTERM during a run: the step in flight is finished and saved first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """A run that was told to stop, after its state was saved.

    Attributes:
        signum: the signal that told it.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum


class Request:
    """Whether a signal asked to stop.

    Attributes:
        signum: which; 0 while none did.
    """

    def __init__(self) -> None:
        self.signum = 0

    def __call__(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take note; a second signal does not wait for the step."""
        if self.signum:
            raise KeyboardInterrupt
        self.signum = signum


@contextmanager
def interruptible() -> Iterator[Request]:
    """While it lasts, signals are taken note of instead of ending the process at once.

    Outside the main thread signals cannot be handled, and nothing changes.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {s: signal.signal(s, request) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
