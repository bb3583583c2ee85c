"""The one progress protocol: functions are called with the state of long work."""

import os
import sys
import threading
from collections.abc import Iterator
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
    last = ("", -1)

    def show(what: str, done: int, of: int, detail: str = "") -> None:
        nonlocal last
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
        task = bar.add_task("starting", total=None)

        def show(what: str, done: int, of: int, detail: str = "") -> None:
            bar.update(
                task, description=visible(" ".join([what, detail])), completed=done, total=of
            )

        yield show
