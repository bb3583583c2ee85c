"""``selftime classify``: classes and probabilities from a few labelled series."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

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
    model: options.ModelArgument,
    train: Annotated[str, typer.Option("--train", help="Labelled series to learn classes from.")],
    test: Annotated[str, typer.Option("--test", help="Series to classify.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Predictions: .csv or .parquet.")],
    strategy: StrategyOption = "auto",
    head: HeadOption = "linear",
    seed: options.SeedOption = 0,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Classify series with a few labelled ones: class, runner-up and all probabilities of each.

    The model stays as it is (--strategy probe), is fine-tuned (partial, full, staged, adapter) or
    forgotten (scratch); auto chooses by the number of labels and says why. Where the test series
    carry labels, these are not used but for the accuracy that is printed.

    Example: selftime classify run --train sample:JapaneseVowels:train
    --test sample:JapaneseVowels:test --out predictions.csv
    """
    import selftime as st

    beside = Path(out).with_name(f"{Path(out).stem}.evaluation.json")
    files.check_file(out, files.TABLE_SUFFIXES, force=force)
    files.check_file(beside, (".json",), force=force)
    labelled, asked, given = read(train), read(test, lenient=True), st.load(model)
    count, judged = int(labelled.labelled.sum()), int(asked.labelled.sum())
    if not count:
        raise ValueError(f"{train} has no labels, wanted some: name their --label or --labels")
    classifier = st.Classifier(given, strategy=strategy, head=head, random_state=seed)
    classifier.set_params(progress=True).fit(labelled)
    predictions = classifier.predictions(asked)
    st.write_table(out, predictions.to_columns(), overwrite=force)
    result: dict[str, Any] = {"out": out}
    result |= {"strategy": classifier.strategy_, "why": classifier.why_}
    result |= {"labelled": count, "series": len(asked), "classes": counts_of(predictions.predicted)}
    lines = [
        f"Strategy {classifier.strategy_}: {classifier.why_}.",
        f"{len(asked):,} series classified with {count:,} labelled ones.",
    ]
    if judged:
        found = st.evaluate(
            classifier.model_,
            classifier,
            labelled,
            asked,
            probabilities=predictions.probabilities,
        )
        found.save(beside, overwrite=force)
        known, of_test = (part[part.labelled] for part in (labelled, asked))
        leaks = st.find_leaks(given, known, of_test)
        result |= {"accuracy": found.accuracy, "judged": judged, "leaks": leaks.to_dict()}
        result["evaluation"] = str(beside)
        right = f"{found.right.sum():,} of {judged:,}{'' if judged == len(asked) else ' labelled'}"
        lines.append(f"{100 * found.accuracy:.1f} % right ({right}).")
        lines += [*leaks.sentences(), f"Every figure: selftime report {beside}"]
    terminal.show(result, *lines, f"Predictions: {out}", as_json=as_json)


def counts_of(predicted: Iterable[Any]) -> dict[str, int]:
    """Count the series predicted in each class."""
    return dict(sorted(Counter(map(str, predicted)).items()))
