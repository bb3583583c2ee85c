"""The command that finds anomalies: its name, options and help.

Rooms are imported inside the command, so that ``--help`` does not wait for torch.
"""

from typing import Annotated

import typer

from selftime.cli import options as given
from selftime.cli.door import app, reader_of


@app.command()
def detect(  # noqa: PLR0913 - the signature is the command line
    data: given.Data,
    out: Annotated[str, typer.Option("--out", "-o", help="Scores to write: .csv or .parquet.")],
    train_end: Annotated[
        int | None,
        typer.Option("--train-end", min=1, help="Steps taken to be normal; else the first 15 %."),
    ] = None,
    past_only: Annotated[
        bool, typer.Option("--past-only", help="Score every step by itself and earlier ones alone.")
    ] = False,
    rate: Annotated[
        float, typer.Option("--rate", help="Promised share of normal steps that are in alarm.")
    ] = 0.01,
    cool_down: Annotated[
        int | None,
        typer.Option("--cool-down", min=1, help="Quiet steps that end an alarm; else a window."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder; else nothing is learned.")
    ] = None,
    picture: Annotated[
        str | None, typer.Option("--picture", help="Picture to draw: .png, .svg or .pdf.")
    ] = None,
    time: given.Time = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Score how odd every step of a recording is, and list the alarms.

    What is normal comes from the beginning of the recording. The file holds step and score for
    every step; alarms are told for those after the normal part.

    Example: selftime detect machine.csv --train-end 2000 --out scores.csv --picture scores.png
    """
    from selftime.cli import detection

    order = detection.Watch(data, train_end, past_only, rate, cool_down, model)
    files = detection.Files(out, picture, force)
    detection.detect(order, reader_of(None, None, time, None), files, as_json=as_json)
