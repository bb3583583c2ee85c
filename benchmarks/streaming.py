"""Seconds a step of streams beside encoding windows anew: `python -m benchmarks.streaming`.

TS2Vec scores a step by encoding the window of the 200 steps before it and itself twice, with and
without its last value (Yue et al. 2022, section 4.4 and its released script). Beside streams that
is done with this package's own network, which skips products with zeros; with the same network as
padded convolutions; and, where --official names a checkout of the authors' repository, with their
`encode`: live, a window at a time, and on a recording, `sliding_length=1, sliding_padding=200` in
one call. All have the published size and end in a token of the last step; that it is the same one
is checked. They take turns on one thread, so that whatever else the machine does falls on all of
them. Then many streams at once, on 1 and 2 threads, beside bare matrix products of the same shapes.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from selftime.encoders.networks.dilated import Block, Convolution, Dilated
from selftime.encoders.streaming.base import ring_shapes
from selftime.encoders.streaming.dilated_numba import affine, gelu
from selftime.engine.model import Model

WINDOW = 201
"""Steps of a window: TS2Vec's sliding padding of 200, and the step itself."""
RECORDED = 64
"""Steps of a recording that go in one call."""
SIZES = {"published size": {}, "small": {"hidden": 32, "depth": 6, "dim": 64}}
"""Networks of many streams; the small one has 57 thousand weights and reaches back 509 steps."""
Work = Callable[[], Any]


class Turns(NamedTuple):
    """Works that take turns.

    Attributes:
        rounds: turns that are counted, after one that warms up.
    """

    rounds: int

    def __call__(self, works: dict[str, tuple[Work, int]]) -> dict[str, np.ndarray]:
        """Wall and CPU seconds (rounds,2) of a step of each work, which is so many steps."""
        rounds = [
            {name: timed(work, steps) for name, (work, steps) in works.items()}
            for _ in range(self.rounds + 1)
        ]
        return {name: np.array([each[name] for each in rounds[1:]]) for name in works}


def timed(work: Work, steps: int) -> tuple[float, float]:
    """Wall and CPU seconds a step of one turn."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps


def with_ratios(seconds: dict[str, np.ndarray], base: str) -> dict[str, Any]:
    """Medians of seconds a step, and over rounds of how many of the base's steps that is."""
    return {
        name: {
            "wall seconds": median(each[:, 0]),
            "cpu seconds": median(each[:, 1]),
            "least wall seconds": min(each[:, 0]),
            "wall ratio": median(each[:, 0] / seconds[base][:, 0]),
            "cpu ratio": median(each[:, 1] / seconds[base][:, 1]),
        }
        for name, each in seconds.items()
    }


def model_of(seed: int = 0, hidden: int = 64, depth: int = 10, dim: int = 320) -> Model:
    """An untrained causal encoder of one channel; weights do not change the seconds."""
    settings = {"hidden": hidden, "depth": depth, "dim": dim, "seed": seed}
    return Model(Dilated(channels=1, causal=True, **settings).eval(), none(), ("value",))


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


