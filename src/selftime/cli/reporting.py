"""The report of a run: what was learned from what, and what it is worth, on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selftime.data.series import SeriesSet
from selftime.engine.gauges import MONITORS
from selftime.engine.model import Model
from selftime.engine.runs import MODEL, metrics_in, write_text
from selftime.engine.training import Record
from selftime.report.content import Content
from selftime.report.judged import evaluation_section
from selftime.report.page import write_page
from selftime.report.results import results_section
from selftime.report.strategies import strategies_of
from selftime.tasks.compare import Comparison
from selftime.tasks.evaluation import Evaluation
from selftime.views.augment import VIEWS
from selftime.views.masks import RandomMask, hidden
from selftime.views.mild import Mild, View

REPORT = "report.html"
ACROSS = ("channel_dropout", "rotate")
"""Views that do nothing to a single channel; all others are in every gallery."""


class Judgement(NamedTuple):
    """A judged classifier and the series it was judged with.

    Attributes:
        found: what became of every test series.
        train: the labelled series.
        test: the judged series.
    """

    found: Evaluation
    train: SeriesSet
    test: SeriesSet


def write_report(
    folder: Path,
    model: Model,
    series: SeriesSet,
    run: dict[str, Any],
    comparison: Comparison | None = None,
    judged: Judgement | None = None,
) -> Path:
    """Write ``report.html`` from what the run folder holds, and add the results to the card.

    Args:
        folder: of the run, with its metrics if it has any.
        model: what was learned.
        series: drawn on the map and in the gallery; labels, where there are any, colour it.
        run: as in ``run.json``.
        comparison: the model beside the reference rows, if it was compared.
        judged: a classifier judged, if one was.
    """
    if (folder / MODEL).is_dir():
        add_results(folder / MODEL, comparison, judged.found if judged else None)
    ways = strategies_of(comparison) if comparison else {}
    kept = Kept(run, metrics_in(folder), comparison, judged.found if judged else None, ways)
    shown = (judged.train, judged.test) if judged else None
    return write_page(folder / REPORT, content_of(kept, series, model.embed(series), shown))


class Kept(NamedTuple):
    """What the files of a folder hold.

    Attributes:
        run: as in ``run.json``.
        metrics: as in ``metrics.jsonl``.
        comparison: of ``comparison.json``.
        evaluation: of ``evaluation.json``.
        strategies: as in ``strategies.json``.
    """

    run: dict[str, Any]
    metrics: list[Record]
    comparison: Comparison | None = None
    evaluation: Evaluation | None = None
    strategies: dict[str, Any] = {}  # noqa: RUF012 - never written into


def content_of(
    kept: Kept,
    series: SeriesSet | None,
    vectors: np.ndarray | None,
    judged_on: tuple[SeriesSet, SeriesSet] | None,
    left_out: Sequence[str] = (),
) -> Content:
    """The content of a page: what the files hold, and what is drawn of series at hand."""
    views = {"learned from": view_of(kept.run["settings"])} | shown(
        series.n_channels if series else 1
    )
    return Content(
        run=kept.run,
        series=series,
        vectors=vectors,
        metrics=kept.metrics,
        monitor_ranges={name: (g.low, g.high, g.about) for name, g in MONITORS.items()},
        warnings=warnings_in(kept.metrics),
        views=views,
        comparison=kept.comparison,
        strategies=kept.strategies,
        evaluation=kept.evaluation,
        judged_on=judged_on,
        left_out=left_out,
    )


def warnings_in(metrics: Sequence[Record]) -> list[dict[str, Any]]:
    """Step, monitor and message of every warning of a run."""
    return [
        {"step": record["step"], "monitor": warning["monitor"], "message": warning["message"]}
        for record in metrics
        for warning in record.get("warnings", ())
    ]


def shown(channels: int) -> dict[str, View]:
    """Views in the gallery, beside the one that was learned from."""
    return {name: view for name, view in VIEWS.items() if channels > 1 or name not in ACROSS}


def add_results(
    model_folder: Path, comparison: Comparison | None, found: Evaluation | None = None
) -> None:
    """Add to the card of a saved model what it is worth, as far as that was measured."""
    parts = [results_section(comparison)] if comparison else []
    if found:
        parts += ["" if comparison else "## Results\n", evaluation_section(found)]
    if parts:
        card = model_folder / "README.md"
        text = "\n".join(part for part in parts if part)
        write_text(card, card.read_text(encoding="utf8") + "\n" + text)


def view_of(settings: dict[str, Any]) -> View:
    """What a series looked like to the objective.

    Args:
        settings: of the run, as in ``run.json``.
    """
    if "strength" in settings:
        return Mild(strength=float(settings["strength"]["value"]))
    if settings["objective"]["value"] == "ts2vec":
        return lambda x, rng: hidden(x, RandomMask()(x, rng))
    return Mild()
