"""`python -m benchmarks.unlabelled`: many unlabelled series, few labels.

The official parts of a set are put together; one third of all series, the same share of a class,
is judged (seed 0; whole segments or persons, where windows of the same are in the set), the others
are unlabelled. Learners see a pool of 50, 200, 1,000 or all of them, drawn at random: pools of a
seed are nested. Labels are drawn from all that are not judged, the same ones whatever the pool and
the learner, and every learner is judged by the same probe, whose reference bank is from the pool.
Self-supervision's own share is the accuracy of a learner less that of its encoder untrained.

Every other set by size serves to choose defaults (`CHOOSE`), the rest to judge it (`JUDGE`):
ECG5000, whose loss at one label was to be looked into, is among those that choose; TwoPatterns and
FaceAll, which fell behind by earlier choices, are among those that judge.

Results are kept by set, learner, pool and seed; what is there is not measured again.
"""

import argparse
import json
import time
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from benchmarks.__main__ import RESULTS, write
from benchmarks.dual_probe import hits_of
from benchmarks.open_data import load, root
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.data.splits import draw_per_class, draw_share
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.engine.solve import sample_size
from selftime.objectives.spectral import near_weight
from selftime.tasks.comparison.compare import row_hits
from selftime.tasks.comparison.rows import (
    Row,
    concatenate_sets,
    minirocket_ridge,
    model_row,
    raw_values_row,
    untrained_row,
)
from selftime.tasks.probing.probe import Probe

SETS = (
    *("BonnEEG", "PenDigits", "ECG5000", "TwoPatterns", "PhalangesOutlinesCorrect", "FaceAll"),
    *("ShoulderWatch", "MoteStrain", "SwedishLeaf", "ItalyPowerDemand", "Strawberry", "CBF"),
    "ECGFiveDays",
)
"""Open sets with more than 800 series in both parts, by their number."""
CHOOSE, JUDGE = SETS[0::2], SETS[1::2]
SHOTS, DRAWS = (1, 2, 5, 20), 10
POOLS: tuple[int | None, ...] = (50, 200, 1000, None)
CLOSED = ("raw values", "MiniRocket + ridge", "spectral", "spectral, copies alone", "neighbours")
GRADIENT = ("vicreg", "simclr", "barlow_twins", "ts2vec", "next_step")
"""The best five of results/roster.json by their mean accuracy."""
EEG_STEPS, WATCH_STEPS = 178, 128
"""Steps of a window: as in the sets of TS-TCC, and two and a half seconds."""


class Whole(NamedTuple):
    """All series of a set, their classes, and where windows come from; or None."""

    series: SeriesSet
    labels: np.ndarray
    groups: np.ndarray | None


@lru_cache(maxsize=1)
def whole_set(name: str) -> Whole:
    """All series of a set: both official parts, or windows of its recordings."""
    if name == "BonnEEG":
        return bonn_eeg()
    if name == "ShoulderWatch":
        return shoulder_watch()
    train, test = load(name)
    assert train.labels is not None and test.labels is not None
    return Whole(concatenate_sets(train, test), np.concatenate([train.labels, test.labels]), None)