class Authors:
    """TS2Vec as its authors wrote it, with a model's weights."""

    def __init__(self, path: Path, encoder: Dilated) -> None:
        sys.path.insert(0, str(path))
        from ts2vec import TS2Vec  # type: ignore[import-not-found]

        sys.path.remove(str(path))
        self.model = TS2Vec(1, device="cpu")
        net = self.model.net.module
        pairs = [(net.input_fc, encoder.entry)]
        for theirs, ours in zip(net.feature_extractor.net, encoder.stack, strict=True):
            pairs += [(theirs.conv1.conv, ours.first), (theirs.conv2.conv, ours.second)]
            pairs += [(theirs.projector, ours.beside)] if ours.beside is not None else []
        with torch.no_grad():
            for theirs, ours in pairs:
                theirs.weight.copy_(ours.weight.permute(1, 2, 0).reshape(theirs.weight.shape))
                theirs.bias.copy_(ours.bias)

    def twice(self, values: np.ndarray, **sliding: int) -> np.ndarray:
        """Tokens (B,T,D) of series (B,T), with all values and, thrown away, without the last."""
        for mask in ("mask_last", None):
            found = self.model.encode(values[:, :, None].copy(), mask, causal=True, **sliding)
        return found

    def recording(self, values: np.ndarray) -> np.ndarray:
        """Tokens (1,T,D) of every step of a recording (1,T), as their script asks for them."""
        return self.twice(values, sliding_length=1, sliding_padding=WINDOW - 1, batch_size=256)

    def causal_token(self, window: np.ndarray) -> np.ndarray:
        """The last token of a window (1,T), with padding on the left alone.

        Their convolutions are padded on both sides, so a step sees those after it in its window.
        Padded by all that they reach and cut on the right they are ours. That costs them more, so
        seconds are those of their code as it is.
        """
        convolutions = [m for m in self.model.net.modules() if hasattr(m, "receptive_field")]
        before = [(m, m.conv.padding, m.remove) for m in convolutions]
        for m in convolutions:
            m.conv.padding, m.remove = (m.receptive_field - 1,), m.receptive_field - 1
        try:
            return self.model.encode(window[:, :, None].copy(), causal=True)[0, -1]
        finally:
            for m, padding, remove in before:
                m.conv.padding, m.remove = padding, remove


