"""The report of a run: what was learned from what, and what it is worth, on one page."""

from pathlib import Path
from typing import Any

from selftime.data.series import SeriesSet
from selftime.engine.gauges import GAUGES
from selftime.engine.model import Model
from selftime.engine.runs import MODEL, metrics_in, write_text
from selftime.report.content import Content
from selftime.report.page import write_page
from selftime.report.results import results_section
from selftime.tasks.compare import Comparison
from selftime.views.augment import VIEWS
from selftime.views.masks import RandomMask, hidden
from selftime.views.mild import Mild, View

REPORT = "report.html"
ACROSS = ("channel_dropout", "rotate")
"""Views that do nothing to a single channel; all others are in every gallery."""


def write_report(
    folder: Path,
    model: Model,
    series: SeriesSet,
    run: dict[str, Any],
    comparison: Comparison | None = None,
) -> Path:
    """Write ``report.html`` from what the run folder holds, and add the results to the card.

    Args:
        folder: of the run, with its metrics if it has any.
        model: what was learned.
        series: drawn on the map and in the gallery; labels, where there are any, colour it.
        run: as in ``run.json``.
        comparison: the model beside the reference rows, if it was compared.
    """
    if comparison and (folder / MODEL).is_dir():
        add_results(folder / MODEL, comparison)
    metrics = metrics_in(folder)
    content = Content(
        run=run,
        series=series,
        vectors=model.embed(series),
        metrics=metrics,
        gauge_ranges={name: (g.low, g.high, g.about) for name, g in GAUGES.items()},
        warnings=[
            {"step": record["step"], "gauge": warning["gauge"], "message": warning["message"]}
            for record in metrics
            for warning in record.get("warnings", ())
        ],
        views={"learned from": view_of(run["settings"])} | shown(series.n_channels),
        comparison=comparison,
    )
    return write_page(folder / REPORT, content)


def shown(channels: int) -> dict[str, View]:
    """Views in the gallery, beside the one that was learned from."""
    return {name: view for name, view in VIEWS.items() if channels > 1 or name not in ACROSS}


def add_results(model_folder: Path, comparison: Comparison) -> None:
    """Add to the card of a saved model what it is worth."""
    card = model_folder / "README.md"
    write_text(card, card.read_text(encoding="utf8") + "\n" + results_section(comparison))


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
