"""``selftime demo``: the whole way on bundled speech, from raw series to a verdict."""

import time
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app

SPEECH = "sample:JapaneseVowels"
TITLE = "Nine speakers recognised by two spoken vowels"


@app.command()
def demo(
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder; selftime-demo, or -2, -3 … if it is there."),
    ] = None,
    force: options.ForceOption = False,
    encoder: options.EncoderOption = "auto",
    as_json: options.JsonOption = False,
) -> None:
    """Learn from bundled speech without labels, then tell 9 speakers apart with 1 label each.

    Example: selftime demo
    """
    import selftime as st
    from selftime.report.pictures.maps import overview
    from selftime.report.tables import comparison_table

    target = Path(out) if out else free_folder("selftime-demo", force=force)
    files.claim_run_folder(target, force=force)
    train, test = st.read(f"{SPEECH}:train"), st.read(f"{SPEECH}:test")
    terminal.note(f"{len(train)} utterances to learn from, {len(test)} to be judged on.")
    start = time.perf_counter()
    model = st.pretrain(train, encoder=encoder, progress=True)
    learning = time.perf_counter() - start
    found = st.compare(model, train, test, progress=True)
    run = st.write_comparison(
        target,
        found,
        train=train,
        test=test,
        command="demo",
        title=TITLE,
        pictures={"overview.png": overview(train, title="Nine speakers")},
        overwrite=force,
    )
    seconds = time.perf_counter() - start
    paths = sorted(str(path) for path in target.iterdir())
    paths.sort(key=lambda path: path != str(run.page))
    lines: list[Any] = [
        f"{TITLE}: {len(train)} series, learned from without their labels in {learning:.0f} s.",
        comparison_table(found),
        *found.verdict(),
        f"Done in {seconds:.0f} s. Look at:",
        *(f"  {path}" for path in paths),
    ]
    terminal.show(found.to_dict() | {"files": paths, "seconds": seconds}, *lines, as_json=as_json)


def free_folder(name: str, *, force: bool) -> Path:
    """``name``, or ``name-2``, ``name-3``, … where it is taken and may not be replaced."""
    if force or not Path(name).exists():
        return Path(name)
    return next(path for n in count(2) if not (path := Path(f"{name}-{n}")).exists())
