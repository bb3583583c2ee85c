"""``selftime report``: every figure of a folder from its files alone, and its page made anew."""

from typing import Annotated

import typer

from selftime.cli import options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def report(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
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
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Print every figure of a result again, and make its page anew, from its files alone.

    The files do not hold the series: what is drawn of them needs --train and --test, and the page
    says what it lacks.

    Example: selftime report comparison --out again.html
    """
    import selftime as st

    run = st.read_run(where)
    lines, page = run.tables(), None
    if run.page.exists() and not out and not force:
        lines.append(f"Left as it is: {run.page} (--force replaces it, --out writes another)")
    else:
        given = {"train": read(train) if train else None, "test": read(test) if test else None}
        page = run.write_report(train=given["train"], test=given["test"], out=out, overwrite=force)
        lines.append(f"Report: {page}")
    result = {"report": str(page) if page else None} | run.to_dict()
    terminal.show(result, *lines, as_json=as_json)
