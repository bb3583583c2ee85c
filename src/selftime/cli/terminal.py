"""Output of commands: results on stdout, notes and warnings on stderr."""

import json
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console, RenderableType

PLAIN_WIDTH = 110
"""Columns where there is no terminal to ask."""


def note(text: str) -> None:
    """Print a remark for people on stderr."""
    typer.echo(text, err=True)


def warn(record: Mapping[str, Any]) -> None:
    """Print the warnings of a step of training on stderr."""
    for warning in record.get("warnings", ()):
        note(f"warning: {warning['message']}")


def show(
    result: dict[str, Any] | list[Any],
    *lines: RenderableType,
    as_json: bool,
    out: str | None = None,
) -> None:
    """Print the result on stdout: as JSON and nothing else, or as lines and tables for people.

    Where a table went to stdout (``out`` is "-"), lines go to stderr.
    """
    if as_json:
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))
        return
    console = Console(highlight=False, markup=False, stderr=out == "-")
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=PLAIN_WIDTH, stderr=out == "-")
    for line in lines:
        console.print(line, soft_wrap=isinstance(line, str))
