"""The report of a run: one page that opens anywhere, with nothing to load from elsewhere."""

import os
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from selftime.data.files import write_file
from selftime.data.series import SeriesSet
from selftime.report.page.charts import short_number
from selftime.report.page.content import Content as Content
from selftime.report.page.evaluation import evaluation_parts
from selftime.report.page.gallery import MAX_GALLERY_CHANNELS, gallery
from selftime.report.page.pointmap import MAP_HEIGHT, MAP_WIDTH, point_map
from selftime.report.page.progress import loss_charts, monitor_charts, pace_charts, values_table
from selftime.report.page.results import results, strategy_table
from selftime.report.page.verdict import verdict_of
from selftime.report.pictures.palette import CLASSES, FAINT, INK, MUTED, SOFT, STRONG

TEMPLATES = Environment(
    loader=PackageLoader("selftime.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Everything that comes from outside is escaped."""


def page(content: Content) -> str:
    """The whole report as HTML; the same content gives the same text."""
    script, style = template_text("page.js"), template_text("page.css")
    return TEMPLATES.get_template("page.html.jinja").render(
        title=_page_title(content.run),
        verdict=verdict_of(content),
        run=content.run,
        facts=facts(content),
        seconds=seconds_of(content.run),
        finished=str(content.run["finished"]).replace("T", " ").replace("+00:00", " UTC"),
        data=data_rows(content.run["data"]),
        settings=settings_of_run(content.run),
        versions=list(content.run["versions"].items()),
        learning=_training_charts(content),
        warnings=content.warnings,
        **pictures_of_series(content),
        results=results(content.comparison) if content.comparison is not None else None,
        strategies=strategy_table(content.strategies) if content.strategies else None,
        judged=evaluation_parts(content.evaluation, content.judged_on)
        if content.evaluation
        else None,
        left_out=content.left_out,
        colours=colours(),
        style=Markup(style),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def pictures_of_series(content: Content) -> dict[str, Any]:
    """The map and the gallery of views, as far as there are series and vectors for them."""
    series, vectors = content.series, content.vectors
    channels = series.n_channels if series else 0
    return {
        "map": point_map(vectors, series) if series and vectors is not None else None,
        "map_size": (MAP_WIDTH, MAP_HEIGHT),
        "exhibits": gallery(series, content.views) if series else [],
        "channels": (min(channels, MAX_GALLERY_CHANNELS), channels),
    }


def write_page(path: str | os.PathLike[str], content: Content) -> Path:
    """Write the report; it appears whole or not at all.

    Raises:
        ValueError: the name does not end in ``.html``.
    """
    target = Path(path)
    if target.suffix.lower() != ".html":
        raise ValueError(f"{target}: wanted a report ending in .html")
    return write_file(target, page(content).encode("utf8", "replace"))  # paths may hold any bytes


def template_text(name: str) -> str:
    """A file from the folder of templates as it stands."""
    loader = PackageLoader("selftime.report")
    return loader.get_source(TEMPLATES, name)[0].strip()


def _page_title(run: Mapping[str, Any]) -> str:
    """The data by the last part of their name."""
    source = str(run["data"].get("source", "")).rstrip("/\\")
    last = source.replace("\\", "/").split("/")[-1]
    return last or "series without a name"


def facts(content: Content) -> list[tuple[str, str]]:
    """The figures at the top: how much of what was learned from, and what came out."""
    data = sizes_of(content.series) | dict(content.run["data"])
    low, high = data.get("shortest"), data.get("longest")
    steps = _format_value(low) if low == high else f"{_format_value(low)} to {_format_value(high)}"
    known = [
        ("series learned from", data.get("series")),
        ("channels", data.get("channels")),
        ("steps each", steps if low is not None else None),
        ("seconds to learn", seconds_of(content.run) or None),
        ("numbers per series", None if content.vectors is None else content.vectors.shape[1]),
    ]
    return [(name, _format_value(value)) for name, value in known if value is not None]


def seconds_of(run: Mapping[str, Any]) -> str:
    """How long learning took; empty where a model was given and that is not known."""
    return short_number(float(run["seconds"])) if run.get("seconds") is not None else ""


def sizes_of(series: SeriesSet | None) -> dict[str, int]:
    """How many series, channels and steps there are, where nothing else says it."""
    if series is None:
        return {}
    ends = {"shortest": int(series.lengths.min()), "longest": int(series.lengths.max())}
    return {"series": len(series), "channels": series.n_channels} | ends


def data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of the data, with units."""
    units = {"shortest": " steps", "longest": " steps"}
    rows = [(name, _format_value(value) + units.get(name, "")) for name, value in data.items()]
    missing = f"{100 * data.get('missing', 0):.3g} % of the values"
    return [(name, missing if name == "missing" else text) for name, text in rows]


def settings_of_run(run: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every setting with its value and the reason for it."""
    return [
        (name, _format_value(setting["value"]), str(setting["reason"]))
        for name, setting in run["settings"].items()
    ]


def _training_charts(content: Content) -> dict[str, Any]:
    """The charts of learning by gradient; empty when it took one pass."""
    if not content.metrics:
        return {}
    head, rows = values_table(content)
    return {
        "steps": short_number(float(content.metrics[-1]["step"])),
        "loss": loss_charts(content),
        "monitors": monitor_charts(content),
        "pace": pace_charts(content),
        "head": head,
        "rows": rows,
    }


def _format_value(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def colours() -> str:
    """The palette as variables of the style sheet."""
    named = {"strong": STRONG, "ink": INK, "soft": SOFT, "faint": FAINT}
    muted = {f"m{k}": colour for k, colour in enumerate(MUTED)}
    classes = {f"c{k}": colour for k, colour in enumerate(CLASSES)}
    return "".join(f"--{name}:{colour};" for name, colour in (named | muted | classes).items())
