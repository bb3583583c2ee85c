"""Commands that look ahead: names, options and help.

Rooms are imported inside commands, so that ``--help`` does not wait for torch.
"""

from typing import Annotated, Literal

import typer

from selftime.cli import options as given
from selftime.cli.door import app, reader_of

Ahead = Annotated[int, typer.Option("--horizon", min=1, help="How many steps to forecast.")]
Season = Annotated[
    int | None, typer.Option("--season", min=1, help="Steps of a season; else looked for.")
]

Covariates = Annotated[
    str | None,
    typer.Option("--covariates", help="Channels given ahead, with commas; they are not forecast."),
]


@app.command()
def forecast(  # noqa: PLR0913
    data: given.Data,
    horizon: Ahead,
    out: Annotated[str, typer.Option("--out", "-o", help="Forecasts: .csv or .parquet.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder whose vectors may help.")
    ] = None,
    strategy: Annotated[
        Literal["probe", "head", "partial", "full"],
        typer.Option("--strategy", help="How the model is used: as it is, or trained on."),
    ] = "probe",
    season: Season = None,
    picture: Annotated[
        str | None, typer.Option("--picture", help="Picture: .png, .svg or .pdf.")
    ] = None,
    covariates: Covariates = None,
    future: Annotated[
        str | None, typer.Option("--future", help="Where the future of covariates is.")
    ] = None,
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Forecast every series from its own past, with intervals of 80 % and 95 %.

    One row a series and step: id, time, and for each channel the forecast and its quantiles.

    Example: selftime forecast sample:NYCTaxi --horizon 48 --out forecast.csv --picture taxi.png
    """
    from selftime.cli import foreseeing

    names = foreseeing.names_in(covariates)
    order = foreseeing.Outlook(data, horizon, model, season, seed, picture, names, future, strategy)
    read = reader_of(label, id, time, layout)
    foreseeing.forecast(order, read, out=out, force=force, as_json=as_json)


@app.command()
def backtest(  # noqa: PLR0913
    file: given.Data,
    horizons: Annotated[
        str, typer.Option("--horizons", help="Steps ahead, with commas.")
    ] = "96,192,336,720",
    protocol: Annotated[
        Literal["ett-hourly", "ett-15min", "70-10-20"],
        typer.Option("--protocol", help="How the series is cut into train, validation and test."),
    ] = "70-10-20",
    picture: Annotated[
        str | None, typer.Option("--picture", help="Calibration plot: .png, .svg or .pdf.")
    ] = None,
    covariates: Covariates = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit/--no-refit", help="Weights from the validation part too, options chosen."
        ),
    ] = True,
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Forecast every window of the test part, beside naive and linear references.

    Errors are those of standardised values. Options are chosen without the test part; a row says
    what weights from the training part alone are worth.

    Example: selftime backtest sample:NYCTaxi --horizons 48
    """
    from selftime.cli import foreseeing

    steps = foreseeing.horizons_in(horizons)
    names = foreseeing.names_in(covariates)
    trial = foreseeing.Hindsight(file, steps, protocol, seed, picture, refit, names)
    read = reader_of(label, id, time, layout)
    foreseeing.backtest(trial, read, force=force, as_json=as_json)
