"""Output of commands: results on stdout, notes and warnings on stderr."""

import codecs
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from selftime.texts import visible

PLAIN_WIDTH = 110
"""Columns where there is no terminal to ask."""


class SafeConsole(Console):
    """A console on which no text commands the terminal: names in data may hold anything."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render to pieces of text, what is unseen in them spelled out."""
        for part in super().render(renderable, options):
            plain = part.control is not None
            yield part if plain else Segment(visible(part.text, lines=True), part.style)


def open_streams() -> None:
    """Let every text be printed: closed streams swallow it, locales spell out letters they lack."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf8"))  # noqa: SIM115 - to the end
        elif mode == "w" and getattr(stream, "errors", "") in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def note(text: str) -> None:
    """Print a remark for people on stderr."""
    print(visible(text), file=sys.stderr, flush=True)


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
        is_narrow = codecs.lookup(sys.stdout.encoding or "utf8").name != "utf-8"
        text = json.dumps(result, indent=2, ensure_ascii=is_narrow, allow_nan=False)
        print(visible(text, lines=True), flush=True)
        return
    how: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    console = SafeConsole(stderr=out == "-", **how)
    if not console.is_terminal:
        console = SafeConsole(stderr=out == "-", width=PLAIN_WIDTH, **how)
    for line in lines:
        whole = isinstance(line, str)
        console.print(visible(line) if isinstance(line, str) else line, soft_wrap=whole)
