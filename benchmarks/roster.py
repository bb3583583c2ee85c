"""Every objective on the same encoder: `python -m benchmarks.roster`.

Each row is learned on the training series of a set, without labels, and judged by the frozen linear
probe with 1, 5 and all labels per class, beside the same encoder untrained, MiniRocket + ridge,
`spectral`, and, with --official, TS2Vec as its authors wrote it. All rows see the same draws of
labels. Results are kept by set, row and seed; what is there is not measured again.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.__main__ import RESULTS, write
from benchmarks.gradient import official_rows
from benchmarks.open_data import load
from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.model import Model
from selftime.engine.monitoring.criteria import CRITERIA, embed_views
from selftime.engine.pretrain import pretrain, with_standard_vectors
from selftime.engine.solve import generator, sample_of
from selftime.engine.training.config import Budget as Steps
from selftime.engine.training.config import TrainingConfig
from selftime.objectives.formula import build_objective, takes_steps
from selftime.objectives.registry import OBJECTIVES
from selftime.tasks.comparison.compare import Shots, draw_labels, labels_in_words, row_hits
from selftime.tasks.comparison.rows import Row, minirocket_ridge, model_row

UCR = (
    *("ItalyPowerDemand", "SyntheticControl", "MoteStrain", "PhalangesOutlinesCorrect"),
    *("CBF", "ECGFiveDays", "GunPoint", "SwedishLeaf"),
)
UEA = ("JapaneseVowels", "ERing", "BasicMotions")
BUDGETS: tuple[Shots, ...] = (1, 5, None)
STEPS = 100
BATCH = 16
"""Most series of a step: half of the sets have no more than 50, and it halves the hours."""
CLOSED = ("spectral", "neighbours")
HOMES = {
    **dict.fromkeys(("masked_values", "masked_patches", "mae", "timemae", "bert"), "transformer"),
    **dict.fromkeys(("jepa", "data2vec", "dino"), "transformer"),
    **dict.fromkeys(("ts_tcc", "tnc", "transformation", "segment_order"), "tstcc_cnn"),
    **dict.fromkeys(("right_order", "arrow_of_time"), "tstcc_cnn"),
}
"""Encoders of methods whose papers train Transformers, or plain convolutions pooled by a mean: on
the dilated network, whose vector is a maximum over time that their losses never touch, they gain
little or lose."""
SERIES = 64
"""Series that the criteria without labels look at."""


class Kept(NamedTuple):
    """What is measured of a row on a set with a seed."""

    accuracy: dict[str, float]
    seconds: float
    criteria: dict[str, float]


def small(channels: int, seed: int, *, causal: bool = False) -> Encoder:
    """The encoder of all rows: that of TS2Vec, smaller."""
    return Dilated(channels=channels, hidden=32, depth=6, dim=64, causal=causal, seed=seed)


def body_of(row: str, channels: int, length: int, seed: int) -> Encoder:
    """The encoder of a row: small, causal where the objective needs it, or one that it names."""
    name = row.partition(" @ ")[2].removeprefix("untrained ")
    if name and name != "causal":
        return BUILDERS[name](channels=channels, length=length, seed=seed)
    return small(channels, seed, causal=name == "causal" or row == "next_step")


def model_of(row: str, train: SeriesSet, seed: int, steps: int) -> Model:
    """The model of a row: an objective's name, or "untrained"; "… @ name" on another encoder."""
    objective = row.partition(" @ ")[0]
    body = body_of(row, train.n_channels, int(np.median(train.lengths)), seed)
    scale = scaling.fit_channels(train)
    if objective == "untrained":
        rows = sample_of(len(train), seed, 256)
        with torch.no_grad():
            body.prepare(scale.apply(batch_of(train, rows)), generator(seed, 0))
        encoder = with_standard_vectors(body.eval(), train, scale, seed)
        found = Model(encoder, scale, train.channels)
        return Model(encoder, scale, train.channels, reference_bank=found.embed(train)[:512])
    if takes_steps(objective):
        made = build_objective(objective, body, seed=seed, length=int(np.median(train.lengths)))
        recipe = replace(made.recipe, batch_size=min(made.recipe.batch_size, BATCH))
        config = TrainingConfig(recipe=recipe)
        budget = Steps(amount=steps)
        return pretrain(train, objective=made, budget=budget, config=config, seed=seed)
    return pretrain(train, objective=objective, seed=seed)


