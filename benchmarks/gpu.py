"""`python -m benchmarks.gpu`: training and embedding on a GPU, the CPU of the machine beside it.

Without CUDA or MPS it says so and ends with 0; `--device cpu` runs the same in a short form and
writes nothing. Every round measures all rows once, one after the other, so that whatever else the
machine does falls on all of them; figures are means over rounds with their standard errors.

`train` is steps of gradient training a second, by encoder, objective, precision and compiling.
Operations of a step are those of its matrix products and convolutions, forward and backward, as
torch counts them (2·m·n·k of a product (m,k)·(k,n)): FlopCounterMode with `addmm_`, which it leaves
out. Their share of the peak is of the fastest product of two square matrices that this device made
in the same precision in the same run, measured, not of a data sheet. It tells little where
precision is mixed on a device without units for half precision, whose products are slow.

`embed` is series a second of an encoder whose weights and series lie on the device already.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.encoders.builders import BUILDERS
from selftime.engine.model import current_versions
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.trainer import Trainer
from selftime.objectives.base import Recipe
from selftime.objectives.registry import OBJECTIVES

RESULTS = Path(__file__).parent / "results" / "gpu.json"
CHANNELS = 3
TRAIN = [  # encoder, objective
    ("dilated", "ts2vec"),
    ("dilated", "simclr"),
    ("transformer", "simclr"),
    ("resnet", "simclr"),
]
OPTIONS = [("no", False), ("bf16", False), ("fp16", False), ("no", True), ("bf16", True)]
EMBED = ["rocket", "quantiles", "dilated", "transformer", "resnet"]
FULL = {"series": 1024, "length": 512, "batch": 256, "steps": 20, "embedded": 4096, "square": 8192}
SHORT = {"series": 16, "length": 64, "batch": 8, "steps": 2, "embedded": 16, "square": 256}
Sizes = dict[str, int]


def found_device() -> str | None:
    """The GPU of this machine, or None."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def wait_for(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def a_second(work: Callable[[], object], times: int, device: str) -> float:
    """Calls a second."""
    wait_for(device)
    start = time.perf_counter()
    for _ in range(times):
        work()
    wait_for(device)
    return times / (time.perf_counter() - start)


def walks(series: int, length: int) -> torch.Tensor:
    """Random walks (N,C,T)."""
    rng = torch.Generator().manual_seed(0)
    return torch.randn(series, CHANNELS, length, generator=rng).cumsum(2) / length**0.5


def training_of(encoder: str, objective: str, option: tuple[Any, bool], sizes: Sizes) -> Trainer:
    """A run that never ends."""
    precision, compiles = option
    series = SeriesSet.of(walks(sizes["series"], sizes["length"]).numpy())
    body = BUILDERS[encoder](channels=CHANNELS, length=sizes["length"], seed=0)
    recipe = Recipe(batch_size=sizes["batch"])
    config = TrainingConfig(recipe=recipe, precision=precision, compile=compiles)
    learner = OBJECTIVES[objective](encoder=body)
    scale = scaling.fit_channels(series)
    return Trainer(learner, series, scale, Budget(amount=10**9), config, 0)


def operations_of(training: Trainer) -> int:
    """Floating-point operations of the matrix products and convolutions of a step."""

    def of_product(onto: Any, left: Any, right: Any, out_shape: Any = None, **_: Any) -> int:
        (m, k), n = left, right[1]
        return 2 * m * n * k

    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: of_product})
    with counter:
        training.advance()
    return int(counter.get_total_flops())


def product(precision: str, sizes: Sizes, device: str) -> Callable[[], object]:
    """A product of two square matrices in a precision."""
    dtype = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    square = torch.randn(sizes["square"], sizes["square"], device=device).to(dtype)
    return partial(torch.mm, square, square)


def training_rows(device: str, sizes: Sizes, options: list[Any]) -> dict[str, Any]:
    """Runs by name: what a step is, its operations and precision; refused ones say why."""
    rows: dict[str, Any] = {}
    for encoder, objective in TRAIN:
        operations = operations_of(training_of(encoder, objective, ("no", False), sizes))
        for option in options:
            name = f"{objective} on {encoder}, {option[0]}{', compiled' * option[1]}"
            try:
                run = training_of(encoder, objective, option, sizes)
            except ValueError as error:  # precision or compiler that this machine has not
                rows[name] = {"not measured": str(error)}
                continue
            if run.refused:
                rows[name] = {"not measured": run.refused.reason}
                continue
            start = time.perf_counter()
            for _ in range(3):
                run.advance()
            first = time.perf_counter() - start
            rows[name] = {"work": run.advance, "operations": operations, "precision": option[0]}
            rows[name]["seconds of the first three steps"] = first
    return rows


