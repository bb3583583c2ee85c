"""``selftime suggest``: which series to label next."""

from typing import Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def suggest(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    model: options.ModelArgument,
    data: options.DataArgument,
    n: Annotated[int, typer.Option("--n", min=1, help="How many series to label next.")] = 10,
    labelled: Annotated[
        str | None, typer.Option("--labelled", help="Series that have their labels already.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="List to fill in: .csv or .parquet.")
    ] = None,
    seed: options.SeedOption = 0,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Say which series to label next, and why, the most useful first.

    Series are chosen that stand for most others; once there are two labels per class, also those
    that a classifier cannot decide on. Series of DATA that are labelled, as by --labels, are known
    already, unless all are. The list comes back by --labels once it is filled in.

    Example: selftime suggest run sample:JapaneseVowels:train --n 20 --out to-label.csv
    """
    import selftime as st
    from selftime.report.tables import suggestions_table

    if out:
        files.check_file(out, files.TABLE_SUFFIXES, force=force)
    own, read = read.beside(model)
    known = read(labelled) if labelled else None
    found = st.suggest(own, read(data), n=n, labelled=known, seed=seed)
    if out:
        files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
        terminal.note(f"List to fill in: {out}")
    result = found.to_dict() | ({"out": out} if out else {})
    terminal.show(result, suggestions_table(found), as_json=as_json, out=out)
