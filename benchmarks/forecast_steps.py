"""The protocol of the contrastive papers: `python -m benchmarks.forecast_steps`.

A causal network is pretrained on windows of the training part, sees the whole series once, and a
ridge goes from the vector of each step to what follows. Beside each objective stands the untrained
network. Results are kept by set, row and seed; what is there is not measured again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.__main__ import RESULTS
from benchmarks.forecast import SETS, setting_named
from benchmarks.per_step import per_step_errors
from selftime.data.series import SeriesSet
from selftime.data.windows import windows
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import Budget
from selftime.tasks.forecasting.protocols import Setting
from selftime.tasks.transfer.strategies import from_first_weights

ROWS = ("ts2vec", "cpc", "untrained")
HORIZONS = (24, 48, 168, 336, 720)
"""Those of TS2Vec (Yue et al. 2022, table 2)."""
LENGTH, STRIDE = 512, 64
"""Steps of the windows that are learned from, and between them."""


def learned(setting: Setting, row: str, steps: int, seed: int) -> Model:
    """A causal network after learning on the training part; "untrained" has its first weights."""
    part = SeriesSet.of(setting.values[: setting.borders.train].T[None].astype("float32"))
    cut = windows(part, LENGTH, stride=STRIDE).select()
    untrained = row == "untrained"
    budget = Budget(amount=1 if untrained else steps)
    objective = "ts2vec" if untrained else row
    model = pretrain(cut, objective=objective, encoder="dilated_causal", budget=budget, seed=seed)
    return from_first_weights(model, cut) if untrained else model


def measured(setting: Setting, row: str, steps: int, seed: int) -> dict[str, Any]:
    """Errors of a row at every horizon, and seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    model = learned(setting, row, steps, seed)
    taken = time.perf_counter() - wall
    errors = {str(H): per_step_errors(setting, H, model)._asdict() for H in HORIZONS}
    return {
        "errors": errors,
        "steps": 0 if row == "untrained" else steps,
        "seconds of pretraining": round(taken, 1),
        "seconds": round(time.perf_counter() - wall, 1),
        "CPU seconds": round(time.process_time() - cpu, 1),
        "threads": torch.get_num_threads(),
        "command": f"python -m benchmarks.forecast_steps --rows {row} --steps {steps} "
        f"--seeds {seed}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["ETTh1"], choices=SETS)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS / "forecast_steps.json")
    args = parser.parse_args()
    kept = json.loads(args.out.read_text()) if args.out.exists() else {}
    for name in args.sets:
        setting = setting_named(name)
        for row in args.rows:
            for seed in args.seeds:
                done = kept.setdefault(name, {}).setdefault(row, {})
                if str(seed) not in done:
                    done[str(seed)] = measured(setting, row, args.steps, seed)
                    args.out.write_text(json.dumps(kept, indent=1) + "\n")
                one = done[str(seed)]
                errors = ", ".join(f"{H}: {e['mse']:.3f}" for H, e in one["errors"].items())
                print(f"{name} {row}, seed {seed}: {errors}; {one['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
