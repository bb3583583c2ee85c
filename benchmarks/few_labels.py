"""Accuracy from 1 label per class to all: selftime beside its reference rows and aeon.

All rows of a set see the same draws of labels (seeds 0, 1, …) and every test series. aeon's
MiniRocket and the standardisation of its features are fitted on the whole unlabelled training part,
which favours it; the classifier is the one of its paper, ridge with leave-one-out penalty.
Supervised from scratch takes minutes a set: it may have fewer draws, the first of them, and fewer
steps. A class that has fewer labels than asked for gives all that it has.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.linear_model import RidgeClassifierCV

from benchmarks.open_data import UCR, load
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.engine.pretrain import pretrain
from selftime.tasks.comparison.compare import (
    COMPARISON_ROWS,
    Shots,
    draw_labels,
    labels_in_words,
    row_hits,
)
from selftime.tasks.comparison.rows import Row

BUDGETS: tuple[Shots, ...] = (1, 2, 5, 10, 20, 50, None)
AEON = "aeon MiniRocket + ridge"
SCRATCH = "supervised from scratch"
THREADS = 2


class Effort(NamedTuple):
    """How much is measured.

    Attributes:
        draws: of labels.
        scratch_draws: of them, from scratch; with 0 that row is left out.
        scratch_steps: most steps of training from scratch.
    """

    draws: int = 5
    scratch_draws: int = 2
    scratch_steps: int = 400

    def draws_of(self, row: str) -> int:
        """How many draws a row is judged on."""
        return self.scratch_draws if row == SCRATCH else self.draws


def measured(name: str, effort: Effort, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """All rows of one set: accuracy by budget and draw, mean labels per class, and seconds.

    Rows that are known already are not measured again.
    """
    accuracy, seconds = (dict((known or {}).get(key, {})) for key in ("accuracy", "seconds"))
    makers = {**COMPARISON_ROWS, AEON: aeon_row}
    missing = [row for row in makers if effort.draws_of(row) and row not in accuracy]
    if known and not missing:
        return known
    train, test = load(name)
    start = time.perf_counter()
    model = pretrain(train)
    seconds.setdefault("learn", time.perf_counter() - start)
    for row_name in missing:
        start = time.perf_counter()
        row = makers[row_name](model, train, test)
        seconds[f"features: {row_name}"] = time.perf_counter() - start
        accuracy[row_name] = curve(row, train, test, effort)
    return {
        "train": len(train),
        "test": len(test),
        "labels": {labels_in_words(b): labels_a_class(train.labels, b) for b in BUDGETS},
        "seconds": seconds,
        "accuracy": accuracy,
    }


def curve(row: Row, train: SeriesSet, test: SeriesSet, effort: Effort) -> dict[str, list[float]]:
    """Accuracy of one row by budget, of each draw."""
    if row.name == SCRATCH:
        row.head.set_params(steps=effort.scratch_steps)
    found: dict[Shots, list[float]] = {}
    for budget in {within(train.labels, b): None for b in BUDGETS}:
        picks = draw_labels(train.labels, budget, effort.draws_of(row.name))
        found[budget] = row_hits(row, train.labels, test.labels, picks).mean(axis=1).tolist()
    return {labels_in_words(b): found[within(train.labels, b)] for b in BUDGETS}


def within(labels: np.ndarray, budget: Shots) -> Shots:
    """The budget, or None for all labels where no class has more."""
    most = np.unique(labels, return_counts=True)[1].max()
    return budget if budget and budget < most else None


def labels_a_class(labels: np.ndarray, budget: Shots) -> float:
    """How many labels per class a budget comes to, mean over classes."""
    return float(np.unique(labels, return_counts=True)[1].clip(max=budget).mean())


def aeon_row(model: Any, train: SeriesSet, test: SeriesSet) -> Row:
    """Aeon's MiniRocket; series of unequal length are held at their last value to the longest."""
    steps = max(train.lengths.max(), test.lengths.max(), 9)  # it wants at least 9 steps
    transform = MiniRocket(random_state=0, n_jobs=THREADS).fit(held(train, steps))
    features = [np.asarray(transform.transform(held(x, steps))) for x in (train, test)]
    mean, spread = features[0].mean(axis=0), features[0].std(axis=0)
    scaled = [(x - mean) / np.where(spread > 0, spread, 1) for x in features]
    return Row(AEON, *scaled, RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)))


