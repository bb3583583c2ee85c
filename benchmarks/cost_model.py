"""`python -m benchmarks.cost_model`: seconds from operations counted by formula, and measured.

The formulas are those of docs/scaling.md: operations of each part of the default encoder, of the
closed form and of its solve, for N series of C channels and T steps. Their speeds are measured
once, on one shape (`CALIBRATION`); seconds of other shapes are then foretold and measured, as
seconds of the processor on one thread, which other programs on the machine disturb least.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import operations_of, training_of
from selftime.data.batch import Batch
from selftime.data.signals import Measurements
from selftime.encoders.base import Encoder
from selftime.encoders.builders import build_encoder
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.engine.choices import copies_for
from selftime.engine.pretrain import BANK_SIZE, pretrain
from selftime.engine.solve import SAMPLE_SIZE
from selftime.objectives.spectral import (
    TRIAL_SERIES,
    basis_copies,
    eigh,
    trial_copies,
)
from selftime.views.mild import Mild, copies

RESULTS = Path(__file__).parent / "results" / "cost_model.json"
COPIES, DIM, BESIDE = 10, 1024, 256
"""Copies whose making is timed, width of an embedding, and of the quantiles in it, by default."""
CALIBRATION = (64, 3, 400)
SHAPES = [(500, 1, 128), (2000, 1, 128), (100, 1, 2000), (100, 12, 500), (50, 64, 200)]
"""Series, channels, steps."""
Work = dict[str, float]


def rocket_operations(encoder: MiniRocket) -> float:
    """Sums and comparisons for one series: rows for each set of channels, kernels, thresholds."""
    total, T = 0.0, encoder.length
    for bank in encoder.banks:
        sets = bank.subsets.view(len(bank.dilations), 84, -1)  # type: ignore[operator]
        for of_dilation, biases in zip(sets, bank.counts, strict=True):  # type: ignore[arg-type]
            rows = torch.unique_consecutive(of_dilation, dim=0)
            summed = int((rows >= 0).sum())
            total += T * (summed + len(rows) * (9 + 9 + 18) + 84 * 2 + 84 * biases)
    return total


def hydra_operations(encoder: Hydra) -> float:
    """Products, sums and comparisons for one series, of both representations."""
    T = encoder.length / max(encoder.length // (encoder.most_steps or encoder.length), 1)
    return 2 * len(encoder.dilations) * encoder.groups / 2 * encoder.kernels * T * (8 + 8 + 4)


def quantile_operations(encoder: Quantiles) -> float:
    """Comparisons of sorting every interval of four representations of every channel."""
    rows = encoder.channels if encoder.mixing is None else len(encoder.mixing)
    depth = sum(2 * encoder.length * max(math.log2(encoder.length / 2**k), 1) for k in range(6))
    return 4 * rows * depth


def default_parts(channels: int, steps: int) -> dict[type, Any]:
    """The encoders that the default is made of, by their classes."""
    size = {"kind": Measurements(), "channels": channels, "length": steps}
    both = [build_encoder(name, **size) for name in ("rocket", "quantiles")]
    return {type(module): module for encoder in both for module in encoder.modules()}


def operations_to_embed(channels: int, steps: int, width: int) -> Work:
    """Operations for one series, by part."""
    parts = default_parts(channels, steps)
    rocket, hydra, quantiles = parts[MiniRocket], parts[Hydra], parts[Quantiles]
    features = rocket.dim + hydra.dim
    narrow = min(BESIDE, quantiles.dim)
    return {
        "MiniRocket": rocket_operations(rocket),
        "Hydra": hydra_operations(hydra),
        "quantiles": quantile_operations(quantiles),
        "maps": 2.0 * features * (width - narrow) + 2.0 * quantiles.dim * narrow,
    }


def operations_to_learn(n: int, channels: int, steps: int) -> Work:
    """Operations of `selftime.pretrain` with its defaults on ``n`` series, by part."""
    parts = default_parts(channels, steps)
    features, beside = parts[MiniRocket].dim + parts[Hydra].dim, parts[Quantiles].dim
    sample = min(n, SAMPLE_SIZE)
    many = copies_for(n, n * steps)
    basis = sample * basis_copies(DIM, sample, many)
    width = min(DIM, basis)
    trials, each = 2, trial_copies(min(n, TRIAL_SERIES))
    seen = trials * each + basis + n * many  # copies that are encoded
    bank = min(n, BANK_SIZE)
    one = operations_to_embed(channels, steps, DIM)
    return {
        "views": seen * channels * steps,
        "MiniRocket": (seen + bank) * one["MiniRocket"],
        "Hydra": (seen + bank) * one["Hydra"],
        "quantiles": (basis + bank) * one["quantiles"],
        "maps": 2.0 * features * width * n * many
        + bank * one["maps"]
        + solving(basis, features, width)
        + solving(min(basis, 2 * BESIDE), beside, BESIDE)
        + trials * solving(each / 2, features, each / 2),
        "moments": 2.0 * 2 * width**2 * n * many,
        "eigenvalues": basis**3 + 2 * width**3 + trials * 2 * (each / 2) ** 3,
    }


def solving(copies: float, features: int, width: float) -> float:
    """Operations of products that find a basis of so many directions from so many copies."""
    return 2.0 * features * copies * (min(copies, features) + width)


def bytes_of_moments(width: int = DIM) -> int:
    """What each process sends in one run: two matrices and a vector of 64-bit numbers."""
    return 8 * (2 * width**2 + width)


def speeds() -> dict[str, float]:
    """Operations a second of one thread, by part, on one shape."""
    n, channels, steps = CALIBRATION
    x = waves(n, channels, steps)
    batch = Batch(torch.from_numpy(x), torch.ones(x.shape, dtype=torch.bool))
    rng = torch.Generator().manual_seed(0)
    one = operations_to_embed(channels, steps, DIM)
    found = {}
    modules = default_parts(channels, steps)
    for name, kind in (("MiniRocket", MiniRocket), ("Hydra", Hydra), ("quantiles", Quantiles)):
        encoder: Encoder = modules[kind]
        encoder.prepare(batch, rng)
        found[name] = n * one[name] / least(lambda e=encoder: e.embed(batch))
    view = Mild(strength=0.5)
    found["views"] = COPIES * x.size / least(lambda: copies(batch, COPIES, view, rng))
    a, b = torch.rand(256, 6000), torch.rand(6000, 768)
    found["maps"] = 2 * a.numel() * b.shape[1] / least(lambda: a @ b)
    p = torch.rand(640, DIM, dtype=torch.float64)
    found["moments"] = 2 * 640 * DIM**2 / least(lambda: p.T @ p)
    square = p.T @ p
    found["eigenvalues"] = DIM**3 / least(lambda: eigh(square))
    return found


def waves(n: int, channels: int, steps: int) -> np.ndarray:
    """Random walks (N,C,T)."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, channels, steps), np.float32).cumsum(2)


