"""Options that several commands share."""

import shlex
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


def words_given(ctx: typer.Context, *but: str) -> str:
    """The command line again, as people gave it, without some options."""
    words: list[str] = []
    for parameter in ctx.command.params:
        name, value = str(parameter.name), ctx.params.get(str(parameter.name))
        source = ctx.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or parameter.opts[0] in but:
            continue
        option = [] if parameter.param_type_name == "argument" else [parameter.opts[0]]
        if isinstance(value, bool):
            words += option if value else parameter.secondary_opts[:1]
        else:
            each = value if isinstance(value, list | tuple) else [value]
            words += [word for one in each for word in (*option, str(one))]
    return shlex.join(words)
