"""``selftime studio``: a page of this machine on which series are looked at and labelled."""

from typing import Annotated

import typer

from selftime.cli import options
from selftime.cli.app import app


@app.command()
@options.with_tables
def studio(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    model: options.ModelArgument,
    data: options.DataArgument,
    session: Annotated[
        str | None,
        typer.Option("--session", help="Folder of the labels; studio-DATA here otherwise."),
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Begin a session without the labels of DATA.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")
    ] = 8010,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Look at series, find what is alike, and label them, on one page in the browser.

    A map of all series, their curves, a queue of those whose labels help most, and a probe that
    learns from the labels as they come. Each label is on disk before it counts; another start goes
    on where the last one ended. Labels of DATA, as by --labels, are where a new session begins.
    The page is for this machine alone.

    Example: selftime studio run sample:JapaneseVowels:train --empty
    """
    import selftime as st

    own, read = read.beside(model)
    cut = {name: read.asked[name] for name in ("windows", "stride")}
    whole = options.Reader(read.asked | dict.fromkeys(cut), impute=read.impute)
    series = whole(data)
    st.open_studio(own, series, session=session, empty=empty, port=port, browser=browser, **cut)
