"""`python -m benchmarks.suggest`: labels that are suggested beside labels drawn at random.

The default model learns on the whole unlabelled training part of each open set. Then K, 2K and 5K
of its series are labelled (K classes): suggested K at a time, each time with what is labelled so
far, or drawn at random, whatever their classes. The probe is fitted on them and judged on every
test series: accuracy, and beside it that with all classes counted alike ("balanced", suggested and
random) and the share of classes with a label. A draw is a seed of both (suggestions change with it
only where a set has more series than are looked at); the interval is that of `selftime compare`,
over draws and test series.

The method and its two constants were chosen by accuracy on the rest of the training part of the
sets in `CHOSEN_ON`; nothing was chosen on the others.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import RESULTS, write
from benchmarks.learned_vectors import Vectors, vectors_of
from benchmarks.open_data import UCR, UEA
from selftime.engine.solve import sample_of
from selftime.tasks.comparison.gain import Gain, Hits, gain
from selftime.tasks.probing.probe import Probe
from selftime.tasks.selection.suggest import POOL, LabelledVectors, select_rows

TIMES = (1, 2, 5)
"""Labels in all, in multiples of the number of classes."""
MOST = 0.8
"""Share of the training part beyond which a choice is hardly one."""
CHOSEN_ON = (
    *("Adiac", "ArrowHead", "CBF", "DodgerLoopDay", "ECGFiveDays", "FaceAll", "GunPoint"),
    *("ItalyPowerDemand", "MoteStrain", "OSULeaf", "PhalangesOutlinesCorrect"),
    *("PickupGestureWiimoteZ", "Strawberry", "SwedishLeaf", "SyntheticControl"),
    *("ToeSegmentation1", "Trace", "TwoPatterns"),
)


def suggested(x: Vectors, n: int, seed: int) -> np.ndarray:
    """K at a time, the classes of those before known."""
    rows = np.zeros(0, np.int64)
    while len(rows) < n:
        known = (
            LabelledVectors(x.train[rows], x.labels[rows], x.reference_bank) if len(rows) else None
        )
        left = np.setdiff1d(np.arange(len(x.train)), rows)
        pool = left[sample_of(len(left), seed, POOL)]
        more = min(len(np.unique(x.labels)), n - len(rows))
        rows = np.concatenate([rows, pool[select_rows(x.train[pool], more, known).rows]])
    return rows


def at_random(x: Vectors, n: int, seed: int) -> np.ndarray:
    """Any rows."""
    return np.random.default_rng(seed).permutation(len(x.train))[:n]


def hits_of(x: Vectors, picks: list[np.ndarray], n: int) -> Hits:
    """Which test series are right when the first ``n`` of each choice are labelled."""
    known = {tuple(rows[:n]): rows[:n] for rows in picks}  # the same choice is judged once
    found = {key: right(x, rows) for key, rows in known.items()}
    return np.stack([found[tuple(rows[:n])] for rows in picks])


def right(x: Vectors, rows: np.ndarray) -> np.ndarray:
    """Which test series the probe gets right that knows these labels."""
    head = Probe(reference_bank=x.reference_bank).fit(x.train[rows], x.labels[rows])
    return np.asarray(head.predict(x.test) == x.truth)


def balanced(hits: Hits, truth: np.ndarray) -> float:
    """Accuracy with all classes counted alike, mean over draws."""
    return float(np.mean([hits[:, truth == name].mean() for name in np.unique(truth)]))


def measured(name: str, draws: int, cache: Path | None) -> dict[str, Any]:
    """Both choices at every number of labels, and the gain with its interval."""
    x = vectors_of(name, cache)
    classes = len(np.unique(x.labels))
    out: dict[str, Any] = {"classes": classes, "train": len(x.train), "test": len(x.test)}
    budgets = {t: t * classes for t in TIMES if t * classes <= MOST * len(x.train)}
    most = max(budgets.values())
    seeds = range(draws if len(x.train) > POOL else 1)  # else all seeds suggest the same
    ours = [suggested(x, most, seed) for seed in seeds] * (draws // len(seeds))
    theirs = [at_random(x, most, seed) for seed in range(draws)]
    for times, n in budgets.items():
        pair = hits_of(x, ours, n), hits_of(x, theirs, n)
        out[str(times)] = {
            "labels": n,
            "suggested": float(pair[0].mean()),
            "random": float(pair[1].mean()),
            "gain": gain(*pair)._asdict(),
            "balanced": [balanced(hits, x.truth) for hits in pair],
            "classes_found": [
                float(np.mean([len(np.unique(x.labels[rows[:n]])) for rows in picks]) / classes)
                for picks in (ours, theirs)
            ],
        }
    return out


def summary(results: dict[str, dict[str, Any]], among: set[str]) -> dict[str, Any]:
    """Over sets: mean gain with its standard error, and where it exceeds its interval."""
    out = {}
    for times in map(str, TIMES):
        cells = [r[times] for name, r in results.items() if name in among and times in r]
        gains = [Gain(**cell["gain"]) for cell in cells]
        if not gains:
            continue
        points = np.array([g.points for g in gains])
        out[times] = {
            "sets": len(gains),
            "suggested": float(np.mean([cell["suggested"] for cell in cells])),
            "random": float(np.mean([cell["random"] for cell in cells])),
            "gain": float(points.mean()),
            "standard_error": float(points.std(ddof=1) / len(points) ** 0.5)
            if len(points) > 1
            else None,
            "balanced": np.mean([cell["balanced"] for cell in cells], axis=0).tolist(),
            "classes_found": np.mean([cell["classes_found"] for cell in cells], axis=0).tolist(),
            "clearly_better": sum(g.low > 0 for g in gains),
            "clearly_worse": sum(g.high < 0 for g in gains),
        }
    return out


def groups_of(results: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """All sets, and those on which nothing was chosen."""
    return {"all sets": set(results), "sets on which nothing was chosen": {*results} - {*CHOSEN_ON}}


def told(results: dict[str, dict[str, Any]]) -> str:
    """The summary as text, with the verdict."""
    lines = []
    for title, among in groups_of(results).items():
        for times, s in summary(results, among).items():
            verdict = "yes" if 2 * s["clearly_better"] > s["sets"] else "no"
            error = "" if s["standard_error"] is None else f" ± {s['standard_error']:.1f}"
            lines.append(
                f"{title}, {times} x K labels: {100 * s['suggested']:.1f} % suggested, "
                f"{100 * s['random']:.1f} % random, {s['gain']:+.1f}{error} points; beyond its "
                f"interval better on {s['clearly_better']}, worse on {s['clearly_worse']} of "
                f"{s['sets']} sets; better on most: {verdict}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suggest", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA], choices=[*UCR, *UEA])
    parser.add_argument("--draws", type=int, default=10, help="seeds 0, 1, …")
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings between calls")
    parser.add_argument("--out", type=Path, default=RESULTS / "suggest.json")
    parser.add_argument("--show", action="store_true", help="print what --out holds, no more")
    args = parser.parse_args()
    if args.show:
        print(told(json.loads(args.out.read_text())["sets"]))
        return
    results: dict[str, dict[str, Any]] = {}
    for name in args.sets:
        results[name] = measured(name, args.draws, args.cache)
        cells = [
            f"{t} x K {Gain(**results[name][str(t)]['gain'])}"
            for t in TIMES
            if str(t) in results[name]
        ]
        print(f"{name:26s} {'; '.join(cells)}", flush=True)
        groups = {title: summary(results, among) for title, among in groups_of(results).items()}
        write(args.out, {"draws": args.draws, "summary": groups, "sets": results})
    print(told(results))


if __name__ == "__main__":
    main()
