"""``selftime detect``: a score for every timepoint of a recording, and its alarms."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

if TYPE_CHECKING:
    from selftime import AnomalyDetector, SeriesSet

TrainEndOption = Annotated[
    int | None,
    typer.Option("--train-end", min=1, help="Steps taken to be normal; else the first 15 %."),
]
PastOnlyOption = Annotated[
    bool, typer.Option("--past-only", help="Score every step by itself and earlier ones alone.")
]
RateOption = Annotated[
    float | None,
    typer.Option("--rate", help="Promised share of normal steps in alarm; else 0.01 is aimed at."),
]
CoolDownOption = Annotated[
    int | None,
    typer.Option("--cool-down", min=1, help="Quiet steps that end an alarm; else a window."),
]
NormalOption = Annotated[
    str | None, typer.Option("--normal", help="Normal recordings; else the beginning of each.")
]
AlarmsOption = Annotated[
    str | None, typer.Option("--alarms", help="Alarms to write, one a row: .csv or .parquet.")
]


@app.command()
@options.with_tables
def detect(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    data: options.DataArgument,
    out: Annotated[str, typer.Option("--out", "-o", help="Scores to write: .csv or .parquet.")],
    train_end: TrainEndOption = None,
    past_only: PastOnlyOption = False,
    rate: RateOption = None,
    cool_down: CoolDownOption = None,
    normal: NormalOption = None,
    save: options.SaveOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder; else nothing is learned.")
    ] = None,
    alarms: AlarmsOption = None,
    picture: options.PictureOption = None,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Score how anomalous every step of a recording is, and list the alarms.

    What is normal comes from the beginning of each recording, or from --normal. The file holds id
    (of several recordings), ds (time), step and score for every step; alarms are those after the
    normal part. Steps whose values are missing have no score and are in no alarm. --save keeps the
    detector with its normal part for: selftime predict.

    Example: selftime detect machine.csv --train-end 2000 --out scores.csv --picture scores.png
    """
    import selftime as st
    from selftime.report.pictures.anomalies import alarms_table, anomaly_picture, count_of
    from selftime.report.pictures.palette import save_picture

    for table in (out, alarms) if alarms else (out,):
        files.check_file(table, files.TABLE_SUFFIXES, force=force)
    if picture:
        files.check_file(picture, files.PICTURE_SUFFIXES, force=force)
    if save:
        files.check_saved(save, force=force)
    series, own = read(data), options.model_in(model) if model else None
    detector = st.AnomalyDetector(
        own, rate=rate, past_only=past_only, cool_down=cool_down, progress=True
    )
    found = find_anomalies(series, detector, read(normal) if normal else None, train_end)
    files.write_out(out, found.columns(), force=force)
    if alarms:
        files.write_out(alarms, found.alarm_columns(), force=force)
    if picture:
        save_picture(anomaly_picture(found), picture)
    said: dict[str, Any] = {"out": out, "alarms_out": alarms, "picture": picture}
    said |= {"past_only": past_only, "rate": found.parts[0].rate}
    lines: list[Any] = [alarms_table(found)] if any(p.alarms for p in found.parts) else []
    longest = max(part.window for part in found.parts)
    places = f"Scores: {out}" + (f", alarms: {alarms}" if alarms else "")
    lines.append(f"{count_of(found)}; windows of {longest} steps. {places}")
    if save:
        if not normal:
            detector.fit(series, train_end=[part.train_end for part in found.parts])
        said["saved"] = str(detector.save(save, overwrite=force))
        lines.append(f"Detector: {save}")
    terminal.show(said | found.to_dict(), *lines, as_json=as_json, out=out)


def find_anomalies(
    series: "SeriesSet", detector: "AnomalyDetector", normal: Any, train_end: int | None
) -> Any:
    """Return scores and alarms, beside normal recordings or the beginning of each."""
    import selftime as st

    if normal is not None and train_end:
        raise ValueError("got --normal and --train-end, which both say what is normal: choose one")
    if normal is not None:
        return detector.fit(normal).detection(series)
    return st.detect(
        series,
        train_end=train_end,
        rate=detector.rate,
        past_only=detector.past_only,
        cool_down=detector.cool_down,
        model=detector.model,
    )
