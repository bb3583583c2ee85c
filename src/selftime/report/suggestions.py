"""Suggested series as a table for a terminal, and as the columns of a list to fill in."""

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from selftime.tasks.suggest import Suggestions


def suggestions_table(found: Suggestions) -> Table:
    """One row a series, the most useful first."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("series", style="bold")
    table.add_column("why")
    for k, (name, reason) in enumerate(zip(found.ids, found.reasons, strict=True), start=1):
        table.add_row(str(k), str(name), reason)
    return table


def columns_of(found: Suggestions) -> dict[str, np.ndarray]:
    """Names, an empty column for labels, and reasons."""
    return {
        "id": found.ids.astype(str),
        "label": np.full(len(found), ""),
        "row": found.rows,
        "stands_for": found.stands_for,
        "reason": np.array(found.reasons),
    }