def beside_windows(seed: int, turns: Turns, official: Path | None) -> dict[str, Any]:
    """Seconds a step: one live stream, and a recording."""
    model = model_of(seed)
    values = np.random.default_rng(seed).normal(size=(1, 4096)).astype(np.float32)
    authors = Authors(official, model.encoder) if official else None
    live, recorded = model.stream(), model.stream()
    windows = torch.from_numpy(values[0]).unfold(0, WINDOW, 1)[:RECORDED, None]  # (n,1,W)

    def own(x: Tensor) -> Tensor:
        return model.encoder(Batch(x, torch.ones_like(x, dtype=torch.bool)))

    def conv(x: Tensor) -> Tensor:
        return padded(x, model.encoder)

    one = {
        "stream": (lambda: [live.update(0.5) for _ in range(100)], 100),
        "windows anew": (lambda: twice(own, windows[:1]), 1),
        "windows anew, padded convolutions": (lambda: twice(conv, windows[:1]), 1),
    }
    many = {
        "stream": (lambda: recorded.update(values[:, :RECORDED]), RECORDED),
        "windows anew": (lambda: twice(own, windows), RECORDED),
        "windows anew, padded convolutions": (lambda: twice(conv, windows), RECORDED),
    }
    if authors:
        one["windows anew, the authors' code"] = (lambda: authors.twice(values[:, :WINDOW]), 1)
        all_steps = values[:, :RECORDED]
        many["windows anew, the authors' code"] = (lambda: authors.recording(all_steps), RECORDED)
    few = Turns(max(turns.rounds // 4, 3))
    return {
        "largest difference": differences(model, values[:, :WINDOW], authors),
        "live": with_ratios(turns(one), "stream"),
        "recorded": with_ratios(few(many), "stream"),
    }


def twice(tokens: Callable[[Tensor], Tensor], windows: Tensor) -> None:
    """Tokens of windows, and of windows whose last step is hidden."""
    with torch.inference_mode():
        tokens(windows)
        tokens(windows * (torch.arange(WINDOW) < WINDOW - 1))


def differences(model: Model, window: np.ndarray, authors: Authors | None) -> dict[str, float]:
    """How far the last token of a stream is from what others say of the same window (1,W)."""
    stream, values = model.stream(), torch.from_numpy(window)[None]
    streamed = [stream.update(value) for value in window.T][-1]
    with torch.inference_mode():
        others = {"windows anew": model.encoder(Batch(values, values == values))[0, -1].numpy()}
        others["windows anew, padded convolutions"] = padded(values, model.encoder)[0, -1].numpy()
    if authors:
        others["windows anew, the authors' code"] = authors.causal_token(window)
    for token in others.values():
        np.testing.assert_allclose(streamed, token, rtol=0, atol=1e-5)
    return {name: float(np.abs(streamed - token).max()) for name, token in others.items()}


def many_streams(streams: int, threads: int, turns: Turns, size: dict[str, int]) -> dict[str, Any]:
    """Updates a second of each of many streams, and of bare matrix products of the same shapes."""
    model = model_of(**size)
    stream, x = model.stream(streams), np.random.default_rng(0).normal(size=(streams, 1))
    for ring in stream._reader.memory().values():
        ring.zero_()  # its memory is taken now, as after as many steps as it reaches back
    shapes = shapes_of(model.encoder)
    bare = products(streams, threads, shapes)

    def update() -> None:
        torch.set_num_threads(threads)
        stream.update(x)
        torch.set_num_threads(1)

    seconds = turns({"stream": (update, 1), "bare": (bare, 1)})
    gflop = 2 * streams * sum(inner * outer for inner, outer in shapes) / 1e9
    found: dict[str, Any] = {"GFLOP an update": gflop}
    for name, each in seconds.items():
        found[name] = {
            "a second": 1 / median(each[:, 0]),
            "a second at best": 1 / min(each[:, 0]),
            "cpu seconds": median(each[:, 1]),
            "GFLOP a second at best": gflop / min(each[:, 0]),
        }
    return {**found, "megabytes a stream": stream.nbytes / streams / 1e6}


def shapes_of(encoder: Dilated) -> list[tuple[int, int]]:
    """Inputs, taps side by side, and outputs of every layer but the first, which is tiny."""
    weights = [w for w in encoder.stack.parameters() if w.ndim == 3]
    return [(w.shape[0] * w.shape[2], w.shape[1]) for w in weights]


def products(streams: int, threads: int, shapes: list[tuple[int, int]]) -> Work:
    """One product by torch for each shape, streams shared out to threads, nothing else."""
    rng, each = torch.Generator().manual_seed(0), streams // threads
    parts = [
        [(torch.randn(each, i, generator=rng), torch.randn(i, o, generator=rng)) for i, o in shapes]
        for _ in range(threads)
    ]

    def multiply(part: list[tuple[Tensor, Tensor]]) -> None:
        torch.set_num_threads(1)  # each thread has a number of its own
        with torch.inference_mode():
            for rows, matrix in part:
                torch.mm(rows, matrix)

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(multiply, parts))

    return work


def profile(turns: Turns) -> dict[str, float]:
    """Shares of the seconds of one update of 32 streams on one thread."""
    model, S = model_of(), 32
    stream, x, shapes = model.stream(S), np.zeros((S, 1)), shapes_of(model.encoder)
    blocks = [block for block in model.encoder.stack if isinstance(block, Block)]
    inners = [shape[2] for shape in ring_shapes(blocks, S).values()]
    pairs = [
        (np.ones((S, inner), np.float32), np.ones((inner + 1) * outer, np.float32), outer)
        for inner, outer in shapes
    ]

    def multiply() -> None:
        for rows, weights, outer in pairs:
            affine(rows, weights, 0, np.empty((S, outer), np.float32))

    def activate() -> None:
        for inner in inners:
            gelu(np.ones(S * inner, np.float32), np.empty(S * inner, np.float32))

    works = {"update": stream.update, "products": multiply, "gelu": activate}
    seconds = turns(
        {name: (lambda w=w: w(x) if w == stream.update else w(), 1) for name, w in works.items()}
    )
    return {name: min(seconds[name][:, 1]) / min(seconds["update"][:, 1]) for name in works}


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    parser.add_argument("--official", type=Path, help="checkout of the TS2Vec authors' repository")
    parser.add_argument("--seeds", type=int, default=3, help="weights and values, seeds 0, 1, …")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--out", type=Path, default=RESULTS / "streaming.json")
    args = parser.parse_args()
    turns = Turns(args.rounds)
    torch.set_num_threads(1)
    found: dict[str, Any] = {"window": WINDOW, "load before": os.getloadavg()[0]}
    for seed in range(args.seeds):
        found[f"seed {seed}"] = beside_windows(seed, turns, args.official)
    for name, size in SIZES.items():
        for threads in args.threads:
            case = f"{args.streams} streams, {name}, threads: {threads}"
            found[case] = many_streams(args.streams, threads, turns, size)
    found["profile of 32 streams"] = profile(turns)
    found["load after"] = os.getloadavg()[0]
    for name, each in found.items():
        print(name, each)
    write(args.out, found)
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
