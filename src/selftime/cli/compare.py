"""``selftime compare``: what a model is worth beside the reference rows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

if TYPE_CHECKING:
    from selftime import Model


@app.command()
@options.with_tables
def compare(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    train: Annotated[str, typer.Option("--train", help="Labelled series to draw labels from.")],
    test: Annotated[
        str | None,
        typer.Option("--test", help="Labelled series to be judged on; else a third of --train."),
    ] = None,
    model: Annotated[
        list[str],
        typer.Option("--model", help="Model or run folder, or several; else learned on train."),
    ] = [],  # noqa: B006
    labels_per_class: Annotated[
        str, typer.Option(help="Labels per class, shares such as 10%, and all.")
    ] = "1,2,5,all",
    draws: Annotated[int, typer.Option("--draws", min=1, help="How often labels are drawn.")] = 5,
    strategies: Annotated[
        str,
        typer.Option("--strategies", help="Further rows: partial,full,staged,adapter,auto."),
    ] = "",
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Folder for pictures and figures.")
    ] = None,
    seed: options.SeedOption = 0,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Set a model beside the untrained encoder, raw values and MiniRocket at few labels.

    Says so when self-supervision did not help. --strategies adds rows in which the model is
    fine-tuned. Without --model one is learned first, on the series of --train without their
    labels; a second --model is a row beside the first. Without --test a third of the labelled
    series is held out, whole machines or subjects where they are known.

    Example: selftime compare --train sample:JapaneseVowels:train
    --test sample:JapaneseVowels:test --labels-per-class 1,5,all --out comparison
    """
    import selftime as st
    from selftime.report.tables import comparison_table

    if out:
        files.claim_run_folder(Path(out), force=force)
    models = models_in(model)
    read = read.like(next(iter(models.values())) if isinstance(models, dict) else models)
    labelled = read(train)
    labelled, judged = (labelled, read(test)) if test else st.hold_out(labelled, seed=seed)
    found = st.compare(
        models,
        labelled,
        judged,
        labels_per_class=labels_per_class,
        draws=draws,
        strategies=options.words_in(strategies),
        seed=seed,
        progress=True,
    )
    lines: list[Any] = [comparison_table(found), *found.verdict()]
    if out:
        run = st.write_comparison(
            out, found, train=labelled, test=judged, save_model=not model, overwrite=force
        )
        lines.append(f"Report: {run.page}; pictures and figures beside it")
    terminal.show(found.to_dict(), *lines, as_json=as_json)


def models_in(folders: list[str]) -> "Model | dict[str, Model] | None":
    """Load models; several by the names of their folders, or by their paths where these repeat."""
    if len(folders) < 2:
        return options.model_in(folders[0]) if folders else None
    names = [Path(folder).name for folder in folders]
    names = folders if len(set(names)) < len(names) else names
    return {name: options.model_in(folder) for name, folder in zip(names, folders, strict=True)}
