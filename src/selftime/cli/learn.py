"""Commands before and while a model is learned: names, options and help.

Rooms are imported inside commands, so that ``--help`` does not wait for torch.
"""

from pathlib import Path
from typing import Annotated

import typer

from selftime.cli import options as given
from selftime.cli.door import app, reader_of


@app.command()
def inspect(  # noqa: PLR0913
    data: given.Data,
    views: given.Views = False,
    out: given.Picture = None,
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Show what is in a data set and what may go wrong with it.

    With --views also which augmentations leave its series what they are, and how strong they may
    be; labels, where there are any, are used to tell.

    Example: selftime inspect sample:JapaneseVowels

    Example: selftime inspect sample:PenDigits:train --views --out views.png
    """
    from selftime.cli import looking

    look = looking.Look(views, out, data, seed, force)
    looking.inspect(reader_of(label, id, time, layout)(data), look, as_json=as_json)


@app.command()
def pretrain(  # noqa: PLR0913 - the signature is the command line
    data: given.Data,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder of the run, made anew.")],
    objective: given.Objective = "auto",
    encoder: given.Encoder = "auto",
    task: given.Task = "classify",
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
    from selftime.cli import learning, lesson

    order = lesson.Lesson(data, objective, encoder, seed, budget, task=task)
    order = order.carried_out(precision, accumulate, clip, stop_on_collapse)
    place = lesson.Place(Path(out), force, resume, tuple(track))
    learning.pretrain(order, reader_of(label, id, time, layout), place, as_json=as_json)


@app.command()
def race(  # noqa: PLR0913
    data: given.Data,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder; a stopped race goes on in it.")],
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.01, help="For all contenders together.")
    ] = 20.0,
    objectives: Annotated[
        str | None,
        typer.Option("--objectives", help="Names or sums, with commas: 'simclr,simclr+mae'."),
    ] = None,
    encoder: given.Encoder = "auto",
    seed: given.Seed = 0,
    label: given.Label = None,
    id: given.Id = None,
    time: given.Time = None,
    layout: given.Layout = None,
    force: given.Force = False,
    as_json: given.Json = False,
) -> None:
    """Let several methods learn from the same series within a budget, and keep the best model.

    Contenders are ranked by a probe on labels, where there are any (learning never sees them),
    else by how well a series is found again in another view of it.

    Example: selftime race sample:JapaneseVowels:train --minutes 2 --out race
    """
    from selftime.cli import racing

    order = racing.Start(data, minutes, racing.contenders_in(objectives), encoder, seed)
    read = reader_of(label, id, time, layout)
    racing.race(order, read, Path(out), force=force, as_json=as_json)
