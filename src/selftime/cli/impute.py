"""``selftime impute``: missing values filled in, with intervals."""

from typing import Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def impute(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    data: options.DataArgument,
    out: Annotated[str, typer.Option("--out", "-o", help="Series without holes: .csv, .parquet.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder whose vectors may help.")
    ] = None,
    levels: Annotated[
        str | None, typer.Option("--levels", help="Quantiles, with commas: 0.1,0.9.")
    ] = None,
    picture: options.PictureOption = None,
    save: options.SaveOption = None,
    seed: options.SeedOption = 0,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Fill missing values by what was observed before, after and beside them.

    The rows are those that came in; the column filled names the channels that were filled in.
    --save keeps the imputer for: selftime predict.

    Example: selftime impute sensors.csv --missing -9999 --out filled.csv --levels 0.1,0.9
    """
    import selftime as st
    from selftime.report.pictures.imputations import imputation_picture
    from selftime.report.pictures.palette import save_picture

    files.check_whole(out, picture, save, force=force)
    series = read(data)
    files.check_room(out, len(series.steps), series.n_channels, save=save)
    imputer = st.Imputer(
        options.model_in(model) if model else None,
        quantiles=levels_in(levels),
        random_state=seed,
        progress=True,
    )
    found = imputer.fit(series).imputation(series)
    files.write_out(out, found.to_columns(), force=force, safe_cells=safe_cells)
    count, values = int(found.missing.sum()), found.missing.size
    lines = [f"{count:,} of {values:,} values filled in: {out}", imputer.reason_]
    if picture:
        save_picture(imputation_picture(found, title=data), picture)
        lines.append(f"Picture: {picture}")
    result = {"out": out, "series": len(series), "filled": count, "values": values}
    result |= {"picture": picture, "reason": imputer.reason_}
    if save:
        result["saved"] = str(imputer.save(save, overwrite=force))
        lines.append(f"Imputer: {save}")
    terminal.show(result, *lines, as_json=as_json, out=out)


def levels_in(text: str | None) -> tuple[float, ...]:
    """Read levels of quantiles.

    Raises:
        ValueError: no numbers.
    """
    try:
        return tuple(map(float, options.words_in(text)))
    except ValueError:
        raise ValueError(f"got --levels {text}, wanted numbers such as 0.1,0.9") from None
