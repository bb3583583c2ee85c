"""The program: its name, its version, its errors in one line, and how it is ended."""

import signal
from contextlib import ExitStack
from errno import EDQUOT, EFBIG, ENOSPC
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, ClassVar, NoReturn

import typer
from typer.core import TyperGroup

from selftime.cli.terminal import note, open_streams
from selftime.door import through


class Terminated(SystemExit):
    """SIGTERM: ends the program through every clean-up on the way out."""


class Program(TyperGroup):
    """The commands, with errors said in one line and no traceback.

    Exit codes: 0 done, 1 a full disk or no line of a stream that could be read, 2 wrong input or
    usage, 130 stopped by Ctrl-C, 143 by SIGTERM.

    Attributes:
        words: of the command line, as they were given.
        held: what is let go of when the command ends, such as a folder that it alone may write.
    """

    words: ClassVar[tuple[str, ...]] = ()
    held: ClassVar[ExitStack] = ExitStack()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the words, so that a command can say how to go on."""
        Program.words = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            with through("command line", note), Program.held:
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe has gone; typer ends quietly
        except KeyboardInterrupt as error:
            signum = getattr(error, "signum", 0)  # a run that saved its state says which
            if signum:
                stop(str(error), code=128 + signum)
            stop(f"interrupted, {_remains()}", code=130)
        except Terminated:
            stop(f"terminated, {_remains()}", code=143)
        except (ValueError, OSError) as error:  # SeriesError and ModelError are ValueErrors
            is_full = getattr(error, "errno", None) in (ENOSPC, EDQUOT, EFBIG)
            stop(in_one_line(error), code=1 if is_full else 2)


def _remains() -> str:
    from selftime.cli.files import remains

    return remains()


def stop(message: str, *, code: int) -> NoReturn:
    """Say why in one line on stderr, and exit."""
    note(f"selftime: {message}")
    raise typer.Exit(code)


def in_one_line(error: Exception) -> str:
    """The message of an error; the file and what is wrong with it where the system raised it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


app = typer.Typer(
    cls=Program,
    name="selftime",
    help="Self-supervised learning for time series: learn without labels, then use a few.\n\n"
    "Start with: selftime demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> bool:
    if asked:
        typer.echo(import_module("importlib.metadata").version("selftime"))
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run a command; SIGTERM ends it as cleanly as Ctrl-C does."""
    open_streams()
    signal.signal(signal.SIGTERM, terminate)
    app(prog_name="selftime")


def terminate(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """End on SIGTERM; what was left is said once all is cleaned up."""
    raise Terminated(143)
