"""``selftime states``: recordings in states that last, and when these change."""

from typing import Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def states(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    data: options.DataArgument,
    model: Annotated[str, typer.Option("--model", help="Model or run folder.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Spans to write: .csv or .parquet.")],
    k: options.NumberOption = None,
    penalty: Annotated[
        float, typer.Option("--penalty", min=0, help="Of a change, in windows: more, fewer spans.")
    ] = 2.0,
    names: options.NamesOption = None,
    picture: options.PictureOption = None,
    seed: options.SeedOption = 0,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Cut recordings into states that last, and say when they change.

    Needs --windows: how long a piece is that is looked at. The file holds a row for each span:
    id, start, end, state, its name, windows, whether it begins with a change, and how sure it is.

    Example: selftime states machine.csv --windows 10min --stride 1min --model run --out states.csv
    """
    import selftime as st
    from selftime.report.pictures.clusters import clusters_table, states_picture
    from selftime.report.pictures.palette import save_picture

    files.check_whole(out, picture, force=force)
    own, read = read.beside(model)
    found = st.states(own, read(data), k, penalty=penalty, names=names, seed=seed)
    files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
    if picture:
        save_picture(states_picture(found), picture)
    result: dict[str, Any] = {"out": out, "picture": picture} | found.to_dict()
    changes = f"{result['spans']:,} spans, {result['changes']:,} changes: {out}"
    lines = clusters_table(found.clusters), found.clusters.why, changes
    terminal.show(result, *lines, as_json=as_json, out=out)
