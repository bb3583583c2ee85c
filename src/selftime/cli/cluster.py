"""``selftime cluster``: series that look alike, in clusters with a medoid each."""

from typing import Annotated, Any, Literal

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def cluster(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    data: options.DataArgument,
    model: Annotated[str, typer.Option("--model", help="Model or run folder.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Clusters to write: .csv or .parquet.")],
    k: options.NumberOption = None,
    method: Annotated[
        Literal["kmeans", "hdbscan"], typer.Option("--method", help="Dense places with hdbscan.")
    ] = "kmeans",
    names: options.NamesOption = None,
    picture: options.PictureOption = None,
    seed: options.SeedOption = 0,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Put series that a model sees alike into clusters.

    The file holds id, cluster, distance from its middle, whether it is the medoid, and how sure
    it is. A second call with --names gives the clusters of the first their names.

    Example: selftime cluster machines.csv --model run --out clusters.csv --picture clusters.png
    """
    import selftime as st
    from selftime.report.pictures.clusters import clusters_picture, clusters_table
    from selftime.report.pictures.palette import save_picture

    files.check_whole(out, picture, force=force)
    own, read = read.beside(model)
    found = st.cluster(own, read(data), k, method=method, names=names, seed=seed)
    files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
    if picture:
        save_picture(clusters_picture(found), picture)
    result: dict[str, Any] = {"out": out, "picture": picture} | found.to_dict()
    terminal.show(result, clusters_table(found), found.why, as_json=as_json, out=out)
