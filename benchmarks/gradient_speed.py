"""Steps and embeddings beside the TS2Vec authors' code: `python -m benchmarks.gradient_speed`.

Both train at the published size, batch 8, float32, on the same series; their steps and ours
alternate, so that whatever else the machine does falls on both. Embedding is the authors' `encode`
with their batch size beside `Model.embed`, calls alternating too. Needs --official, a checkout of
the authors' repository.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.__main__ import RESULTS, write
from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.model import Model
from selftime.engine.pretrain import with_standard_vectors
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.trainer import Trainer
from selftime.objectives.ts2vec import TS2Vec

STEPS, SERIES = 60, 64


def walks(steps: int) -> np.ndarray:
    """Random walks (N,1,T), standardised."""
    values = np.random.default_rng(0).standard_normal((SERIES, 1, steps)).cumsum(axis=2)
    return ((values - values.mean()) / values.std()).astype(np.float32)


def ours(values: np.ndarray) -> Trainer:
    """A ts2vec run that never ends."""
    series = SeriesSet.of(values)
    objective = TS2Vec(encoder=Dilated(channels=1))
    return Trainer(objective, series, scaling.none(), Budget(amount=10**6), TrainingConfig(), 0)


def timed(work: Callable[[], Any]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def step_seconds(values: np.ndarray, official: Any) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each step, theirs and ours, alternating; the first ten are not counted."""
    training, pairs = ours(values), []
    mark = time.perf_counter()

    def after_step(model: Any, loss: float) -> None:
        nonlocal mark
        theirs = time.perf_counter() - mark
        pairs.append((theirs, timed(training.advance)))
        mark = time.perf_counter()

    np.random.seed(0)
    torch.manual_seed(0)
    model = official(1, device="cpu", batch_size=8, after_iter_callback=after_step)
    mark = time.perf_counter()
    model.fit(values.transpose(0, 2, 1).copy(), n_iters=STEPS)
    theirs, mine = np.array(pairs[10:]).T
    return theirs, mine


def embed_seconds(values: np.ndarray, official: Any) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of embedding all series, theirs and ours, alternating."""
    cubes = values.transpose(0, 2, 1).copy()
    theirs = official(1, device="cpu", batch_size=8)
    series = SeriesSet.of(values)
    encoder = with_standard_vectors(Dilated(channels=1), series, scaling.none(), 0)
    model = Model(encoder.eval(), scaling.none(), series.channels)
    pairs = [
        (
            timed(lambda: theirs.encode(cubes, encoding_window="full_series")),
            timed(lambda: model.embed(series)),
        )
        for _ in range(12)
    ]
    first, second = np.array(pairs[2:]).T
    return first, second


def where_the_time_goes(values: np.ndarray) -> dict[str, float]:
    """Share of the time of our steps by operator, the largest eight."""
    training = ours(values)
    for _ in range(5):
        training.advance()
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        for _ in range(20):
            training.advance()
    averages = watched.key_averages()
    whole = sum(event.self_cpu_time_total for event in averages)
    largest = sorted(averages, key=lambda event: -event.self_cpu_time_total)[:8]
    return {event.key: round(event.self_cpu_time_total / whole, 3) for event in largest}


def compared(theirs: np.ndarray, mine: np.ndarray) -> dict[str, float]:
    """Medians, and the ratio of the sums."""
    return {
        "official": float(np.median(theirs)),
        "selftime": float(np.median(mine)),
        "ratio": float(theirs.sum() / mine.sum()),
        "ratio of medians": float(np.median(theirs) / np.median(mine)),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gradient_speed", description=__doc__
    )
    parser.add_argument("--official", type=Path, required=True, help="the authors' repository")
    parser.add_argument("--lengths", nargs="+", type=int, default=[64, 128, 300])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    args = parser.parse_args()
    sys.path.insert(0, str(args.official))
    from ts2vec import TS2Vec as Official  # type: ignore[import-not-found]

    results: dict[str, Any] = {}
    for threads in args.threads:
        torch.set_num_threads(threads)
        for length in args.lengths:
            values = walks(length)
            found = {
                "step": compared(*step_seconds(values, Official)),
                "embed": compared(*embed_seconds(values, Official)),
            }
            results[f"{threads} threads, {length} steps"] = found
            said = ", ".join(f"{k} {v['ratio']:.2f}x" for k, v in found.items())
            print(f"{threads} threads, series of {length} steps: {said}  {found}", flush=True)
    results["share of a step, 128 steps, 1 thread"] = _one_thread(where_the_time_goes, walks(128))
    print(results["share of a step, 128 steps, 1 thread"])
    write(RESULTS / "gradient_speed.json", {"seconds": results})


def _one_thread(work: Callable[[np.ndarray], dict[str, float]], values: np.ndarray) -> Any:
    torch.set_num_threads(1)
    return work(values)


if __name__ == "__main__":
    main()
