"""`python -m benchmarks.semi`: heads that use the unlabelled vectors beside the plain probe.

The default model learns on the whole unlabelled training part of each open set; then 1, 2 or 5
labels per class are drawn. The probe is given the cohort that the model keeps (up to 512 of the
training series) for its scores, as ever; the other heads learn from the same vectors. All see the
same labels and are judged on every test series. Settings of the heads were chosen by accuracy on
the rest of the training part of the sets in `CHOSEN_ON`; nothing was chosen on the others.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import RESULTS, write
from benchmarks.learned_vectors import Vectors, reduced, vectors_of
from benchmarks.open_data import UCR, UEA
from selftime.data.splits import draw_per_class
from selftime.tasks.comparison.gain import Gain, Hits, gain
from selftime.tasks.probing.heads import SEMI, make_head

BUDGETS = (1, 2, 5)
CHOSEN_ON = (
    *("ArrowHead", "CBF", "DodgerLoopDay", "ECGFiveDays", "GunPoint", "ItalyPowerDemand"),
    *("MoteStrain", "OSULeaf", "PickupGestureWiimoteZ", "SyntheticControl", "ToeSegmentation1"),
    "Trace",
)


def hits_of(x: Vectors, head: str, picks: list[np.ndarray]) -> Hits:
    """Which test series a head gets right in each draw of labels."""
    heads = [make_head(head, x.reference_bank).fit(x.train[rows], x.labels[rows]) for rows in picks]
    return np.stack([fitted.predict(x.test) == x.truth for fitted in heads])


def measured(name: str, draws: int, cache: Path | None) -> dict[str, Any]:
    """Accuracy of the probe, and of every other head with its gain over the probe."""
    x = reduced(vectors_of(name, cache))
    out: dict[str, Any] = {}
    for budget in BUDGETS:
        seeds = [np.random.default_rng(seed) for seed in range(draws)]
        picks = [draw_per_class(x.labels, budget, rng) for rng in seeds]
        probe = hits_of(x, "probe", picks)
        cell: dict[str, Any] = {"labels": len(picks[0]), "probe": float(probe.mean())}
        for head in SEMI:
            hits = hits_of(x, head, picks)
            cell[head] = {"accuracy": float(hits.mean()), "gain": gain(hits, probe)._asdict()}
        out[str(budget)] = cell
    return out


def summary(results: dict[str, dict[str, Any]], among: set[str]) -> dict[str, Any]:
    """By head and number of labels: mean gain over sets with its standard error."""
    out: dict[str, Any] = {head: {} for head in SEMI}
    for head in SEMI if among else ():
        for budget in map(str, BUDGETS):
            gains = [Gain(**results[name][budget][head]["gain"]) for name in sorted(among)]
            points = np.array([g.points for g in gains])
            error = points.std(ddof=1) / len(points) ** 0.5 if len(points) > 1 else np.nan
            out[head][budget] = {
                "gain": float(points.mean()),
                "standard_error": None if np.isnan(error) else float(error),
                "sets": len(points),
                "better": int((points > 0).sum()),
                "clearly_better": sum(g.low > 0 for g in gains),
                "clearly_worse": sum(g.high < 0 for g in gains),
            }
    return out


def groups_of(results: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """All sets, and those on which nothing was chosen."""
    return {"all sets": set(results), "sets on which nothing was chosen": {*results} - {*CHOSEN_ON}}


def told(results: dict[str, dict[str, Any]]) -> str:
    """The summary as text."""
    lines = []
    for title, among in groups_of(results).items():
        for head, cells in summary(results, among).items():
            for budget, s in cells.items():
                error = "" if s["standard_error"] is None else f" ± {s['standard_error']:.1f}"
                lines.append(
                    f"{title}, {budget} labels per class, {head}: {s['gain']:+.1f}{error} points, "
                    f"better on {s['better']} of {s['sets']} (beyond its interval on "
                    f"{s['clearly_better']}, worse beyond it on {s['clearly_worse']})"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.semi", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA], choices=[*UCR, *UEA])
    parser.add_argument("--draws", type=int, default=5, help="draws of labels, seeds 0, 1, …")
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings between calls")
    parser.add_argument("--out", type=Path, default=RESULTS / "semi.json")
    parser.add_argument("--show", action="store_true", help="print what --out holds, no more")
    args = parser.parse_args()
    if args.show:
        print(told(json.loads(args.out.read_text())["sets"]))
        return
    results: dict[str, dict[str, Any]] = {}
    for name in args.sets:
        results[name] = measured(name, args.draws, args.cache)
        cells = [
            f"{b}: " + " ".join(str(Gain(**results[name][str(b)][head]["gain"])) for head in SEMI)
            for b in BUDGETS
        ]
        print(f"{name:26s} {'; '.join(cells)}", flush=True)
        groups = {title: summary(results, among) for title, among in groups_of(results).items()}
        write(args.out, {"draws": args.draws, "summary": groups, "sets": results})
    print(told(results))


if __name__ == "__main__":
    main()
