"""``selftime advise``: which strategy suits so many labels, before anything is trained."""

from typing import Annotated

import typer

from selftime.cli import options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def advise(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    data: options.DataArgument,
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder that is to be used.")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say which strategy suits so many labelled series, and why. Nothing is trained.

    Example: selftime advise sample:JapaneseVowels:train
    """
    import selftime as st
    from selftime.report.tables import advice_of

    series = read(data)
    advice = st.advise(int(series.labelled.sum()), options.model_in(model) if model else None)
    result, lines = advice_of(advice, series)
    terminal.show(result, *lines, as_json=as_json)
