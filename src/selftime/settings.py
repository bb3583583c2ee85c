"""The signature is the configuration: one reader of it serves repr, saving, CLI and docs."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


def settings_of(obj: object) -> dict[str, Any]:
    """The arguments an object was built with, by name, read from attributes of the same name.

    Raises:
        AttributeError: a constructor argument is not kept under its own name.
    """
    return {name: getattr(obj, name) for name in inspect.signature(type(obj)).parameters}


def described(obj: object) -> str:
    """``Name(argument=value, …)``."""
    settings = ", ".join(f"{name}={value!r}" for name, value in settings_of(obj).items())
    return f"{type(obj).__name__}({settings})"


def check_positive(name: str, value: float, usual: float) -> None:
    """A setting is above 0.

    Raises:
        ValueError: it is not, or it is not a number.
    """
    if not value > 0:
        raise ValueError(f"got {name}={value}, wanted more than 0: use {usual}")


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
