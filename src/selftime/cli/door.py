"""The program itself: its name, its version, how it is ended; commands hang on it."""

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selftime.cli.terminal import Door

if TYPE_CHECKING:
    from selftime.cli.sources import Reader

app = typer.Typer(
    cls=Door,
    name="selftime",
    help="Self-supervised learning for time series: learn without labels, then use a few.\n\n"
    "Start with: selftime demo",
    no_args_is_help=True,
    add_completion=False,
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


def reader_of(
    label: str | None,
    id: str | None,
    time: str | None,
    layout: Literal["long", "wide", "series"] | None,
) -> "Reader":
    """How the files of a command are read."""
    from selftime.cli.sources import Reader

    return Reader(label, id, time, layout)