def held(series: SeriesSet, steps: int) -> np.ndarray:
    """Series as an array (N,C,steps), gaps bridged and the last value held to the end."""
    x = batch_of(series)
    index = np.minimum(np.arange(steps), x.lengths.numpy()[:, None] - 1)  # (N,steps)
    return np.take_along_axis(x.filled().numpy(), index[:, None], axis=2)


def means(results: dict[str, dict[str, Any]], row: str, budget: Shots) -> np.ndarray:
    """Mean accuracy over draws of each set."""
    return np.array(
        [np.mean(r["accuracy"][row][labels_in_words(budget)]) for r in results.values()]
    )


def summary(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Means of each row over the sets that have it, and its gain over aeon, in points."""
    out: dict[str, Any] = {}
    for row in dict.fromkeys(row for r in results.values() for row in r["accuracy"]):
        there = {name: r for name, r in results.items() if row in r["accuracy"]}
        out[row] = {}
        for budget in BUDGETS:
            own, aeon = means(there, row, budget), means(there, AEON, budget)
            gain = lead(100 * (own - aeon))
            out[row][labels_in_words(budget)] = {"sets": len(there), "accuracy": own.mean(), **gain}
    return out


def lead(points: np.ndarray) -> dict[str, Any]:
    """Mean lead over sets with its standard error, sets won and lost."""
    error = points.std(ddof=1) / len(points) ** 0.5 if len(points) > 1 else float("nan")
    return {
        "gain": points.mean(),
        "standard_error": error,
        "wins": int((points > 0).sum()),
        "losses": int((points < 0).sum()),
    }


def table(results: dict[str, dict[str, Any]], title: str) -> str:
    """The summary as text."""
    lines = [f"{title}: mean accuracy (points ahead of aeon's MiniRocket ± standard error)"]
    lines.append(f"{'':26s}" + "".join(f"{labels_in_words(b):>24s}" for b in BUDGETS))
    for row, cells in summary(results).items():
        texts = [
            f"{c['accuracy']:.3f} ({c['gain']:+.1f} ± {c['standard_error']:.1f})"
            for c in cells.values()
        ]
        lines.append(f"{row:26s}" + "".join(f"{text:>24s}" for text in texts))
    learn = [r["seconds"]["learn"] for r in results.values()]
    lines.append(f"seconds to learn a set: mean {np.mean(learn):.1f}, most {np.max(learn):.1f}")
    return "\n".join(lines)


def run(
    sets: list[str],
    effort: Effort,
    save: Callable[[dict[str, Any]], None],
    known: dict[str, dict[str, Any]],
) -> None:
    """Measure, print and save what is not known, set by set; then print the means."""
    results = {name: known[name] for name in sets if name in known}
    print(f"accuracy in percent at {', '.join(map(labels_in_words, BUDGETS))}; seconds to learn")
    for name in sets:
        if (found := measured(name, effort, results.get(name))) is not results.get(name):
            results[name] = found
            save({"effort": effort._asdict(), "summary": summaries(results), "sets": results})
        print(line(name, results[name]), flush=True)
    for title, group in grouped(results).items():
        print("\n" + table(group, f"{title} ({len(group)} sets)"))


UNEQUAL = "PickupGestureWiimoteZ"
"""Series of very unequal length, which flatters us beside aeon."""


def grouped(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Results of each archive, of both, and of both without the set that flatters us most."""
    groups = {
        "UCR": [name for name in results if name in UCR],
        "UEA": [name for name in results if name not in UCR],
        "all": list(results),
        f"all but {UNEQUAL}": [name for name in results if name != UNEQUAL],
    }
    return {title: {n: results[n] for n in names} for title, names in groups.items() if names}


def summaries(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The summary of each group."""
    return {title: summary(group) for title, group in grouped(results).items()}


def line(name: str, result: dict[str, Any]) -> str:
    """One set as text."""
    shown = [
        " ".join(f"{100 * means({name: result}, row, b)[0]:5.1f}" for b in BUDGETS)
        for row in ("selftime", AEON)
    ]
    seconds = result["seconds"]["learn"]
    return f"{name:26s} selftime {shown[0]} | aeon {shown[1]} | {seconds:.1f} s"
