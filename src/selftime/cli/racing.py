"""``selftime race``: several methods learn from the same series, the best model is kept."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from selftime.cli import terminal
from selftime.cli.outputs import RUN, check_folder
from selftime.cli.reporting import REPORT, write_report
from selftime.cli.sources import Reader
from selftime.data.files import remove_folder, write_json
from selftime.data.series import SeriesSet
from selftime.engine.runs import MODEL, RunError, facts_in
from selftime.objectives.naming import terms_in
from selftime.report.tables import race_table
from selftime.tasks import race as races

RACE, LANES = "race.json", "contenders"


class Start(NamedTuple):
    """What race is to be run.

    Attributes:
        data: where the series are.
        minutes: for all contenders together.
        objectives: who runs.
        encoder: what those that take steps train.
        seed: fixes everything random.
    """

    data: str
    minutes: float
    objectives: tuple[str, ...]
    encoder: str
    seed: int


def contenders_in(text: str | None) -> tuple[str, ...]:
    """Names with commas between them; None is the usual field.

    Raises:
        ValueError: a name that is not known.
    """
    if text is None:
        return races.USUAL
    names = tuple(" ".join(name.split()) for name in text.split(","))
    for name in names:
        terms_in(name)
    return names


def race(order: Start, read: Reader, out: Path, *, force: bool, as_json: bool) -> None:
    """Run the race, or go on with one that was stopped, and write folder and report."""
    check_place(out, force=force)
    if force and out.exists():
        remove_folder(out)
    series = read(order.data)
    write_json(out / RUN, {"status": "running"} | facts_of(order, series))
    start = time.perf_counter()
    with terminal.progress() as told:
        made = races.race(
            series,
            minutes=order.minutes,
            objectives=order.objectives,
            encoder=order.encoder,
            folder=out / LANES,
            seed=order.seed,
            progress=told,
        )
    result = made.to_dict() | {"out": str(out), "model": str(out / MODEL)}
    finish(out, order, series, made, time.perf_counter() - start)
    terminal.show(result, race_table(made), made.verdict, *where(out), as_json=as_json)


def finish(out: Path, order: Start, series: SeriesSet, made: races.Race, seconds: float) -> None:
    """The best model, its report and the whole ranking."""
    made.model.save(out / MODEL, overwrite=True)
    card = made.model.card
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = facts_of(order, series) | {"finished": now, "seconds": round(seconds, 2)}
    run |= {"settings": card["settings"]}
    run |= {"data": {"source": order.data} | card["data"], "versions": card["versions"]}
    write_report(out, made.model, series, run)
    write_json(out / RACE, made.to_dict())
    write_json(out / RUN, {"status": "finished"} | run)


def facts_of(order: Start, series: SeriesSet) -> dict[str, Any]:
    """What was asked for."""
    return {
        "command": "race",
        "race": {name: value for name, value in order._asdict().items() if name != "data"},
        "seed": order.seed,
        "data": {"source": order.data, "fingerprint": series.fingerprint()},
    }


def check_place(out: Path, *, force: bool) -> None:
    """Before any work: nothing is in the way but a race that was stopped.

    Raises:
        FileExistsError: something stands there and may not be replaced.
    """
    try:
        facts = facts_in(out)
    except RunError:
        facts = {}
    if facts.get("command") == "race" and facts.get("status") == "running" and not force:
        return
    check_folder(out, force=force)


def where(out: Path) -> list[str]:
    """Where people find what is left."""
    return [f"Model: {out / MODEL}", f"Report: {out / REPORT}", f"All contenders: {out / LANES}"]
