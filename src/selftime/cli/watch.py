"""The command that follows a stream: names, options and help.

Rooms are imported inside commands, so that ``--help`` does not wait for torch.
"""

from typing import Annotated, Literal

import typer

from selftime.cli.door import app


@app.command()
def watch(  # noqa: PLR0913 - the signature is the command line
    model: Annotated[str, typer.Argument(help="Model folder or run folder.")],
    normal: Annotated[
        str | None, typer.Option("--normal", help="Normal series: file, folder or sample:NAME.")
    ] = None,
    learn: Annotated[
        int, typer.Option("--learn", min=2, help="Without --normal: first lines taken as normal.")
    ] = 500,
    rate: Annotated[
        float, typer.Option("--rate", help="Promised share of normal steps above 1.")
    ] = 0.01,
    distance: Annotated[
        Literal["mahalanobis", "nearest"],
        typer.Option("--distance", help="From the middle of normal steps, or the nearest."),
    ] = "mahalanobis",
    cool_down: Annotated[
        int, typer.Option("--cool-down", min=0, help="Steps without alarms after one.")
    ] = 0,
    window: Annotated[
        int | None, typer.Option("--window", min=1, help="Encode the last so many steps anew.")
    ] = None,
    every: Annotated[
        int, typer.Option("--every", min=1, help="With --window: steps between encodings.")
    ] = 1,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Write embeddings instead of scores.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object a line instead of commas.")
    ] = False,
) -> None:
    """Score every step that comes in on stdin: one line in, one line out, at once.

    A line holds one step: a number for each channel, with commas between; empty or nan is
    missing. A line of the answer is step,score,alarm: a score above 1 is novel, and alarm is 1
    where that sounds an alarm. While the first lines are learned from, scores are empty.

    Example: sensor | selftime watch run --normal normal.csv --cool-down 100
    """
    from selftime.cli import watching
    from selftime.engine.stream import Manner

    order = watching.Vigil(model, normal, learn, rate, distance, cool_down, vectors)
    watching.watch(order, Manner(None, "auto", window, every), as_json=as_json)
