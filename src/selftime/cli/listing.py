"""``selftime methods``: what can be chosen by name."""

from selftime.cli import terminal
from selftime.report import methods as known
from selftime.report.tables import methods_table


def methods(*, as_json: bool) -> None:
    """Print objectives and encoders, each with its line and its papers."""
    found = known.methods()
    terminal.show([m._asdict() for m in found], methods_table(found), as_json=as_json)
