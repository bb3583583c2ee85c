"""``selftime inspect --views``: which views leave the series of a data set what they are."""

from pathlib import Path
from typing import Any

from selftime.cli import terminal
from selftime.data.series import SeriesSet
from selftime.report.invariance import audit_picture, audit_table
from selftime.report.palette import save_picture
from selftime.tasks.invariance import inspect_views


def audited(
    series: SeriesSet, *, title: str, seed: int, out: str | None
) -> tuple[dict[str, Any], list[Any]]:
    """The audit of all views as plain values, and as lines; drawn where a picture is wanted."""
    with terminal.progress() as told:
        found = inspect_views(series, seed=seed, progress=told)
    if not out:
        return found.to_dict(), [audit_table(found)]
    save_picture(audit_picture(found, title=f"What views do to {Path(title).stem}"), out)
    return found.to_dict() | {"picture": out}, [audit_table(found), f"Picture: {out}"]
