"""Training by gradient, step by step: loss, its terms, and monitors with healthy ranges."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.report.page.charts import (
    Axis,
    Chart,
    Mark,
    axis_over,
    line_through,
    short_number,
    tooltips_of,
)
from selftime.report.page.content import Content

_LogRecord = Mapping[str, Any]

MOST_TERMS = 5
"""Terms of the loss that one chart shows."""
MOST_ROWS = 60
"""Logged steps in the table of values, evenly chosen."""


class MetricTrace(NamedTuple):
    """A quantity at the steps at which it was measured."""

    steps: Float[np.ndarray, "S"]  # (S,) ascending as logged
    values: Float[np.ndarray, "S"]  # (S,), NaN where it was not a finite number

    @property
    def end(self) -> float:
        """The last value; NaN if it was not finite, or if there is none."""
        return float(self.values[-1]) if len(self.values) else float("nan")


def metric_trace(metrics: Sequence[_LogRecord], *keys: str) -> MetricTrace:
    """Return the values under these keys, such as ("monitors", "spread"), where they are."""
    pairs = [
        (float(record["step"]), _finite(found))
        for record in metrics
        if (found := value_at(record, *keys)) is not None
    ]
    steps, values = np.array(pairs, np.float64).reshape(-1, 2).T
    return MetricTrace(steps, values)


def value_at(record: _LogRecord, *keys: str) -> Any:
    """Return the value under these keys of a record; None where there is none."""
    found: Any = record
    for key in keys:
        found = (found or {}).get(key)
    return found


def _finite(value: Any) -> float:
    return float(value) if np.isfinite(value) else float("nan")


def metric_names(metrics: Sequence[_LogRecord], group: str) -> list[str]:
    """Return the names of parts or monitors in a log, in the order in which they first come."""
    return list(dict.fromkeys(name for record in metrics for name in record.get(group) or ()))


def loss_charts(content: Content) -> list[Chart]:
    """Draw the loss with the first warning, and its terms where there are several."""
    marks = {w["step"]: w["message"] for w in content.warnings[:1]}
    charts = [_single("loss", metric_trace(content.metrics, "loss"), content, marks)]
    terms = metric_names(content.metrics, "parts")[:MOST_TERMS]
    return charts + ([_terms_chart(content, terms)] if len(terms) > 1 else [])


def monitor_charts(content: Content) -> list[Chart]:
    """Draw every monitor over its healthy range."""
    return [
        _single(
            name,
            metric_trace(content.metrics, "monitors", name),
            content,
            {w["step"]: w["message"] for w in content.warnings if w["monitor"] == name},
        )
        for name in metric_names(content.metrics, "monitors")
    ]


def pace_charts(content: Content) -> list[Chart]:
    """Draw learning rate and gradient norm."""
    kinds = {"learning rate": "rate", "gradient norm": "gradient_norm"}
    tracks = {name: metric_trace(content.metrics, key) for name, key in kinds.items()}
    return [_single(name, it, content, {}) for name, it in tracks.items() if len(it.values)]


def state_of(value: float, low: float, high: float) -> str:
    """Say whether a value is healthy, or on which side of the healthy range it lies."""
    if not np.isfinite(value):
        return "not a number"
    if value < low:
        return f"below {short_number(low)}"
    return f"above {short_number(high)}" if value > high else "healthy"


def steps_axis(content: Content) -> Axis:
    """Make the axis of all charts: the steps of the whole run."""
    steps = [float(record["step"]) for record in content.metrics]
    return Axis(min(steps), max(steps) if max(steps) > min(steps) else min(steps) + 1)


def _single(name: str, found: MetricTrace, content: Content, warned: Mapping[int, str]) -> Chart:
    across = steps_axis(content)
    low, high, about = content.monitor_ranges.get(name, (-np.inf, np.inf, ""))
    ranged = name in content.monitor_ranges
    up = axis_over(found.values, beside=[low, high], steep=not ranged)
    x, y = across.shares(found.steps), up.shares(found.values)
    texts = [
        f"step {short_number(step)}: {short_number(value)}"
        for step, value in zip(found.steps.tolist(), found.values.tolist(), strict=True)
    ]
    return Chart(
        title=name,
        alt=_chart_in_words(name, found, warned),
        about=about,
        across=across.ticks(),
        up=up.ticks(),
        lines=[line_through(name, "strong", x, y)],
        band=_band(up, low, high) if ranged else None,
        state=state_of(found.end, low, high) if ranged else "",
        last=short_number(found.end) if np.isfinite(found.end) else "not a number",
        marks=_marks(across, warned),
        readings=tooltips_of(x, y, texts),
    )


def _terms_chart(content: Content, terms: Sequence[str]) -> Chart:
    tracks = [metric_trace(content.metrics, "parts", name) for name in terms]
    across = steps_axis(content)
    up = axis_over(np.concatenate([it.values for it in tracks]), steep=True)
    traces = dict(zip(terms, tracks, strict=True))
    return Chart(
        title="terms of the loss",
        alt="; ".join(_chart_in_words(name, it, {}) for name, it in traces.items()),
        across=across.ticks(),
        up=up.ticks(),
        lines=[
            line_through(name, f"c{k}", across.shares(it.steps), up.shares(it.values))
            for k, (name, it) in enumerate(traces.items())
        ],
    )


def _band(up: Axis, low: float, high: float) -> tuple[float, float]:
    """Return the lower end and the height of the healthy range in percent of the chart."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.array([max(low, up.low), min(high, up.high)])
        start, end = 100 * up.shares(ends)
    return round(float(start), 2), round(float(max(end - start, 0)), 2)


def _marks(across: Axis, warned: Mapping[int, str]) -> tuple[Mark, ...]:
    places = across.shares(np.array(list(warned), np.float64))
    return tuple(
        Mark(round(100 * float(at), 2), f"step {step}: {text}")
        for at, (step, text) in zip(places, warned.items(), strict=True)
        if 0 <= at <= 1
    )


def _chart_in_words(name: str, found: MetricTrace, warned: Mapping[int, str]) -> str:
    finite = found.values[np.isfinite(found.values)]
    if not len(finite):
        return f"{name}: no finite value"
    ends = f"from {short_number(finite[0])} to {short_number(finite[-1])}"
    text = f"{name}: {ends} over {len(finite)} readings"
    return text + (f", with a warning at step {', '.join(map(str, warned))}" if warned else "")


def values_table(content: Content) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the figures, at steps with monitors if there are any."""
    monitors = metric_names(content.metrics, "monitors")
    read = [record for record in content.metrics if record.get("monitors")] or content.metrics
    selected = np.unique(np.linspace(0, len(read) - 1, min(MOST_ROWS, len(read))).astype(int))
    rows = [
        [read[i].get(name) for name in ("step", "seconds", "loss")]
        + [value_at(read[i], "monitors", name) for name in monitors]
        for i in selected
    ]
    texts = [["" if cell is None else short_number(_finite(cell)) for cell in row] for row in rows]
    return ["step", "seconds", "loss", *monitors], texts
