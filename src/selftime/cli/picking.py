"""``selftime pick``: which layer and pooling of a model suit some labels best."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from selftime.cli import options as given
from selftime.cli import terminal
from selftime.cli.door import app, reader_of

if TYPE_CHECKING:
    from selftime.tasks.picking import Picked


@app.command()
def pick(  # noqa: PLR0913
    model: Annotated[str, typer.Argument(help="Model folder or run folder.")],
    labelled: Annotated[str, typer.Argument(help="Labelled series to judge by.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder of the new model.")],
    unlabelled: Annotated[
        str | None, typer.Option("--unlabelled", help="More series to standardise vectors over.")
    ] = None,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Find the layer and the pooling of a model whose vectors suit some labels best.

    The usual ones stay where no others are clearly better.

    Example: selftime pick run sample:JapaneseVowels:train --out picked
    """
    from selftime.engine.model import check_free, load
    from selftime.tasks import picking

    check_free(Path(out), overwrite=force)
    read = reader_of(label, id, time, layout)
    series, others = read(labelled), read(unlabelled) if unlabelled else None
    made = picking.pick(load(model), series, unlabelled=others)
    made.model.save(out, overwrite=force)
    result = made.to_dict() | {"out": out}
    terminal.show(result, errors_table(made), made.verdict, f"Model: {out}", as_json=as_json)


def errors_table(made: "Picked") -> Table:
    """Share of labelled series that are wrong when left out: a row a layer, a column a pooling."""
    columns = list(dict.fromkeys(one.pooling for one in sorted(made.candidates)))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("wrong when left out")
    for name in columns:
        table.add_column(name, justify="right")
    found = {(one.layer, one.pooling): one.wrong / made.judged for one in made.candidates}
    for layer in range(made.layers):
        shares = [found.get((layer, name)) for name in columns]
        cells = ["" if share is None else f"{100 * share:.1f} %" for share in shares]
        table.add_row(f"layer {layer}", *cells)
    return table
