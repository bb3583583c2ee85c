"""Seconds a step of streams beside encoding windows anew: `python -m benchmarks.streaming`.

TS2Vec scores a step by encoding the window of the 200 steps before it and itself twice, with and
without its last value (Yue et al. 2022, section 4.4 and its released script). Both sides run the
same causal encoder of the published size on the same values and end in the same token of the last
step; they take turns, so that whatever else the machine does falls on both. Windows are encoded
by this package's own network, which skips products with zeros, and, as most code does, by padded
convolutions. Then many streams at once, and where their time goes.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.__main__ import RESULTS, write
from selftime.data.batch import Batch
from selftime.data.scaling import none
from selftime.encoders.dilated import Block, Convolution, Dilated
from selftime.engine.model import Model
from selftime.engine.stream import Stream

WINDOW = 201
"""Steps of a window: TS2Vec's sliding padding of 200, and the step itself."""
SMALL = {"hidden": 32, "depth": 6, "dim": 64}
"""A network for thousands of streams: 40 thousand weights, which reach back 509 steps."""


def model_of(hidden: int = 64, depth: int = 10, dim: int = 320) -> Model:
    """An untrained causal encoder of one channel; weights do not change the seconds."""
    encoder = Dilated(channels=1, hidden=hidden, depth=depth, dim=dim, causal=True).eval()
    return Model(encoder, none(), ("value",))


def padded(values: Tensor, encoder: Dilated) -> Tensor:
    """Tokens (B,T,D) of series (B,1,T) by torch's convolutions over padded series."""
    h = convolved(values, encoder.entry, 1)
    for k, block in enumerate(encoder.stack):
        assert isinstance(block, Block)
        inner = convolved(F.gelu(h), block.first, 2**k)
        beside = h if block.beside is None else convolved(h, block.beside, 1)
        h = beside + convolved(F.gelu(inner), block.second, 2**k)
    return h.transpose(1, 2)


def convolved(h: Tensor, layer: Convolution, dilation: int) -> Tensor:
    """One causal convolution over series that are padded before their first step."""
    kernel = layer.weight.permute(1, 2, 0)  # (O,I,K)
    reach = dilation * (kernel.shape[2] - 1)
    return F.conv1d(F.pad(h, (reach, 0)), kernel, layer.bias, dilation=dilation)


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds that pass, or those that the processor spent on us: on a machine that is shared with
other jobs the first measure the others."""


class Turns(NamedTuple):
    """Works that take turns.

    Attributes:
        clock: which seconds count.
        rounds: turns that are counted, after one that warms up.
    """

    clock: str
    rounds: int

    def __call__(self, works: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
        """Seconds of each work in every round."""
        rounds = [
            {name: self.timed(work) for name, work in works.items()} for _ in range(self.rounds + 1)
        ]
        return {name: [each[name] for each in rounds[1:]] for name in works}

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds of one turn."""
        now = CLOCKS[self.clock]
        start = now()
        work()
        return now() - start


def beside_windows(turns: Turns) -> dict[str, Any]:
    """Seconds a step: one live stream, and a recording in batches of 64 windows or steps."""
    model = model_of()
    values = torch.randn(1, 1, 4096, generator=torch.Generator().manual_seed(0))
    live, recorded = model.stream(), model.stream()
    check_same_token(model, values)

    def again(count: int, tokens: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        windows = values[0, 0].unfold(0, WINDOW, 1)[:count, None]  # (n,1,W)

        def work() -> None:
            with torch.inference_mode():
                tokens(windows)
                tokens(windows * (torch.arange(WINDOW) < WINDOW - 1))  # the last step hidden

        return work

    def own(x: Tensor) -> Tensor:
        return model.encoder(Batch(x, torch.ones_like(x, dtype=torch.bool)))

    def conv(x: Tensor) -> Tensor:
        return padded(x, model.encoder)

    chunk = values[0, :, :64].numpy()
    single = turns(
        {
            "stream": lambda: [live.update(0.5) for _ in range(10)],
            "windows anew": again(1, own),
            "windows anew, padded convolutions": again(1, conv),
        }
    )
    single["stream"] = [seconds / 10 for seconds in single["stream"]]
    few = turns._replace(rounds=max(turns.rounds // 4, 3))
    many = few(
        {
            "stream, 64 steps at a time": lambda: recorded.update(chunk),
            "windows anew, 64 at a time": again(64, own),
            "windows anew, padded convolutions, 64 at a time": again(64, conv),
        }
    )
    batched = {name: [seconds / 64 for seconds in each] for name, each in many.items()}
    return {"live": with_ratios(single), "recorded": with_ratios(batched)}


def check_same_token(model: Model, values: Tensor) -> None:
    """Both sides say the same of the last step of a window."""
    window = values[:, :, :WINDOW]
    streamed = model.stream().update(window[0].numpy())[-1]
    with torch.inference_mode():
        anew = padded(window, model.encoder)[0, -1].numpy()
    np.testing.assert_allclose(streamed, anew, rtol=0, atol=1e-5)


def with_ratios(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Median and least seconds a step, and the median over rounds of how many streams' steps."""
    base = next(iter(seconds.values()))
    return {
        name: {
            "seconds": median(each),
            "least": min(each),
            "ratio": median(a / b for a, b in zip(each, base, strict=True)),
        }
        for name, each in seconds.items()
    }


def many_streams(streams: int, turns: Turns, size: dict[str, int]) -> dict[str, Any]:
    """Updates a second of each of many streams, with the work and memory of one."""
    stream = model_of(**size).stream(streams)
    x = np.random.default_rng(0).normal(size=(streams, 1))
    seconds = turns({"update": lambda: stream.update(x)})["update"]
    gflop = 2 * streams * weights_of(stream) / 1e9
    return {
        "updates a second": 1 / median(seconds),
        "at best": 1 / min(seconds),
        "GFLOP an update": gflop,
        "GFLOP a second at best": gflop / min(seconds),
        "megabytes a stream": stream.nbytes / streams / 1e6,
        "profile": profile_of(stream, x),
    }


def weights_of(stream: Stream) -> int:
    """Products of a step."""
    weights = stream.source.encoder.parameters()
    return sum(weight.numel() for weight in weights if weight.ndim == 3)


def profile_of(stream: Stream, x: np.ndarray) -> dict[str, float]:
    """Shares of the time of some updates by operation, the largest five."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(3):
            stream.update(x)
    rows = {row.key: row.self_cpu_time_total for row in profile.key_averages()}
    total = sum(rows.values())
    largest = sorted(rows, key=rows.__getitem__, reverse=True)[:5]
    return {name: round(rows[name] / total, 3) for name in largest}


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine")
    parser.add_argument("--out", type=Path, default=RESULTS / "streaming.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    turns = Turns(args.clock, args.rounds)
    results: dict[str, Any] = {"load": os.getloadavg()[0], "clock": args.clock, "window": WINDOW}
    results |= beside_windows(turns)
    for name, size in (("published size", {}), ("small", SMALL)):
        results[f"{args.streams} streams, {name}"] = many_streams(args.streams, turns, size)
    for name, found in results.items():
        print(name, found, flush=True)
    write(args.out, results)
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
