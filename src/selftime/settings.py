"""Settings of objects, read from the signature that is their configuration; range checks."""

import inspect
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
