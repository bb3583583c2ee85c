"""Options that several commands share."""

from typing import Annotated, Literal

import typer

Data = Annotated[
    str, typer.Argument(help="File, folder, or bundled data as sample:NAME, sample:NAME:train.")
]
Model = Annotated[str, typer.Argument(help="Model folder or run folder.")]
Objective = Annotated[str, typer.Option("--objective", help="See: selftime methods.")]
Encoder = Annotated[str, typer.Option("--encoder", help="See: selftime methods.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Fixes everything random.")]
Horizon = Annotated[int, typer.Option("--horizon", min=1, help="How many steps to forecast.")]
Covariates = Annotated[
    str | None,
    typer.Option("--covariates", help="Channels given ahead, with commas; they are not forecast."),
]
Picture = Annotated[
    str | None, typer.Option("--picture", help="Picture to draw: .png, .svg or .pdf.")
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


def words_in(text: str | None) -> tuple[str, ...]:
    """Words between commas, each once; none from None."""
    words = [" ".join(word.split()) for word in (text or "").split(",")]
    return tuple(dict.fromkeys(word for word in words if word))
