"""`python -m benchmarks.trials.shared_channels`: neighbouring kernels read the same channels.

MiniRocket draws channels for each of 84 kernels at each dilation; several kernels that share them
share the shifts as well, and take a third to a half of the time (12 channels: .15 ms instead of .31
for 128 steps, 4.9 instead of 10.8 for 4,000). Points beside channels of their own, on halves of the
training parts of four open sets of several channels, five ways to cut, at 1, 2, 5 and all labels:

    seven share      -0.4 ± 0.2  0.0 ± 0.3  -0.4 ± 0.2  -0.2 ± 0.3
    of that JapaneseVowels  -1.4 ± 0.6  -1.3 ± 0.3  -0.9 ± 0.3  0.0 ± 0.6

So every kernel keeps channels of its own.
"""

import argparse

import numpy as np
from torch import Generator, Tensor

from benchmarks.trials.halves import measured
from selftime.encoders.fixed import rocket

SETS = ("BasicMotions", "ERing", "JapaneseVowels", "NATOPS")
SPLITS = 5


def use(sharing: int) -> None:
    """Let so many neighbouring kernels read the same channels."""
    drawn = rocket.random_subsets

    def shared(count: int, channels: int, rng: Generator) -> Tensor:
        return drawn(count // sharing, channels, rng).repeat_interleave(sharing, dim=0)

    rocket.random_subsets = shared


def main() -> None:
    """Print accuracies at 1, 2, 5 and all labels per class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sharing", type=int, default=1, help="kernels that share channels")
    use(parser.parse_args().sharing)
    for name in SETS:
        rows = [measured(name, split)[0] for split in range(SPLITS)]
        print(f"{name:16s}", np.mean(rows, axis=0).round(1).tolist(), flush=True)


if __name__ == "__main__":
    main()
