"""``selftime advise``: which strategy suits so many labels, before anything is trained."""

from typing import Any

import numpy as np

from selftime.cli import terminal
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import load
from selftime.tasks.transfer.choosing import FEW, MANY, Advice
from selftime.tasks.transfer.choosing import advise as advice_for
from selftime.tasks.transfer.strategies import STRATEGIES


def advise(series: SeriesSet, model: str | None, *, as_json: bool) -> None:
    """Print the advice."""
    if series.labels is None:
        raise SeriesError("got series without labels, wanted one each: name their --label")
    advice = advice_for(len(series), load(model) if model else None)
    result, lines = told_of(advice, series)
    terminal.show(result, *lines, as_json=as_json)


def told_of(advice: Advice, series: SeriesSet) -> tuple[dict[str, Any], list[str]]:
    """The advice as plain values, and as lines."""
    names, counts = np.unique(np.asarray(series.labels).astype(str), return_counts=True)
    fewest = f"{counts.min()} ({names[counts.argmin()]})"
    result = {
        "labels": advice.labels,
        "classes": len(names),
        "fewest of a class": int(counts.min()),
        "strategy": advice.strategy,
        "race": list(advice.contenders) if len(advice.contenders) > 1 else [],
        "why": advice.why,
    }
    lines = [
        f"{advice.labels:,} labelled series of {len(names)} classes, the fewest of one: {fewest}.",
        f"Use '{advice.strategy}': {STRATEGIES[advice.strategy]}.",
        f"Why: {advice.why}.",
        f"Rule of thumb: below {FEW:,} labels probe, to {MANY:,} partial, above full.",
    ]
    return result, lines
