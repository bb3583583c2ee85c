"""`python -m benchmarks.rocket_speed`: random convolutions beside aeon on the same series.

Calls alternate between the two tools and the least of all rounds counts, so that other work on the
machine harms both alike. Compilation is not part of a round. CPU seconds are those of all threads.
`profile` times the parts of one MiniRocket transform of the first series, on one thread.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aeon.transformations.collection.convolution_based import (
    HydraTransformer,
    MiniRocket,
    MultiRocket,
)

from selftime.data.batch import Batch
from selftime.encoders.builders import BUILDERS
from selftime.encoders.fixed.rocket import MiniRocket as MiniKernels
from selftime.encoders.wrappers.projected import backbone

RESULTS = Path(__file__).parent / "results" / "rocket_speed.json"
SEED = 0
CASES = (  # encoder, series, channels, steps
    ("minirocket", 5000, 1, 128),
    ("minirocket", 500, 1, 1000),
    ("minirocket", 1000, 6, 128),
    ("hydra", 1000, 1, 128),
    ("hydra", 200, 6, 128),
    ("multirocket", 500, 1, 128),
)
THEIRS = {"minirocket": MiniRocket, "hydra": HydraTransformer, "multirocket": MultiRocket}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the series of each case")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    use_threads(args.threads)
    cases = [measured(*case, args) for case in CASES]
    write(args, {"cases": cases, "profile": profile()})


def use_threads(count: int) -> None:
    torch.set_num_threads(count)


def measured(name: str, count: int, channels: int, steps: int, args: argparse.Namespace) -> Any:
    """Seconds of both tools on one case."""
    x = series(max(2, int(count * args.share)), channels, steps)
    ours = backbone(BUILDERS[name](channels=channels, length=steps, seed=SEED))
    ours.prepare(x, torch.Generator().manual_seed(SEED))
    array = x.values.numpy()
    theirs = THEIRS[name](n_jobs=args.threads, random_state=SEED).fit(array[:100])
    few = Batch(x.values[:2], x.observed[:2])
    ours(few), theirs.transform(array[:2])  # compiles
    rounds = [
        (timed(lambda: ours(x)), timed(lambda: theirs.transform(array))) for _ in range(args.rounds)
    ]
    (wall, cpu), (their_wall, their_cpu) = np.min(rounds, axis=0).round(4).tolist()
    print(
        f"{name:12} {len(array):5} x {channels} x {steps:4}: {wall:7.3f} s, aeon "
        f"{their_wall:7.3f} s; {their_wall / wall:5.2f} times as fast, "
        f"CPU {cpu:7.3f} s against {their_cpu:7.3f} s ({their_cpu / cpu:5.2f})",
        flush=True,
    )
    return {
        "encoder": name,
        "series": [len(array), channels, steps],
        "seconds": wall,
        "cpu_seconds": cpu,
        "aeon_seconds": their_wall,
        "aeon_cpu_seconds": their_cpu,
        "ratio": round(their_wall / wall, 2),
        "cpu_ratio": round(their_cpu / cpu, 2),
    }


def series(count: int, channels: int, steps: int) -> Batch:
    """White noise."""
    rng = torch.Generator().manual_seed(SEED)
    values = torch.randn(count, channels, steps, generator=rng)
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def profile() -> dict[str, float]:
    """Where one MiniRocket transform spends its time, in CPU seconds for 500 series of 128."""
    x = series(500, 1, 128)
    use_threads(1)
    encoder = MiniKernels(channels=1, length=128, seed=SEED)
    (bank,) = encoder.banks
    parts = {
        "whole": lambda: encoder(x),
        "responses": lambda: bank(x.values, x.lengths, ()),  # no pooling: nothing is counted
        "gaps_and_lengths": lambda: (x.filled(), x.lengths),
        "pages_of_the_result": lambda: torch.empty(500, encoder.dim).fill_(0.0),
    }
    found = {name: min(timed(part)[1] for _ in range(5)) for name, part in parts.items()}
    rest = found["whole"] - sum(seconds for name, seconds in found.items() if name != "whole")
    found |= {"counting": rest}
    print(", ".join(f"{name} {seconds:.4f} s" for name, seconds in found.items()))
    return {name: round(seconds, 4) for name, seconds in found.items()}


def write(args: argparse.Namespace, results: dict[str, Any]) -> None:
    """The results with what they were measured with."""
    packages = {name: version(name) for name in ("selftime", "aeon", "numba", "numpy", "torch")}
    made_with = {
        **packages,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "threads": args.threads,
        "rounds": args.rounds,
        "seed": SEED,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"made_with": made_with, **results}, indent=1) + "\n")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