def measured(
    row: str, train: SeriesSet, test: SeriesSet, seed: int, args: argparse.Namespace
) -> Kept:
    """Accuracy by budget, seconds to learn, criteria without labels."""
    start, found = time.perf_counter(), {}
    if row == "MiniRocket + ridge":
        model = Model(small(train.n_channels, 0), scaling.none(), train.channels)
        made = minirocket_ridge(model, train, test, seed=seed)
        seconds = time.perf_counter() - start
    elif row == "official ts2vec":
        told: dict[str, float] = {}
        made = official_rows(args.official, train, test, seed, told)[0]
        seconds = told["learn: official ts2vec"]
    else:
        model = model_of(row, train, seed, args.steps)
        seconds = time.perf_counter() - start
        made = model_row(model, train, test)
        rows = sample_of(len(train), 0, SERIES)
        seen = embed_views(
            model.encoder, model.scaling.apply(batch_of(train, rows)), generator(0, 0)
        )
        found = {name: criterion(seen) for name, criterion in CRITERIA.items()}
    return Kept(accuracy_of(made, train, test, args.draws), seconds, found)


def accuracy_of(row: Row, train: SeriesSet, test: SeriesSet, draws: int) -> dict[str, float]:
    """Mean accuracy over the draws, by budget."""
    result = {}
    for budget in BUDGETS:
        hits = row_hits(row, train.labels, test.labels, draw_labels(train.labels, budget, draws))
        result[labels_in_words(budget)] = float(hits.mean())
    return result


def row_of(objective: str) -> str:
    """The row of an objective: its name, and its encoder where that is not the usual one."""
    return f"{objective} @ {HOMES[objective]}" if objective in HOMES else objective


def base_of(row: str) -> str | None:
    """The row of the same encoder untrained; None where there is no such thing."""
    objective, _, encoder = row.partition(" @ ")
    if objective in (*CLOSED, "untrained", "MiniRocket + ridge", "official ts2vec"):
        return None
    encoder = encoder or ("causal" if objective == "next_step" else "")
    return f"untrained @ {encoder}" if encoder else "untrained"


def usual_rows(official: Path | None) -> list[str]:
    """Every objective, and what stands beside them."""
    rows = [row_of(name) for name in OBJECTIVES]
    bases = dict.fromkeys(base for row in rows if (base := base_of(row)))
    return [*bases, *rows, "MiniRocket + ridge", *(["official ts2vec"] if official else [])]


def run(
    args: argparse.Namespace, kept: dict[str, Any], save: Callable[[dict[str, Any]], None]
) -> None:
    """Measure what is not there yet, seed by seed, and keep it."""
    for seed in range(args.first_seed, args.seeds):
        for name in args.sets:
            train, test = load(name)
            for row in args.rows or usual_rows(args.official):
                place = kept.setdefault(name, {}).setdefault(row, {})
                if str(seed) in place:
                    continue
                place[str(seed)] = measured(row, train, test, seed, args)._asdict()
                got = place[str(seed)]
                cells = " ".join(f"{100 * value:5.1f}" for value in got["accuracy"].values())
                print(f"{name:26s}{row:28s}{seed}  {cells}  {got['seconds']:6.1f} s", flush=True)
                save({"steps": args.steps, "draws": args.draws, "sets": kept})


def seeds_of(kept: dict[str, Any], sets: list[str], row: str) -> list[str]:
    """Seeds that a row has on all of the sets."""
    return sorted(set.intersection(*(set(kept[name].get(row, {})) for name in sets)))


def means(kept: dict[str, Any], sets: list[str], row: str) -> np.ndarray:
    """(seeds, budgets) accuracy in points, mean over sets."""
    labels = [labels_in_words(budget) for budget in BUDGETS]
    seeds = seeds_of(kept, sets, row)
    got = [[[kept[s][row][k]["accuracy"][b] for b in labels] for k in seeds] for s in sets]
    return 100 * np.mean(got, axis=0).reshape(len(seeds), len(labels))