@torch.inference_mode()
def embedding_rows(device: str, sizes: Sizes) -> dict[str, Any]:
    """Encoders by name, ready on the device."""
    values = walks(sizes["embedded"], sizes["length"])
    x = Batch(values, torch.ones_like(values, dtype=torch.bool))
    rows = {}
    for name in EMBED:
        encoder = BUILDERS[name](channels=CHANNELS, length=sizes["length"], seed=0)
        few = Batch(x.values[:256], x.observed[:256])
        encoder.prepare(few, torch.Generator().manual_seed(0))
        encoder = encoder.eval().to(device)
        rows[name] = {"work": partial(embed_all, encoder, x.to(device))}
        rows[name]["work"]()
    return rows


@torch.inference_mode()
def embed_all(encoder: Any, x: Batch) -> None:
    """Embed all series, 256 at a time as `Model.embed` does."""
    for values, observed in zip(x.values.split(256), x.observed.split(256), strict=True):
        encoder.embed(Batch(values, observed))


def spread(figures: list[float]) -> dict[str, float | None]:
    """Mean, and its standard error."""
    error = float(np.std(figures, ddof=1) / len(figures) ** 0.5) if len(figures) > 1 else None
    return {"mean": float(np.mean(figures)), "standard error": error}


def measured(device: str, sizes: Sizes, rounds: int, compiles: bool) -> dict[str, Any]:
    """Everything on one device; half precision in fp16 is of a GPU alone."""
    options = [o for o in OPTIONS if (compiles or not o[1]) and (device != "cpu" or o[0] != "fp16")]
    train, embed = training_rows(device, sizes, options), embedding_rows(device, sizes)
    products = {name: product(name, sizes, device) for name in {o[0] for o in options}}
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, work in products.items():
            found.setdefault(f"product {name}", []).append(a_second(work, 5, device))
        for name, row in (train | embed).items():
            if "work" in row:
                times = sizes["steps"] if name in train else 1
                found.setdefault(name, []).append(a_second(row["work"], times, device))
    peaks = {name: max(found[f"product {name}"]) * 2 * sizes["square"] ** 3 for name in products}
    results: dict[str, Any] = {"peak FLOP/s measured": peaks, "train": {}, "embed": {}}
    for name, row in train.items():
        if "work" not in row:
            results["train"][name] = row
            continue
        steps = spread(found[name])
        share = steps["mean"] * row["operations"] / peaks[row["precision"]]  # type: ignore[operator]
        own = {"operations a step": row["operations"], "share of peak": share}
        own["seconds of the first three steps"] = row["seconds of the first three steps"]
        results["train"][name] = {"steps a second": steps} | own
    for name in embed:
        series = [calls * sizes["embedded"] for calls in found[name]]
        results["embed"][name] = {"series a second": spread(series)}
    return results


def beside(sizes: Sizes, rounds: int) -> dict[str, Any]:
    """The same on the CPU, in a process that sees no GPU."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cpu.json"
        words = ["--device", "cpu", "--rounds", str(rounds), "--out", str(out)]
        words += ["--sizes", json.dumps(sizes)]
        hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true"}
        subprocess.run([sys.executable, "-m", "benchmarks.gpu", *words], env=hidden, check=True)
        made: dict[str, Any] = json.loads(out.read_text())
        return made


def show(device: str, results: dict[str, Any]) -> None:
    """Print a line a row."""
    for part, unit in (("train", "steps a second"), ("embed", "series a second")):
        for name, row in results[part].items():
            if unit not in row:
                print(f"{device:5} {name:40} not measured: {row['not measured']}")
                continue
            error = row[unit]["standard error"]
            line = f"{device:5} {name:40} {row[unit]['mean']:12,.1f} {unit}"
            line += "" if error is None else f" ± {error:,.1f}"
            if "share of peak" in row:
                first = row["seconds of the first three steps"]
                line += f", {row['share of peak']:.0%} of the peak measured, begun in {first:.1f} s"
            print(line, flush=True)


def main(given: list[str] | None = None) -> None:
    """Measure, print, and write what a GPU gave."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=["cuda", "mps", "cpu"], help="the GPU when left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="on the CPU too: takes minutes")
    parser.add_argument("--sizes", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="results/gpu.json of a GPU, nothing of a CPU")
    args = parser.parse_args(given)
    device = args.device or found_device()
    if device is None:
        print("no GPU here (neither CUDA nor MPS): nothing is measured; --device cpu runs it short")
        return
    sizes = args.sizes or (SHORT if device == "cpu" else FULL)
    results = measured(device, sizes, args.rounds, args.compile or device != "cpu")
    show(device, results)
    if device == "cpu":
        if args.out:
            args.out.write_text(json.dumps(results))
        return
    cpu = beside(sizes, max(2, args.rounds // 2))
    name = torch.cuda.get_device_name() if device == "cuda" else device
    made_with = {**current_versions(), "device": name, "cores": os.cpu_count()}
    written = {"made_with": made_with, "sizes": sizes, "rounds": args.rounds}
    out = args.out or RESULTS
    out.write_text(json.dumps(written | {device: results, "cpu": cpu}, indent=1) + "\n")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
