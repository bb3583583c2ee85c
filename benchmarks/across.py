"""Pretrained on one set, used on another: `python -m benchmarks.across`.

Models of `SOURCES` are adapted to `TARGETS` (selftime.adapted: scaling and standardisation anew,
channels by themselves or by shared input weights; nothing is trained further) and judged by the
frozen probe with 1, 5 and all labels per class. Beside them stand the same encoder untrained, in
the form in which the model is used, and a model pretrained on the target itself with as many steps.
"many" learned from all series of all sources of one channel at once, each set scaled by itself.
"""

import argparse
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.__main__ import RESULTS, write
from benchmarks.open_data import load
from benchmarks.roster import BUDGETS, accuracy_of, model_of
from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.engine.adaptation import adapt
from selftime.engine.model import Model
from selftime.tasks.comparison.compare import labels_in_words
from selftime.tasks.comparison.rows import Row, model_row, untrained_row

SOURCES = ("SyntheticControl", "CBF", "SwedishLeaf", "FaceAll", "BasicMotions")
TARGETS = ("ItalyPowerDemand", "MoteStrain", "GunPoint", "ERing", "JapaneseVowels")
METHODS = ("simclr", "spectral")
LONGER = 4
"""Times as many steps for the second model of many sets."""
MANY, MANY_LONGER = "many", "many, longer"


def series_of(name: str) -> SeriesSet:
    """What is learned from: the training part of a set, or of all sources of one channel."""
    if name not in (MANY, MANY_LONGER):
        return load(name)[0]
    parts = [train for train, _ in map(load, SOURCES) if train.n_channels == 1]
    scaled = [scaling.fit_channels(part).apply(batch_of(part)).values.numpy() for part in parts]
    return SeriesSet.of([series for part in scaled for series in part])


@cache
def pretrained(method: str, name: str, seed: int, steps: int) -> Model:
    """A model of a set, learned once; "untrained" is a method too."""
    longer = LONGER if name == MANY_LONGER else 1
    return model_of(method, series_of(name), seed, longer * steps)


def rows_of(method: str, target: str) -> list[str]:
    """What is measured on a target."""
    if method == "spectral":
        single = [name for name in SOURCES if load(name)[0].n_channels == 1]
        return ["untrained", "itself", *single, MANY]
    each = ["untrained, by channel"] if load(target)[0].n_channels > 1 else []
    return ["untrained", *each, "itself", *SOURCES, MANY, MANY_LONGER]


def row_on(method: str, row: str, target: str, seed: int, steps: int) -> Row:
    """Vectors of a row on a target."""
    train, test = load(target)
    if row == "untrained" and method == "spectral":
        return untrained_row(pretrained(method, target, seed, steps), train, test)
    if row == "untrained":
        model = pretrained("untrained", target, seed, steps)
    elif row == "itself":
        model = pretrained(method, target, seed, steps)
    elif row == "untrained, by channel":
        model = adapt(pretrained("untrained", SOURCES[0], seed, steps), train)
    else:
        model = adapt(pretrained(method, row, seed, steps), train)
    return model_row(model, train, test)


def run(
    args: argparse.Namespace, kept: dict[str, Any], save: Callable[[dict[str, Any]], None]
) -> None:
    """Measure what is not there yet, seed by seed, and keep it."""
    for seed in range(args.seeds):
        for method in args.methods:
            for target in args.targets:
                train, test = load(target)
                for row in rows_of(method, target):
                    place = kept.setdefault(method, {}).setdefault(target, {}).setdefault(row, {})
                    if str(seed) in place:
                        continue
                    made = row_on(method, row, target, seed, args.steps)
                    place[str(seed)] = accuracy_of(made, train, test, args.draws)
                    cells = " ".join(f"{100 * value:5.1f}" for value in place[str(seed)].values())
                    print(f"{method:10s}{target:18s}{row:24s}{seed}  {cells}", flush=True)
                    save({"steps": args.steps, "draws": args.draws, "methods": kept})


def points(found: dict[str, Any], row: str) -> np.ndarray:
    """Accuracy (budgets,) in points, mean over seeds."""
    labels = [labels_in_words(budget) for budget in BUDGETS]
    return 100 * np.mean([[got[label] for label in labels] for got in found[row].values()], axis=0)


def base_of(found: dict[str, Any], row: str) -> str:
    """The same encoder untrained, in the form in which it is used on the target."""
    whole = row in ("itself", "untrained", "untrained, by channel") or row == "BasicMotions"
    return "untrained" if whole or "untrained, by channel" not in found else "untrained, by channel"


def table(kept: dict[str, Any], method: str) -> str:
    """Markdown: a row a source, a cell a target: points over untrained, and over itself."""
    targets = [
        name for name in kept[method] if set(rows_of(method, name)) <= set(kept[method][name])
    ]
    rows = [row for row in kept[method][targets[0]] if not row.startswith("untrained")]
    lines = [
        f"| `{method}` learned on | {' | '.join(targets)} | mean |",
        "|---" * (len(targets) + 2) + "|",
    ]
    for row in rows:
        gains = [gain_of(kept[method][target], row) for target in targets]  # (targets,2,budgets)
        cells = [cell(*gain) for gain in (*gains, np.mean(gains, axis=0))]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def gain_of(found: dict[str, Any], row: str) -> np.ndarray:
    """Points over the untrained encoder and over the target's own model (2, budgets)."""
    own = points(found, row)
    return np.stack([own - points(found, base_of(found, row)), own - points(found, "itself")])


def cell(over_untrained: np.ndarray, over_itself: np.ndarray) -> str:
    """Points over untrained at 1, 5 and all labels, and over the target's own model in brackets."""
    first, second = (
        " / ".join(f"{gain:+.1f}" for gain in gains) for gains in (over_untrained, over_itself)
    )
    return f"{first}".replace("-", "−") + f" ({second})".replace("-", "−")


def main() -> None:
    """Read the command line and run; what is there is not measured again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.across", description=__doc__)
    parser.add_argument("--targets", nargs="*", default=[*TARGETS], help="sets; all by default")
    parser.add_argument("--methods", nargs="+", default=[*METHODS])
    parser.add_argument("--seeds", type=int, default=2, help="seeds 0, 1, … of the learning")
    parser.add_argument("--draws", type=int, default=5, help="draws of labels, seeds 0, 1, …")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, help="of torch; all by default")
    parser.add_argument("--out", type=Path, default=RESULTS / "across.json")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    kept = json.loads(args.out.read_text())["methods"] if args.out.exists() else {}
    run(args, kept, partial(write, args.out))
    print("\n\n".join(table(kept, method) for method in kept))


if __name__ == "__main__":
    main()
