"""``selftime export``: a model or a fitted estimator as one file for other programs."""

from typing import Annotated, Literal

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

Format = Literal["onnx", "torch"]


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Folder of a model, a run, or what --save kept.")],
    out: Annotated[
        str, typer.Option("--out", "-o", help="File to write: .onnx, or .pt2 of torch.")
    ],
    to: Annotated[Format, typer.Option("--to", help="Who is to run it.")] = "onnx",
    length: Annotated[
        int | None, typer.Option("--length", min=1, help="Steps of the series it is tried on.")
    ] = None,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Write a model, classifier, regressor or segmenter as one graph, once it gives the same.

    Raw 32-bit series (N, C, T) go in, NaN where missing; vectors, probabilities or values come out.

    Example: selftime export run --to onnx --out model.onnx
    """
    import selftime as st
    from selftime.report.tables import latency_table

    files.check_file(out, files.GRAPH_SUFFIXES, force=force)
    made = st.export(model, out, to=to, length=length, overwrite=force)
    steps = "any number of" if made.length is None else f"{made.length:,}"
    line = f"{made.output} of series of {steps} steps, within {made.error:.0e} of selftime: {out}"
    terminal.show(made.to_dict(), latency_table(made), line, as_json=as_json)
