"""``selftime search``: the entries of an index that are most like a query."""

from typing import Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app
from selftime.cli.index import index_in

StartOption = Annotated[
    str | None, typer.Option("--from", help="First time or step of QUERY that is looked for.")
]
EndOption = Annotated[
    str | None, typer.Option("--to", help="Last time or step of QUERY that is looked for.")
]
IdsOption = Annotated[
    str | None, typer.Option("--only-id", help="Hits of these ids alone: machine-*.")
]
LabelOption = Annotated[
    str | None, typer.Option("--only-label", help="Hits of these labels alone, with * and ?.")
]
AfterOption = Annotated[
    str | None, typer.Option("--after", help="Hits that begin at this time or step, or later.")
]
BeforeOption = Annotated[
    str | None, typer.Option("--before", help="Hits that end at this time or step, or earlier.")
]


@app.command()
@options.with_tables
def search(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    index: Annotated[str, typer.Argument(help="Folder of an index.")],
    query: Annotated[
        str, typer.Argument(help="Series to look for; DATA#ID for one; #ID for one in the index.")
    ],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Hits of each query.")] = 10,
    start: StartOption = None,
    end: EndOption = None,
    only_id: IdsOption = None,
    only_label: LabelOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    apart: Annotated[
        float, typer.Option("--apart", min=0, help="Window lengths between hits of a recording.")
    ] = 1.0,
    exact: Annotated[bool, typer.Option("--exact", help="Look at every entry.")] = False,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Hits to write: .csv or .parquet.")
    ] = None,
    picture: options.PictureOption = None,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Find what looks like a series, or like a span of one.

    Example: selftime search index machine.csv --from 2024-03-01T10:00 --to 2024-03-01T10:10
    """
    from selftime.report.pictures.hits import hits_picture
    from selftime.report.pictures.palette import save_picture
    from selftime.report.tables import hits_table

    if out:
        files.check_file(out, files.TABLE_SUFFIXES, force=force)
    if picture:
        files.check_file(picture, files.PICTURE_SUFFIXES, force=force)
    made = index_in(index)
    asked = {"id": only_id, "label": only_label, "start": after, "end": before}
    where = {name: value for name, value in asked.items() if value is not None}
    how: dict[str, Any] = {"k": k, "start": start, "end": end, "apart": apart, "exact": exact}
    source, _, name = query.partition("#")
    if source:
        series = read.like(made.model)(source)
        found = made.search(_named(series, name) if name else series, where=where, **how)
    else:
        found = made.search(id=name, where=where, **how)
    if out:
        files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
    if picture:
        save_picture(hits_picture(found), picture)
    result = found.to_dict() | {"out": out, "picture": picture}
    terminal.show(result, hits_table(found), as_json=as_json, out=out)


def _named(series: Any, name: str) -> Any:
    """Return the series of an id.

    Raises:
        ValueError: there is none.
    """
    rows = [row for row, id in enumerate(series.ids.tolist()) if str(id) == name]
    if not rows:
        some = ", ".join(f"'{id}'" for id in series.ids[:3].tolist())
        raise ValueError(
            f"no series of QUERY is called '{name}', wanted one such as {some}: leave #{name} out "
            "to look for all"
        )
    return series[rows]
