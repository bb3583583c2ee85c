"""``selftime inspect``: what is in a data set (without waiting for torch) and what views do."""

from pathlib import Path
from typing import Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def inspect(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    data: options.DataArgument,
    views: Annotated[
        bool, typer.Option("--views", help="Also try every view: which leave series what they are?")
    ] = False,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Picture of the views: .png, .svg or .pdf.")
    ] = None,
    seed: options.SeedOption = 0,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Show what is in a data set and what may go wrong with it.

    With --views also which augmentations leave its series what they are, and how strong they may
    be; labels, where there are any, are used to tell.

    Example: selftime inspect sample:JapaneseVowels

    Example: selftime inspect sample:PenDigits:train --views --out views.png
    """
    import selftime as st
    from selftime.report.inspection import inspection_table

    if out and not views:
        raise ValueError("got --out, which is the picture of the views: add --views")
    if out:
        files.check_file(out, files.PICTURE_SUFFIXES, force=force)
    series = read(data, silent=True)  # what was decided stands in the table
    found = st.inspect(series)
    result: dict[str, Any] = found.to_dict()
    lines: list[Any] = [inspection_table(found)]
    if views:
        from selftime.report.pictures.audit import audit_picture, audit_table
        from selftime.report.pictures.palette import save_picture

        audit = st.inspect_views(series, seed=seed, progress=True)
        result["views"] = audit.to_dict()
        lines += ["", audit_table(audit)]
        if out:
            title = f"What views do to {Path(data.split('?')[0]).stem}"
            save_picture(audit_picture(audit, title=title), out)
            result["views"]["picture"] = out
            lines.append(f"Picture: {out}")
    terminal.show(result, *lines, as_json=as_json)
