"""The race: several methods learn from the same series within a time; the best model is kept."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selftime.data.blocks import portable
from selftime.data.files import write_json
from selftime.data.frames import Tabular
from selftime.data.labels import labelled_part, share_in_words
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.data.signals import Signal
from selftime.data.splits import folds_by_group
from selftime.data.windows import batch_of
from selftime.door import Door, language, tell, through
from selftime.engine.defaults import USUAL
from selftime.engine.model import Model, load
from selftime.engine.monitoring.criteria import CRITERIA, embed_views
from selftime.engine.pretrain import pretrain
from selftime.engine.ray_cluster import Engine, Ray, cluster_of
from selftime.engine.solve import generator, sample_of
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import Collapsed
from selftime.engine.training.run_folder import (
    CONTENDERS,
    MODEL,
    RACE,
    ROOM,
    RUN_FILE,
    Run,
    RunError,
    as_finished,
    begin_work,
    facts_in,
    holds_nothing,
    only_run,
    run_record,
    write_finished,
)
from selftime.engine.training.trainer import Diverged
from selftime.objectives.formula import check_signal, takes_steps, terms_in
from selftime.objectives.registry import OBJECTIVES
from selftime.progress import Progress, open_progress, silent
from selftime.tasks.probing.probe import Probe
from selftime.views.registry import view_of

CRITERION = "views"
"""The criterion that decides where there are no labels."""
_CRITERION_SERIES = 128
"""Series that the criterion is computed on."""
PROBE_FOLDS = 5


def criterion_value(model: Model, series: SeriesSet, seed: int) -> float:
    """Return the label-free criterion of the embeddings of a sample."""
    rows = sample_of(len(series), seed, _CRITERION_SERIES)
    x = model.scaling.apply(batch_of(model.check(series[rows])))
    view = view_of(series.kind)
    return CRITERIA[CRITERION](embed_views(model.encoder, x, generator(seed, 0), view=view))


def probe_accuracy(model: Model, series: SeriesSet, seed: int) -> float | None:
    """Return the accuracy of a probe in cross-validation over labelled series.

    Groups stay whole; None without labels, or with fewer than 2 classes or groups.
    """
    if series.labels is None:
        return None
    series = labelled_part(series, "the data")
    names, counts = np.unique(np.asarray(series.labels), return_counts=True)
    usable = np.isin(np.asarray(series.labels), names[counts >= 2])
    if len(names) < 2 or not usable.any():
        return None
    kept = series[usable]
    groups = len(kept) if kept.groups is None else len(np.unique(kept.groups))
    if groups < 2:
        return None
    folds = min(PROBE_FOLDS, int(counts[counts >= 2].min()), groups)
    fold = folds_by_group(kept, folds, np.random.default_rng(seed))
    vectors, labels = model.embed(kept, progress=False), np.asarray(kept.labels)
    right = np.zeros(len(labels), bool)
    for held_out in (fold == f for f in range(folds)):
        head = Probe(reference_bank=model.reference_bank).fit(vectors[~held_out], labels[~held_out])
        right[held_out] = head.predict(vectors[held_out]) == labels[held_out]
    return float(right.mean())


DEFAULT_OBJECTIVES = ("spectral", "simclr", "ts2vec", "vicreg", "masked_patches", "cpc")
"""Default contenders: one or two of each family, those that did best in the open benchmark
(benchmarks/results/roster.json)."""
LEARNING = 0.9
"""Share of the time for learning; the rest is for embedding and judging."""


class Finish(NamedTuple):
    """The result of a contender."""

    name: str  # of the objective
    criterion: float  # label-free estimate of the quality of its embeddings; NaN if it failed
    probe: float | None  # accuracy of a probe in cross-validation; None without labels
    seconds: float  # of learning
    failure: str = ""  # the reason why it has no model; empty if it has one

    @property
    def score(self) -> float:
        """The probe's accuracy where there is one, else the criterion; -∞ after a failure."""
        found = self.criterion if self.probe is None else self.probe
        return -np.inf if self.failure else found


