"""``selftime embed``: one vector a series."""

from typing import Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def embed(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    model: options.ModelArgument,
    data: options.DataArgument,
    out: Annotated[
        str, typer.Option("--out", "-o", help="File to write: .npz, .npy, .csv or .parquet.")
    ],
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Turn every series into a vector.

    .npz holds vectors, ids and labels; .csv and .parquet the same as columns; .npy vectors alone.

    Example: selftime embed run sample:JapaneseVowels:test --out vectors.npz
    """
    files.check_file(out, files.VECTOR_SUFFIXES, force=force)
    series = read(data)
    vectors = options.model_in(model).embed(series, progress=True)
    columns = {**series.keys(), "vectors": vectors}
    if series.labels is not None:
        columns["label"] = series.labels
    files.write_out(out, columns, force=force)
    result = {"out": out, "series": len(series), "dim": vectors.shape[1]}
    line = f"{len(series):,} series, embedding size {vectors.shape[1]}: {out}"
    terminal.show(result, line, as_json=as_json, out=out)
