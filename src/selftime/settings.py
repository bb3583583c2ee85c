"""The signature is the configuration: one reader of it serves repr, saving, CLI and docs."""

import inspect
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
