"""The one progress protocol: functions are called with the state of long work."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

from selftime.texts import visible


@runtime_checkable
class Progress(Protocol):
    """A function that is called with the name of the work, its progress and details."""

    def __call__(self, what: str, done: int, of: int, detail: str = "") -> None:
        """Show ``done`` of ``of``; ``detail`` may change at every call."""
        ...


ONE_BAR = threading.Lock()
"""Held while a bar is shown, so that nested or parallel work shows no second one."""


LONG = 60.0
"""Seconds from which the time that work takes is said first."""
_PILOT = 0.5
"""Seconds of it, at least, that tell how long the whole takes."""


class Pace:
    """The time that work takes, as its first part tells: said once, and again where it doubles."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.what, self.begin, self.first, self.expected = "", 0.0, 0, 0.0

    def estimate(self, what: str, done: int, of: int) -> str | None:
        """Return a sentence on the whole time, where there is something new to say."""
        now = self.clock()
        if what != self.what:  # what was done before the first call took unknown time
            self.what, self.begin, self.first, self.expected = what, now, done, LONG / 2
            return None
        if now - self.begin < _PILOT or done <= self.first:
            return None
        seconds = (now - self.begin) * (of - self.first) / (done - self.first)
        if seconds < 2 * self.expected:
            return None
        self.expected = seconds
        return f"{what}: about {duration_in_words(seconds)} in all"


def duration_in_words(seconds: float) -> str:
    """Return a time with as many digits as an estimate has.

    Example:
        >>> duration_in_words(100), duration_in_words(5400)
        ('2 minutes', '1.5 hours')
    """
    if seconds < 120:
        minutes = max(1, round(seconds / 60))
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def silent(what: str, done: int, of: int, detail: str = "") -> None:
    """Show nothing."""


@contextmanager
def open_progress(progress: bool | Progress | None) -> Iterator[Progress]:
    """Turn the argument ``progress`` of a function into a function to call.

    Args:
        progress: None shows a bar with the time left in a terminal or notebook and nothing
            elsewhere; True also prints a plain line on stderr at every quarter elsewhere; False
            shows nothing. A function is called.
    """
    if callable(progress):
        yield progress
        return
    shows = progress is not False and int(os.environ.get("RANK", "0")) == 0
    console = _console() if shows else None
    if console is None:
        yield plain_lines() if shows and progress else silent
    elif not ONE_BAR.acquire(blocking=False):
        yield silent
    else:
        try:
            with _bar(console) as show:
                yield show
        finally:
            ONE_BAR.release()


def plain_lines() -> Progress:
    """Print a line on stderr for every new piece of work and every quarter of it."""
    last, pace = ("", -1), Pace()

    def show(what: str, done: int, of: int, detail: str = "") -> None:
        nonlocal last
        if (estimate := pace.estimate(what, done, of)) is not None:
            print(visible(estimate), file=sys.stderr, flush=True)
        if (what, 4 * done // max(of, 1)) != last:
            last = (what, 4 * done // max(of, 1))
            text = f"{what}: {done:,} of {of:,}" + (f" ({detail})" if detail else "")
            print(visible(text), file=sys.stderr, flush=True)

    return show


def _console() -> Any:
    """Return a console for a bar, or None; rich is first imported here, as it is heavy."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    in_notebook = console.is_jupyter and find_spec("ipywidgets") is not None
    return console if in_notebook or (console.is_terminal and not console.is_jupyter) else None


@contextmanager
def _bar(console: Any) -> Iterator[Progress]:
    """Show a bar that vanishes when the work is done."""
    from rich import progress as rich

    text = rich.TextColumn("{task.description}", markup=False)
    counts = rich.BarColumn(), rich.MofNCompleteColumn()
    times = rich.TimeElapsedColumn(), rich.TimeRemainingColumn()
    with rich.Progress(text, *counts, *times, console=console, transient=True) as bar:
        task, pace = bar.add_task("starting", total=None), Pace()

        def show(what: str, done: int, of: int, detail: str = "") -> None:
            if (estimate := pace.estimate(what, done, of)) is not None:
                console.print(visible(estimate), markup=False)
            bar.update(
                task, description=visible(" ".join([what, detail])), completed=done, total=of
            )

        yield show
