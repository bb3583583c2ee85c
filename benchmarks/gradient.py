"""Learning by gradient beside everything else: `python -m benchmarks.gradient`.

Rows: ts2vec, simclr, their encoder untrained, spectral, features of a trained encoder joined with
random convolutions before the closed-form solve, MiniRocket + ridge, supervised from scratch, and,
where its repository is given with --official, TS2Vec as its authors wrote it. All rows of a set see
the same draws of labels and every test series; seeds change the learning. Every embedding is judged
by the same probe on standardised vectors of length 1, and those of TS2Vec, ours and theirs, also by
plain ridge on the vectors as they come, the protocol of the published figures.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.preprocessing import StandardScaler

from benchmarks.__main__ import RESULTS, write
from benchmarks.few_labels import held
from benchmarks.open_data import load
from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.builders import BUILDERS, EQUAL_WEIGHT
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.engine.solve import fit_closed_form
from selftime.objectives.spectral import Spectral
from selftime.tasks.comparison.compare import Shots, draw_labels, labels_in_words, row_hits
from selftime.tasks.comparison.rows import (
    Row,
    draw_bank,
    from_scratch,
    minirocket_ridge,
    model_row,
    untrained_row,
)
from selftime.tasks.probing.probe import Probe
from selftime.views.mild import Mild

UCR = (
    *("Adiac", "ArrowHead", "CBF", "ECGFiveDays", "GunPoint", "ItalyPowerDemand", "MoteStrain"),
    *("OSULeaf", "SyntheticControl", "ToeSegmentation1", "Trace"),
)
UEA = ("BasicMotions", "ERing", "JapaneseVowels")
BUDGETS: tuple[Shots, ...] = (1, 5, None)
PUBLISHED = {  # official code, ridge at 1 / 5 / all labels, measured earlier on two shared cores
    "Adiac": (0.215, 0.586, 0.581),
    "ArrowHead": (0.567, 0.671, 0.754),
    "CBF": (0.886, 0.990, 0.997),
    "ECGFiveDays": (0.746, 0.995, 1.000),
    "GunPoint": (0.597, 0.835, 0.993),
    "ItalyPowerDemand": (0.645, 0.871, 0.961),
    "MoteStrain": (0.725, 0.883, 0.882),
    "OSULeaf": (0.446, 0.597, 0.789),
    "SyntheticControl": (0.838, 0.988, 0.997),
    "ToeSegmentation1": (0.655, 0.841, 0.943),
    "Trace": (0.748, 0.996, 1.000),
}


def plain_ridge(name: str, train: np.ndarray, test: np.ndarray) -> Row:
    """Ridge with leave-one-out penalty on vectors as they come."""
    return Row(f"{name}, plain ridge", train, test, RidgeClassifierCV(np.logspace(-3, 3, 10)))


def renamed(row: Row, name: str) -> Row:
    """The same row under another name."""
    return row._replace(name=name)


def gradient_rows(
    name: str, train: SeriesSet, test: SeriesSet, seed: int, seconds: dict[str, float]
) -> tuple[Model, list[Row]]:
    """A method that is learned by gradient: its model, and its row."""
    start = time.perf_counter()
    model = pretrain(train, objective=name, seed=seed)
    seconds[f"learn: {name}"] = time.perf_counter() - start
    return model, [renamed(model_row(model, train, test), name)]


def backbone(model: Model) -> Encoder:
    """The standardised encoder without the scaling to length 1."""
    inside: Encoder = model.encoder.encoder  # type: ignore[assignment]
    return inside


def joined(model: Model, spectral: Model, train: SeriesSet, seed: int) -> Model:
    """A trained encoder and random convolutions side by side before the closed-form solve."""
    length = int(np.median(train.lengths))
    sizes: dict[str, Any] = {"channels": train.n_channels, "length": length}
    both = Joined(
        encoders=[BUILDERS["rocket"](**sizes, seed=seed), backbone(model)],
        weights=[EQUAL_WEIGHT, EQUAL_WEIGHT],
    )
    chosen = {name: choice["value"] for name, choice in spectral.card["settings"].items()}
    objective = Spectral(
        encoder=both,
        beside=BUILDERS["quantiles"](**sizes),
        view=Mild(strength=chosen["strength"]),
        penalty=chosen["penalty"],
        copies=chosen["copies"],
    )
    scale = scaling.fit_channels(train)
    found = Model(fit_closed_form(objective, train, scale, seed=seed).eval(), scale, train.channels)
    return Model(found.encoder, scale, train.channels, reference_bank=found.embed(train)[:512])


def official_rows(
    path: Path, train: SeriesSet, test: SeriesSet, seed: int, seconds: dict[str, float]
) -> list[Row]:
    """TS2Vec by its authors, with their settings; series held to equal length."""
    sys.path.insert(0, str(path))
    from ts2vec import TS2Vec as Official  # type: ignore[import-not-found]

    sys.path.remove(str(path))
    steps = int(max(train.lengths.max(), test.lengths.max()))
    parts = [
        np.ascontiguousarray(held(x, steps).transpose(0, 2, 1), np.float32) for x in (train, test)
    ]
    mean, spread = np.nanmean(parts[0], axis=(0, 1)), np.nanstd(parts[0], axis=(0, 1))
    parts = [(part - mean) / np.where(spread > 0, spread, 1) for part in parts]
    np.random.seed(seed)
    torch.manual_seed(seed)
    model = Official(train.n_channels, device="cpu", batch_size=8)
    start = time.perf_counter()
    model.fit(parts[0])
    seconds["learn: official ts2vec"] = time.perf_counter() - start
    start = time.perf_counter()
    vectors = [model.encode(part, encoding_window="full_series") for part in parts]
    seconds["embed: official ts2vec"] = time.perf_counter() - start
    scaler = StandardScaler().fit(vectors[0])
    units = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in map(scaler.transform, vectors)]
    row = Row("official ts2vec", *units, Probe(reference_bank=draw_bank(units[0])))
    return [row, plain_ridge("official ts2vec", *vectors)]


def seeded(
    train: SeriesSet, test: SeriesSet, seed: int, official: Path | None, seconds: dict[str, float]
) -> list[Row]:
    """Every row that depends on the seed of the learning."""
    ts2vec, rows = gradient_rows("ts2vec", train, test, seed, seconds)
    bare = Model(backbone(ts2vec).encoder, ts2vec.scaling, train.channels)  # type: ignore[arg-type]
    start = time.perf_counter()
    vectors = bare.embed(train), bare.embed(test)
    seconds["embed: ts2vec"] = time.perf_counter() - start
    rows.append(plain_ridge("ts2vec", *vectors))
    simclr, more = gradient_rows("simclr", train, test, seed, seconds)
    rows += more
    rows.append(untrained_row(ts2vec, train, test))
    start = time.perf_counter()
    spectral = pretrain(train, seed=seed)
    seconds["learn: spectral"] = time.perf_counter() - start
    rows.append(renamed(model_row(spectral, train, test), "spectral"))
    for name, model in {"ts2vec": ts2vec, "simclr": simclr}.items():
        both = joined(model, spectral, train, seed)
        rows.append(renamed(model_row(both, train, test), f"spectral on rocket and {name}"))
    if official:
        rows += official_rows(official, train, test, seed, seconds)
    return rows


def measured(name: str, seeds: int, draws: int, official: Path | None) -> dict[str, Any]:
    """All rows of one set: accuracy by row and budget, one number a seed; seconds by seed."""
    train, test = load(name)
    accuracy: dict[str, dict[str, list[float]]] = {}
    seconds: list[dict[str, float]] = []

    def judge(row: Row) -> None:
        for budget in BUDGETS:
            hits = row_hits(
                row, train.labels, test.labels, draw_labels(train.labels, budget, draws)
            )
            accuracy.setdefault(row.name, {}).setdefault(labels_in_words(budget), []).append(
                hits.mean()
            )

    for seed in range(seeds):
        seconds.append({})
        for row in seeded(train, test, seed, official, seconds[-1]):
            judge(row)
    model = Model(BUILDERS["dilated"](channels=train.n_channels, length=1), scaling.none(), ())
    start = time.perf_counter()
    judge(minirocket_ridge(model, train, test))
    judge(from_scratch(model, train, test))
    seconds[0]["MiniRocket and from scratch"] = time.perf_counter() - start
    return {"train": len(train), "test": len(test), "seconds": seconds, "accuracy": accuracy}


def table(results: dict[str, dict[str, Any]], title: str) -> str:
    """Mean accuracy over sets and seeds; standard error over seeds of the mean over sets."""
    lines = [f"{title} ({len(results)} sets)", f"{'':34s}" + "".join(_head(b) for b in BUDGETS)]
    for row in rows_in_all(results):
        cells = []
        for budget in BUDGETS:
            by_set = [r["accuracy"][row][labels_in_words(budget)] for r in results.values()]
            seeds = np.mean(by_set, axis=0)  # (seeds,)
            error = seeds.std(ddof=1) / len(seeds) ** 0.5 if len(seeds) > 1 else 0.0
            cells.append(f"{100 * seeds.mean():12.1f} ± {100 * error:3.1f}")
        lines.append(f"{row:34s}" + "".join(cells))
    earlier = [PUBLISHED[name] for name in results if name in PUBLISHED]
    if len(earlier) == len(results):
        means = 100 * np.mean(earlier, axis=0)
        lines.append(
            f"{'official code, measured earlier':34s}" + "".join(f"{m:18.1f}" for m in means)
        )
    return "\n".join(lines)


def rows_in_all(results: dict[str, dict[str, Any]]) -> list[str]:
    """Rows that every set has, in the order of the first."""
    first, *others = [result["accuracy"] for result in results.values()]
    return [row for row in first if all(row in other for other in others)]


def _head(budget: Shots) -> str:
    return f"{labels_in_words(budget):>18s}"


def run(
    args: argparse.Namespace,
    results: dict[str, dict[str, Any]],
    save: Callable[[dict[str, Any]], None],
) -> None:
    """Measure, print and save, set by set; then print the means."""
    for name in (name for name in args.sets if name not in results):
        start = time.perf_counter()
        results[name] = measured(name, args.seeds, args.draws, args.official)
        print(f"\n{table({name: results[name]}, name)}", flush=True)
        print(f"{time.perf_counter() - start:.0f} s", flush=True)
        save({"seeds": args.seeds, "draws": args.draws, "sets": results})
    save({"seeds": args.seeds, "draws": args.draws, "sets": results})
    for title, group in {"UCR": UCR, "UEA": UEA}.items():
        part = {name: result for name, result in results.items() if name in group}
        beside = {name: r for name, r in part.items() if "official ts2vec" in r["accuracy"]}
        if part:
            print("\n" + table(part, title))
        if beside and len(beside) < len(part):
            print("\n" + table(beside, f"{title}, those with the authors' code beside"))


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gradient", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA], help="data sets; all by default")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, … of the learning")
    parser.add_argument("--draws", type=int, default=5, help="draws of labels, seeds 0, 1, …")
    parser.add_argument("--official", type=Path, help="checkout of the TS2Vec authors' repository")
    parser.add_argument("--add", nargs="+", type=Path, default=[], help="results to take over")
    parser.add_argument("--out", type=Path, default=RESULTS / "gradient.json")
    args = parser.parse_args()
    if unknown := set(args.sets) - {*UCR, *UEA}:
        parser.error(f"unknown {', '.join(sorted(unknown))}: choose from {' '.join([*UCR, *UEA])}")
    earlier = {k: v for path in args.add for k, v in json.loads(path.read_text())["sets"].items()}
    run(args, earlier, lambda results: write(args.out, results))
    print(f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
