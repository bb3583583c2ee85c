"""PatchTST of one small size, four ways: `python -m benchmarks.forecast_gradient`.

Frozen after pretraining on hidden patches, fine-tuned, supervised from first weights, and a head on
an untrained encoder; every test window counts, weights are chosen on the validation part. The
encoder is far smaller and is trained far shorter than the published one: rows tell what pretraining
is worth at this size, not what the published size reaches. Results are kept by set, horizon and
seed; what is there is not measured again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.__main__ import RESULTS
from benchmarks.forecast import SETS, setting_named
from benchmarks.patchtst import NetworkSize, gradient_rows
from selftime.tasks.forecasting.backtest import errors_of
from selftime.tasks.forecasting.network import TrainingSteps
from selftime.tasks.forecasting.protocols import Setting


def measured(  # noqa: PLR0913 - all that a row depends on
    setting: Setting,
    horizon: int,
    size: NetworkSize,
    steps: TrainingSteps,
    seed: int,
    source: str | None,
) -> dict[str, Any]:
    """Errors of the four rows, seconds of all of them together, and the command."""
    wall, cpu = time.perf_counter(), time.process_time()
    other = None if source is None else setting_named(source)
    rows = gradient_rows(setting, horizon, size=size, steps=steps, seed=seed, source=other)
    errors = {name: errors_of(row, setting, horizon)._asdict() for name, row in rows.items()}
    return {
        "rows": errors,
        "size": size._asdict(),
        "steps": steps._asdict(),
        "weights of the encoder": sum(
            w.numel() for w in rows["PatchTST frozen"].network.encoder.parameters()
        ),
        "seconds": round(time.perf_counter() - wall, 1),
        "CPU seconds": round(time.process_time() - cpu, 1),
        "threads": torch.get_num_threads(),
        "command": f"python -m benchmarks.forecast_gradient --horizons {horizon} --seeds {seed} "
        f"--dim {size.dim} --steps {' '.join(map(str, steps))}"
        + (f" --source {source}" if source else ""),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["ETTh1"], choices=SETS)
    parser.add_argument("--horizons", nargs="+", type=int, default=[96, 336])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--dim", type=int, default=NetworkSize().dim)
    parser.add_argument("--steps", nargs=3, type=int, default=list(TrainingSteps()))
    parser.add_argument("--source", choices=SETS, help="pretrain on this set instead")
    parser.add_argument("--out", type=Path, default=RESULTS / "forecast_gradient.json")
    args = parser.parse_args()
    kept = json.loads(args.out.read_text()) if args.out.exists() else {}
    size, steps = NetworkSize(dim=args.dim), TrainingSteps(*args.steps)
    for name in args.sets:
        setting = setting_named(name)
        title = f"{name} from {args.source}" if args.source else name
        for H in args.horizons:
            for seed in args.seeds:
                done = kept.setdefault(title, {}).setdefault(str(H), {})
                if str(seed) not in done:
                    done[str(seed)] = measured(setting, H, size, steps, seed, args.source)
                    args.out.write_text(json.dumps(kept, indent=1) + "\n")
                one = done[str(seed)]
                rows = ", ".join(f"{row} {e['mse']:.4f}" for row, e in one["rows"].items())
                print(f"{title} {H}, seed {seed}: {rows}; {one['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
