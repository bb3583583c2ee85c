"""Words for options, as the door that was used spells them: Python's or the command line's."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from selftime.texts import visible

Door = Literal["python", "command line"]

Say = Callable[[str], None]
"""Prints a note for people."""

_door: ContextVar[tuple[Door, Say | None]] = ContextVar("door", default=("python", None))
_FLAGS = {"overwrite": "force"}
"""Options that the command line calls otherwise."""
log = logging.getLogger(__name__)


@contextmanager
def through(door: Door, say: Say | None = None) -> Iterator[None]:
    """Let messages speak the language of a door while something runs; ``say`` prints notes."""
    before = _door.set((door, say))
    try:
        yield
    finally:
        _door.reset(before)


def language() -> Door:
    """Return whose words messages speak here."""
    return _door.get()[0]


def option(name: str, value: Any = "...") -> str:
    """Return an option with a value as people type it here: ``id="machine"`` or ``--id machine``.

    Example:
        >>> option("time_zone", "Europe/Berlin")
        "time_zone='Europe/Berlin'"
    """
    if language() == "python":
        return f"{name}={'...' if value == '...' else repr(value)}"
    flag = f"--{_FLAGS.get(name, name).replace('_', '-')}"
    if isinstance(value, bool):
        return flag if value else f"--no-{flag[2:]}"
    if value == "...":
        return f"{flag} …"
    several = isinstance(value, list | tuple)
    text = ",".join(map(str, value)) if several else str(value)
    return f'{flag} "{text}"' if " " in text or not text else f"{flag} {text}"


def tell(notes: Sequence[str], source: Any = None) -> None:
    """Say what was decided, a sentence each: a command prints it, in Python it is logged."""
    say = _door.get()[1] or log.warning
    for note in notes:
        say(visible(f"{source}: {note}" if isinstance(source, str) else note))
