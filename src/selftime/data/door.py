"""Words for options, as the door that was used spells them: Python's or the command line's."""

from typing import Any, Literal

Door = Literal["python", "command line"]

_door: Door = "python"


def open_door(door: Door) -> None:
    """Say through which door this process is used; messages speak its language from here on."""
    global _door  # noqa: PLW0603 - one process has one door
    _door = door


def option(name: str, value: Any = "...") -> str:
    """Return an option with a value as people type it here: ``id="machine"`` or ``--id machine``.

    Example:
        >>> option("time_zone", "Europe/Berlin")
        "time_zone='Europe/Berlin'"
    """
    if _door == "python":
        return f"{name}={'...' if value == '...' else repr(value)}"
    flag = f"--{name.replace('_', '-')}"
    if value == "...":
        return f"{flag} …"
    several = isinstance(value, list | tuple)
    text = ",".join(map(str, value)) if several else str(value)
    return f'{flag} "{text}"' if " " in text or not text else f"{flag} {text}"
