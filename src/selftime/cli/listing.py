"""``selftime methods``: what can be chosen by name."""

from selftime.cli import terminal
from selftime.report import methods as known
from selftime.report.measured import published
from selftime.report.tables import methods_table


def methods(*, as_json: bool) -> None:
    """Print objectives and encoders: when to take them, papers, cost and measured rank."""
    found = known.methods()
    tables = [methods_table(found, kind) for kind in ("objective", "encoder")]
    about = published()["about"].get("objective", "")
    terminal.show([m.to_dict() for m in found], *tables, about, as_json=as_json)