def least(work: Callable[[], object], rounds: int = 5) -> float:
    """Fewest seconds of the processor in some rounds, the first of which may compile."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def seconds_of(work: Work, speed: dict[str, float]) -> float:
    """Seconds that operations take."""
    return sum(count / speed[name] for name, count in work.items())


MACHINES, DATA, SHAPE = 1024, 100e12, (12, 1000)
"""Processes, bytes of 32-bit values, and channels and steps of a series, to carry the model to."""
SHARE, VECTOR = 64, 320
"""Series of a batch that a GPU encodes, and numbers of a vector of `dilated`."""
FLOPS, LINK = 100e12, 25e9
"""Assumed of a GPU: operations a second that it reaches, and bytes a second of its network."""


def carried_closed_form(speed: dict[str, float]) -> dict[str, float]:
    """What embedding all data, and learning from all of it in closed form, takes on many cores."""
    n = DATA / (4 * math.prod(SHAPE))
    one = seconds_of(operations_to_embed(*SHAPE, DIM), speed)
    many = 100_000  # series, of which what is done once is no longer seen
    learning = seconds_of(operations_to_learn(many, *SHAPE), speed) / many
    hours = n * one / MACHINES / 3600
    return {
        "series": n,
        "hours to embed": hours,
        "bytes a second that each core reads": DATA / MACHINES / (3600 * hours),
        "bytes of vectors": 4 * n * DIM,
        "hours to learn from all": n * learning / MACHINES / 3600,
        "hours to learn from a million": 1e6 * learning / MACHINES / 3600,
        "bytes of moments a process": bytes_of_moments(),
        "bytes a process sends": 2 * bytes_of_moments() * (MACHINES - 1) / MACHINES,
    }


def carried_gradient(processes: int) -> dict[str, float]:
    """What a step of SimCLR on `dilated` takes on so many GPUs, by the formulas."""
    few = {"series": 8, "batch": 8, "length": SHAPE[1]}
    run = training_of("dilated", "simclr", ("no", False), few)
    operations = operations_of(run) * SHARE / few["batch"]
    weights = sum(weight.numel() for weight in run.weights)
    views = 2 * SHARE * processes
    ring = (processes - 1) / processes
    return {
        "seconds of a GPU": operations / FLOPS,
        "seconds of all-reducing": 2 * ring * 4 * weights / LINK,
        "seconds of all-gathering": ring * 4 * views * VECTOR / LINK,
        "seconds of the whole loss": 3 * 2 * views**2 * VECTOR / FLOPS,
        "bytes of similarities": 4 * views**2,
        "values in views, each process": views * math.prod(SHAPE),
    }


def main() -> None:
    """Foretell and measure every shape; carry it to many machines; print and write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    speed = speeds()
    print({name: f"{value / 1e9:.2f} G/s" for name, value in speed.items()})
    rows = []
    pretrain(waves(20, 1, 60), progress=False)
    for shape in SHAPES:
        x = waves(*shape)
        models = []
        learn = least(lambda x=x, to=models: to.append(pretrain(x, progress=False)), rounds=1)
        embed = least(lambda x=x, m=models[-1]: m.embed(x, progress=False), rounds=3)
        foretold = seconds_of(operations_to_learn(*shape), speed)
        one = seconds_of(operations_to_embed(*shape[1:], models[-1].dim), speed) * shape[0]
        row = {
            "shape": shape,
            "learn": learn,
            "learn foretold": foretold,
            "embed": embed,
            "embed foretold": one,
        }
        rows.append(row)
        print(
            f"{shape!s:16} learn {learn:6.2f} s, foretold {foretold:6.2f}; "
            f"embed {embed:6.3f} s, foretold {one:6.3f}",
            flush=True,
        )
    carried = {"closed form": carried_closed_form(speed)}
    carried |= {f"{many} GPUs": carried_gradient(many) for many in (1, 8, 64, MACHINES)}
    for name, figures in carried.items():
        print(name, {what: f"{value:.3g}" for what, value in figures.items()})
    found = {"speeds": speed, "rows": rows, "carried": carried}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
