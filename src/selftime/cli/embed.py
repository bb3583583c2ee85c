"""``selftime embed``: one vector a series."""

from typing import Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def embed(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    engine: options.EngineOption,
    model: options.ModelArgument,
    data: options.DataArgument,
    out: Annotated[
        str, typer.Option("--out", "-o", help=".npz, .npy, .csv, .parquet; folder: in parts.")
    ],
    device: Annotated[
        str, typer.Option("--device", help="Where to compute: cpu, cuda or mps.")
    ] = "cpu",
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Turn every series into a vector.

    .npz holds vectors, ids and labels; .csv and .parquet the same as columns; .npy vectors alone.
    A name without ending is a folder of parts, parquet files that are written block by block.

    Example: selftime embed run sample:JapaneseVowels:test --out vectors.npz
    """
    import selftime as st

    table = files.Output(out, engine, force, safe_cells, as_json)
    in_parts = table.is_in_parts(files.VECTOR_SUFFIXES)
    own, read = read.beside(model)
    if in_parts:
        table.write_parts(own, read, data, {"dim": own.dim})
        return
    series = read(data)
    files.check_room(out, len(series), own.dim)
    found = st.embed(own, series, device=device, progress=True)
    files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
    dim = found.vectors.shape[1]
    result = {"out": out, "series": len(series), "dim": dim}
    line = f"{len(series):,} series, embedding size {dim}: {out}"
    terminal.show(result, line, as_json=as_json, out=out)
