"""Options that several commands share."""

from typing import Annotated, Literal

import typer

DataArgument = Annotated[
    str, typer.Argument(help="File, folder, or bundled data as sample:NAME, sample:NAME:train.")
]
ModelArgument = Annotated[str, typer.Argument(help="Model folder or run folder.")]
ObjectiveOption = Annotated[str, typer.Option("--objective", help="See: selftime methods.")]
EncoderOption = Annotated[str, typer.Option("--encoder", help="See: selftime methods.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Fixes everything random.")]
HorizonOption = Annotated[int, typer.Option("--horizon", min=1, help="How many steps to forecast.")]
CovariatesOption = Annotated[
    str | None,
    typer.Option("--covariates", help="Channels given ahead, with commas; they are not forecast."),
]
PictureOption = Annotated[
    str | None, typer.Option("--picture", help="Picture to draw: .png, .svg or .pdf.")
]
LabelOption = Annotated[str | None, typer.Option("--label", help="Tables: column of class labels.")]
IdOption = Annotated[str | None, typer.Option("--id", help="Tables: column that names the series.")]
TimeOption = Annotated[str | None, typer.Option("--time", help="Tables: column of times.")]
LayoutOption = Annotated[
    Literal["long", "wide", "series"] | None,
    typer.Option("--layout", help="Tables: a row a step, a row a series, or one series."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what stands at --out.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Result as JSON on stdout; all else goes to stderr.")
]


def words_in(text: str | None) -> tuple[str, ...]:
    """Words between commas, each once; none from None."""
    words = [" ".join(word.split()) for word in (text or "").split(",")]
    return tuple(dict.fromkeys(word for word in words if word))
