"""``selftime race``: several methods learn from the same series, the best model is kept."""

from pathlib import Path
from typing import Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def race(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    engine: options.EngineOption,
    data: options.DataArgument,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder; a stopped race goes on in it.")],
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.01, help="For all contenders together.")
    ] = 20.0,
    objectives: Annotated[
        str | None,
        typer.Option("--objectives", help="Names or sums, with commas: 'simclr,simclr+mae'."),
    ] = None,
    encoder: options.EncoderOption = "auto",
    seed: options.SeedOption = 0,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Let several methods learn from the same series within a budget, and keep the best model.

    Contenders are ranked by a probe on labels, where there are any (learning never sees them),
    else by how well a series is found again in another view of it.

    Example: selftime race sample:JapaneseVowels:train --minutes 2 --out race
    """
    import selftime as st
    from selftime.report.folder import add_page
    from selftime.report.tables import finishes_table

    files.claim_run_folder(Path(out), force=force, again="race")
    series = read(data)
    made = st.race(
        series,
        minutes=minutes,
        objectives=None if objectives is None else options.words_in(objectives),
        encoder=encoder,
        run=st.Run(folder=Path(out), overwrite=force, complete=add_page(series)),
        seed=seed,
        engine=engine,
        progress=True,
    )
    page = st.read_run(out).page
    model, contenders = page.with_name("model"), page.with_name("contenders")
    result = made.to_dict() | {"out": out, "model": str(model)}
    where = [f"Model: {model}", f"Report: {page}", f"All contenders: {contenders}"]
    terminal.show(result, finishes_table(result["finishes"]), made.verdict, *where, as_json=as_json)
