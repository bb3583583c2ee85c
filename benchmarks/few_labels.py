"""Accuracy with 1, 2, 5 and all labels a class: selftime beside its reference rows and aeon.

All rows of a set see the same draws of labels (seeds 0, 1, …) and every test series. aeon's
MiniRocket and the standardisation of its features are fitted on the whole unlabelled training part,
which favours it; the classifier is the one of its paper, ridge with leave-one-out penalty.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.linear_model import RidgeClassifierCV

from benchmarks.open_data import UCR, load
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.engine.pretrain import pretrain
from selftime.tasks.compare import ROWS, Budget, judged, label_of, picks_of
from selftime.tasks.references import Row

BUDGETS: tuple[Budget, ...] = (1, 2, 5, None)
AEON = "aeon MiniRocket + ridge"
THREADS = 2


def measured(name: str, draws: int) -> dict[str, Any]:
    """All rows of one set: accuracy by budget and draw, and seconds."""
    train, test = load(name)
    seconds, start = {}, time.perf_counter()
    model = pretrain(train)
    seconds["learn"] = time.perf_counter() - start
    rows = []
    for row_name, make in {**ROWS, AEON: aeon_row}.items():
        start = time.perf_counter()
        rows.append(make(model, train, test))
        seconds[f"features: {row_name}"] = time.perf_counter() - start
    accuracy: dict[str, dict[str, list[float]]] = {row.name: {} for row in rows}
    for budget in BUDGETS:
        picks = picks_of(train.labels, budget, draws)
        for row in rows:
            hits = judged(row, train.labels, test.labels, picks)
            accuracy[row.name][label_of(budget)] = hits.mean(axis=1).tolist()
    return {"train": len(train), "test": len(test), "seconds": seconds, "accuracy": accuracy}


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


def means(results: dict[str, dict[str, Any]], row: str, budget: Budget) -> np.ndarray:
    """Mean accuracy over draws of each set."""
    return np.array([np.mean(r["accuracy"][row][label_of(budget)]) for r in results.values()])


def summary(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over the sets, and the gain over aeon with its standard error over sets, in points."""
    out: dict[str, Any] = {}
    for row in next(iter(results.values()))["accuracy"]:
        out[row] = {}
        for budget in BUDGETS:
            own, aeon = means(results, row, budget), means(results, AEON, budget)
            gain = 100 * (own - aeon)
            error = gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else float("nan")
            out[row][label_of(budget)] = {
                "accuracy": own.mean(),
                "gain": gain.mean(),
                "standard_error": error,
                "wins": int((gain > 0).sum()),
                "losses": int((gain < 0).sum()),
            }
    return out


def table(results: dict[str, dict[str, Any]], title: str) -> str:
    """The summary as text."""
    lines = [f"{title}: mean accuracy (points ahead of aeon's MiniRocket ± standard error)"]
    lines.append(f"{'':26s}" + "".join(f"{label_of(b):>24s}" for b in BUDGETS))
    for row, cells in summary(results).items():
        texts = [
            f"{c['accuracy']:.3f} ({c['gain']:+.1f} ± {c['standard_error']:.1f})"
            for c in cells.values()
        ]
        lines.append(f"{row:26s}" + "".join(f"{text:>24s}" for text in texts))
    learn = [r["seconds"]["learn"] for r in results.values()]
    lines.append(f"seconds to learn a set: mean {np.mean(learn):.1f}, most {np.max(learn):.1f}")
    return "\n".join(lines)


def run(sets: list[str], draws: int, save: Callable[[dict[str, Any]], None]) -> None:
    """Measure, print and save, set by set; then print the means."""
    results: dict[str, dict[str, Any]] = {}
    print(f"accuracy in percent at {', '.join(map(label_of, BUDGETS))}; seconds to learn")
    for name in sets:
        results[name] = measured(name, draws)
        print(line(name, results[name]), flush=True)
        save({"draws": draws, "summary": summaries(results), "sets": results})
    for title, group in grouped(results).items():
        print("\n" + table(group, f"{title} ({len(group)} sets)"))


def grouped(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Results of the two archives, of each only if there are any."""
    groups = {"UCR": [n for n in results if n in UCR], "UEA": [n for n in results if n not in UCR]}
    return {title: {n: results[n] for n in names} for title, names in groups.items() if names}


def summaries(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The summary of each archive."""
    return {title: summary(group) for title, group in grouped(results).items()}


def line(name: str, result: dict[str, Any]) -> str:
    """One set as text."""
    shown = [
        " ".join(f"{100 * means({name: result}, row, b)[0]:5.1f}" for b in BUDGETS)
        for row in ("selftime", AEON)
    ]
    seconds = result["seconds"]["learn"]
    return f"{name:26s} selftime {shown[0]} | aeon {shown[1]} | {seconds:.1f} s"
