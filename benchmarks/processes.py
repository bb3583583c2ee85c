"""`python -m benchmarks.processes`: one process and two learn the same; seconds and bytes a step.

Runs of 50 steps of three objectives, by one process and by two that accelerate starts on the CPU
(gloo): with vectors gathered and the loss of one process, with a loss of its own for each, and with
weights shared out (FSDP2). Rounds alternate between them, so that whatever else the machine does
falls on all; seconds are medians over the steps, their error is that of the mean over rounds; CPU
seconds are those of one process, which others on the machine hardly change.

Bytes are those of the tensors that collectives take or make as a whole, in each process and step.
A ring of P processes sends 2·(P − 1)/P of what is all-reduced and (P − 1)/P of what is all-gathered
or reduce-scattered. Formulas, in float32: all-reduced 4 · trained weights; all-gathered
4 · (vectors that a loss compares), which is 2·B·D of simclr, B·N·D of masked_patches with N tokens
a series, and at most 2·B·T·D of ts2vec, whose crops are shorter than the series. Where weights are
shared out, 4 · trained weights are reduce-scattered instead, and beside the vectors
4 · (2·E · weights of layers + other weights) all-gathered, for a loss that encodes E times: a layer
is gathered for each encoding and again for its gradient.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.model import current_versions
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.layers import layers_of
from selftime.engine.training.trainer import Trainer
from selftime.objectives.base import Recipe
from selftime.objectives.registry import OBJECTIVES

RESULTS = Path(__file__).parent / "results" / "processes.json"
OBJECTIVE_NAMES = ("simclr", "ts2vec", "masked_patches")
CHANNELS, WARM = 2, 2


class Size(NamedTuple):
    """How much there is to do in a step."""

    series: int
    length: int
    batch: int
    hidden: int
    depth: int
    dim: int
    steps: int


SIZES = {
    "small": Size(128, 64, 32, 32, 6, 64, steps=50),
    "large": Size(64, 256, 32, 64, 6, 128, steps=5),
}
KINDS = {  # words of the launcher, and of the run
    "two, gathered": (["--multi_gpu"], "gathered"),
    "two, own losses": (["--multi_gpu"], "own"),
    "two, weights shared out": (["--use_fsdp", "--fsdp_version", "2"], "gathered"),
}
MOVED = {  # collectives, by what counts
    "allreduce_": ("all-reduced", 0),
    "broadcast_": ("broadcast", 0),
    "allgather_": ("all-gathered", 0),
    "_allgather_base_": ("all-gathered", 0),
    "allgather_into_tensor_coalesced_": ("all-gathered", 0),
    "_reduce_scatter_base_": ("reduce-scattered", 1),
    "reduce_scatter_tensor_coalesced_": ("reduce-scattered", 1),
}


class Traffic(TorchDispatchMode):
    """Bytes that go through collectives while it is active, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if func.namespace == "c10d" and name in MOVED:
            kind, place = MOVED[name]
            tensors = [t for t in tree_leaves(args[place]) if isinstance(t, torch.Tensor)]
            self.bytes[kind] += sum(t.numel() * t.element_size() for t in tensors)
        return func(*args, **(kwargs or {}))


def training_of(name: str, negatives: Any, size: Size) -> Trainer:
    """A run on random walks that has not begun."""
    shape = size.series, CHANNELS, size.length
    series = SeriesSet.of(np.random.default_rng(0).standard_normal(shape, np.float32).cumsum(2))
    encoder = Dilated(channels=CHANNELS, hidden=size.hidden, depth=size.depth, dim=size.dim)
    objective = OBJECTIVES[name](encoder=encoder)
    config = TrainingConfig(recipe=Recipe(batch_size=size.batch), negatives=negatives)
    scale = scaling.fit_channels(series)
    return Trainer(objective, series, scale, Budget(amount=size.steps), config, 0)


