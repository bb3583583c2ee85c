"""``selftime forecast``: what comes next in every series, with intervals."""

from functools import partial
from typing import Annotated, Literal

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

StrategyOption = Annotated[
    Literal["probe", "head", "partial", "full"],
    typer.Option("--strategy", help="How the model is used: as it is, or trained on."),
]
SeasonOption = Annotated[
    int | None, typer.Option("--season", min=1, help="Steps of a season; else looked for.")
]
LowerOption = Annotated[
    str,
    typer.Option("--lower", help="The least that can be forecast: a number, none; 0 for counts."),
]


@app.command()
@options.with_tables
def forecast(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    engine: options.EngineOption,
    data: options.DataArgument,
    horizon: options.HorizonOption,
    out: Annotated[str, typer.Option("--out", "-o", help=".csv or .parquet; a folder: in parts.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder whose vectors may help.")
    ] = None,
    strategy: StrategyOption = "probe",
    season: SeasonOption = None,
    lower: LowerOption = "auto",
    picture: options.PictureOption = None,
    covariates: options.CovariatesOption = None,
    future: Annotated[
        str | None, typer.Option("--future", help="Where the future of covariates is.")
    ] = None,
    save: options.SaveOption = None,
    seed: options.SeedOption = 0,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Forecast every series from its own past, with intervals of 80 % and 95 %.

    One row a series and step: id, time, and for each channel the forecast and its quantiles.
    --save keeps the forecaster for: selftime predict.

    Example: selftime forecast sample:NYCTaxi --horizon 48 --out forecast.csv --picture taxi.png
    """
    import selftime as st
    from selftime.report.pictures.forecasts import forecast_picture
    from selftime.report.pictures.palette import save_picture

    table = files.Output(out, engine, force, safe_cells, as_json)
    in_parts = files.check_results(table, picture, save)
    series = read(data)
    files.check_room(out, len(series) * horizon, 8 * series.n_channels, save=save)
    forecaster = st.Forecaster(
        options.model_in(model) if model else None,
        strategy=strategy,
        horizon=horizon,
        season=season,
        lower=lower_in(lower),
        random_state=seed,
        progress=True,
    ).fit(series, covariates=options.words_in(covariates))
    ahead, fitted = read(future) if future else None, forecaster.fitted_
    saved, where = files.save_fitted(forecaster, save, "Forecaster", force=force)
    result = {"out": out, "series": len(series), "horizon": horizon, "picture": picture, **saved}
    result |= {"season": fitted.cases.season, "features": forecaster.reason_}
    if in_parts:
        work = partial(fitted.forecasts, future=ahead)
        table.write_parts(work, read, data, result, forecaster.reason_, *where)
        return
    found = forecaster.forecasts(future=ahead)
    files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
    lines = [f"{len(series):,} series, {horizon} steps ahead: {out}", forecaster.reason_]
    if picture:
        save_picture(forecast_picture(found, title=data), picture)
        lines.append(f"Picture: {picture}")
    terminal.show(result, *lines, *where, as_json=as_json, out=out)


def lower_in(text: str) -> float | Literal["auto"] | None:
    """Read the least that can be forecast: ``auto``, ``none``, or a number.

    Raises:
        ValueError: none of these.
    """
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"got --lower {text}, wanted a number, auto or none") from None
