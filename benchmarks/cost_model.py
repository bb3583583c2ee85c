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

from selftime.data.batch import Batch
from selftime.data.signals import Measurements
from selftime.encoders.base import Encoder
from selftime.encoders.builders import build_encoder
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
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
"""Of a series, width of an embedding, and width of the quantiles in it, by default."""
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
    basis = sample * basis_copies(DIM, sample, COPIES)
    width = min(DIM, basis)
    trials, each = 2, trial_copies(min(n, TRIAL_SERIES))
    seen = trials * each + basis + n * COPIES  # copies that are encoded
    bank = min(n, BANK_SIZE)
    one = operations_to_embed(channels, steps, DIM)
    return {
        "views": seen * channels * steps,
        "MiniRocket": (seen + bank) * one["MiniRocket"],
        "Hydra": (seen + bank) * one["Hydra"],
        "quantiles": (basis + bank) * one["quantiles"],
        "maps": 2.0 * features * width * n * COPIES
        + bank * one["maps"]
        + solving(basis, features, width)
        + solving(min(basis, 2 * BESIDE), beside, BESIDE)
        + trials * solving(each / 2, features, each / 2),
        "moments": 2.0 * 2 * width**2 * n * COPIES,
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
    """Fewest seconds of the processor in some rounds, after one that does not count."""
    work()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def seconds_of(work: Work, speed: dict[str, float]) -> float:
    """Seconds that operations take."""
    return sum(count / speed[name] for name, count in work.items())


def main() -> None:
    """Foretell and measure every shape; print and write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    speed = speeds()
    print({name: f"{value / 1e9:.2f} G/s" for name, value in speed.items()})
    rows = []
    for shape in SHAPES:
        x = waves(*shape)
        models = []
        learn = least(lambda x=x, to=models: to.append(pretrain(x, progress=False)), rounds=2)
        embed = least(lambda x=x, m=models[-1]: m.embed(x, progress=False), rounds=3)
        foretold = seconds_of(operations_to_learn(*shape), speed)
        one = seconds_of(operations_to_embed(*shape[1:], models[-1].dim), speed) * shape[0]
        row = {"shape": shape, "learn": learn, "foretold": foretold, "embed": embed, "its": one}
        rows.append(row)
        print(
            f"{shape!s:16} learn {learn:6.2f} s, foretold {foretold:6.2f}; "
            f"embed {embed:6.3f} s, foretold {one:6.3f}",
            flush=True,
        )
    RESULTS.write_text(json.dumps({"speeds": speed, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
