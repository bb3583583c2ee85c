"""`python -m benchmarks.trials.halves`: the default with other numbers of random convolutions.

Each training part of the open sets is cut in two, class by class; the first half is learned from
and gives the labels, the second is judged. Test parts are not looked at. Points beside the features
as published (10,000 of MiniRocket, 64 groups of Hydra), mean and standard error over 25 sets, at 1,
2, 5 and all labels per class, of two ways to cut:

    5,000 and 32     -0.3 ± 0.2  -0.3 ± 0.2  -0.3 ± 0.2  -0.2 ± 0.2; -0.2 ± 0.4  0.0 ± 0.5
                     -0.3 ± 0.3  +0.4 ± 0.4; .52 of the CPU seconds
    10,000 and 32    0.0 ± 0.2  -0.1 ± 0.2  -0.5 ± 0.4  -0.4 ± 0.4; +0.1 ± 0.3  +0.1 ± 0.4
                     -0.2 ± 0.3  +0.6 ± 0.6; .75 of the CPU seconds

These were measured while the copies that fix the basis told of the scatter within series as well,
which was dropped afterwards (benchmarks/README.md, few labels).

Looking at 64 to 127 steps of each series alone, in MiniRocket too, cost 1 to 2.5 points on the
seven sets that were tried: so Hydra keeps 1,000 and more, and MiniRocket all.
"""

import argparse
import time

import numpy as np

from benchmarks.open_data import UCR, UEA, load
from selftime.data.arrays import number_classes
from selftime.data.series import SeriesSet
from selftime.data.splits import draw_per_class
from selftime.encoders import builders
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.wrappers.projected import Standardised
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.tasks.probing.probe import Probe

SHOTS, DRAWS, MOST_SERIES = (1, 2, 5, None), 10, 1200


def half_of(index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """True for the first half of every class."""
    first = np.zeros(len(index), bool)
    for k in np.unique(index):
        rows = rng.permutation(np.flatnonzero(index == k))
        first[rows[: (len(rows) + 1) // 2]] = True
    return first


def halves_of(
    name: str, split: int, most: int
) -> tuple[SeriesSet, np.ndarray, np.ndarray, np.ndarray]:
    """Series of a training part, at most so many, their classes, and rows to learn and judge."""
    (series, _), rng = load(name), np.random.default_rng(split)
    if len(series) > most:
        series = series[np.sort(rng.permutation(len(series))[:most])]
    index = number_classes(series.labels)[1]
    first = half_of(index, rng)
    return series, index, np.flatnonzero(first), np.flatnonzero(~first)


def accuracy_of(
    model: Model, series: SeriesSet, index: np.ndarray, learn: np.ndarray, judged: np.ndarray
) -> list[float]:
    """Accuracy in percent at each number of labels."""
    x, accuracy = model.embed(series, progress=False).astype(np.float64), []
    for shots in SHOTS:
        hits = []
        for draw in range(DRAWS if shots else 1):
            rows = learn
            if shots:
                rows = learn[draw_per_class(index[learn], shots, np.random.default_rng(draw))]
            probe = Probe(reference_bank=model.reference_bank).fit(x[rows], index[rows])
            hits.append((probe.predict(x[judged]) == index[judged]).mean())
        accuracy.append(100 * float(np.mean(hits)))
    return accuracy


def measured(name: str, split: int) -> tuple[list[float], float]:
    """Accuracy in percent at each number of labels, and CPU seconds to learn."""
    series, index, learn, judged = halves_of(name, split, MOST_SERIES)
    start = time.process_time()
    model = pretrain(series[learn], progress=False)
    seconds = time.process_time() - start
    return accuracy_of(model, series, index, learn, judged), seconds


def use(features: int, groups: int, most_steps: int | None) -> None:
    """Make the default encoder with so many features."""

    def rocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
        size = {"channels": channels, "length": length, "seed": seed}
        parts = [
            MiniRocket(**size, features=features),
            Hydra(**size, groups=groups, most_steps=most_steps),
        ]
        weight = builders.EQUAL_WEIGHT
        return Joined(encoders=[Standardised(encoder=p) for p in parts], weights=[weight, weight])

    builders.BUILDERS["rocket"] = rocket


def main() -> None:
    """Measure every set as published and with other numbers; print the difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    parser.add_argument("--features", type=int, default=5000)
    parser.add_argument("--groups", type=int, default=32)
    parser.add_argument("--most-steps", type=int, help="of Hydra; all when left out")
    parser.add_argument("--split", type=int, default=7)
    args = parser.parse_args()
    lead, share = [], []
    for name in args.sets:
        use(10_000, 64, None)
        known, usual = measured(name, args.split)
        use(args.features, args.groups, args.most_steps)
        found, seconds = measured(name, args.split)
        lead.append(np.subtract(found, known))
        share.append(seconds / usual)
        print(f"{name:28s}", lead[-1].round(1), f"{share[-1]:.2f}", flush=True)
    points = np.array(lead)
    error = points.std(axis=0, ddof=1) / len(points) ** 0.5 if len(points) > 1 else 0 * points[0]
    told = (f"{mean:+.2f} ± {e:.2f}" for mean, e in zip(points.mean(axis=0), error, strict=True))
    print("mean", *told, f"of the CPU seconds {np.mean(share):.2f}")


if __name__ == "__main__":
    main()
