"""``selftime pretrain``: from unlabelled series to a run folder with a model and a report."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import Program, app

if TYPE_CHECKING:
    from selftime import Run, SeriesSet

TaskOption = Annotated[
    Literal["classify", "search", "cluster", "forecast", "detect"],
    typer.Option("--task", help="What the model is for, where the objective is auto."),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget", help="At most '5 minutes'; gradient runs also '200 steps', '10 epochs'."
    ),
]
PrecisionOption = Annotated[
    Literal["no", "bf16", "fp16"],
    typer.Option("--precision", help="Gradient runs: mix float32 with half precision."),
]
AccumulateOption = Annotated[
    int, typer.Option("--accumulate", min=1, help="Gradient runs: batches of one step.")
]
ClipOption = Annotated[
    float | None, typer.Option("--clip", help="Gradient runs: longest gradient of a step.")
]
StopOnCollapseOption = Annotated[
    bool, typer.Option("--stop-on-collapse", help="Gradient runs: stop when embeddings collapse.")
]
HoldOutOption = Annotated[
    float | None,
    typer.Option(
        "--hold-out", help="Gradient runs: share of the series that is judged on; 0.1 of texts."
    ),
]
OwnLevelOption = Annotated[
    bool,
    typer.Option("--own-level", help="Gradient runs: each series from its own mean, as of voices."),
]
CompileOption = Annotated[
    bool, typer.Option("--compile", help="Gradient runs: the network through torch.compile.")
]
CheckpointingOption = Annotated[
    bool,
    typer.Option(
        "--gradient-checkpointing", help="Gradient runs: less memory for a third more time."
    ),
]
NegativesOption = Annotated[
    Literal["gathered", "own"],
    typer.Option("--negatives", help="Of several processes: the loss of one, or each has its own."),
]
TrackOption = Annotated[
    list[str],
    typer.Option("--track", help="Gradient runs: send every step to tensorboard or mlflow."),
]
DimOption = Annotated[
    int | None, typer.Option("--dim", min=1, help="Most numbers of an embedding; else 1,024.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with the run stopped at --out.")
]


@app.command()
@options.with_tables
def pretrain(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    engine: options.EngineOption,
    data: options.DataArgument,
    out: Annotated[str, typer.Option("--out", "-o", help="Folder of the run, made anew.")],
    objective: options.ObjectiveOption = "auto",
    encoder: options.EncoderOption = "auto",
    task: TaskOption = "classify",
    budget: BudgetOption = None,
    precision: PrecisionOption = "no",
    accumulate: AccumulateOption = 1,
    clip: ClipOption = None,
    stop_on_collapse: StopOnCollapseOption = False,
    hold_out: HoldOutOption = None,
    own_level: OwnLevelOption = False,
    compiles: CompileOption = False,
    gradient_checkpointing: CheckpointingOption = False,
    negatives: NegativesOption = "gathered",
    track: TrackOption = [],  # noqa: B006
    dim: DimOption = None,
    seed: options.SeedOption = 0,
    resume: ResumeOption = False,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Learn a model from unlabelled series. Labels are not learned from, --label keeps them out.

    The folder holds run.json (every setting with its reason), model/ and report.html; for
    objectives that are learned step by step also metrics.jsonl and checkpoints/. Ctrl-C finishes
    and saves the step in flight; --resume goes on.

    Example: selftime pretrain sample:JapaneseVowels:train --out run

    Example: selftime pretrain sample:JapaneseVowels:train --objective ts2vec --out run-ts2vec
    """
    import selftime as st

    files.claim_run_folder(Path(out), force=force, resume=resume)
    series = read(data)
    config = st.TrainingConfig(
        precision=precision,
        accumulate=accumulate,
        clip=clip,
        on_collapse="stop" if stop_on_collapse else "warn",
        hold_out=hold_out,
        own_level=own_level,
        compile=compiles,
        gradient_checkpointing=gradient_checkpointing,
        negatives=negatives,
    )
    model = st.pretrain(
        series,
        objective=st.Auto(task=task) if objective == "auto" else objective,
        encoder=encoder,
        budget=budget,
        config=None if config == st.TrainingConfig() else config,  # closed forms take none
        run=run_at(out, series, track, resume=resume, force=force),
        dim=dim,
        seed=seed,
        engine=engine,
        progress=True,
    )
    if int(os.environ.get("RANK", "0")) == 0:  # of several processes the first one writes
        show_run(out, model.dim, as_json=as_json)


def run_at(
    out: str, series: "SeriesSet", trackers: list[str], *, resume: bool, force: bool
) -> "Run":
    """The folder of the run, whose report is of these series."""
    import selftime as st
    from selftime.report.folder import add_page

    return st.Run(
        folder=Path(out),
        log=terminal.warn,
        trackers=tuple(trackers),
        how_to_resume=f"go on with: selftime {words_to_resume()}",
        resume=resume,
        overwrite=force,
        complete=add_page(series),
    )


def show_run(out: str, dim: int, *, as_json: bool) -> None:
    """Print what the folder of the run tells."""
    import selftime as st

    found = st.read_run(out)
    result = {"run": out, "model": str(found.page.with_name("model")), "dim": dim} | found.run
    terminal.show(result, *summary_lines(found.run, dim, found.page), as_json=as_json)


def words_to_resume() -> str:
    """The command line that goes on with the run: as it was given, but for flags of its first."""
    words = [word for word in Program.words if word not in ("--resume", "--force", "--json")]
    return shlex.join([*words, "--resume"])


def summary_lines(run: dict[str, Any], dim: int, page: Path) -> list[str]:
    """Say the data, every setting with its reason, and the paths of model and report."""
    settings = [f"  {k}: {v['value']} ({v['reason']})" for k, v in run["settings"].items()]
    count, wild = f"{run['data']['series']:,} series without labels", run["data"].get("wild")
    bounded = f"Far beyond all others: {wild:,} values, learned from as 5 usual ranges away"
    return [
        f"Learned from {count} in {run['seconds']:.1f} s:",
        *settings,
        *([bounded] if wild else []),
        f"Embedding size: {dim}. Model: {page.with_name('model')}",
        f"Report: {page}",
    ]
