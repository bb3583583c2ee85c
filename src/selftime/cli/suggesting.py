"""``selftime suggest``: which series to label next.

Rooms are imported inside the command, so that ``--help`` does not wait for torch.
"""

from pathlib import Path
from typing import Annotated

import typer

from selftime.cli import options as given
from selftime.cli.door import app, reader_of


@app.command()
def suggest(  # noqa: PLR0913
    model: Annotated[str, typer.Argument(help="Model folder or run folder.")],
    data: given.Data,
    n: Annotated[int, typer.Option("--n", min=1, help="How many series to label next.")] = 10,
    labelled: Annotated[
        str | None, typer.Option("--labelled", help="Series that have their labels already.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="List to fill in: .csv or .parquet.")
    ] = None,
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Say which series to label next, and why, the most useful first.

    Series are chosen that stand for most others; once there are two labels a class, also those
    that a classifier cannot decide on. Labels in DATA are not read.

    Example: selftime suggest run sample:JapaneseVowels:train --n 20 --out to-label.csv
    """
    from selftime.cli import terminal
    from selftime.cli.outputs import TABLES, check_file, write_file
    from selftime.engine.model import load
    from selftime.report.suggestions import columns_of, suggestions_table
    from selftime.tasks import suggest as tasks

    if out:
        check_file(Path(out), TABLES, force=force)
    read = reader_of(label, id, time, layout)
    known = None if labelled is None else read(labelled)
    found = tasks.suggest(load(model), read(data), n=n, labelled=known, seed=seed)
    lines = [suggestions_table(found)]
    if out:
        write_file(Path(out), TABLES[Path(out).suffix.lower()](columns_of(found)))
        terminal.note(f"List to fill in: {out}")
    terminal.show(found.to_dict() | ({"out": out} if out else {}), *lines, as_json=as_json)
