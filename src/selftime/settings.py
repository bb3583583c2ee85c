"""Settings of objects, read from the signature that is their configuration; range checks."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


def settings_of(obj: object) -> dict[str, Any]:
    """Return the arguments an object was built with, read from attributes of the same name."""
    return {name: getattr(obj, name) for name in inspect.signature(type(obj)).parameters}


def describe(obj: object) -> str:
    """Return ``Name(argument=value, …)``."""
    settings = ", ".join(f"{name}={value!r}" for name, value in settings_of(obj).items())
    return f"{type(obj).__name__}({settings})"


def check_positive(name: str, value: float, usual: float) -> None:
    """Raise a ValueError unless a setting is above 0."""
    if not value > 0:
        raise ValueError(f"got {name}={value}, wanted more than 0: use {usual}")


def check_share(name: str, value: float) -> None:
    """Raise a ValueError unless a share or chance lies between 0 and 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"got {name}={value}, wanted a share from 0 to 1: 0.1 is a tenth")


def check_strength(name: str, value: float) -> None:
    """Raise a ValueError for a negative strength or NaN: views draw signs themselves."""
    if not value >= 0:
        raise ValueError(f"got {name}={value}, wanted 0 or more: 0 leaves the series as it is")


def check_count(name: str, value: int, least: int) -> None:
    """Raise a ValueError unless a count is at least ``least``."""
    if value < least:
        raise ValueError(f"got {name}={value}, wanted at least {least}: use {name}={least} or more")


def find_name(kind: str, name: str, known: Iterable[str], spellings: Mapping[str, str]) -> str:
    """Return the known name that is meant; case, hyphens, slashes, spaces and "_" do not count.

    Args:
        kind: of the thing named, for the error.
        name: as typed, such as "Barlow Twins" for barlow_twins.
        known: the names that exist.
        spellings: published names that are written otherwise, each with the known one.

    Raises:
        ValueError: no such name; the message lists all and says the nearest.
    """
    known = list(known)
    meant = {plain_name(published): own for published, own in spellings.items()}
    meant |= {plain_name(own): own for own in known}
    if found := meant.get(plain_name(name)):
        return found
    near = get_close_matches(plain_name(name), meant, n=1)
    hint = f": did you mean {meant[near[0]]!r}?" if near else ""
    raise ValueError(f"got {kind} {name!r}, wanted one of {', '.join(known)}{hint}")


def plain_name(name: str) -> str:
    """Return a name in small letters, without hyphens, slashes, spaces and underscores."""
    return "".join(part for part in name.lower() if part not in "-/ _")
