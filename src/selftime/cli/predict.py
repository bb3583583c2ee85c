"""``selftime predict``: new series through what was saved, in the table of its command."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app
from selftime.cli.classify import counts_of
from selftime.cli.detect import lines_of

if TYPE_CHECKING:
    from selftime import (
        AnomalyDetector,
        Classifier,
        Forecaster,
        Imputer,
        Regressor,
        Segmenter,
        SeriesSet,
    )

Answer = tuple[dict[str, Any], dict[str, Any], list[Any]]
"""Columns of the table, the result as JSON, and lines for people."""


@app.command()
@options.with_tables
def predict(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    engine: options.EngineOption,
    folder: Annotated[str, typer.Argument(help="Folder of --save, or of .save in Python.")],
    data: options.DataArgument,
    out: Annotated[str, typer.Option("--out", "-o", help=".csv, .parquet, -; folder: in parts.")],
    future: Annotated[
        str | None, typer.Option("--future", help="Of a forecaster: the future of covariates.")
    ] = None,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Use a saved classifier, regressor, segmenter, forecaster, detector or imputer on new series.

    The table is that of the command which fitted: classes with probabilities, forecasts with
    quantiles, scores, or series without holes. Channels are found by their names, in any order.

    Example: selftime classify run --train sample:JapaneseVowels:train --save speakers

    Example: selftime predict speakers sample:JapaneseVowels:test --out who.csv
    """
    import selftime as st

    table = files.Output(out, engine, force, safe_cells, as_json)
    in_parts = table.is_in_parts(files.TABLE_SUFFIXES)
    found = st.load(folder)
    name = type(found).__name__
    answers: dict[str, Any] = {
        "Classifier": classes_of,
        "Regressor": table_of,
        "Segmenter": table_of,
        "Imputer": holes_of,
        "AnomalyDetector": lambda own, series: anomalies_of(own, series, out),
        "Forecaster": lambda own, series: forecasts_of(
            own, series, read(future) if future else None
        ),
    }
    if name not in answers:
        raise ValueError(
            f"{folder} holds {name}, which predicts nothing: selftime embed makes vectors by it, "
            "selftime classify a classifier"
        )
    if future and name != "Forecaster":
        raise ValueError(f"got --future for a {name}, wanted it for a forecaster alone")
    reader = read.like(getattr(found, "model_", None))
    if in_parts:
        own = partial(found.forecasts, future=read(future)) if future else found
        table.write_parts(own, reader, data, {"estimator": name})
        return
    series = reader(data, lenient=True)
    files.check_room(out, len(series), 16)
    columns, result, lines = answers[name](found, series)
    files.write_out(out, columns, force=force, safe_cells=safe_cells)
    result = {"out": out, "estimator": name, "series": len(series)} | result
    lines.append(f"{len(series):,} series: {out}")
    terminal.show(result, *lines, as_json=as_json, out=out)


def classes_of(classifier: "Classifier", series: "SeriesSet") -> Answer:
    """Return the classes of each series with their probabilities."""
    found = classifier.predictions(series)
    counts = counts_of(found.predicted)
    lines = [", ".join(f"{k}: {n:,}" for k, n in counts.items())]
    return found.to_columns(), {"classes": counts}, lines


def table_of(estimator: "Regressor | Segmenter", series: "SeriesSet") -> Answer:
    """Return the value of each series, or the classes of each timepoint."""
    return estimator.predictions(series).to_columns(), {}, []


def forecasts_of(
    forecaster: "Forecaster", series: "SeriesSet", future: "SeriesSet | None"
) -> Answer:
    """Return forecasts of what follows each series."""
    found = forecaster.forecasts(series, future)
    return found.to_columns(), {"horizon": forecaster.horizon}, []


def holes_of(imputer: "Imputer", series: "SeriesSet") -> Answer:
    """Return series with values in their holes."""
    found = imputer.imputation(series)
    return found.to_columns(), {"filled": int(found.missing.sum())}, []


def anomalies_of(detector: "AnomalyDetector", series: "SeriesSet", out: str) -> Answer:
    """Return the score of each timepoint, and alarms."""
    found = detector.detection(series)
    return found.to_columns(), found.to_dict(), lines_of(found, out)