def bonn_eeg() -> Whole:
    """Windows of 500 segments of EEG of five kinds (Andrzejak et al. 2001)."""
    pieces, labels, groups = [], list[str](), list[str]()
    with zipfile.ZipFile(root() / "streams" / "bonn_eeg.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.lower().endswith(".txt")):
            values = np.array(archive.read(name).split(), np.float32)
            cut = values[: len(values) // EEG_STEPS * EEG_STEPS].reshape(-1, 1, EEG_STEPS)
            pieces.append(cut)
            labels += [Path(name).parent.name] * len(cut)
            groups += [name] * len(cut)
    return Whole(read(np.concatenate(pieces)), np.array(labels), np.array(groups))


def shoulder_watch() -> Whole:
    """Windows of 140 recordings of seven exercises by ten persons (Burns et al. 2018)."""
    with np.load(root() / "streams" / "shoulder_watch" / "watch.npz") as arrays:
        values, offsets = arrays["values"], arrays["offsets"]
        kinds, persons = arrays["y"], arrays["subject"]
    pieces, labels, groups = [], list[str](), list[str]()
    for i, (start, end) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
        n = (end - start) // WATCH_STEPS
        cut = values[start : start + n * WATCH_STEPS].reshape(n, WATCH_STEPS, -1)
        pieces.append(cut.transpose(0, 2, 1))
        labels += [str(kinds[i])] * n
        groups += [str(persons[i])] * n
    return Whole(read(np.concatenate(pieces)), np.array(labels), np.array(groups))


Picks = dict[int, list[np.ndarray]]
"""Rows with a label, by labels per class and draw."""
Accuracy = dict[str, list[float]]
"""By labels per class and draw."""


class Split(NamedTuple):
    """Rows that are judged, and all others in the random order in which pools take them."""

    judged: np.ndarray
    others: np.ndarray


def split_of(whole: Whole, seed: int) -> Split:
    """The third that is judged, whatever the seed, and the others in the order of a seed."""
    rng = np.random.default_rng(0)
    if whole.groups is None:
        judged = draw_share(whole.labels, 1 / 3, rng)
    else:
        names, first = np.unique(whole.groups, return_index=True)
        several = len(np.unique(whole.labels[whole.groups == names[0]])) > 1
        kinds = np.zeros(len(names)) if several else whole.labels[first]
        judged = np.flatnonzero(np.isin(whole.groups, names[draw_share(kinds, 1 / 3, rng)]))
    rest = np.setdiff1d(np.arange(len(whole.labels)), judged)
    return Split(judged, np.random.default_rng([seed, 7]).permutation(rest))


def picks_of(labels: np.ndarray, others: np.ndarray, shots: int) -> list[np.ndarray]:
    """Rows with a label in each draw, from all that are not judged."""
    rest = np.sort(others)
    rngs = [np.random.default_rng(draw) for draw in range(DRAWS)]
    return [rest[draw_per_class(labels[rest], shots, rng)] for rng in rngs]


def accuracy_of(row: Row, labels: np.ndarray, judged: np.ndarray, picks: Picks) -> Accuracy:
    """Share of the judged series that are right in each draw; all vectors stand in ``test``."""
    x = np.asarray(row.test)
    if not isinstance(row.head, Probe):
        seen = Row(row.name, x, x[judged], row.head)
        right = {k: row_hits(seen, labels, labels[judged], drawn) for k, drawn in picks.items()}
    else:
        together = [pick for drawn in picks.values() for pick in drawn]
        hits = hits_of(x, labels, row.head.reference_bank, judged, together)
        right = dict(zip(picks, np.split(hits, len(picks)), strict=True))
    return {str(shots): hits.mean(axis=1).tolist() for shots, hits in right.items()}


def measured(name: str, learner: str, pool: int | None, seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy by labels and draw, of a learner and of its encoder untrained, by row."""
    whole = whole_set(name)
    split = split_of(whole, seed)
    picks = {shots: picks_of(whole.labels, split.others, shots) for shots in SHOTS}
    drawn = np.concatenate([pick for several in picks.values() for pick in several])
    rows = np.unique(np.concatenate([split.judged, drawn]))  # all that are embedded
    places = {k: [np.searchsorted(rows, pick) for pick in several] for k, several in picks.items()}
    unlabelled = whole.series[np.sort(split.others[:pool])]
    start, found = clocks(), dict[str, dict[str, Any]]()
    for row_name, row in rows_of(learner, unlabelled, whole.series[rows], seed):
        seconds, cpu = (clocks() - start).round(1).tolist()
        judged = np.searchsorted(rows, split.judged)
        accuracy = accuracy_of(row, whole.labels[rows], judged, places)
        found[row_name] = {"accuracy": accuracy, "seconds": seconds, "cpu seconds": cpu}
        start = clocks()
    return found


def clocks() -> np.ndarray:
    """Seconds that passed, and those that this process computed."""
    return np.array([time.perf_counter(), time.process_time()])


def rows_of(
    learner: str, pool: SeriesSet, whole: SeriesSet, seed: int
) -> Iterator[tuple[str, Row]]:
    """A learner's row, vectors of the whole set in its second place; then its encoder untrained."""
    plain = {"raw values": raw_values_row, "MiniRocket + ridge": minirocket_ridge}
    if learner in plain:
        blank = Model(None, None, pool.channels)  # type: ignore[arg-type] # both read the pool alone
        yield learner, plain[learner](blank, pool, whole)
    elif learner in CLOSED:
        weight = 0.0 if learner.endswith("alone") else near_weight(sample_size(pool))
        with patch("selftime.objectives.spectral.near_weight", return_value=weight):
            objective = learner.partition(",")[0]
            model = pretrain(pool, objective=objective, seed=seed, progress=False)
        yield learner, own_row(model, pool, whole)
        if learner == "spectral":
            yield "untrained", untrained_row(model, pool, whole)
    else:
        name, _, budget = learner.removesuffix(_JOINED).partition(", ")
        model = pretrain(pool, objective=name, budget=budget, seed=seed, progress=False)
        if learner.endswith(_JOINED):
            both = pretrain(pool, encoder=model, seed=seed, progress=False)
            yield learner, own_row(both, pool, whole)
            return
        yield learner, own_row(model, pool, whole)
        yield f"{name} untrained", untrained_row(model, pool, whole)


_JOINED = " + spectral"
"""Ends the name of a trained network that is joined with random convolutions before the solve."""


def own_row(model: Model, pool: SeriesSet, whole: SeriesSet) -> Row:
    """The row of a model, without vectors of the pool, whose bank the model has."""
    return model_row(model, pool[:1], whole)


def base_of(learner: str) -> str | None:
    """The row that a learner's own share is counted from; None of references."""
    if learner in CLOSED[2:] or learner.endswith(_JOINED):
        return "untrained"
    return f"{learner.split(', ')[0]} untrained" if ", " in learner else None


def pools_of(name: str, asked: list[int | None]) -> list[int | None]:
    """Pools that are smaller than all that is not judged, and all."""
    most = len(split_of(whole_set(name), 0).others)
    return [pool for pool in asked if pool is None or pool < most]


Kept = dict[str, Any]
"""By set, row, pool and seed: accuracy and seconds."""


def run(args: argparse.Namespace, kept: Kept) -> None:
    """Measure what is not there yet, seed by seed, and keep it."""
    for seed in range(args.seeds):
        for name in args.sets:
            for pool in pools_of(name, args.pools):
                for learner in args.learners:
                    if has(kept, name, learner, pool, seed):
                        continue
                    for row, cell in measured(name, learner, pool, seed).items():
                        place = kept.setdefault(name, {}).setdefault(row, {})
                        place.setdefault(words(pool), {})[str(seed)] = cell
                        shown = " ".join(f"{100 * m:5.1f}" for m in means_of(cell))
                        told = f"{name:25s}{row:30s}{words(pool):>6s} {seed}  {shown}"
                        print(f"{told}  {cell['seconds']:6.1f} s", flush=True)
                    write(args.out, {"draws": DRAWS, "sets": kept})


def has(kept: Kept, name: str, row: str, pool: int | None, seed: int) -> bool:
    """Whether a cell is there."""
    return str(seed) in kept.get(name, {}).get(row, {}).get(words(pool), {})


def words(pool: int | None) -> str:
    """A pool as printed."""
    return f"{pool:,}" if pool else "all"


def means_of(cell: dict[str, Any]) -> list[float]:
    """Mean accuracy over draws, by labels per class."""
    return [float(np.mean(cell["accuracy"][str(shots)])) for shots in SHOTS]


def points(kept: Kept, name: str, row: str, pool: str, base: str | None) -> np.ndarray | None:
    """Points (labels,), mean over the seeds that both rows have; None where there is none."""
    own = kept.get(name, {}).get(row, {}).get(pool, {})
    other = kept.get(name, {}).get(base, {}).get(pool, {}) if base else own
    seeds = sorted(own.keys() & other.keys())
    if not seeds:
        return None
    got = [means_of(own[s]) for s in seeds]
    less = [means_of(other[s]) for s in seeds] if base else np.zeros_like(got)
    return 100 * (np.array(got) - less).mean(axis=0)


def curve(kept: Kept, sets: list[str], row: str, base: str | None) -> dict[str, np.ndarray]:
    """By pool: points (sets, labels) of the sets that have it."""
    out = {}
    for pool in map(words, POOLS):
        got = [p for name in sets if (p := points(kept, name, row, pool, base)) is not None]
        if got:
            out[pool] = np.array(got)
    return out


def with_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error over sets."""
    n = len(values)
    error = values.std(axis=0, ddof=1) / n**0.5 if n > 1 else np.full(values.shape[1], np.nan)
    return values.mean(axis=0), error


def groups_of(kept: Kept) -> dict[str, list[str]]:
    """Sets with pools of 1,000 and more, smaller ones, and those that served no choice."""
    there = [name for name in SETS if name in kept]
    large = [n for n in there if any("1,000" in pools for pools in kept[n].values())]
    return {
        "sets with 1,000 and more": large,
        "smaller sets": [name for name in there if name not in large],
        "of these 1,000 and more, judged alone": [n for n in large if n in JUDGE],
        "all that are judged alone": [n for n in there if n in JUDGE],
    }


def show(kept: Kept) -> None:
    """Accuracy of every row, then own shares as curves over the pool."""
    learners = list(dict.fromkeys(row for rows in kept.values() for row in rows))
    for title, sets in groups_of(kept).items():
        print(f"\n{title} ({', '.join(sets)})\naccuracy at {SHOTS} labels per class, by pool")
        for row in learners:
            for pool, got in curve(kept, sets, row, None).items():
                cells = "  ".join(f"{m:5.1f}" for m in got.mean(axis=0))
                print(f"  {row:34s}{pool:>6s}  {cells}  ({len(got)} sets)")
        print("points over the same encoder untrained ± standard error over sets")
        for row in learners:
            for pool, got in curve(kept, sets, row, base_of(row)).items() if base_of(row) else ():
                cells = "  ".join(
                    f"{m:+5.1f} ± {e:.1f}" for m, e in zip(*with_error(got), strict=True)
                )
                print(f"  {row:34s}{pool:>6s}  {cells}  ({len(got)} sets)")


def draw(kept: Kept, path: Path) -> None:
    """Own share over the pool, of sets with 1,000 series and more; bars are standard errors."""
    import matplotlib.pyplot as plt

    sets = groups_of(kept)["sets with 1,000 and more"]
    figure, axes = plt.subplots(1, len(SHOTS), figsize=(10, 3.2), sharey=True, layout="constrained")
    rows = {"spectral": "the default", "spectral, copies alone": "views alone"}
    for i, (ax, shots) in enumerate(zip(axes, SHOTS, strict=True)):
        for shift, (row, label), mark in zip(
            (-0.06, 0.06), rows.items(), ("o-", "s--"), strict=True
        ):
            found = curve(kept, sets, row, base_of(row))
            mean, error = np.array(
                [[part[i] for part in with_error(got)] for got in found.values()]
            ).T
            ax.errorbar(
                np.arange(len(found)) + shift, mean, error, fmt=mark, capsize=3, label=label
            )
        ax.axhline(0, color="0.6", linewidth=0.8)
        ax.set_xticks(range(len(found)), found)
        ax.set(
            title=f"{shots} label{'s' if shots > 1 else ''} per class", xlabel="unlabelled series"
        )
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("points over the encoder untrained")
    axes[0].legend(fontsize="small", loc="upper left")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unlabelled", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--pools", nargs="+", type=pool_in, default=list(POOLS))
    known = "closed forms and references by default; gradient rows are such as 'vicreg, 1 minutes'"
    parser.add_argument("--learners", nargs="+", default=list(CLOSED), help=known)
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, … of pools and learning")
    parser.add_argument("--out", type=Path, default=RESULTS / "unlabelled.json")
    parser.add_argument("--show", action="store_true", help="print what --out holds, no more")
    parser.add_argument(
        "--picture",
        type=Path,
        help="where the curve is drawn, such as docs/pictures/unlabelled.svg",
    )
    args = parser.parse_args()
    kept = json.loads(args.out.read_text())["sets"] if args.out.exists() else {}
    if not args.show:
        run(args, kept)
    show(kept)
    if args.picture:
        draw(kept, args.picture)


def pool_in(text: str) -> int | None:
    """A number of series, or "all"."""
    return None if text == "all" else int(text)


if __name__ == "__main__":
    main()
