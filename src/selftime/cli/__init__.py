"""The front door on the command line: names, options and help; the work is done in its rooms.

Rooms are imported inside commands, so that ``--help`` does not wait for torch.
"""

import signal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selftime.cli import options as given
from selftime.cli.terminal import Door, terminate

if TYPE_CHECKING:
    from selftime.cli.sources import Reader

app = typer.Typer(
    cls=Door,
    name="selftime",
    help="Self-supervised learning for time series: learn without labels, then use a few.\n\n"
    "Start with: selftime demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run a command; SIGTERM ends it as cleanly as Ctrl-C does."""
    signal.signal(signal.SIGTERM, terminate)
    app()


def _version(asked: bool) -> bool:
    if asked:
        typer.echo(import_module("importlib.metadata").version("selftime"))
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
def inspect(
    data: given.Data,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    as_json: given.Json = False,
) -> None:
    """Show what is in a data set and what may go wrong with it.

    Example: selftime inspect sample:JapaneseVowels
    """
    from selftime.cli import looking

    looking.inspect(_reader(label, id, time, layout)(data), as_json=as_json)


@app.command()
def pretrain(  # noqa: PLR0913 - the signature is the command line
    data: given.Data,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder of the run, made anew.")],
    objective: given.Objective = "auto",
    encoder: given.Encoder = "auto",
    budget: given.Budget = None,
    precision: given.Precision = "no",
    accumulate: given.Accumulate = 1,
    clip: given.Clip = None,
    stop_on_collapse: given.StopOnCollapse = False,
    track: given.Track = [],  # noqa: B006
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    resume: given.Resume = False,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Learn a model from unlabelled series. Labels are not learned from, --label keeps them out.

    The folder holds run.json (every setting with its reason), model/ and report.html; for
    objectives that are learned step by step also metrics.jsonl and checkpoints/. Ctrl-C finishes
    and saves the step in flight; --resume goes on.

    Example: selftime pretrain sample:JapaneseVowels:train --out run

    Example: selftime pretrain sample:JapaneseVowels:train --objective ts2vec --out run-ts2vec
    """
    from selftime.cli import learning

    order = learning.Lesson(data, objective, encoder, seed, budget)
    order = order.carried_out(precision, accumulate, clip, stop_on_collapse)
    place = learning.Place(Path(out), force, resume, tuple(track))
    learning.pretrain(order, _reader(label, id, time, layout), place, as_json=as_json)


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

    read = _reader(label, id, time, layout)
    using.embed(model, read, data, out=out, force=force, as_json=as_json)


@app.command()
def classify(  # noqa: PLR0913
    model: Annotated[str, typer.Argument(help="Model folder or run folder.")],
    train: Annotated[str, typer.Option("--train", help="Labelled series to learn classes from.")],
    test: Annotated[str, typer.Option("--test", help="Series to classify.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Predictions: .csv or .parquet.")],
    head: given.Head = "probe",
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Classify series with a few labelled ones: class and probability of each.

    Where the test series carry labels, these are not used but for the accuracy that is printed.

    Example: selftime classify run --train sample:JapaneseVowels:train
    --test sample:JapaneseVowels:test --out predictions.csv
    """
    from selftime.cli import using

    read = _reader(label, id, time, layout)
    order = using.Classification(model, train, test, head)
    using.classify(order, read, out=out, force=force, as_json=as_json)


@app.command()
def compare(  # noqa: PLR0913
    train: Annotated[str, typer.Option("--train", help="Labelled series to draw labels from.")],
    test: Annotated[str, typer.Option("--test", help="Labelled series to be judged on.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Model or run folder; else learned on train.")
    ] = None,
    labels: Annotated[
        str, typer.Option("--labels", help="Numbers of labels a class, and all.")
    ] = "1,2,5,all",
    draws: Annotated[int, typer.Option("--draws", min=1, help="How often labels are drawn.")] = 5,
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

    Says so when self-supervision did not help. Without --model one is learned first, on the
    series of --train without their labels.

    Example: selftime compare --train sample:JapaneseVowels:train
    --test sample:JapaneseVowels:test --labels 1,5,all --out comparison
    """
    from selftime.cli import judging

    order = judging.Contest(train, test, model, judging.budgets_in(labels), draws, seed)
    read = _reader(label, id, time, layout)
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


def _reader(
    label: str | None,
    id: str | None,
    time: str | None,
    layout: Literal["long", "wide", "series"] | None,
) -> "Reader":
    from selftime.cli.sources import Reader

    return Reader(label, id, time, layout)
