"""``selftime inspect``: what is in a data set. It does not wait for torch."""

from selftime.cli import terminal
from selftime.data.series import SeriesSet
from selftime.report.inspection import inspected, inspection_table


def inspect(series: SeriesSet, *, as_json: bool) -> None:
    """Print what is in a data set, and what is worth a look."""
    found = inspected(series)
    terminal.show(found.to_dict(), inspection_table(found), as_json=as_json)
