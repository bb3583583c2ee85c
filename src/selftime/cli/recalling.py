"""``selftime report``: every figure of a folder from its files alone, and its page made anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selftime.cli import terminal
from selftime.cli.evaluating import json_in
from selftime.cli.outputs import COMPARISON, EVALUATION, RUN, STRATEGIES
from selftime.cli.racing import RACE
from selftime.cli.reporting import REPORT, Kept, content_of
from selftime.cli.sources import Reader
from selftime.data.series import SeriesSet
from selftime.engine.model import load
from selftime.engine.runs import MODEL, metrics_in
from selftime.report.judged_tables import (
    comparison_tables,
    evaluation_tables,
    finishes_table,
    metrics_table,
    strategies_table,
    table_of,
)
from selftime.report.page import settings_of_run, write_page
from selftime.tasks.evaluation import Evaluation
from selftime.tasks.recorded import comparison_of

FILES = {
    "run": RUN,
    "race": RACE,
    "comparison": COMPARISON,
    "strategies": STRATEGIES,
    "evaluation": EVALUATION,
}
"""What a folder may hold, by what it is."""
BARE = (
    "This page was made anew from the files of its folder alone, which hold no series: map and "
    "views are left out. “selftime report” draws them with --test, or --train for a run."
)
NO_MODEL = "The map is left out: the folder holds no model to place the series with."


class Recall(NamedTuple):
    """What is to be told again.

    Attributes:
        where: folder of a run or a comparison, or a file of an evaluation.
        train: where the labelled series are, or those a run learned from; None leaves them out.
        test: where the judged series are; None leaves them out.
        out: page to write; None for the one in the folder, if there is none.
        force: replace what stands there.
    """

    where: str
    train: str | None = None
    test: str | None = None
    out: str | None = None
    force: bool = False


def report(order: Recall, read: Reader, *, as_json: bool) -> None:
    """Print all figures, and make the page anew where that was asked for or none is there."""
    place = Path(order.where)
    files = files_in(place)
    target = page_of(order, place)
    kept = kept_in(files, place)
    lines = lines_of(kept, files.get("race"))
    if target:
        series = series_of(order, read, files)
        write_page(target, drawn(kept, series, place))
        lines.append(f"Report: {target}")
    else:
        lines.append(f"Left as it is: {place / REPORT} (--force replaces it, --out writes another)")
    shown = {name: without_hits(content) for name, content in files.items() if content}
    metrics = {"metrics": kept.metrics} if kept.metrics else {}
    result = {"report": str(target) if target else None} | shown | metrics
    terminal.show(result, *lines, as_json=as_json)


def files_in(place: Path) -> dict[str, dict[str, Any]]:
    """What every file says, by what it is.

    Raises:
        ValueError: there are no files of ours.
    """
    if place.is_file():
        content = json_in(place)
        files = {"run": content.pop("run", {}), "evaluation": content}
    else:
        files = {name: json_in(place / file) for name, file in FILES.items()}
    if not files.get("run"):
        raise ValueError(
            f"{place} does not say what was run: name the folder of a run or a comparison "
            f"(with {RUN}), or what classify wrote beside its predictions"
        )
    if files["run"].get("status") != "finished":
        raise ValueError(
            f"{place} holds a run that was not finished: go on with it first, --resume"
        )
    return files


def page_of(order: Recall, place: Path) -> Path | None:
    """Where the page goes; None where one stands and may not be replaced.

    Raises:
        FileExistsError: something stands at --out and may not be replaced.
    """
    own = place.with_suffix(".html") if place.is_file() else place / REPORT
    target = Path(order.out) if order.out else own
    if target.exists() and not order.force:
        if order.out:
            raise FileExistsError(f"{target} exists: choose another --out, or --force")
        return None
    return target


def kept_in(files: dict[str, dict[str, Any]], place: Path) -> Kept:
    """What the files hold, ready to be shown."""
    comparison, evaluation = files.get("comparison"), files.get("evaluation")
    return Kept(
        run=files["run"],
        metrics=metrics_in(place) if place.is_dir() else [],
        comparison=comparison_of(comparison) if comparison else None,
        evaluation=Evaluation.from_dict(evaluation) if evaluation else None,
        strategies=files.get("strategies") or {},
    )


def without_hits(content: dict[str, Any]) -> dict[str, Any]:
    """The figures without the bits beneath them."""
    return {name: value for name, value in content.items() if name != "hits"}


def series_of(
    order: Recall, read: Reader, files: dict[str, dict[str, Any]]
) -> dict[str, SeriesSet]:
    """The series that were named, if they are those that the files are about.

    Raises:
        ValueError: they are others.
    """
    known = files.get("evaluation") or {"train": files["run"].get("data", {})}
    found = {}
    for name, source in (("train", order.train), ("test", order.test)):
        if source is None:
            continue
        found[name] = read(source)
        wanted = known.get(name, {}).get("fingerprint")
        if wanted != found[name].fingerprint():
            raise ValueError(
                f"--{name} {source} holds other series than {order.where} is about: name the data "
                f"it was made with ({known.get(name, {}).get('source', 'not recorded')})"
            )
    return found


def drawn(kept: Kept, series: dict[str, SeriesSet], place: Path) -> Any:
    """The content of the page, with what can be drawn of the series at hand."""
    shown = series.get("test", series.get("train"))
    both = (series["train"], series["test"]) if len(series) == 2 else None
    there = (place / MODEL).is_dir()
    notes = [BARE] if shown is None else [] if there else [NO_MODEL]
    vectors: np.ndarray | None = load(place).embed(shown) if there and shown is not None else None
    return content_of(kept, shown, vectors, both, notes)


def lines_of(kept: Kept, race: dict[str, Any] | None) -> list[Any]:
    """All figures for people."""
    settings = [(name, value, reason) for name, value, reason in settings_of_run(kept.run)]
    made = kept.run.get("seconds")
    parts: list[tuple[Any, Callable[[Any], Any]]] = [
        (race, lambda it: [finishes_table(it["finishes"]), it["verdict"]]),
        (kept.metrics, lambda it: [metrics_table(it)]),
        (kept.comparison, comparison_tables),
        (kept.strategies, lambda it: [strategies_table(it)]),
        (kept.evaluation, evaluation_tables),
    ]
    lines = [line for content, told in parts if content for line in told(content)]
    took = f", {made:g} s of learning" if made is not None else ", the model was there before"
    head = f"selftime {kept.run['command']}, seed {kept.run['seed']}{took}"
    return [head, table_of(("setting", "value", "reason"), settings), *lines]
