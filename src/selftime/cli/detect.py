"""``selftime detect``: a score for every timepoint of a recording, and its alarms."""

from functools import partial
from typing import Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

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


_LONG = 50_000
"""Timepoints from which plain lines tell the progress where there is no bar."""


@app.command()
@options.with_tables
def detect(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    engine: options.EngineOption,
    data: options.DataArgument,
    out: Annotated[str, typer.Option("--out", "-o", help=".csv or .parquet; a folder: in parts.")],
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
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Score how anomalous every step of a recording is, and list the alarms.

    What is normal comes from the beginning of each recording, or from --normal. The file holds id,
    time, step, score and alarm for every row, in the order of DATA; alarms are those after the
    normal part. Rows whose values are missing have no score and are in no alarm. --save keeps the
    detector with its normal part for: selftime predict.

    Example: selftime detect machine.csv --train-end 2000 --out scores.csv --picture scores.png
    """
    import selftime as st

    table = files.Output(out, engine, force, safe_cells, as_json)
    in_parts = files.check_results(table, picture, save, alarms, None if normal else save)
    if normal and train_end:
        raise ValueError("got --normal and --train-end, which both say what is normal: choose one")
    own = options.model_in(model) if model else None
    if past_only:
        read.keep_gaps("--past-only")
    read = read.like(own)
    how: dict[str, Any] = {"rate": rate, "past_only": past_only, "cool_down": cool_down}
    if in_parts:
        work = work_of(own, read, normal, train_end, how)
        saved, where = files.save_fitted(work, save, "Detector", force=force)
        table.write_parts(work, read, data, saved, *where)
        return
    series = read(data)
    files.check_room(out, len(series.steps), 8, save=save)
    shows = True if len(series.steps) >= _LONG else None
    detector = st.AnomalyDetector(own, progress=shows, **how)
    if normal:
        found = detector.fit(read(normal)).detection(series)
    else:
        found = st.detect(series, train_end=train_end, model=own, progress=shows, **how)
    files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
    write_beside(found, alarms, picture, force=force, safe_cells=safe_cells)
    said: dict[str, Any] = {"out": out, "alarms_out": alarms, "picture": picture}
    said |= {"past_only": past_only, "rate": found.parts[0].rate} | found.to_dict()
    if save and not normal:
        detector.fit(series, train_end=[part.train_end for part in found.parts])
    saved, where = files.save_fitted(detector, save, "Detector", force=force)
    lines = [*lines_of(found, f"{out}, alarms: {alarms}" if alarms else out), *where]
    terminal.show(said | saved, *lines, as_json=as_json, out=out)


def write_beside(
    found: Any, alarms: str | None, picture: str | None, *, force: bool, safe_cells: bool
) -> None:
    """Write alarms and a picture, where they were asked for."""
    from selftime.report.pictures.anomalies import anomaly_picture
    from selftime.report.pictures.palette import save_picture

    if alarms:
        files.write_out(alarms, found.alarm_columns(), force=force, safe_cells=safe_cells)
    if picture:
        save_picture(anomaly_picture(found), picture)


def work_of(
    own: Any, read: options.Reader, normal: str | None, train_end: int | None, how: dict[str, Any]
) -> Any:
    """Return what scores recordings one by one: by their own beginning, or by normal ones."""
    import selftime as st

    if normal:
        return st.AnomalyDetector(own, **how).fit(read(normal))
    return partial(st.detect, train_end=train_end, model=own, progress=False, **how)


def lines_of(found: Any, out: str) -> list[Any]:
    """Return the table of alarms, if there are any, their number, and where scores are."""
    from selftime.report.pictures.anomalies import alarms_table, count_of

    longest = max(part.window for part in found.parts)
    table = [alarms_table(found)] if any(part.alarms for part in found.parts) else []
    return [*table, f"{count_of(found)}; windows of {longest} steps. Scores: {out}"]
