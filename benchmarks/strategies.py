"""Which way of using a model is best for how many labels: `python -m benchmarks.strategies`.

On the open sets with most labels every strategy is fitted on the same labelled series and judged on
every test series: with 50 labels per class and with all of them, on a network that was pretrained
by gradient (`simclr` on a small `dilated`) and on the default model (`spectral`). "auto" is what
`Classifier(strategy="auto")` comes to: the rule of thumb, and from 1,000 labels on a race on
held-out training series. Results are kept by set, model and labels; what is there is not measured
again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import RESULTS, write
from benchmarks.open_data import load
from benchmarks.roster import small
from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.objectives.simclr import SimCLR
from selftime.objectives.supervised.targets import OneClass
from selftime.tasks.comparison.compare import Shots, draw_labels, labels_in_words
from selftime.tasks.transfer.choose import TransferResult, choose, fit_strategy, rule_of_thumb
from selftime.tasks.transfer.strategies import TransferConfig

SETS = ("PenDigits", "ECG5000", "TwoPatterns", "PhalangesOutlinesCorrect")
STRATEGIES = {
    "simclr": ("probe", "partial", "full", "staged", "scratch"),
    "spectral": ("probe", "staged"),
}
BUDGETS: tuple[Shots, ...] = (50, None)
Results = dict[str, dict[str, dict[str, dict[str, Any]]]]
"""By set, model, number of labels, strategy."""


def model_of(name: str, train: SeriesSet, seed: int) -> Model:
    """The pretrained model."""
    if name == "spectral":
        return pretrain(train, seed=seed)
    objective = SimCLR(encoder=small(train.n_channels, seed))
    return pretrain(train, objective=objective, budget="300 steps", seed=seed)


def judged(found: TransferResult, test: SeriesSet, seconds: float) -> dict[str, Any]:
    """Accuracy, likelihood and seconds of what came of labels."""
    solution = found.solution
    classes = solution.target_type.classes  # type: ignore[attr-defined]
    probabilities = np.asarray(solution.probabilities(test))
    given = probabilities[np.arange(len(test)), np.searchsorted(classes, test.labels)]
    return {
        "accuracy": float((classes[probabilities.argmax(axis=1)] == test.labels).mean()),
        "negative_log_likelihood": float(-np.log(np.maximum(given, 1e-9)).mean()),
        "seconds": seconds,
        "strategy": found.strategy,
    }


def measured(
    model: Model, train: SeriesSet, test: SeriesSet, name: str, seed: int
) -> dict[str, dict[str, Any]]:
    """Every strategy on the same labelled series, and which one "auto" takes."""
    target_type, out = OneClass(np.unique(train.labels)), {}
    for strategy in STRATEGIES[name]:
        start = time.perf_counter()
        config = TransferConfig(strategy=strategy, seed=seed)
        found = fit_strategy(model, train, train.labels, target_type, config)
        out[strategy] = judged(found, test, time.perf_counter() - start)
    start = time.perf_counter()
    chosen = choose(model, train, train.labels, target_type, TransferConfig(seed=seed))
    took = time.perf_counter() - start + out[chosen.strategy]["seconds"]
    # the same model, labels and seed give the same solution, so it is not fitted twice
    out["auto"] = out[chosen.strategy] | {"seconds": took, "held_out": chosen.credit}
    return out


def table(results: Results, model: str, budget: Shots) -> str:
    """One table: a row a set, a column a strategy."""
    columns = (*STRATEGIES[model], "auto")
    head = f"{'labels':>8s}{'rule':>9s}" + "".join(f"{name:>10s}" for name in columns)
    lines = [f"{model}, {labels_in_words(budget)}: accuracy in percent", f"{'':26s}{head}"]
    rows = []
    for name, found in results.items():
        made = found.get(model, {}).get(labels_in_words(budget))
        if made is None:
            continue
        labels = made["labels"]
        scores = [100 * made["strategies"][own]["accuracy"] for own in columns]
        rows.append(scores)
        took = made["strategies"]["auto"]["strategy"]
        cells = "".join(f"{score:10.1f}" for score in scores)
        lines.append(f"{name:26s}{labels:8d}{rule_of_thumb(labels):>9s}{cells}  auto took {took}")
    means = "".join(f"{score:10.1f}" for score in np.mean(rows, axis=0)) if rows else ""
    return "\n".join([*lines, f"{'mean':43s}{means}"])


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=SETS, help="data sets")
    parser.add_argument("--models", nargs="+", default=[*STRATEGIES], choices=[*STRATEGIES])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "strategies.json")
    args = parser.parse_args()
    kept = json.loads(args.out.read_text()) if args.out.exists() else {}
    results: Results = kept.get("sets", {})
    for model, name in ((m, n) for m in args.models for n in args.sets):
        there = results.setdefault(name, {}).setdefault(model, {})
        todo = [budget for budget in BUDGETS if labels_in_words(budget) not in there]
        if not todo:
            continue
        train, test = load(name)
        learned = model_of(model, train, args.seed)
        for budget in todo:
            labelled = train[draw_labels(train.labels, budget, 1)[0]]
            made = measured(learned, labelled, test, model, args.seed)
            there[labels_in_words(budget)] = {"labels": len(labelled), "strategies": made}
            shown = ", ".join(f"{k} {100 * v['accuracy']:.1f}" for k, v in made.items())
            print(f"{model} {name} {labels_in_words(budget)}: {shown}", flush=True)
            write(args.out, {"seed": args.seed, "sets": results})
    for model in args.models:
        for budget in BUDGETS:
            print("\n" + table(results, model, budget))
    print(f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
