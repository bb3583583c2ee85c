"""Words for options, as the door that was used spells them: Python's or the command line's."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

Door = Literal["python", "command line"]

_door: ContextVar[Door] = ContextVar("door", default="python")
_FLAGS = {"overwrite": "force"}
"""Options that the command line calls otherwise."""
log = logging.getLogger(__name__)


@contextmanager
def through(door: Door) -> Iterator[None]:
    """Let messages speak the language of a door while something runs."""
    before = _door.set(door)
    try:
        yield
    finally:
        _door.reset(before)


def option(name: str, value: Any = "...") -> str:
    """Return an option with a value as people type it here: ``id="machine"`` or ``--id machine``.

    Example:
        >>> option("time_zone", "Europe/Berlin")
        "time_zone='Europe/Berlin'"
    """
    if _door.get() == "python":
        return f"{name}={'...' if value == '...' else repr(value)}"
    flag = f"--{_FLAGS.get(name, name).replace('_', '-')}"
    if value is True:
        return flag
    if value == "...":
        return f"{flag} …"
    several = isinstance(value, list | tuple)
    text = ",".join(map(str, value)) if several else str(value)
    return f'{flag} "{text}"' if " " in text or not text else f"{flag} {text}"


def tell(notes: Sequence[str], source: Any = None) -> None:
    """Log what was decided, in Python; commands print it themselves."""
    if _door.get() == "python":
        for note in notes:
            log.warning("%s%s", f"{source}: " if isinstance(source, str) else "", note)
