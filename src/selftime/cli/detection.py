"""``selftime detect``: a score for every step of a recording, and its alarms."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from selftime.cli import terminal
from selftime.cli.outputs import TABLES, check_file, write_file
from selftime.cli.sources import Reader
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import load
from selftime.report.anomalies import Picture, anomaly_picture
from selftime.report.palette import save_picture
from selftime.tasks.anomaly.alarms import Episode, alarms_in
from selftime.tasks.anomaly.detect import Scored, Scoring, check_train, scored
from selftime.tasks.anomaly.thresholds import check_rate, following

NORMAL = 0.15
"""Share of a recording that is taken to be normal (Lavin & Ahmad 2015, NAB's probation)."""
PICTURES: dict[str, Any] = dict.fromkeys((".png", ".svg", ".pdf"))


class Watch(NamedTuple):
    """What is to be scored, and how.

    Attributes:
        data: where the recording is.
        train_end: how many steps are normal; the first 15 % when None.
        past_only: whether a score depends on its own and earlier steps alone.
        rate: promised share of normal steps in alarm.
        cool_down: quiet steps that end an alarm; a window when None.
        model: model or run folder, or None.
    """

    data: str
    train_end: int | None
    past_only: bool
    rate: float
    cool_down: int | None
    model: str | None


class Files(NamedTuple):
    """What is written: scores, and a picture if there is a name for it."""

    out: str
    picture: str | None
    force: bool

    def check(self) -> None:
        """Before any work: suffixes are known and nothing is in the way."""
        check_file(Path(self.out), TABLES, force=self.force)
        if self.picture is not None:
            check_file(Path(self.picture), PICTURES, force=self.force)


def detect(order: Watch, read: Reader, files: Files, *, as_json: bool) -> None:
    """Write the scores, draw the picture, tell the alarms."""
    files.check()
    check_rate(order.rate)
    series = only_one(read(order.data), order.data)
    train = order.train_end or max(int(NORMAL * series.lengths[0]), 1)
    check_train(train, int(series.lengths[0]))
    model = None if order.model is None else load(order.model)
    found = scored(series.series(0), train, recipe=Scoring(past_only=order.past_only, model=model))
    thresholds = following(found.scores, train, order.rate)
    alarms = alarms_of(found, thresholds, train, order.cool_down)
    target = Path(files.out)
    columns = {"step": np.arange(len(found.scores)), "score": found.scores}
    write_file(target, TABLES[target.suffix.lower()](columns))
    if files.picture is not None:
        shown = Picture(series.series(0), series.channels, found.channels, thresholds, train)
        save_picture(anomaly_picture(shown, alarms, title=title_of(alarms)), files.picture)
    result = facts_of(order, files, series, found) | {"train_end": train}
    result["alarms"] = [told(alarm, series) for alarm in alarms]
    lines = [f"{title_of(alarms)}; windows of {found.width} steps. Scores: {files.out}"]
    terminal.show(result, *([table_of(alarms, series)] if alarms else []), *lines, as_json=as_json)


def only_one(series: SeriesSet, source: str) -> SeriesSet:
    """The recording, if there is just one.

    Raises:
        SeriesError: there are several.
    """
    if len(series) != 1:
        raise SeriesError(f"{source} holds {len(series)} series, wanted one recording: split it")
    return series


def alarms_of(
    found: Scored, thresholds: np.ndarray, train: int, cool_down: int | None
) -> list[Episode]:
    """The alarms after the normal part, their steps counted from the beginning."""
    wait = found.width if cool_down is None else cool_down
    later = alarms_in(found.channels[:, train:], thresholds[train:], wait)
    return [
        a._replace(start=a.start + train, stop=a.stop + train, peak=a.peak + train) for a in later
    ]


def facts_of(order: Watch, files: Files, series: SeriesSet, found: Scored) -> dict[str, Any]:
    """What was done, as plain values."""
    return {
        "out": files.out,
        "picture": files.picture,
        "steps": int(series.lengths[0]),
        "channels": list(series.channels),
        "window": found.width,
        "past_only": order.past_only,
        "rate": order.rate,
    }


def told(alarm: Episode, series: SeriesSet) -> dict[str, Any]:
    """An alarm as plain values, with times where the recording has them."""
    out = alarm._asdict() | {"channel": series.channels[alarm.channel]}
    if series.times is not None:
        out["time"] = str(series.times[alarm.peak])
    return out


def table_of(alarms: list[Episode], series: SeriesSet) -> Table:
    """The alarms as people read them, the last step of each included."""
    table = Table("steps", "peak", "score", "channel", "time of the peak", box=None)
    for alarm in alarms:
        facts = told(alarm, series)
        span, score = f"{alarm.start}-{alarm.stop - 1}", f"{alarm.score:.1f}"
        table.add_row(span, str(alarm.peak), score, facts["channel"], facts.get("time", ""))
    return table


def title_of(alarms: list[Episode]) -> str:
    """How many there are, in words."""
    return f"{len(alarms) or 'no'} alarm{'' if len(alarms) == 1 else 's'}"
