"""The race: several methods learn from the same series within a budget; the best one is kept."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone

from selftime.data.files import remove_folder, write_json
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.data.splits import folds_by_group
from selftime.data.windows import batch_of
from selftime.engine.model import Model, load
from selftime.engine.monitoring.criteria import CRITERIA, embed_views
from selftime.engine.pretrain import pretrain
from selftime.engine.solve import generator, sample_of
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import Collapsed
from selftime.engine.training.run_folder import (
    CONTENDERS,
    MODEL,
    RACE,
    RUN_FILE,
    Run,
    RunError,
    facts_in,
    run_record,
    write_finished,
)
from selftime.engine.training.trainer import Diverged
from selftime.objectives.formula import takes_steps
from selftime.progress import Progress, open_progress
from selftime.tasks.probing.probe import Probe

CRITERION = "views"
"""What decides where there are no labels."""
_CRITERION_SERIES = 128
"""Series that the criterion looks at."""
PROBE_FOLDS = 5


def criterion_of(model: Model, series: SeriesSet, seed: int) -> float:
    """How good the embeddings are likely to be, from a sample and without labels."""
    rows = sample_of(len(series), seed, _CRITERION_SERIES)
    x = model.scaling.apply(batch_of(series, rows))
    return CRITERIA[CRITERION](embed_views(model.encoder, x, generator(seed, 0)))


def probe_of(model: Model, series: SeriesSet, seed: int) -> float | None:
    """Share of labelled series that a probe gets right, each judged by one that never saw it.

    Nor did it see any other series of the same group; with fewer than 2 groups there is nothing
    to judge by.
    """
    if series.labels is None:
        return None
    names, counts = np.unique(series.labels, return_counts=True)
    usable = np.isin(series.labels, names[counts >= 2])
    if len(names) < 2 or not usable.any():
        return None
    kept = series[usable]
    groups = len(kept) if kept.groups is None else len(np.unique(kept.groups))
    if groups < 2:
        return None
    folds = min(PROBE_FOLDS, int(counts[counts >= 2].min()), groups)
    fold = folds_by_group(kept, folds, np.random.default_rng(seed))
    vectors, labels = model.embed(kept, progress=False), np.asarray(kept.labels)
    probe, right = Probe(reference_bank=model.reference_bank), np.zeros(len(labels), bool)
    for judged in (fold == f for f in range(folds)):
        head = clone(probe).fit(vectors[~judged], labels[~judged])
        right[judged] = head.predict(vectors[judged]) == labels[judged]
    return float(right.mean())


DEFAULT_OBJECTIVES = ("spectral", "simclr", "ts2vec", "vicreg", "masked_patches", "cpc")
"""Who runs where nobody is named: one or two of each family, those that did best in the open
benchmark (benchmarks/results/roster.json)."""
LEARNING = 0.9
"""Share of the time that is for learning; the rest is for embedding and judging."""


class Finish(NamedTuple):
    """How a contender came in.

    Attributes:
        name: of the objective.
        criterion: how good its embeddings are likely to be, judged without labels; NaN if it
            failed.
        probe: share of labelled series that a probe gets right in cross-validation; None without
            labels.
        seconds: it learned for.
        failure: why it has no model; empty if it has one.
    """

    name: str
    criterion: float
    probe: float | None
    seconds: float
    failure: str = ""

    @property
    def score(self) -> float:
        """What it is ranked by: the probe where there is one."""
        if self.failure:
            return -np.inf
        return self.criterion if self.probe is None else self.probe


@dataclass(frozen=True)
class Race:
    """What a race came to.

    Attributes:
        finishes: the best first.
        model: of the best.
    """

    finishes: tuple[Finish, ...]
    model: Model

    @property
    def verdict(self) -> str:
        """Who won, by what, and how sure that is."""
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
        """Plain values for JSON."""
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
    run: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Race:
    """Let several methods learn from the same series and keep the best.

    Methods that take steps share the time evenly; those that are solved in one pass take what
    they need. Contenders are ranked by a probe on the labels in cross-validation where there are
    any, which learning itself never sees, and else by a criterion without labels.

    Args:
        x: whatever :func:`selftime.read` takes.
        minutes: for all of them together.
        objectives: names, or weighted sums such as "simclr + masked_patches"; the usual when None.
        encoder: what those that take steps train; "auto" chooses.
        run: folder that keeps the ranking, the best model and, in ``contenders/``, a run of each;
            a race that was stopped goes on when it is called again in the same way.
        overwrite: remove a run that stands in the folder first.
        seed: fixes everything random.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: bad input.
        ValueError: nobody runs, an unknown name, no time, or every contender failed.
        Stopped: Ctrl-C or SIGTERM, after the state of the contender in flight was saved.
    """
    series, objectives = read(x), DEFAULT_OBJECTIVES if objectives is None else objectives
    stepwise = [name for name in check_contenders(objectives, minutes) if takes_steps(name)]
    start = time.perf_counter()
    facts = {"race": {"minutes": minutes, "objectives": list(objectives), "encoder": encoder}}
    folder = begin_race(run, series, facts | {"seed": seed}, overwrite) if run else None
    each = Budget(amount=LEARNING * minutes / max(len(stepwise), 1), unit="minutes")
    lanes = [
        Lane(name, encoder, each, folder / lane_name(name) if folder else None, seed)
        for name in objectives
    ]
    with open_progress(progress) as tell:
        found = [lane.finish(series, tell) for lane in lanes]
    ranked = sorted(found, key=lambda one: one[0].score, reverse=True)
    model, finishes = ranked[0][1], tuple(finish for finish, _ in ranked)
    if model is None:
        raise ValueError(f"nobody came in: {'; '.join(f'{f.name}: {f.failure}' for f in finishes)}")
    made = Race(finishes, model)
    if run:
        seconds = round(time.perf_counter() - start, 2)
        finish_race(Path(run), made, series, facts | {"seconds": seconds})
    return made


def begin_race(run: str | Path, series: SeriesSet, facts: dict[str, Any], overwrite: bool) -> Path:
    """Where contenders go in the folder of a race, which now says what was asked for.

    Raises:
        RunError: another run stands there.
    """
    folder = Path(run)
    if overwrite and (folder / RUN_FILE).is_file():
        remove_folder(folder)
    data = {"fingerprint": series.fingerprint()}
    if folder.exists() and any(folder.iterdir()):
        before = facts_in(folder)
        if before.get("command") != "race":
            raise RunError(f"{folder} holds another run: choose another folder")
        if before.get("data", {}).get("fingerprint") != data["fingerprint"]:
            raise RunError(f"{folder} holds a run on other data: choose another folder")
    data |= {"source": series.source} if series.source else {}
    write_json(folder / RUN_FILE, {"status": "running", "command": "race", **facts, "data": data})
    return folder / CONTENDERS


def finish_race(folder: Path, made: Race, series: SeriesSet, facts: dict[str, Any]) -> None:
    """Write the best model, the whole ranking and what the race was."""
    made.model.save(folder / MODEL, overwrite=True)
    write_json(folder / RACE, made.to_dict())
    write_finished(
        folder, run_record(made.model.card, command="race", source=series.source) | facts
    )


class Lane(NamedTuple):
    """What one contender runs on."""

    name: str
    encoder: str
    budget: Budget
    folder: Path | None
    seed: int

    def finish(self, series: SeriesSet, progress: Progress) -> tuple[Finish, Model | None]:
        """How the contender comes in, and its model unless it fails."""
        start = time.perf_counter()
        try:
            model = self.run(series, progress)
        except (Diverged, Collapsed) as error:
            seconds = time.perf_counter() - start
            return Finish(self.name, np.nan, None, seconds, str(error)), None
        judged = criterion_of(model, series, self.seed), probe_of(model, series, self.seed)
        return Finish(self.name, *judged, model.card["figures"]["seconds to learn"]), model

    def run(self, series: SeriesSet, progress: Progress) -> Model:
        """The model of the contender; one that came in before is loaded."""
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


def finished_model(folder: Path, series: SeriesSet) -> Model | None:
    """The model of a run that came to its end, if the folder holds one.

    Raises:
        RunError: it is a run on other data.
    """
    if not (folder / MODEL).is_dir():
        return None
    facts = facts_in(folder)
    if facts["data"]["fingerprint"] != series.fingerprint():
        raise RunError(f"{folder} holds a run on other data: choose another folder")
    return load(folder / MODEL) if facts["status"] == "finished" else None


def lane_name(objective: str) -> str:
    """A folder name for an objective or a sum of some."""
    return "".join(letter if letter.isalnum() or letter in "_.+-" else "" for letter in objective)


def check_contenders(objectives: Sequence[str], minutes: float) -> Sequence[str]:
    """Contenders that can run in the time.

    Raises:
        ValueError: nobody, somebody twice, or no time.
    """
    if not objectives:
        raise ValueError("got no objectives, wanted at least one: such as 'spectral'")
    if len(set(objectives)) < len(objectives):
        raise ValueError(f"got {', '.join(objectives)}: each may run once")
    if not minutes > 0:
        raise ValueError(f"got {minutes} minutes, wanted more than 0")
    return objectives
