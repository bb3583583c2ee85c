"""``selftime pick``: which layer and pooling of a model suit some labels best."""

from typing import Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def pick(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    model: options.ModelArgument,
    labelled: Annotated[str, typer.Argument(help="Labelled series to judge by.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder of the new model.")],
    unlabelled: Annotated[
        str | None, typer.Option("--unlabelled", help="More series to standardise vectors over.")
    ] = None,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Find the layer and the pooling of a model whose vectors suit some labels best.

    The usual ones stay where no others are clearly better.

    Example: selftime pick run sample:JapaneseVowels:train --out picked
    """
    import selftime as st
    from selftime.report.tables import picked_table

    files.check_saved(out, force=force, option="--out")
    own, read = read.beside(model)
    series, others = read(labelled), read(unlabelled) if unlabelled else None
    made = st.pick(own, series, unlabelled=others)
    made.model.save(out, overwrite=force)
    result = made.to_dict() | {"out": out}
    terminal.show(result, picked_table(made), made.verdict, f"Model: {out}", as_json=as_json)
