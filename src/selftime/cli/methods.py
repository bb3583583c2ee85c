"""``selftime methods``: what can be chosen by name."""

from selftime.cli import options, terminal
from selftime.cli.app import app


@app.command()
def methods(as_json: options.JsonOption = False) -> None:
    """List the objectives and encoders that can be chosen by name.

    Example: selftime methods --json
    """
    import selftime as st
    from selftime.report.methods import benchmark_results
    from selftime.report.tables import methods_table

    known = st.methods()
    tables = [methods_table(known, kind) for kind in ("objective", "encoder")]
    about = benchmark_results()["about"].get("objective", "")
    terminal.show([method.to_dict() for method in known], *tables, about, as_json=as_json)
