"""Commands for what a model is for, and for what can be chosen: names, options and help.

Rooms are imported inside commands, so that ``--help`` does not wait for torch.
"""

from typing import Annotated

import typer

from selftime.cli import options as given
from selftime.cli.door import app, reader_of


@app.command()
def embed(  # noqa: PLR0913
    model: Annotated[str, typer.Argument(help="Model folder or run folder.")],
    data: given.Data,
    out: Annotated[
        str, typer.Option("--out", "-o", help="File to write: .npz, .npy, .csv or .parquet.")
    ],
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Turn every series into a vector.

    .npz holds vectors, ids and labels; .csv and .parquet the same as columns; .npy vectors alone.

    Example: selftime embed run sample:JapaneseVowels:test --out vectors.npz
    """
    from selftime.cli import using

    read = reader_of(label, id, time, layout)
    using.embed(model, read, data, out=out, force=force, as_json=as_json)


@app.command()
def classify(  # noqa: PLR0913
    model: Annotated[str, typer.Argument(help="Model folder or run folder.")],
    train: Annotated[str, typer.Option("--train", help="Labelled series to learn classes from.")],
    test: Annotated[str, typer.Option("--test", help="Series to classify.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Predictions: .csv or .parquet.")],
    strategy: given.Strategy = "auto",
    head: given.Head = "linear",
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Classify series with a few labelled ones: class and probability of each.

    The model stays as it is (--strategy probe), is fine-tuned (partial, full, staged, adapter) or
    forgotten (scratch); auto chooses by the number of labels and says why. Where the test series
    carry labels, these are not used but for the accuracy that is printed.

    Example: selftime classify run --train sample:JapaneseVowels:train
    --test sample:JapaneseVowels:test --out predictions.csv
    """
    from selftime.cli import using

    read = reader_of(label, id, time, layout)
    order = using.Classification(model, train, test, strategy, head, seed)
    using.classify(order, read, out=out, force=force, as_json=as_json)


@app.command()
def advise(  # noqa: PLR0913
    data: given.Data,
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder that is to be used.")
    ] = None,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    as_json: given.Json = False,
) -> None:
    """Say which strategy suits so many labelled series, and why. Nothing is trained.

    Example: selftime advise sample:JapaneseVowels:train
    """
    from selftime.cli import advising

    advising.advise(reader_of(label, id, time, layout)(data), model, as_json=as_json)


@app.command()
def compare(  # noqa: PLR0913
    train: Annotated[str, typer.Option("--train", help="Labelled series to draw labels from.")],
    test: Annotated[str, typer.Option("--test", help="Labelled series to be judged on.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder; else learned on train.")
    ] = None,
    labels: Annotated[
        str, typer.Option("--labels", help="Labels a class, shares such as 10%, and all.")
    ] = "1,2,5,all",
    draws: Annotated[int, typer.Option("--draws", min=1, help="How often labels are drawn.")] = 5,
    strategies: Annotated[
        str,
        typer.Option("--strategies", help="Further rows: partial,full,staged,adapter,auto."),
    ] = "",
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Folder for pictures and figures.")
    ] = None,
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Set a model beside the untrained encoder, raw values and MiniRocket at few labels.

    Says so when self-supervision did not help. --strategies adds rows in which the model is
    fine-tuned. Without --model one is learned first, on the
    series of --train without their labels.

    Example: selftime compare --train sample:JapaneseVowels:train
    --test sample:JapaneseVowels:test --labels 1,5,all --out comparison
    """
    from selftime.cli import judging

    budgets, rows = judging.budgets_in(labels), judging.words_in(strategies)
    order = judging.Contest(train, test, model, budgets, draws, seed, rows)
    read = reader_of(label, id, time, layout)
    judging.compare(order, read, out=out, force=force, as_json=as_json)


@app.command()
def methods(as_json: given.Json = False) -> None:
    """List the objectives and encoders that can be chosen by name.

    Example: selftime methods --json
    """
    from selftime.cli import listing

    listing.methods(as_json=as_json)


@app.command()
def demo(
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder; selftime-demo, or -2, -3 … if it is there."),
    ] = None,
    force: given.Force = False,
    encoder: given.Encoder = "auto",
    as_json: given.Json = False,
) -> None:
    """Learn from bundled speech without labels, then tell 9 speakers apart with 1 label each.

    Example: selftime demo
    """
    from selftime.cli import demonstration

    demonstration.demo(out, force=force, encoder=encoder, as_json=as_json)
