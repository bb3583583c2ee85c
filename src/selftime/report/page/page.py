"""The report of a run: one page that loads nothing from elsewhere, its verdict first."""

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from selftime.data.files import place_of, write_file
from selftime.data.series import SeriesSet
from selftime.report.page.charts import short_number
from selftime.report.page.content import Content as Content
from selftime.report.page.evaluation import evaluation_parts
from selftime.report.page.gallery import MAX_GALLERY_CHANNELS, gallery
from selftime.report.page.hiding import hidden_parts
from selftime.report.page.pointmap import MAP_HEIGHT, MAP_WIDTH, point_map
from selftime.report.page.progress import (
    loss_charts,
    metric_names,
    metric_trace,
    monitor_charts,
    pace_charts,
    state_of,
    values_table,
)
from selftime.report.page.results import results, strategy_table
from selftime.report.pictures.palette import CLASSES, FAINT, INK, MUTED, SOFT, STRONG
from selftime.report.pictures.signals import plural
from selftime.tasks.comparison.compare import UNTRAINED, Comparison, labels_in_words
from selftime.tasks.comparison.gain import Gain

TEMPLATES = Environment(
    loader=PackageLoader("selftime.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Everything that comes from outside is escaped."""


def page(content: Content) -> str:
    """Write the whole report as HTML; the same content gives the same text."""
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
        by_steps=_takes_steps(content.run),
        warnings=content.warnings,
        hiding=content.guesses and hidden_parts(content.guesses),
        **pictures_of_series(content),
        results=content.comparison and results(content.comparison),
        strategies=strategy_table(content.strategies) if content.strategies else None,
        judged=content.evaluation and evaluation_parts(content.evaluation, content.judged_on),
        left_out=content.left_out,
        colours=colours(),
        style=Markup(style),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def pictures_of_series(content: Content) -> dict[str, Any]:
    """Draw the map and the gallery of views, if there are series and vectors for them."""
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
    target = place_of(path)
    if target.suffix.lower() != ".html":
        raise ValueError(f"{target}: wanted a report ending in .html")
    return write_file(target, page(content).encode("utf8", "replace"))  # paths may hold any bytes


def template_text(name: str) -> str:
    """Return a file from the folder of templates."""
    loader = PackageLoader("selftime.report")
    return loader.get_source(TEMPLATES, name)[0].strip()


def _page_title(run: Mapping[str, Any]) -> str:
    source = str(run["data"].get("source", "")).rstrip("/\\")
    last = source.replace("\\", "/").split("/")[-1]
    return last or "series without a name"


def facts(content: Content) -> list[tuple[str, str]]:
    """Return the figures at the top: sizes of the data, time and embedding size."""
    data = sizes_of(content.series) | dict(content.run["data"])
    low, high = data.get("shortest"), data.get("longest")
    steps = _format_value(low) if low == high else f"{_format_value(low)} to {_format_value(high)}"
    word = content.series.kind.step if content.series else "step"
    known = [
        ("series learned from", data.get("series")),
        ("channels", data.get("channels")),
        (f"{plural(word)} each", steps if low is not None else None),
        ("seconds to learn", seconds_of(content.run) or None),
        ("embedding size", None if content.vectors is None else content.vectors.shape[1]),
    ]
    return [(name, _format_value(value)) for name, value in known if value is not None]


def seconds_of(run: Mapping[str, Any]) -> str:
    """Return the seconds that learning took; empty where that is not known."""
    return short_number(float(run["seconds"])) if run.get("seconds") is not None else ""


def sizes_of(series: SeriesSet | None) -> dict[str, int]:
    """Count series, channels and timepoints."""
    if series is None:
        return {}
    ends = {"shortest": int(series.lengths.min()), "longest": int(series.lengths.max())}
    return {"series": len(series), "channels": series.n_channels} | ends


def data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of the data, with units."""
    units = {"shortest": " steps", "longest": " steps"}
    rows = [(name, _format_value(value) + units.get(name, "")) for name, value in data.items()]
    missing = f"{100 * data.get('missing', 0):.3g} % of the values"
    return [(name, missing if name == "missing" else text) for name, text in rows]


def settings_of_run(run: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return every setting with its value and the reason for it."""
    return [
        (name, _format_value(setting["value"]), str(setting["reason"]))
        for name, setting in run["settings"].items()
    ]


def _takes_steps(run: Mapping[str, Any]) -> bool:
    """Return whether the model learned by gradient, also where its steps are kept elsewhere."""
    return "rate" in run["settings"]


def _training_charts(content: Content) -> dict[str, Any]:
    """Draw the charts of learning by gradient; none when it took one pass."""
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
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def colours() -> str:
    """Write the palette as variables of the style sheet."""
    named = {"strong": STRONG, "ink": INK, "soft": SOFT, "faint": FAINT}
    muted = {f"m{k}": colour for k, colour in enumerate(MUTED)}
    classes = {f"c{k}": colour for k, colour in enumerate(CLASSES)}
    return "".join(f"--{name}:{colour};" for name, colour in (named | muted | classes).items())


UNMEASURED = "Whether it helps was not measured in this run; “selftime compare” measures it."


class Verdict(NamedTuple):
    """The first sentence of a report."""

    sentence: str  # the result
    note: str  # the figures behind it, or the next step


def verdict_of(content: Content) -> Verdict:
    """Return the result of the comparison if there is one, else of training."""
    if content.comparison is not None and UNTRAINED in content.comparison.names:
        leaks = content.comparison.leaks
        note = " ".join([_accuracies(content.comparison), *(leaks.sentences() if leaks else [])])
        return Verdict(comparison_sentence(content.comparison), note)
    return Verdict(_training_sentence(content), UNMEASURED)


def comparison_sentence(comparison: Comparison) -> str:
    """Say at which numbers of labels self-supervision helped, and at which it cost."""
    gains = {labels_in_words(b): comparison.gain(UNTRAINED, b) for b in comparison.labels_per_class}
    up = {name: gain for name, gain in gains.items() if gain.low > 0}
    down = {name: gain for name, gain in gains.items() if gain.high < 0}
    if not up and not down:
        return "Self-supervision made no clear difference at any number of labels."
    if not up:
        return f"Self-supervision did not help: it cost {_gains_in_words(down)}."
    if len(up) == len(gains):
        every = "every number of labels" if len(gains) > 1 else "the one number of labels tried"
        return f"Self-supervision helped at {every}: by {_gains_in_words(up)}."
    rest = (
        f"; it cost {_gains_in_words(down)}" if down else "; elsewhere it made no clear difference"
    )
    share = f"{len(up)} of {len(gains)} numbers of labels"
    return f"Self-supervision helped at {share}, by {_gains_in_words(up)}{rest}."


def _gains_in_words(gains: Mapping[str, Gain]) -> str:
    words = [
        f"{abs(gain.points):.1f}\u00a0±\u00a0{gain.margin:.1f}\u00a0points with {name}"
        for name, gain in gains.items()
    ]
    return words[0] if len(words) == 1 else f"{words[0]} and {words[-1]}"


def _accuracies(comparison: Comparison) -> str:
    own = comparison.names[0]
    right = [
        f"{100 * comparison.accuracy(own, b):.1f} % with {labels_in_words(b)}"
        for b in comparison.labels_per_class
    ]
    cases = comparison.hits[own][comparison.labels_per_class[0]].shape[1]
    return f"Of {cases:,} test series the model gets right {_word_list(right)}."


def _training_sentence(content: Content) -> str:
    run = content.run
    count = run["data"].get("series", len(content.series) if content.series else 0)
    learned = f"Learned from {count:,} series without labels"
    if not content.metrics:
        took = f" {short_number(run['seconds'])} seconds" if run.get("seconds") is not None else ""
        if _takes_steps(run):
            return f"{learned}, by gradient{' in' * bool(took)}{took}."
        return f"{learned} in one pass{' of' * bool(took)}{took}."
    if content.warnings:
        first = content.warnings[0]
        return f"{learned}, with a warning at step {first['step']}: {first['message']}"
    off = _unhealthy_monitors(content)
    ended = f"; outside its healthy range at the end: {_word_list(off)}" if off else ""
    steps = short_number(float(content.metrics[-1]["step"]))
    return f"{learned} in {steps} steps and {short_number(run['seconds'])} seconds{ended}."


def _unhealthy_monitors(content: Content) -> list[str]:
    """Return the monitors whose last value lies outside their healthy range."""
    out = []
    for name in metric_names(content.metrics, "monitors"):
        low, high, _ = content.monitor_ranges.get(name, (float("-inf"), float("inf"), ""))
        if state_of(metric_trace(content.metrics, "monitors", name).end, low, high) != "healthy":
            out.append(name)
    return out


def _word_list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
