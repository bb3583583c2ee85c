"""``selftime pretrain``: from unlabelled series to a run folder."""

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from selftime.cli import terminal
from selftime.cli.lesson import Lesson, Place
from selftime.cli.outputs import RUN, check_folder, whole_folder, write_json
from selftime.cli.reporting import REPORT, write_report
from selftime.cli.sources import Reader
from selftime.data.series import SeriesSet
from selftime.engine import pretrain as engine
from selftime.engine.model import Model
from selftime.engine.runs import MODEL, Log, Run, RunError, facts_in
from selftime.engine.tracking import tracker
from selftime.engine.training import Record, is_first_process


def pretrain(lesson: Lesson, read: Reader, place: Place, *, as_json: bool) -> None:
    """Learn a model and write the run folder with its report."""
    check_place(place, lesson)
    series = read(lesson.data)
    learn = learned_stepwise if lesson.is_gradient else learned_at_once
    model, run = learn(series, lesson, read, place)
    if not is_first_process():
        return
    out = str(place.out)
    result = {"run": out, "model": str(place.out / MODEL), "dim": model.dim} | run
    terminal.show(result, *_lines(model, run, out), as_json=as_json)


def check_place(place: Place, lesson: Lesson) -> None:
    """Before any work: nothing is in the way, and there is something to go on with.

    Raises:
        FileExistsError: something stands there and may not be replaced.
        RunError: there is nothing to go on with.
    """
    if place.resume:
        if not lesson.is_gradient:
            raise RunError("--resume goes on with a run of steps: name its --objective")
        facts_in(place.out)
        return
    if place.out.is_dir() and not place.force and is_unfinished(place.out):
        raise FileExistsError(
            f"{place.out} holds a run that was stopped: "
            "--resume goes on with it, --force begins anew"
        )
    check_folder(place.out, force=place.force)


def is_unfinished(folder: Path) -> bool:
    """Whether a run was begun there and not brought to its end."""
    try:
        return bool(facts_in(folder).get("status") == "running")
    except RunError:
        return False


def learned_at_once(
    series: SeriesSet,
    lesson: Lesson,
    read: Reader,
    place: Place,  # noqa: ARG001
) -> tuple[Model, dict[str, Any]]:
    """A model that is solved in one pass; its folder appears when all is there."""
    with terminal.progress() as told:
        start = time.perf_counter()
        model = learned(series, lesson, told)
    run = run_of(model, lesson, "pretrain", time.perf_counter() - start)
    with whole_folder(place.out, force=place.force) as folder:
        write_run(folder, model, run)
        write_report(folder, model, series, run)
    return model, run


def learned_stepwise(
    series: SeriesSet, lesson: Lesson, read: Reader, place: Place
) -> tuple[Model, dict[str, Any]]:
    """A model that is learned step by step; its folder grows with the run."""
    logs = [tracker(name, place.out) for name in place.track]
    with terminal.progress() as told:
        kept = Run(
            folder=place.out,
            log=listener(told, logs),
            how_to_resume=resuming(lesson, read, place),
            anew=place.force,
        )
        start = time.perf_counter()
        model = engine.pretrain(
            series,
            objective=lesson.goal,
            encoder=lesson.encoder,
            plan=lesson.whole_plan,
            run=kept,
            seed=lesson.seed,
        )
    run = run_of(model, lesson, "pretrain", time.perf_counter() - start)
    if is_first_process():
        write_json(place.out / RUN, run)
        write_report(place.out, model, series, run)
    return model, run


def listener(told: terminal.Told, logs: Sequence[Log]) -> Log:
    """What people see of a step; trackers are told as well."""

    def log(record: Record) -> None:
        if "loss" in record:
            latest["loss"] = record["loss"]
        latest.update(record.get("gauges", {}))
        detail = ", ".join(f"{name} {value:.3g}" for name, value in latest.items())
        told("learning", record["step"], record["steps"], detail)
        for warning in record.get("warnings", ()):
            terminal.note(f"warning: {warning['message']}")
        for one in logs:
            one(record)

    latest: dict[str, float] = {}
    return log


def resuming(lesson: Lesson, read: Reader, place: Place) -> str:
    """The command that goes on with a run."""
    plan = lesson.plan
    given = {
        "objective": lesson.objective,
        "task": lesson.task if lesson.objective == "auto" else None,
        "encoder": lesson.encoder if lesson.encoder != "auto" else None,
        "budget": lesson.budget,
        "precision": plan.precision if plan.precision != "no" else None,
        "accumulate": plan.accumulate if plan.accumulate > 1 else None,
        "clip": plan.clip,
        "seed": lesson.seed or None,
        **read._asdict(),
    }
    words = [w for name, v in given.items() if v is not None for w in (f"--{name}", str(v))]
    words += ["--stop-on-collapse"] if plan.on_collapse == "stop" else []
    words += [word for name in place.track for word in ("--track", name)]
    order = [lesson.data, "--out", str(place.out), *words, "--resume"]
    return f"go on with: selftime pretrain {shlex.join(order)}"


def learned(series: SeriesSet, lesson: Lesson, told: terminal.Told) -> Model:
    """The model, its progress told."""
    told("preparing", 0, len(series))
    return engine.pretrain(
        series,
        objective=lesson.goal,
        encoder=lesson.encoder,
        plan=lesson.whole_plan,
        seed=lesson.seed,
        progress=told,
    )


def run_of(model: Model, lesson: Lesson, command: str, seconds: float | None) -> dict[str, Any]:
    """What a run was: settings with their reasons, seed, data, versions, seconds.

    ``seconds`` are those of learning; None where the model was there before.
    """
    return {
        "status": "finished",
        "command": command,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": None if seconds is None else round(seconds, 2),
        "seed": lesson.seed,
        "settings": model.card["settings"],
        "data": {"source": lesson.data} | model.card["data"],
        "versions": model.card["versions"],
    }


def write_run(folder: Path, model: Model, run: dict[str, Any]) -> None:
    """``model/`` and ``run.json``."""
    model.save(folder / MODEL)
    write_json(folder / RUN, run)


def _lines(model: Model, run: dict[str, Any], out: str) -> list[str]:
    data = run["data"]
    chosen = [f"  {k}: {v['value']} ({v['reason']})" for k, v in run["settings"].items()]
    return [
        f"Learned from {data['series']:,} series without labels in {run['seconds']:.1f} s:",
        *chosen,
        f"A series becomes {model.dim} numbers. Model: {Path(out) / MODEL}",
        f"Report: {Path(out) / REPORT}",
    ]
