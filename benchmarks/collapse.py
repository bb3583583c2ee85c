"""Is a collapse flagged, and nothing else? `python -m benchmarks.collapse`.

On each set: one run that must collapse (two views are pulled together, with no negatives and no
predictor), 50 steps; and healthy runs of simclr and ts2vec with their usual recipes. Printed is the
step of the first warning, or "quiet". Exit code 1 if a collapse went unnoticed or a healthy run
was warned of.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Generator

from benchmarks.__main__ import RESULTS, write
from benchmarks.open_data import load
from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.builders import dilated_cnn
from selftime.engine.monitoring.monitors import monitor_of
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import run_training
from selftime.engine.training.trainer import StepRecord, Trainer
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.simclr import SimCLR
from selftime.objectives.ts2vec import TS2Vec
from selftime.views.pairs import Independent

SETS = (
    *("ArrowHead", "CBF", "ECGFiveDays", "GunPoint", "ItalyPowerDemand"),
    *("MoteStrain", "PhalangesOutlinesCorrect", "SyntheticControl", "Trace", "TwoPatterns"),
)


class Attraction(Objective):
    """Two views of a series are pulled together and nothing pushes series apart."""

    recipe = Recipe(batch_size=32)

    def __init__(self, *, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Negative cosine of two views."""
        first, second = (self.encoder.embed(view) for view in Independent()(batch, rng))
        return Step(-F.cosine_similarity(first, second).mean(), {}, first.detach())


def first_warning(
    kind: type[Attraction] | type[SimCLR] | type[TS2Vec], train: SeriesSet, seed: int, steps: int
) -> dict[str, Any]:
    """The step and text of the first warning of a run, and how far the spread fell."""
    encoder = dilated_cnn(
        channels=train.n_channels, length=int(np.median(train.lengths)), seed=seed
    )
    scale, budget = scaling.fit_channels(train), Budget(amount=steps)
    objective = kind(encoder=encoder)
    training = Trainer(objective, train, scale, budget, TrainingConfig(), seed)
    records: list[StepRecord] = []
    monitor = monitor_of(train, scale, seed)
    run_training(training, callbacks=[records.append], monitor=monitor)
    warned = [(r["step"], w["message"]) for r in records for w in r.get("warnings", ())]
    spreads = [r["monitors"]["std"] for r in records if "std" in r.get("monitors", {})]
    step, message = warned[0] if warned else (None, None)
    lowest = min(spreads) / spreads[0]
    return {"warned at": step, "message": message, "lowest spread / first": lowest}


def main() -> None:
    """Run every case, print, write, and say by the exit code whether all was as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collapse", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*SETS])
    parser.add_argument("--steps", type=int, default=100, help="of the healthy runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "collapse.json")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    wrong = 0
    for name in args.sets:
        train, _ = load(name)
        results[name] = {}
        for kind in (Attraction, SimCLR, TS2Vec):
            sick = kind is Attraction
            found = first_warning(kind, train, args.seed, 50 if sick else args.steps)
            results[name][kind.__name__] = found
            wrong += sick == (found["warned at"] is None)
        print(f"{name:26s}" + "   ".join(_said(k, v) for k, v in results[name].items()), flush=True)
        write(args.out, {"steps": args.steps, "seed": args.seed, "sets": results})
    print(f"{wrong} of {3 * len(args.sets)} runs judged wrongly")
    sys.exit(bool(wrong))


def _said(name: str, found: dict[str, Any]) -> str:
    at = "quiet" if found["warned at"] is None else f"step {found['warned at']}"
    return f"{name} {at} ({found['lowest spread / first']:.2f})"


if __name__ == "__main__":
    main()