def work(negatives: str, size: Size) -> dict[str, Any]:
    """Losses, seconds and bytes of a run of each objective in this process."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for name in OBJECTIVE_NAMES:
        training = training_of(name, negatives, size)
        losses, seconds = [], []
        for _ in range(size.steps):
            start = time.perf_counter(), time.process_time()
            losses.append(training.advance()["loss"])
            seconds.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        wall, own = np.median(seconds[min(WARM, size.steps - 1) :], axis=0).tolist()
        with Traffic() as traffic:
            training.advance()
        weights = weights_in(training.objective)
        found[name] = {
            "losses": losses,
            "seconds": wall,
            "CPU seconds": own,
            "bytes": dict(traffic.bytes),
            "trained weights": weights,
            "weights of layers": weights_in(*layers_of(training.objective.encoder)),
        }
    return found


def weights_in(*modules: torch.nn.Module) -> int:
    """How many weights are trained."""
    return sum(w.numel() for m in modules for w in m.parameters() if w.requires_grad)


def formulas(name: str, kind: str, size: Size, weights: int, in_layers: int) -> dict[str, int]:
    """Bytes of a step of two processes by the formulas of this page."""
    vectors = {"simclr": 2, "masked_patches": size.length, "ts2vec": 2 * size.length}[name]
    gathered, encodings = 4 * size.batch * size.dim * vectors, 1 if name == "masked_patches" else 2
    if kind == "one":
        return {}
    if kind == "two, own losses":
        return {"all-reduced": 4 * weights + 4}  # and the loss itself
    if kind == "two, gathered":
        return {"all-gathered": gathered, "all-reduced": 4 * weights}
    again = 4 * (2 * encodings * in_layers + weights - in_layers)
    return {"all-gathered": gathered + again, "reduce-scattered": 4 * weights}


def launched(words: list[str], negatives: str, size: str, folder: Path) -> dict[str, Any]:
    """What the first of two processes makes, or the only one where there are no words."""
    out = folder / "made.json"
    own = ["--work", negatives, "--sizes", size, "--out", str(out)]
    command = [sys.executable, "-m", "benchmarks.processes", *own]
    if words:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        launcher = [sys.executable, "-m", "accelerate.commands.launch", *words]
        launcher += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
        launcher += ["--dynamo_backend", "no", "--main_process_port", port, "--module"]
        command = [*launcher, "benchmarks.processes", *own]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    made: dict[str, Any] = json.loads(out.read_text())
    return made


def compared(name: str, size: Size, rounds: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """One objective: seconds, differences of losses to one process, bytes beside formulas."""
    alone = rounds["one"][0][name]
    weights = alone["trained weights"], alone["weights of layers"]
    found: dict[str, Any] = {"trained weights": weights[0], "weights of layers": weights[1]}
    for kind, made in rounds.items():
        seconds = np.array([run[name]["seconds"] for run in made])
        apart = [np.abs(np.subtract(run[name]["losses"], alone["losses"])).max() for run in made]
        error = seconds.std(ddof=1) / len(seconds) ** 0.5 if len(seconds) > 1 else None
        found[kind] = {
            "seconds a step": float(seconds.mean()),
            "standard error": error,
            "CPU seconds a step": float(np.mean([run[name]["CPU seconds"] for run in made])),
            "largest difference of a loss": float(max(apart)),
            "bytes a step": made[0][name]["bytes"],
            "bytes by formula": formulas(name, kind, size, *weights),
        }
    return found


def main(given: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--work", choices=["gathered", "own"], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args(given)
    if args.work:
        made = work(args.work, SIZES[args.sizes[0]])
        if int(os.environ.get("RANK", "0")) == 0:
            args.out.write_text(json.dumps(made))
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        return
    made_with = {**current_versions(), "threads a process": 1, "cores": os.cpu_count()}
    written = {"made_with": made_with, "rounds": args.rounds}
    for size in args.sizes:
        written[size] = {"size": SIZES[size]._asdict()} | measured(size, args.rounds)
        args.out.write_text(json.dumps(written, indent=1) + "\n")
    print(f"written to {args.out}")


def measured(size: str, rounds: int) -> dict[str, Any]:
    """All objectives at a size, rounds alternating between one process and two."""
    made: dict[str, list[dict[str, Any]]] = {"one": []} | {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            made["one"].append(launched([], "gathered", size, Path(folder)))
            for kind, (words, negatives) in KINDS.items():
                made[kind].append(launched(words, negatives, size, Path(folder)))
    results = {name: compared(name, SIZES[size], made) for name in OBJECTIVE_NAMES}
    for name, found in results.items():
        print(f"{size}: {name}, {found['trained weights']:,} weights")
        for kind in made:
            own = found[kind]
            print(
                f"  {kind:24} {1000 * own['seconds a step']:7.1f} ms a step "
                f"({1000 * own['CPU seconds a step']:.1f} of a core in each), losses apart by "
                f"{own['largest difference of a loss']:.1e}, bytes {own['bytes a step']}, "
                f"by formula {own['bytes by formula']}",
                flush=True,
            )
    return results


if __name__ == "__main__":
    main()
