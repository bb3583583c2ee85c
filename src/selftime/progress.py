"""The one progress protocol: how long work goes on, told to whoever wants to know."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Is called with what is being done, how far it is, and what else is known of it."""

    def __call__(self, what: str, done: int, of: int, detail: str = "") -> None:
        """``done`` of ``of``; ``detail`` may change all the time."""
        ...


ONE_BAR = threading.Lock()
"""Held while a bar is shown, so that work within work, or beside it, shows no second one."""


def silent(what: str, done: int, of: int, detail: str = "") -> None:
    """Progress that nobody wants to know."""


@contextmanager
def open_progress(progress: bool | Progress | None) -> Iterator[Progress]:
    """Turn what people give for ``progress`` into something to call.

    Args:
        progress: None shows a bar with the time left where a person looks (a terminal or a
            notebook) and nothing elsewhere; True shows it too, and elsewhere prints a plain line
            on stderr at every quarter; False shows nothing. Anything to be called is called.
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
    """A line on stderr for every new thing that is done and every quarter of it."""
    last = ("", -1)

    def show(what: str, done: int, of: int, detail: str = "") -> None:
        nonlocal last
        if (what, 4 * done // max(of, 1)) != last:
            last = (what, 4 * done // max(of, 1))
            text = f"{what}: {done:,} of {of:,}" + (f" ({detail})" if detail else "")
            print(text, file=sys.stderr, flush=True)

    return show


def _console() -> Any:
    """Where a bar can be drawn, or None; rich is not imported before that is asked."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    in_notebook = console.is_jupyter and find_spec("ipywidgets") is not None
    return console if in_notebook or (console.is_terminal and not console.is_jupyter) else None


@contextmanager
def _bar(console: Any) -> Iterator[Progress]:
    """A bar that is gone when the work is done."""
    from rich import progress as rich

    text = rich.TextColumn("{task.description}", markup=False)
    counts = rich.BarColumn(), rich.MofNCompleteColumn()
    times = rich.TimeElapsedColumn(), rich.TimeRemainingColumn()
    with rich.Progress(text, *counts, *times, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(what: str, done: int, of: int, detail: str = "") -> None:
            bar.update(task, description=" ".join([what, detail]), completed=done, total=of)

        yield show
