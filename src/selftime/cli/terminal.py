"""How commands talk: results on stdout, progress and notes on stderr, errors in one line."""

import json
import sys
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, NoReturn

import typer
from rich.console import Console, RenderableType
from typer.core import TyperGroup

from selftime.progress import Progress, open_progress

Told = Progress
PLAIN_WIDTH = 110
"""Columns where there is no terminal to ask."""


class Door(TyperGroup):
    """The commands, with errors told in one line and no traceback.

    Exit codes: 0 done, 2 wrong input or usage, 130 stopped by Ctrl-C, 143 by SIGTERM.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe has gone; typer ends quietly
        except KeyboardInterrupt as error:
            signum = getattr(error, "signum", 0)  # a run that saved its state says which
            if signum:
                stop(str(error), code=128 + signum)
            stop("interrupted, nothing half-written was left", code=130)
        except (ValueError, OSError) as error:  # SeriesError and ModelError are ValueErrors
            stop(in_one_line(error), code=2)


def stop(message: str, *, code: int) -> NoReturn:
    """Say why in one line on stderr, and exit."""
    typer.echo(f"selftime: {message}", err=True)
    raise typer.Exit(code)


def terminate(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """End on SIGTERM through every clean-up on the way out."""
    typer.echo("selftime: terminated, nothing half-written was left", err=True)
    sys.exit(143)


def in_one_line(error: Exception) -> str:
    """The message of an error; the file and what is wrong with it where the system raised it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def note(text: str) -> None:
    """A remark for people, on stderr."""
    typer.echo(text, err=True)


def show(result: dict[str, Any] | list[Any], *lines: RenderableType, as_json: bool) -> None:
    """The result on stdout: as JSON and nothing else, or as lines and tables for people."""
    if as_json:
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))
        return
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=PLAIN_WIDTH)
    for line in lines:
        console.print(line, soft_wrap=isinstance(line, str))


def progress() -> AbstractContextManager[Told]:
    """A bar on a terminal, gone when the work is done; elsewhere a plain line now and then."""
    return open_progress(True)
