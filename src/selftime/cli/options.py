"""Options that several commands share."""

from typing import Annotated, Literal

import typer

Data = Annotated[
    str, typer.Argument(help="File, folder, or bundled data as sample:NAME, sample:NAME:train.")
]
Objective = Annotated[str, typer.Option("--objective", help="See: selftime methods.")]
Encoder = Annotated[str, typer.Option("--encoder", help="See: selftime methods.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Fixes everything random.")]
Head = Annotated[
    Literal["probe", "knn"],
    typer.Option("--head", help="Calibrated linear probe, or the nearest labelled series."),
]
Label = Annotated[str | None, typer.Option("--label", help="Tables: column of class labels.")]
Id = Annotated[str | None, typer.Option("--id", help="Tables: column that names the series.")]
Time = Annotated[str | None, typer.Option("--time", help="Tables: column of times.")]
Layout = Annotated[
    Literal["long", "wide", "series"] | None,
    typer.Option("--layout", help="Tables: a row a step, a row a series, or one series."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace what stands at --out.")]
Json = Annotated[
    bool, typer.Option("--json", help="Result as JSON on stdout; all else goes to stderr.")
]
