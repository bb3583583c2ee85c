"""`python -m benchmarks.trials.near_shrinkage`: near series as positives without too much trust.

The covariance within near series is estimated from as many series as it has directions, or fewer.
So those that were learned from are nearer to each other than new ones will be, which costs points
where they are the labelled ones. Shrinkages of it beside each other: training parts of the open
sets with 400 series and more, cut in two, class by class; the first half is learned from and gives
the labels, the second is judged. Test parts are not looked at. Points over copies alone at 1 / 2 /
5 / all labels per class, mean and standard error over seven sets:

    as it is          +2.8 ± 1.2  +3.6 ± 1.0  +1.7 ± 0.7  -0.9 ± 0.7
    shrunken .1       +2.2 ± 1.0  +3.0 ± 0.9  +1.3 ± 0.6  -0.6 ± 0.5
    shrunken .3       +1.7 ± 0.9  +2.5 ± 0.7  +1.3 ± 0.5  -0.4 ± 0.4
    shrunken 1        +0.6 ± 0.9  +1.4 ± 0.4  +0.8 ± 0.4  -0.2 ± 0.2
    Ledoit-Wolf       +2.3 ± 1.0  +3.0 ± 0.9  +1.4 ± 0.6  -0.6 ± 0.4
    to copies         +2.7 ± 1.0  +3.4 ± 1.0  +1.4 ± 0.6  -0.5 ± 0.6
    held out 2        +2.2 ± 0.9  +2.8 ± 0.8  +1.2 ± 0.5  -0.5 ± 0.4
    held out 5        +2.1 ± 0.9  +2.9 ± 0.9  +1.3 ± 0.5  -0.4 ± 0.3

All that was lost with all labels was lost on PhalangesOutlinesCorrect (-4.9), where a larger
penalty of the probe brings it back (79.3 to 83.1 here, and 84.0 to 85.7 from copies alone: it has
as many labels as a vector has numbers). So the mixture stays, and the probe chooses its penalty
where labels are many (benchmarks/trials/penalty.py). These figures are of the penalty before.
"""

import argparse
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.open_data import UCR, UEA, load
from benchmarks.trials.halves import accuracy_of, halves_of
from selftime.engine.pretrain import pretrain
from selftime.objectives.spectral import eigh, near_covariance, near_weight, of_trace_one

MOST_SERIES = 2000
Mix = Callable[[Tensor, Tensor, Tensor], Tensor]


def mixed(within: Tensor, other: Tensor, weight: float) -> Tensor:
    """Both covariances in units of their traces."""
    return of_trace_one(within) + weight * of_trace_one(other)


def shrunken(share: float) -> Mix:
    """A share of the mean variance of the mixture is added."""

    def mix(within: Tensor, p: Tensor, near: Tensor) -> Tensor:
        whole = mixed(within, near_covariance(p, near), near_weight(len(p)))
        return whole + share * whole.trace() / len(whole) * torch.eye(len(whole)).double()

    return mix


def intensity(p: Tensor, near: Tensor) -> float:
    """Ledoit and Wolf 2004, equations 14 to 16, from differences of near pairs."""
    first, second = torch.nonzero(near.triu(), as_tuple=True)
    gaps = (p[first] - p[second]).double()
    moment = gaps.T @ gaps / len(gaps)
    d = len(moment)
    spread = float((moment**2).sum() - moment.trace() ** 2 / d)
    fourth = float((gaps.square().sum(1) ** 2).mean() - (moment**2).sum())
    return min(max(fourth / len(gaps), 0.0) / spread, 1.0)


def ledoit_wolf(within: Tensor, p: Tensor, near: Tensor) -> Tensor:
    """Shrunken towards the identity as far as the pairs ask for it."""
    own, a = of_trace_one(near_covariance(p, near)), intensity(p, near)
    shrunk = (1 - a) * own + a * torch.eye(len(own)).double() / len(own)
    return mixed(within, shrunk, near_weight(len(p)))


def ledoit_wolf_copies(within: Tensor, p: Tensor, near: Tensor) -> Tensor:
    """Shrunken towards the covariance within copies."""
    own, a = of_trace_one(near_covariance(p, near)), intensity(p, near)
    return mixed(within, (1 - a) * own + a * of_trace_one(within), near_weight(len(p)))


def held_out(folds: int) -> Mix:
    """Variances along the axes of other series (Bartz 2016, cross-validated eigenvalues)."""

    def mix(within: Tensor, p: Tensor, near: Tensor) -> Tensor:
        weight = near_weight(len(p))
        whole = mixed(within, near_covariance(p, near), weight)
        fold = torch.from_numpy(np.random.default_rng(0).permutation(len(p)) % folds)
        variances = torch.zeros(len(whole)).double()
        for k in range(folds):
            among = (fold[:, None] == k) | (fold[None] == k)
            axes = eigh(mixed(within, near_covariance(p, near * ~among), weight))[1]
            judge = mixed(within, near_covariance(p, near * among), weight)
            variances += (axes * (judge @ axes)).sum(0) / folds
        axes = eigh(whole)[1]
        return (axes * variances) @ axes.T

    return mix


def alone(within: Tensor, p: Tensor, near: Tensor) -> Tensor:
    """Copies alone."""
    return of_trace_one(within)


VARIANTS: dict[str, Mix] = {
    "alone": alone,
    "as it is": shrunken(0.0),
    "shrunken .1": shrunken(0.1),
    "shrunken .3": shrunken(0.3),
    "shrunken 1": shrunken(1.0),
    "Ledoit-Wolf": ledoit_wolf,
    "to copies": ledoit_wolf_copies,
    "held out 2": held_out(2),
    "held out 5": held_out(5),
}


def measured(name: str, cut: int, variants: list[str]) -> np.ndarray:
    """Accuracy in percent of each variant at each number of labels."""
    series, index, learn, judged = halves_of(name, cut, MOST_SERIES)
    found = []
    for variant in variants:
        with patch("selftime.objectives.spectral.with_near", VARIANTS[variant]):
            model = pretrain(series[learn], progress=False)
        found.append(accuracy_of(model, series, index, learn, judged))
    return np.array(found)


def main() -> None:
    """Measure every set; print the points of each variant over copies alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    parser.add_argument("--cuts", type=int, default=1)
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS][1:])
    args = parser.parse_args()
    gains = []
    for name in args.sets:
        if len(load(name)[0]) < 400:
            continue
        both = [measured(name, cut, ["alone", *args.variants]) for cut in range(args.cuts)]
        found = np.mean(both, axis=0)
        gains.append(found[1:] - found[0])
        print(f"{name:28s}", found[0].round(1), flush=True)
        for variant, points in zip(args.variants, gains[-1], strict=True):
            print(f"    {variant:24s}", points.round(1), flush=True)
    points = np.array(gains)
    error = points.std(axis=0, ddof=1) / len(points) ** 0.5
    for variant, mean, e in zip(args.variants, points.mean(axis=0), error, strict=True):
        told = (f"{a:+.1f} ± {b:.1f}" for a, b in zip(mean, e, strict=True))
        print(f"{variant:24s}", *told)


if __name__ == "__main__":
    main()
