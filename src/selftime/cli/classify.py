"""``selftime classify``: classes and probabilities from a few labelled series."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

if TYPE_CHECKING:
    from selftime import Evaluation, SeriesSet

StrategyOption = Annotated[
    str,
    typer.Option("--strategy", help="auto, probe, partial, full, staged, adapter or scratch."),
]
HeadOption = Annotated[
    str,
    typer.Option(
        "--head",
        help="linear, mlp, deep_mlp, normed_linear, attention; see docs/labels.md for more.",
    ),
]


@app.command()
@options.with_tables
def classify(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    engine: options.EngineOption,
    model: options.ModelArgument,
    train: Annotated[str, typer.Option("--train", help="Labelled series to learn classes from.")],
    test: Annotated[
        str | None,
        typer.Option("--test", help="Series to classify; else those of --train without a label."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help=".csv, .parquet; folder: in parts.")
    ] = None,
    save: options.SaveOption = None,
    strategy: StrategyOption = "auto",
    head: HeadOption = "linear",
    seed: options.SeedOption = 0,
    safe_cells: options.SafeCellsOption = True,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Classify series with a few labelled ones: class, runner-up and all probabilities of each.

    The model stays as it is (--strategy probe), is fine-tuned (partial, full, staged, adapter) or
    forgotten (scratch); auto chooses by the number of labels and says why. Where the test series
    carry labels, these are not used but for the accuracy that is printed. Without --test the
    series of --train that have no label are classified. --save keeps the classifier for: selftime
    predict.

    Example: selftime classify run --train sample:JapaneseVowels:train
    --test sample:JapaneseVowels:test --out predictions.csv
    """
    import selftime as st

    table = files.Output(str(out), engine, force, safe_cells, as_json)
    beside, in_parts = check_outputs(test, table if out else None, save, force=force)
    given, read = read.beside(model)
    labelled = read(train)
    asked = None if in_parts or not out else series_to_classify(read, test, labelled, train)
    count = count_labels(labelled, train)
    files.check_room(out or files.STDOUT, len(asked or ()), 16, save=save)
    classifier = st.Classifier(given, strategy=strategy, head=head, random_state=seed)
    classifier.set_params(progress=True).fit(labelled)
    result: dict[str, Any] = {"strategy": classifier.strategy_, "why": classifier.why_}
    lines = [f"Strategy {classifier.strategy_}: {classifier.why_}."]
    named = f"Classifier of {count:,} labelled series"
    saved, where = files.save_fitted(classifier, save, named, force=force)
    result, lines = result | saved, [*lines, *where]
    if in_parts:
        table.write_parts(classifier, read, str(test), result | {"labelled": count}, *lines)
        return
    if asked is None or out is None:
        terminal.show(result | {"labelled": count}, *lines, as_json=as_json)
        return
    judged, predictions = int(asked.labelled.sum()), classifier.predictions(asked)
    files.write_out(out, predictions.to_columns(), force=force, safe_cells=safe_cells)
    result |= {"out": out, "labelled": count, "series": len(asked)}
    result["classes"] = counts_of(predictions.predicted)
    lines.append(f"{len(asked):,} series classified with {count:,} labelled ones.")
    if judged:
        own, P = classifier.model_, predictions.probabilities
        found = st.evaluate(own, classifier, labelled, asked, probabilities=P)
        leaks = st.find_leaks(given, *(part[part.labelled] for part in (labelled, asked)))
        result |= {"accuracy": found.accuracy, "judged": judged, "leaks": leaks.to_dict()}
        lines += [accuracy_line(found, judged, len(asked)), *leaks.sentences()]
        lines += keep_figures(found, beside, result, force=force)
    terminal.show(result, *lines, f"Predictions: {out}", as_json=as_json, out=out)


def count_labels(series: "SeriesSet", source: str) -> int:
    """Count the labelled series.

    Raises:
        ValueError: there is none.
    """
    if not series.labelled.any():
        raise ValueError(f"{source} has no labels, wanted some: name their --label or --labels")
    return int(series.labelled.sum())


def check_outputs(
    test: str | None, table: files.Output | None, save: str | None, *, force: bool
) -> tuple[Path | None, bool]:
    """Before any work: outputs can be written.

    Returns:
        The file of figures beside a table, and whether the table is made block by block.

    Raises:
        ValueError: nothing to do, --test without --out, or blocks of nothing.
        OSError: something in the way, or a folder that cannot be written.
    """
    if (test and not table) or not (table or save):
        raise ValueError("wanted --out for the predictions, --save for the classifier, or both")
    if save:
        files.check_saved(save, force=force)
    if table is None:
        return None, False
    in_parts = table.is_in_parts(files.TABLE_SUFFIXES)
    if in_parts and not test:
        raise ValueError("got a table that is made in blocks, wanted what to classify: --test")
    if in_parts or table.out == files.STDOUT:
        return None, in_parts
    beside = Path(table.out).with_name(f"{Path(table.out).stem}.evaluation.json")
    files.check_file(beside, (".json",), force=force)
    return beside, False


def keep_figures(
    found: "Evaluation", beside: Path | None, result: dict[str, Any], *, force: bool
) -> list[str]:
    """Write every figure beside the table, if it is a file, and say so."""
    if beside is None:
        return []
    result["evaluation"] = str(found.save(beside, overwrite=force))
    return [f"Every figure: selftime report {beside}"]


def accuracy_line(found: "Evaluation", judged: int, series: int) -> str:
    """Say how many of the labelled ones among so many series are right."""
    right = f"{found.right.sum():,} of {judged:,}{'' if judged == series else ' labelled'}"
    return f"{100 * found.accuracy:.1f} % right ({right})."


def series_to_classify(
    read: options.Reader, test: str | None, labelled: "SeriesSet", source: str
) -> "SeriesSet":
    """Read the test series, or return those without a label."""
    return read(test, lenient=True) if test else rest_of(labelled, source)


def rest_of(series: "SeriesSet", source: str) -> "SeriesSet":
    """Return the series without a label.

    Raises:
        ValueError: all have one.
    """
    if series.labelled.all():
        raise ValueError(f"every series of {source} has a label: name those to classify, --test")
    return series[~series.labelled]


def counts_of(predicted: Iterable[Any]) -> dict[str, int]:
    """Count the series predicted in each class."""
    return dict(sorted(Counter(map(str, predicted)).items()))
