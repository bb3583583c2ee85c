"""``selftime index``: series, or windows of recordings, kept so that they can be searched."""

from typing import TYPE_CHECKING, Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

if TYPE_CHECKING:
    from selftime import SeriesIndex


@app.command()
@options.with_tables
def index(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    data: options.DataArgument,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder of the index.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder; with --add that of --out.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Add to the index at --out.")] = False,
    remove: Annotated[
        str | None, typer.Option("--remove", help="Ids to remove first, with commas; with --add.")
    ] = None,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Keep a graph for millions of entries.")
    ] = False,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Keep series, or windows of recordings, to be found by what they look like.

    Who searches the index while it is written has the old one, whole, or the new one.

    Example: selftime index machine.csv --windows 10min --stride 1min --model run --out index
    """
    import selftime as st

    if add == (model is not None):
        raise ValueError("wanted --model for a new index, or --add for the one at --out")
    if (remove or approximate) and add != bool(remove):
        raise ValueError("wanted --remove with --add, and --approximate for a new index")
    if add:
        made = index_in(out)
    else:
        files.check_saved(out, force=force, option="--out", of="index.json")
        made = st.SeriesIndex(options.model_in(str(model)), approximate=approximate)
    if remove:
        made.remove(options.words_in(remove))
    made.add(read.like(made.model)(data), progress=True)
    made.save(out, overwrite=add or force)
    line = f"{len(made):,} entries, embedding size {made.model.dim}: {out}"
    result = {"out": out, "entries": len(made), "dim": made.model.dim}
    terminal.show(result | {"approximate": made.approximate}, line, as_json=as_json)


def index_in(folder: str) -> "SeriesIndex":
    """Open the index of a folder.

    Raises:
        ValueError: there is none.
    """
    import selftime as st

    found = st.load(folder)
    if not isinstance(found, st.SeriesIndex):
        raise ValueError(f"{folder} holds {type(found).__name__}, wanted an index: selftime index")
    return found
