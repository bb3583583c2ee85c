"""Layer and pooling picked by left-out errors, beside the usual: `python -m benchmarks.picking`.

Models learn on the training series of a set without labels. With 5 and with all labels per class
the choice is made on the labelled training series alone, and judged on the official test part. The
usual stays within two standard errors; "one error" is the choice where it stays within one, "least
errors" where it has to be the best itself. "best on test" cannot be known in use and says how much
there is to gain. Two standard errors for one were chosen on the sets of `ASIDE`, after a look at
their test parts; they are left out of the means.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.__main__ import RESULTS, write
from benchmarks.open_data import load
from benchmarks.roster import model_of, row_of
from selftime.data.series import SeriesSet
from selftime.engine.solve import sample_of
from selftime.tasks.comparison.compare import Shots, draw_labels, labels_in_words
from selftime.tasks.probing.probe import Probe
from selftime.tasks.selection.pick import (
    OWN_POOLING,
    LayerPooling,
    PickResult,
    as_good,
    class_index,
    has_classmates,
    pickable_network,
    pool_layers,
    score_candidate,
    standardise_over,
)

ASIDE = ("ItalyPowerDemand", "ERing")
SETS = (
    *("SyntheticControl", "GunPoint", "MoteStrain", "CBF", "ECGFiveDays", "SwedishLeaf"),
    *("JapaneseVowels", "BasicMotions"),
)
OBJECTIVES = ("simclr", "masked_patches")
BUDGETS: tuple[Shots, ...] = (5, None)
ROWS = ("usual", "picked", "one error", "least errors", "best on test")

Vectors = dict[LayerPooling, np.ndarray]


def measured(objective: str, name: str, seed: int, steps: int, draws: int) -> dict[str, Any]:
    """Accuracy of every row by number of labels, and what was picked."""
    train, test = load(name)
    model = model_of(row_of(objective), train, seed, steps)
    body = pickable_network(model)
    of_train, of_test = pool_layers(model, body, train), pool_layers(model, body, test)
    rows = sample_of(len(train), seed)
    seen = {place: standardise_over(z, z[rows]) for place, z in of_train.items()}
    new = {place: standardise_over(of_test[place], z[rows]) for place, z in of_train.items()}
    result = {}
    for budget in BUDGETS:
        picks = draw_labels(train.labels, budget, draws)
        found = [contest(seen, new, chosen, (train, test)) for chosen in picks]
        accuracy = {row: float(np.mean([one[row] for one in found])) for row in ROWS}
        result[labels_in_words(budget)] = accuracy | {"choices": [one["choice"] for one in found]}
    return result


def contest(
    seen: Vectors, new: Vectors, chosen: np.ndarray, parts: tuple[SeriesSet, SeriesSet]
) -> dict[str, Any]:
    """Accuracy of every row with some labels, and the place that is picked."""
    train, test = parts
    labels = train.labels[chosen]
    index = class_index(labels, len(labels))
    found = [score_candidate(place, z[chosen], index) for place, z in seen.items()]
    ranked = tuple(sorted(found, key=lambda one: (one.wrong, one.squared)))
    made = PickResult(None, ranked, 0, int(has_classmates(index).sum()))
    accuracy = {}
    for place, z in seen.items():
        head = Probe(reference_bank=z[:512]).fit(z[chosen], labels)
        accuracy[place] = float((head.predict(new[place]) == test.labels).mean())
    lenient = as_good(made.usual, made.best, made.judged, margin=1.0)
    chosen_by = made.usual, made.choice, made.usual if lenient else made.best, made.best
    usual, picked, one_error, least = (one[:2] for one in chosen_by)
    return {
        "usual": accuracy[usual],
        "picked": accuracy[picked],
        "one error": accuracy[one_error],
        "least errors": accuracy[least],
        "best on test": max(accuracy.values()),
        "choice": OWN_POOLING if picked == usual else f"{made.choice}",
    }


def show(kept: dict[str, Any]) -> None:
    """Mean accuracy over sets and seeds, gains over the usual, standard errors over sets."""
    for objective, sets in kept.items():
        reported = [seeds for name, seeds in sets.items() if name not in ASIDE]
        for label in (labels_in_words(budget) for budget in BUDGETS):
            table = np.array(
                [
                    np.mean([[got[label][row] for row in ROWS] for got in seeds.values()], axis=0)
                    for seeds in reported
                ]
            )  # (sets, rows)
            gain = 100 * (table - table[:, :1])
            error = gain.std(axis=0, ddof=1) / len(gain) ** 0.5
            cells = [
                f"{row} {100 * mean:.1f} ({g:+.1f} ± {e:.1f})"
                for row, mean, g, e in zip(
                    ROWS, table.mean(axis=0), gain.mean(axis=0), error, strict=True
                )
            ]
            choices = [c for s in reported for got in s.values() for c in got[label]["choices"]]
            moved = np.mean([choice != OWN_POOLING for choice in choices])
            print(f"{objective}, {label}: {', '.join(cells)}; moved in {moved:.0%} of draws")


def main() -> None:
    """Read the command line and run; what is there is not measured again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picking", description=__doc__)
    parser.add_argument(
        "--sets", nargs="*", default=[*ASIDE, *SETS], help="data sets; all by default"
    )
    parser.add_argument("--objectives", nargs="+", default=[*OBJECTIVES])
    parser.add_argument("--seeds", type=int, default=2, help="seeds 0, 1, … of the learning")
    parser.add_argument("--draws", type=int, default=5, help="draws of labels, seeds 0, 1, …")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, help="of torch; all by default")
    parser.add_argument("--out", type=Path, default=RESULTS / "picking.json")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    kept = json.loads(args.out.read_text())["models"] if args.out.exists() else {}
    save = partial(write, args.out)
    for seed in range(args.seeds):
        for name in args.sets:
            for objective in args.objectives:
                place = kept.setdefault(objective, {}).setdefault(name, {})
                if str(seed) not in place:
                    place[str(seed)] = measured(objective, name, seed, args.steps, args.draws)
                    print(objective, name, seed, place[str(seed)], flush=True)
                    save({"steps": args.steps, "draws": args.draws, "models": kept})
    show(kept)


if __name__ == "__main__":
    main()
