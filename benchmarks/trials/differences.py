"""`python -m benchmarks.trials.differences`: more than the series itself before one solve.

MultiRocket reads first differences beside the series (Tan, Dempster, Bergmeir & Webb 2022, section
3.1), which gains a point over MiniRocket at all labels. Here the default reads more in MiniRocket,
its kernels shared out, so that learning takes no longer: first differences (Hydra's are shared out
so already), or the series at half its length; and quantiles with half their share. Halves of
training parts of the open sets, as in `benchmarks.trials.halves`, two ways to cut: the first is
learned from and gives the labels, the second is judged; test parts are not looked at. Points over
the default at 1 / 2 / 5 / all labels per class, mean and standard error over 25 sets:

    differences      -0.1 ± 0.3  -0.2 ± 0.3  -0.2 ± 0.4  +0.2 ± 0.5
    half length      -0.3 ± 0.3  +0.0 ± 0.3  +0.1 ± 0.3  +0.5 ± 0.3
    quantiles .15    +0.3 ± 0.3  -0.3 ± 0.3  -0.1 ± 0.3  -0.1 ± 0.4

None gains beyond its standard error at few labels: dropped.
"""

import argparse

import numpy as np
import torch
from torch import Generator

from benchmarks.open_data import UCR, UEA
from benchmarks.trials.halves import accuracy_of, halves_of
from selftime.data.batch import Batch
from selftime.encoders import builders
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import resample_to_length
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.wrappers.projected import Standardised
from selftime.engine.pretrain import pretrain
from selftime.objectives import spectral
from selftime.shapes import Tokens

MOST_SERIES = 1200
KINDS = ("series", "differences", "half length", "quantiles .15")


class HalfLength(Encoder):
    """MiniRocket of series resampled to half their steps along straight lines."""

    def __init__(self, *, channels: int, length: int, seed: int, features: int) -> None:
        super().__init__()
        self.steps = max(length // 2, 1)
        self.encoder = MiniRocket(
            channels=channels, length=self.steps, features=features, seed=seed + 1
        )
        self.dim = self.encoder.dim

    def halved(self, x: Batch) -> Batch:
        """The series at half their steps."""
        values = resample_to_length(x.filled(), x.lengths, self.steps)
        return Batch(values, torch.ones_like(values, dtype=torch.bool))

    def forward(self, x: Batch) -> Tokens:
        """One token a series."""
        return self.encoder(self.halved(x))

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Thresholds of the series at half their steps."""
        self.encoder.prepare(self.halved(x), rng)


def use(kind: str) -> None:
    """Make the default encoder of this kind."""

    def rocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
        size = {"channels": channels, "length": length, "seed": seed}
        kernels: Encoder = MiniRocket(**size, features=5000, differences=kind == "differences")
        if kind == "half length":
            whole = MiniRocket(**size, features=2500)
            kernels = Joined(encoders=[whole, HalfLength(**size, features=2500)])
        groups = Hydra(**size, groups=32, most_steps=builders.MOST_STEPS)
        weight = builders.EQUAL_WEIGHT
        parts = [Standardised(encoder=kernels), Standardised(encoder=groups)]
        return Joined(encoders=parts, weights=[weight, weight])

    builders.BUILDERS["rocket"] = rocket
    spectral._BESIDE_SHARE = 0.15 if kind == "quantiles .15" else 0.3


def main() -> None:
    """Measure every set both ways and print the mean difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    parser.add_argument("--kinds", nargs="+", default=KINDS[1:], choices=KINDS[1:])
    parser.add_argument("--splits", nargs="+", type=int, default=[7, 8])
    args = parser.parse_args()
    lead, kinds = [], [KINDS[0], *args.kinds]
    for name in args.sets:
        found = np.zeros((len(kinds), 4))
        for split in args.splits:
            series, index, learn, judged = halves_of(name, split, MOST_SERIES)
            for row, kind in zip(found, kinds, strict=True):
                use(kind)
                model = pretrain(series[learn], progress=False)
                row += accuracy_of(model, series, index, learn, judged)
        lead.append((found[1:] - found[0]) / len(args.splits))
        print(f"{name:28s}", lead[-1].round(1).tolist(), flush=True)
    points = np.array(lead)  # (sets,kinds,4)
    mean = points.mean(axis=0)
    error = points.std(axis=0, ddof=1) / len(points) ** 0.5 if len(points) > 1 else 0 * mean
    for kind, own, spread in zip(args.kinds, mean, error, strict=True):
        cells = (f"{m:+.2f} ± {e:.2f}" for m, e in zip(own, spread, strict=True))
        print(f"{kind:16s}", "  ".join(cells))


if __name__ == "__main__":
    main()
