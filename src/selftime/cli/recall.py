"""The command that looks at results again: name, options and help."""

from typing import Annotated

import typer

from selftime.cli import options as given
from selftime.cli.door import app, reader_of


@app.command()
def report(  # noqa: PLR0913
    where: Annotated[
        str, typer.Argument(help="Folder of a run or comparison, or an evaluation of classify.")
    ],
    train: Annotated[
        str | None, typer.Option("--train", help="Its labelled series, to draw them too.")
    ] = None,
    test: Annotated[
        str | None, typer.Option("--test", help="Its judged series, to draw them too.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Page to write; else the folder's report.html."),
    ] = None,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Print every figure of a result again, and make its page anew, from its files alone.

    The files hold no series: what is drawn of them needs --train and --test, and the page says
    what it lacks.

    Example: selftime report comparison --out again.html
    """
    from selftime.cli import recalling

    order = recalling.Recall(where, train, test, out, force)
    recalling.report(order, reader_of(label, id, time, layout), as_json=as_json)
