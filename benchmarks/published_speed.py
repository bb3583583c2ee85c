"""A training step beside the authors' own: `python -m benchmarks.published_speed --published DIR`.

DIR holds checkouts named owner+name, as in `METHODS`; what is not there is skipped. Each side takes
the batch of the authors' script and does what its trainer does with it: theirs as in their training
loop (with whatever they draw there, and reading the loss), ours as in `pretrain` (views, loss,
gradient, optimiser). Loading data is part of neither. Steps of both alternate and the ratio is the
median over pairs, so that whatever else the machine does falls on both. Where the authors make
their views once, before training, a second row gives our side views made before as well.

With OMP_WAIT_POLICY=PASSIVE threads sleep while they wait for one another; on a machine that is
shared with other jobs two threads may otherwise take fifty times as long as one, on either side.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.__main__ import RESULTS, write
from benchmarks.published_steps import METHODS, Beside, Side

COUNTED = 5
"""Steps whose work is counted; where a method draws how much it reads, they differ."""
LEAST, WARM = 6, 2
"""Fewest pairs of steps that are counted, and those before them."""


def size_of(side: Side) -> dict[str, float]:
    """Weights, and mean work of products and convolutions in a step."""
    with FlopCounterMode(display=False) as counter:
        for _ in range(COUNTED):
            side.step()
    count = sum(weight.numel() for weight in side.weights)
    return {"weights": count, "GFLOP": round(counter.get_total_flops() / 1e9 / COUNTED, 2)}


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compared(row: Beside, seconds: float) -> dict[str, float]:
    """Median seconds of both, and median and quartiles of the ratio, over pairs of steps."""
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(pairs) < LEAST + WARM or time.perf_counter() < end:
        pairs.append((timed(row.theirs.step), timed(row.ours.step)))
    counted = pairs[WARM:]
    low, middle, high = quantiles([a / b for a, b in counted], n=4)
    theirs, mine = (median(side) for side in zip(*counted, strict=True))
    found = {"published": theirs, "ours": mine, "ratio": middle, "low": low, "high": high}
    return {**found, "pairs": len(counted), "load": os.getloadavg()[0]}


def measured(row: Beside, seconds: float, threads: list[int]) -> dict[str, Any]:
    """Sizes of both sides and their seconds, by number of threads."""
    sizes = {"published": size_of(row.theirs), "ours": size_of(row.ours)}
    print(f"{row.name}, batch {row.shape}: {sizes}", flush=True)
    results = {}
    for number in threads:
        torch.set_num_threads(number)
        results[number] = found = compared(row, seconds)
        said = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        print(f"    {number} threads: {said}", flush=True)
    return {"batch": row.shape, "sizes": sizes, "seconds": results}


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.published_speed", description=__doc__
    )
    parser.add_argument("--published", type=Path, required=True, help="folder of checkouts")
    names = [method.__name__ for method in METHODS.values()]
    parser.add_argument("--only", nargs="+", default=names, choices=names, help="all by default")
    parser.add_argument("--seconds", type=float, default=20, help="for each row and thread count")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--out", type=Path, default=RESULTS / "published_speed.json")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for folder, rows in METHODS.items():
        if rows.__name__ not in args.only:
            continue
        if not (args.published / folder).is_dir():
            print(f"skipped {rows.__name__}: no {folder} in {args.published}")
            continue
        for row in rows((args.published / folder).resolve()):
            results[row.name] = measured(row, args.seconds, args.threads)
            write(args.out, {"methods": results})
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