@dataclass(frozen=True, repr=False)
class Race(Tabular):
    """The results of all contenders, the best first, and the model of the best."""

    finishes: tuple[Finish, ...]
    model: Model

    def to_columns(self) -> dict[str, Any]:
        """Return the results of all contenders, the best first."""
        columns = map(list, zip(*self.finishes, strict=True))
        return dict(zip(Finish._fields, columns, strict=True))

    @property
    def verdict(self) -> str:
        """The winner, its figure, and the evidence for it, in words."""
        best = self.finishes[0]
        if best.probe is None:
            return (
                f"{best.name} is kept: in {best.criterion:.0%} a series is found again in another "
                "view of it. No label was there to check this: it is a hint, not a proof."
            )
        return (
            f"{best.name} is kept: its probe gets {best.probe:.1%} of the labelled series right "
            f"({PROBE_FOLDS}-fold cross-validation)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        rows = [finish._asdict() for finish in self.finishes]
        for row in rows:
            row["criterion"] = None if np.isnan(row["criterion"]) else row["criterion"]
        return {"verdict": self.verdict, "criterion": CRITERION, "finishes": rows}


def race(  # noqa: PLR0913 - a front door: each is one thing that people decide
    x: Any,
    *,
    minutes: float = 20.0,
    objectives: Sequence[str] | None = None,
    encoder: str = "auto",
    run: Run | str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    engine: Engine = "local",
    progress: bool | Progress | None = None,
) -> Race:
    """Pretrain with several methods on the same series and keep the best model.

    Methods that take steps share the time evenly; those that are solved in one pass take as long
    as they need. Where there are labels, contenders are ranked by a probe in cross-validation
    (pretraining never sees labels), and else by a criterion without labels.

    Args:
        x: series, whatever :func:`selftime.read` takes.
        minutes: for all contenders together.
        objectives: names, or weighted sums such as "simclr + masked_patches"; None: the usual of
            the kind of series, and others that make sense for it.
        encoder: of the methods that take steps; "auto" chooses.
        run: folder that keeps the ranking, the best model and, in ``contenders/``, a run of each;
            a race that was stopped goes on when it is called again in the same way.
        overwrite: replace a run that stands in the folder, which stays until the new one is whole;
            a :class:`selftime.Run` says that itself.
        seed: fixes everything random.
        engine: "ray" lets contenders learn side by side on a cluster, whose workers read ``x`` and
            write ``run``; :class:`selftime.Ray` says which one.
        progress: shows a bar where None and on a terminal, or is called with each step.

    Raises:
        ValueError: bad input, no objective, an unknown one, no time, or every contender failed.
        Stopped: Ctrl-C or SIGTERM, after the state of the contender in flight was saved.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:60:3]
        >>> found = st.race(x, objectives=["spectral", "neighbours"])
        >>> found.finishes[0].probe >= found.finishes[1].probe
        True
    """
    check_contenders(DEFAULT_OBJECTIVES if objectives is None else objectives, minutes)
    series = read(x)
    objectives = default_contenders(series.kind) if objectives is None else objectives
    for name in objectives:
        check_signal(terms_in(name), series.kind)
    kept = Run(folder=Path(run), overwrite=overwrite) if isinstance(run, str | Path) else run
    setup = {"minutes": minutes, "objectives": list(objectives), "encoder": encoder}
    with only_run(kept.folder, ROOM * len(objectives)) if kept else nullcontext():
        return _race(series, setup, kept, seed, cluster_of(engine), progress)


def _race(  # noqa: PLR0913 - as the front door
    series: SeriesSet,
    setup: dict[str, Any],
    kept: Run | None,
    seed: int,
    cluster: Ray | None,
    progress: bool | Progress | None,
) -> Race:
    """Let the contenders learn while nobody else writes the folder of the race."""
    tell(share_in_words(series.labelled, said=series.notes))
    stepwise = [name for name in setup["objectives"] if takes_steps(name)]
    start = time.perf_counter()
    folder = begin_race(kept, series, {"race": setup, "seed": seed}) if kept else None
    with open_progress(progress) as show, cluster.join() if cluster else nullcontext():
        rounds = -(-len(stepwise) // (cluster.count() if cluster else 1))  # one after another
        minutes = LEARNING * setup["minutes"] / max(rounds, 1)
        each = Budget(amount=minutes, unit="minutes")
        contenders = [
            Contender(name, setup["encoder"], each, home_of(folder, name), seed)
            for name in setup["objectives"]
        ]
        if cluster:
            found = side_by_side(cluster, contenders, series, show)
        else:
            found = [contender.finish(series, show) for contender in contenders]
    ranked = sorted(found, key=lambda pair: pair[0].score, reverse=True)
    model, finishes = ranked[0][1], tuple(finish for finish, _ in ranked)
    if model is None:
        raise ValueError(f"nobody came in: {'; '.join(f'{f.name}: {f.failure}' for f in finishes)}")
    if kept:
        facts = {"race": setup, "seconds": round(time.perf_counter() - start, 2)}
        finish_race(kept, Race(finishes, model), series, facts)
    return Race(finishes, model)


def begin_race(run: Run, series: SeriesSet, facts: dict[str, Any]) -> Path:
    """Write the facts of a race into its folder; return the folder of its contenders."""
    folder = begin_work(run.folder, overwrite=run.overwrite)
    data = {"fingerprint": series.fingerprint()}
    if not holds_nothing(folder):
        before = facts_in(folder)
        if before.get("command") != "race":
            raise RunError(f"{run.folder} holds another run: choose another folder")
        if before.get("data", {}).get("fingerprint") != data["fingerprint"]:
            raise RunError(f"{run.folder} holds a run on other data: choose another folder")
    data |= {"source": series.source} if series.source else {}
    write_json(folder / RUN_FILE, {"status": "running", "command": "race", **facts, "data": data})
    return folder / CONTENDERS


def finish_race(run: Run, result: Race, series: SeriesSet, facts: dict[str, Any]) -> None:
    """Write the best model, the ranking and, last, the facts of a race."""
    record = run_record(result.model.card, command="race", source=series.source) | facts
    with run.finish(at_once=False) as folder:
        result.model.save(folder / MODEL, overwrite=True)
        write_json(folder / RACE, result.to_dict())
        finished = as_finished(record)
        if run.complete:
            run.complete(folder, result.model, finished)
        write_finished(folder, finished)


class Contender(NamedTuple):
    """An objective with its encoder, budget, folder and seed."""

    name: str
    encoder: str
    budget: Budget
    folder: Path | None
    seed: int

    def finish(self, series: SeriesSet, progress: Progress) -> tuple[Finish, Model | None]:
        """Run the contender; return its result, and its model unless it fails."""
        start = time.perf_counter()
        try:
            model = self.run(series, progress)
        except (Diverged, Collapsed) as error:
            return Finish(self.name, np.nan, None, time.perf_counter() - start, str(error)), None
        criterion = criterion_value(model, series, self.seed)
        probe = probe_accuracy(model, series, self.seed)
        seconds = model.card["figures"]["seconds to learn"]
        return Finish(self.name, criterion, probe, seconds), model

    def run(self, series: SeriesSet, progress: Progress) -> Model:
        """Pretrain the contender; a model that was finished before is loaded."""
        if self.folder and (kept := finished_model(self.folder, series)):
            return kept
        stepwise = takes_steps(self.name)
        return pretrain(
            series,
            objective=self.name,
            encoder=self.encoder if stepwise else "auto",
            budget=self.budget if stepwise else None,
            config=TrainingConfig(on_collapse="stop") if stepwise else None,
            run=Run(folder=self.folder) if self.folder else None,
            seed=self.seed,
            progress=lambda what, done, of, detail="": progress(self.name, done, of, detail),
        )


def side_by_side(
    cluster: Ray, contenders: Sequence[Contender], series: SeriesSet, progress: Progress
) -> list[tuple[Finish, Model | None]]:
    """Run contenders on a cluster; return what each of them makes, in their order."""
    found: dict[int, tuple[Finish, Model | None]] = {}

    def take(number: int, made: tuple[Finish, Model | None]) -> None:
        found[number] = made
        progress("contenders", len(found), len(contenders), made[0].name)

    progress("contenders", 0, len(contenders))
    cluster.each(Course(portable(series), language()), contenders, take)
    return [found[number] for number in range(len(contenders))]


@dataclass(frozen=True)
class Course:
    """Series that contenders learn from, wherever they do, and the door for their errors."""

    series: Any
    language: Door

    def __call__(self, contender: Contender) -> tuple[Finish, Model | None]:
        """Run a contender."""
        with through(self.language, lambda _: None):
            return contender.finish(read(self.series), silent)


def home_of(folder: Path | None, name: str) -> Path | None:
    """Return the folder of a contender within that of all; None without one."""
    return None if folder is None else folder.absolute() / contender_folder(name)


def finished_model(folder: Path, series: SeriesSet) -> Model | None:
    """Load the model of a finished run, if the folder holds one."""
    if not (folder / MODEL).is_dir():
        return None
    facts = facts_in(folder)
    if facts["data"]["fingerprint"] != series.fingerprint():
        raise RunError(f"{folder} holds a run on other data: choose another folder")
    return load(folder / MODEL) if facts["status"] == "finished" else None


def contender_folder(objective: str) -> str:
    """Return a folder name for an objective or a weighted sum."""
    return "".join(letter if letter.isalnum() or letter in "_.+-" else "" for letter in objective)


def default_contenders(kind: Signal) -> list[str]:
    """Return the objectives of a usual race that make sense for a kind, its own ones first."""
    own = (USUAL[kind.name].objective, USUAL[kind.name].gradient)
    first = [str(one.value) for one in own if one.value not in DEFAULT_OBJECTIVES]
    names = dict.fromkeys((*first, *DEFAULT_OBJECTIVES))
    return [name for name in names if kind.name in OBJECTIVES[name].signals]


def check_contenders(objectives: Sequence[str], minutes: float) -> None:
    """Check the contenders and the time."""
    if not objectives:
        raise ValueError("got no objectives, wanted at least one: such as 'spectral'")
    if len(set(objectives)) < len(objectives):
        raise ValueError(f"got {', '.join(objectives)}: each may run once")
    if not minutes > 0:
        raise ValueError(f"got {minutes} minutes, wanted more than 0")
