"""What a step costs: every objective on the same encoder, in one run.

`python -m benchmarks.step_speed`: forward, backward and optimiser on the same batch, rounds of all
objectives in turn, so that a busy machine slows all of them; the median over rounds, as a multiple
of the cheapest objective's.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from benchmarks.__main__ import RESULTS, write
from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.solve import generator
from selftime.engine.training.optim import optimiser
from selftime.objectives.base import Objective
from selftime.objectives.formula import build_objective, takes_steps
from selftime.objectives.registry import OBJECTIVES

SERIES, CHANNELS, STEPS = 32, 1, 128


def batch_of_noise(series: int, channels: int, steps: int) -> Batch:
    """Random walks without gaps."""
    rng = torch.Generator().manual_seed(0)
    values = torch.randn(series, channels, steps, generator=rng).cumsum(dim=2)
    return Batch(values / values.std(), torch.ones_like(values, dtype=torch.bool))


def step_of(name: str, x: Batch) -> Callable[[], None]:
    """One training step of an objective, ready to be called again and again."""
    causal = name == "next_step"
    encoder = Dilated(channels=CHANNELS, hidden=32, depth=6, dim=128, causal=causal)
    objective: Objective = build_objective(name, encoder)
    objective.prepare(x, generator(0, 0))
    optimise, rng = optimiser(objective, objective.recipe), generator(0, 1)

    def step() -> None:
        optimise.zero_grad()
        objective(x, rng).loss.backward()
        optimise.step()
        objective.after_step(0.5)

    return step


def timed(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each, over rounds in which all take their turn."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if number:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "step_speed.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x = batch_of_noise(SERIES, CHANNELS, STEPS)
    names = [name for name in OBJECTIVES if takes_steps(name)]
    seconds = timed({name: step_of(name, x) for name in names}, args.rounds)
    cheapest = min(seconds.values())
    for name, value in sorted(seconds.items(), key=lambda item: item[1]):
        print(f"{name:20s}{1000 * value:8.1f} ms{value / cheapest:7.2f}x")
    shape = {"series": SERIES, "channels": CHANNELS, "steps": STEPS}
    write(args.out, {"batch": shape, "threads": args.threads, "seconds": seconds})
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