def table(kept: dict[str, Any], sets: list[str], title: str) -> str:
    """Mean accuracy over sets and seeds, and the gain over the same encoder untrained."""
    rows = [row for row in kept[sets[0]] if seeds_of(kept, sets, row)]
    order = sorted(rows, key=lambda row: -means(kept, sets, row).mean())
    head = "".join(f"{labels_in_words(budget):>13s}" for budget in BUDGETS)
    lines = [f"{title} ({len(sets)} sets)", f"{'':28s}{head}{'gain over untrained':>26s}"]
    for row in order:
        got = means(kept, sets, row)
        error = got.std(axis=0, ddof=1) / len(got) ** 0.5 if len(got) > 1 else np.zeros(3)
        cells = "".join(f"{m:8.1f}±{e:3.1f} " for m, e in zip(got.mean(axis=0), error, strict=True))
        lines.append(f"{row:28s}{cells}{gain_cells(kept, sets, row)}")
    return "\n".join(lines)


def gain_cells(kept: dict[str, Any], sets: list[str], row: str) -> str:
    """Points over the same encoder untrained, by budget; nothing for references."""
    base = base_of(row)
    if base is None or not seeds_of(kept, sets, base):
        return ""
    gain = means(kept, sets, row).mean(axis=0) - means(kept, sets, base).mean(axis=0)
    return "".join(f"{g:+8.1f}" for g in gain)


def agreement(kept: dict[str, Any], budget: Shots) -> dict[str, float]:
    """Rank correlation of each criterion with the probe over rows, mean over sets and seeds."""
    found: dict[str, list[float]] = {name: [] for name in CRITERIA}
    for rows in kept.values():
        seeds = {seed for got in rows.values() for seed in got}
        for seed in seeds:
            judged_rows = [g[seed] for g in rows.values() if seed in g and g[seed]["criteria"]]
            if len(judged_rows) < 5:
                continue
            probe = [one["accuracy"][labels_in_words(budget)] for one in judged_rows]
            for name, values in found.items():
                values.append(spearmanr([one["criteria"][name] for one in judged_rows], probe)[0])
    return {name: float(np.nanmean(values)) for name, values in found.items() if values}


def show(kept: dict[str, Any]) -> None:
    """Tables over the sets that are complete, and how criteria without labels agree with them."""
    for title, group in {"UCR": UCR, "UEA": UEA, "UCR and UEA": (*UCR, *UEA)}.items():
        sets = [name for name in group if name in kept and seeds_of(kept, [name], "untrained")]
        if sets:
            print("\n" + table(kept, sets, title))
    for budget in BUDGETS:
        got = agreement(kept, budget)
        cells = ", ".join(f"{name} {value:+.2f}" for name, value in got.items())
        print(f"\nrank correlation of criteria with the probe, {labels_in_words(budget)}: {cells}")


def merged(paths: list[Path]) -> dict[str, Any]:
    """Results of several files, put together."""
    kept: dict[str, Any] = {}
    for path in paths:
        for name, rows in json.loads(path.read_text())["sets"].items():
            for row, seeds in rows.items():
                kept.setdefault(name, {}).setdefault(row, {}).update(seeds)
    return kept


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roster", description=__doc__)
    parser.add_argument("--sets", nargs="*", default=[*UCR, *UEA], help="data sets; all by default")
    parser.add_argument("--rows", nargs="+", help="rows; all objectives by default")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, … of the learning")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=5, help="draws of labels, seeds 0, 1, …")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, help="of torch; all by default")
    parser.add_argument("--official", type=Path, help="checkout of the TS2Vec authors' repository")
    parser.add_argument("--add", nargs="+", type=Path, default=[], help="results to take over")
    parser.add_argument("--out", type=Path, default=RESULTS / "roster.json")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    kept = merged([*args.add, *([args.out] if args.out.exists() else [])])
    run(args, kept, partial(write, args.out))
    write(args.out, {"steps": args.steps, "draws": args.draws, "sets": kept})
    show(kept)
    print(f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
