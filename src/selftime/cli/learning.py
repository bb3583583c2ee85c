"""``selftime pretrain``: from unlabelled series to a run folder."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from selftime.cli import terminal
from selftime.cli.outputs import RUN, check_folder, whole_folder, write_json
from selftime.cli.sources import Reader
from selftime.data.series import SeriesSet
from selftime.engine import pretrain as engine
from selftime.engine.model import Model


class Order(NamedTuple):
    """What is to be learned, and from what.

    Attributes:
        data: where the series are.
        objective: a name, or "auto".
        encoder: a name, or "auto".
        seed: fixes everything random.
    """

    data: str
    objective: str = "auto"
    encoder: str = "auto"
    seed: int = 0


def pretrain(order: Order, read: Reader, *, out: str, force: bool, as_json: bool) -> None:
    """Learn a model and write the run folder."""
    check_folder(Path(out), force=force)
    series = read(order.data)
    with terminal.progress() as told:
        start = time.perf_counter()
        model = learned(series, order, told)
    run = run_of(model, order, "pretrain", time.perf_counter() - start)
    with whole_folder(Path(out), force=force) as folder:
        write_run(folder, model, run)
    result = {"run": out, "model": str(Path(out) / "model"), "dim": model.dim} | run
    terminal.show(result, *_lines(model, run, out), as_json=as_json)


def learned(series: SeriesSet, order: Order, told: terminal.Told) -> Model:
    """The model, its progress told."""
    told("preparing", 0, len(series))
    return engine.pretrain(
        series,
        objective=order.objective,
        encoder=order.encoder,
        seed=order.seed,
        watch=lambda done, of: told("learning", done, of),
    )


def run_of(model: Model, order: Order, command: str, seconds: float) -> dict[str, Any]:
    """What a run was: settings with their reasons, seed, data, versions, seconds."""
    return {
        "command": command,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "seed": order.seed,
        "settings": model.card["settings"],
        "data": {"source": order.data} | model.card["data"],
        "versions": model.card["versions"],
    }


def write_run(folder: Path, model: Model, run: dict[str, Any]) -> None:
    """``model/`` and ``run.json``."""
    model.save(folder / "model")
    write_json(folder / RUN, run)


def _lines(model: Model, run: dict[str, Any], out: str) -> list[str]:
    data = run["data"]
    chosen = [f"  {k}: {v['value']} ({v['reason']})" for k, v in run["settings"].items()]
    return [
        f"Learned from {data['series']:,} series without labels in {run['seconds']:.1f} s:",
        *chosen,
        f"A series becomes {model.dim} numbers. Model: {Path(out) / 'model'}",
    ]
