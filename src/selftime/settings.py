"""The signature is the configuration: one reader of it serves repr, saving, CLI and docs."""

import inspect
from typing import Any


def settings_of(obj: object) -> dict[str, Any]:
    """The arguments an object was built with, by name, read from attributes of the same name.

    Raises:
        AttributeError: a constructor argument is not kept under its own name.
    """
    return {name: getattr(obj, name) for name in inspect.signature(type(obj)).parameters}


def describe(obj: object) -> str:
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


def check_share(name: str, value: float) -> None:
    """A share or a chance lies between 0 and 1.

    Raises:
        ValueError: it does not.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"got {name}={value}, wanted a share from 0 to 1: 0.1 is a tenth")


def check_strength(name: str, value: float) -> None:
    """A strength is not negative: views draw its sign themselves.

    Raises:
        ValueError: it is negative or not a number.
    """
    if not value >= 0:
        raise ValueError(f"got {name}={value}, wanted 0 or more: 0 leaves the series as it is")


def check_count(name: str, value: int, least: int) -> None:
    """A count is at least ``least``.

    Raises:
        ValueError: it is less.
    """
    if value < least:
        raise ValueError(f"got {name}={value}, wanted at least {least}: use {name}={least} or more")
