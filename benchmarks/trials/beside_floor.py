"""`python -m benchmarks.trials.beside_floor`: how far quantiles are whitened against near series.

Along the axes that are kept of what stands beside the learned part, a floor is added to variances:
to copies all directions are alike. It may be that of the axes alone, or that of all directions
(`Spectral.white_axes`), or so many times lower. Halves of training parts of the open sets with 400
series and more, two ways to cut; the first is learned from and gives the labels, the second is
judged; test parts are not looked at. Points over the floor of the axes alone at 1 / 2 / 5 / all
labels per class, mean and standard error over seven sets:

    of all directions    +0.9 ± 0.4  +1.1 ± 0.6  +0.4 ± 0.2  +0.1 ± 0.1
    3 times lower        +1.4 ± 0.6  +1.3 ± 0.7  +0.4 ± 0.3  +0.1 ± 0.1
    10 times lower       +1.8 ± 0.7  +1.5 ± 0.8  +0.6 ± 0.3  +0.1 ± 0.2

That of all directions was taken: it needs no number.
"""

import argparse
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.open_data import UCR, UEA, load
from benchmarks.trials.halves import accuracy_of, halves_of
from selftime.engine.pretrain import pretrain
from selftime.objectives.spectral import (
    Spectral,
    inverse_root,
    near_covariance,
    near_weight,
    of_trace_one,
)

MOST_SERIES, LEAST_SERIES = 2000, 400
FLOORS = {
    "of the axes": None,
    "of all directions": 1.0,
    "3 times lower": 3.0,
    "10 times lower": 10.0,
}


def floored(lower: float | None) -> object:
    """`Spectral.white_axes` with another floor; None is that of the axes alone."""

    def white_axes(self: Spectral, known: Tensor, near: Tensor) -> Tensor:
        assert self.beside is not None
        k, weight = known.shape[1], near_weight(len(known))
        width = k if lower is None else self.beside.dim * lower
        unit = torch.eye(k, dtype=torch.float64) / width
        within = unit + weight * of_trace_one(near_covariance(known, near))
        white = inverse_root(within, self.penalty * (1 + weight) / width).float()
        size = (known @ white).square().sum(dim=1).mean().clamp(min=1e-12).sqrt()
        return white / size if self.axes is None else self.axes @ white / size

    return white_axes


def main() -> None:
    """Measure every set with every floor and print the mean differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    parser.add_argument("--splits", nargs="+", type=int, default=[7, 8])
    args = parser.parse_args()
    lead = []
    for name in args.sets:
        if len(load(name)[0]) < LEAST_SERIES:
            continue
        found = np.zeros((len(FLOORS), 4))
        for split in args.splits:
            series, index, learn, judged = halves_of(name, split, MOST_SERIES)
            for row, lower in zip(found, FLOORS.values(), strict=True):
                with patch.object(Spectral, "white_axes", floored(lower)):
                    model = pretrain(series[learn], progress=False)
                row += accuracy_of(model, series, index, learn, judged)
        lead.append((found - found[0]) / len(args.splits))
        print(f"{name:28s}", lead[-1][1:].round(1).tolist(), flush=True)
    points = np.array(lead)  # (sets,floors,4)
    mean = points.mean(axis=0)
    error = points.std(axis=0, ddof=1) / len(points) ** 0.5 if len(points) > 1 else 0 * mean
    for floor, own, spread in zip(FLOORS, mean, error, strict=True):
        cells = (f"{m:+.1f} ± {e:.1f}" for m, e in zip(own, spread, strict=True))
        print(f"{floor:20s}", "  ".join(cells))


if __name__ == "__main__":
    main()
