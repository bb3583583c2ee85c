"""The best gradient recipes at their published sizes: `python -m benchmarks.full_size`.

On the sets of the roster, beside TS2Vec as its authors wrote it where --official names a checkout
of it. Every row learns for as many steps as the authors' code (200 or 600), on the encoder of their
size; all rows of a set see the same draws of labels, every test series and the same probe.
Results are kept by set, row and seed; what is there is not measured again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import RESULTS, write
from benchmarks.gradient import official_rows
from benchmarks.open_data import load
from benchmarks.roster import BUDGETS, UCR, UEA, small
from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.tasks.comparison.compare import draw_labels, labels_in_words, row_hits
from selftime.tasks.comparison.rows import Row, minirocket_ridge, model_row

OFFICIAL = "official ts2vec"
RECIPES = ("ts2vec", "simclr", "ts2vec + simclr")
MINIROCKET = "MiniRocket + ridge"
Results = dict[str, dict[str, dict[str, dict[str, float]]]]
"""By set, row, seed, and number of labels (or "seconds")."""


def row_of(name: str, train: SeriesSet, test: SeriesSet, seed: int, official: Path | None) -> Row:
    """One row, learned with a seed."""
    if name == OFFICIAL:
        assert official is not None
        return official_rows(official, train, test, seed, {})[0]
    if name == MINIROCKET:
        unread = Model(small(train.n_channels, seed), scaling.none(), train.channels)
        return minirocket_ridge(unread, train, test, seed=seed)
    return model_row(pretrain(train, objective=name, seed=seed), train, test)


def measured(name: str, row: str, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """Accuracy at each number of labels, mean over draws, and seconds."""
    train, test = load(name)
    start = time.perf_counter()
    made = row_of(row, train, test, seed, args.official)
    found = {"seconds": time.perf_counter() - start}
    for budget in BUDGETS:
        picks = draw_labels(train.labels, budget, args.draws)
        hits = row_hits(made, train.labels, test.labels, picks)
        found[labels_in_words(budget)] = float(hits.mean())
    return found


def table(results: Results, rows: list[str], seeds: list[int]) -> str:
    """Means over the sets that have every one of these rows; standard error over seeds."""
    whole = [
        found
        for found in results.values()
        if all(str(seed) in found.get(row, {}) for row in rows for seed in seeds)
    ]
    lines = [f"{len(whole)} sets, {len(seeds)} seeds"]
    for row in rows if whole else []:
        cells = []
        for budget in map(labels_in_words, BUDGETS):
            each = [np.mean([found[row][str(seed)][budget] for found in whole]) for seed in seeds]
            error = np.std(each, ddof=1) / len(each) ** 0.5 if len(each) > 1 else 0.0
            cells.append(f"{100 * np.mean(each):8.1f} ± {100 * error:3.1f}")
        lines.append(f"{row:24s}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full_size", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA], choices=[*UCR, *UEA])
    parser.add_argument("--objectives", nargs="+", default=RECIPES, help="names, sums of them")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--draws", type=int, default=5, help="draws of labels, seeds 0, 1, …")
    parser.add_argument("--official", type=Path, help="checkout of the TS2Vec authors' repository")
    parser.add_argument("--out", type=Path, default=RESULTS / "full_size.json")
    args = parser.parse_args()
    kept: dict[str, Any] = json.loads(args.out.read_text()) if args.out.exists() else {}
    results: Results = kept.get("sets", {})
    rows = [*args.objectives, MINIROCKET, *([OFFICIAL] if args.official else [])]
    for seed, name, row in ((s, n, r) for s in args.seeds for n in args.sets for r in rows):
        there = results.setdefault(name, {}).setdefault(row, {})
        if str(seed) not in there:
            there[str(seed)] = measured(name, row, seed, args)
            shown = " ".join(f"{100 * there[str(seed)][labels_in_words(b)]:5.1f}" for b in BUDGETS)
            print(f"{seed} {name:26s} {row:24s} {shown} {there[str(seed)]['seconds']:6.0f} s")
            write(args.out, {"draws": args.draws, "sets": results})
    print("\n" + table(results, rows, args.seeds) + f"\n\nwritten to {args.out}")


if __name__ == "__main__":
    main()
