"""Options that several commands share."""

from typing import Annotated, Literal

import typer

Data = Annotated[
    str, typer.Argument(help="File, folder, or bundled data as sample:NAME, sample:NAME:train.")
]
Views = Annotated[
    bool, typer.Option("--views", help="Also try every view: which leave series what they are?")
]
Picture = Annotated[
    str | None, typer.Option("--out", "-o", help="Picture of the views: .png, .svg or .pdf.")
]
Objective = Annotated[str, typer.Option("--objective", help="See: selftime methods.")]
Encoder = Annotated[str, typer.Option("--encoder", help="See: selftime methods.")]
Task = Annotated[
    Literal["classify", "search", "cluster", "forecast", "detect"],
    typer.Option("--task", help="What the model is for, where the objective is auto."),
]
Budget = Annotated[
    str | None,
    typer.Option("--budget", help="Gradient runs: '200 steps', '10 epochs' or '5 minutes'."),
]
Precision = Annotated[
    Literal["no", "bf16", "fp16"],
    typer.Option("--precision", help="Gradient runs: mix float32 with half precision."),
]
Accumulate = Annotated[
    int, typer.Option("--accumulate", min=1, help="Gradient runs: batches of one step.")
]
Clip = Annotated[
    float | None, typer.Option("--clip", help="Gradient runs: longest gradient of a step.")
]
StopOnCollapse = Annotated[
    bool, typer.Option("--stop-on-collapse", help="Gradient runs: stop when embeddings collapse.")
]
Track = Annotated[
    list[str],
    typer.Option("--track", help="Gradient runs: tell tensorboard or mlflow of every step."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run stopped at --out.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Fixes everything random.")]
Strategy = Annotated[
    str,
    typer.Option("--strategy", help="auto, probe, partial, full, staged, adapter or scratch."),
]
Head = Annotated[
    str,
    typer.Option(
        "--head",
        help="linear, mlp, deep_mlp, normed_linear, attention; see docs/labels.md for more.",
    ),
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
