"""`python -m benchmarks.scale`: seconds and memory by steps, channels, series, and beside aeon.

`learn` is `selftime.pretrain` with its defaults, in a process of its own, so that the peak memory
is its own; kernels are compiled before. Exponents are slopes of log seconds over log size, from the
fourth largest size on, where what takes the same time for any data no longer counts. Throughput is
that of `Model.embed`, of an encoder learned from the first series, beside aeon's MiniRocket with
its features standardised, and, where ``--ts2vec`` names a checkout of its authors' repository,
beside TS2Vec's own code, untrained (weights change no speed); they alternate on the same series and
the least of the rounds counts.

Parts can be named: `python -m benchmarks.scale learn open curves embed`. What was measured before
stays in results/scale.json.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.open_data import UCR, load, root
from selftime.data.readers import read
from selftime.engine.pretrain import pretrain

RESULTS = Path(__file__).parent / "results" / "scale.json"
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "scale.svg"
THREADS = 2
LEARN = {  # series, channels, steps
    "500 x 128": (500, 1, 128),
    "200 x 4,000": (200, 1, 4000),
    "50 x 10,000": (50, 1, 10_000),
    "50 x 200 channels x 200": (50, 200, 200),
    "10,000 x 128": (10_000, 1, 128),
}
CURVES: dict[str, list[tuple[int, int, int]]] = {
    "steps": [(100, 1, 250 * 2**k) for k in range(7)],
    "channels": [(100, 2**k, 200) for k in range(9)],
    "series": [(250 * 2**k, 1, 128) for k in range(7)],
}
EMBED = [(channels, steps) for channels in (1, 12) for steps in (128, 1000, 4000)]
LAW = """
import json, resource, sys, time
import numpy as np, torch
import selftime as st
n, channels, steps, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
x = np.random.default_rng(0).standard_normal((n, channels, steps), np.float32).cumsum(2)
st.pretrain(x[:30, :1, :60], progress=False)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
start = time.perf_counter(); model = st.pretrain(x, progress=False)
learn = time.perf_counter() - start
start = time.perf_counter(); vectors = model.embed(x, progress=False)
embed = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(dict(learn=learn, embed=embed, width=vectors.shape[1], peak_mib=peak,
    before_mib=before, data_mib=x.nbytes / 2**20)))
"""


def learned(size: tuple[int, int, int]) -> dict[str, float]:
    """Seconds to learn and to embed, the width of vectors, and the memory of one process."""
    words = [sys.executable, "-c", LAW, *map(str, size), str(THREADS)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {name: round(value, 2) for name, value in found.items()}


def learn() -> dict[str, Any]:
    """The sizes that people have."""
    found = {}
    for name, size in LEARN.items():
        found[name] = learned(size)
        print(f"{name:28s}", found[name], flush=True)
    found["200 spoken digits, wav as series"] = sounds()
    return found


def sounds() -> dict[str, float]:
    """Seconds to learn from wav files as series of samples, read beforehand."""
    torch.set_num_threads(THREADS)
    series = read(root() / "modalities" / "audio_fsdd", kind="series")[:200]
    pretrain(series[:10], progress=False)
    start = time.perf_counter()
    model = pretrain(series, progress=False)
    middle = time.perf_counter()
    model.embed(series, progress=False)
    found = {"learn": middle - start, "embed": time.perf_counter() - middle, "width": model.dim}
    print("200 spoken digits", found, flush=True)
    return {name: round(value, 2) for name, value in found.items()}


def open_sets() -> dict[str, Any]:
    """Seconds to learn from each open UCR set, in one process."""
    torch.set_num_threads(THREADS)
    seconds = {}
    pretrain(load(UCR[0])[0][:30], progress=False)
    for name in UCR:
        train, _ = load(name)
        start = time.perf_counter()
        pretrain(train, progress=False)
        seconds[name] = round(time.perf_counter() - start, 2)
        print(f"{name:28s} {seconds[name]:6.2f} s", flush=True)
    mean = float(np.mean(list(seconds.values())))
    print(f"mean of {len(seconds)}: {mean:.2f} s")
    return {"seconds": seconds, "mean": round(mean, 2)}


def curves() -> dict[str, Any]:
    """Seconds over each size, with exponents; and the picture."""
    found: dict[str, Any] = {}
    for axis, sizes in CURVES.items():
        place = {"series": 0, "channels": 1, "steps": 2}[axis]
        rows = [{axis: size[place], **learned(size)} for size in sizes]
        found[axis] = {"rows": rows, "exponents": exponents(axis, rows)}
        print(axis, [row["learn"] for row in rows], found[axis]["exponents"], flush=True)
    draw(found)
    return found


def exponents(axis: str, rows: list[dict[str, float]]) -> dict[str, float]:
    """Slopes of log seconds over log size of the four largest sizes."""
    last = rows[-4:]
    size = np.log([row[axis] for row in last])
    return {
        name: round(float(np.polyfit(size, np.log([row[name] for row in last]), 1)[0]), 2)
        for name in ("learn", "embed")
    }


def draw(found: dict[str, Any]) -> None:
    """Seconds to learn and to embed, over steps, channels and series."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True, layout="constrained")
    for ax, (axis, part) in zip(axes, found.items(), strict=True):
        n, channels, steps = CURVES[axis][0]
        fixed = {
            "series": f"{n} series",
            "channels": f"{channels} channel",
            "steps": f"{steps} steps",
        }
        del fixed[axis]
        for name, marker in (("learn", "o"), ("embed", "s")):
            rows = part["rows"]
            label = f"{name}: exponent {part['exponents'][name]:.2f}"
            ax.loglog([r[axis] for r in rows], [r[name] for r in rows], marker=marker, label=label)
        ax.set(xlabel=axis, title=", ".join(fixed.values()))
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    axes[0].set_ylabel("seconds, two cores")
    figure.savefig(PICTURE, metadata={"Date": None})


def embed(ts2vec: Path | None = None) -> dict[str, Any]:
    """Series a second of `Model.embed`, of aeon's MiniRocket and a scaler, and of TS2Vec's code."""
    from aeon.transformations.collection.convolution_based import MiniRocket
    from sklearn.preprocessing import StandardScaler

    torch.set_num_threads(THREADS)
    found = {}
    for channels, steps in EMBED:
        n = int(np.clip(2_000_000 // (channels * steps), 100, 5000))
        x = np.random.default_rng(0).standard_normal((n, channels, steps), np.float32).cumsum(2)
        model = pretrain(x[:60], progress=False)
        theirs = MiniRocket(n_jobs=THREADS, random_state=0).fit(x[:60])
        scaler = StandardScaler().fit(theirs.transform(x[:60]))
        ours, aeon = alternating(
            lambda model=model, x=x: model.embed(x, progress=False),
            lambda theirs=theirs, scaler=scaler, x=x: scaler.transform(theirs.transform(x)),
        )
        row = {"ours": n / ours, "aeon": n / aeon, "ratio": aeon / ours, "width": model.dim}
        if ts2vec:
            part = x[: max(n // 20, 50)]
            official = their_ts2vec(ts2vec, part)
            ours, them = alternating(lambda m=model, x=part: m.embed(x, progress=False), official)
            row |= {"ts2vec": len(part) / them, "ratio to ts2vec": them / ours}
        found[f"{channels} x {steps}"] = {name: round(value, 2) for name, value in row.items()}
        print(f"{channels:3d} x {steps:5d}", found[f"{channels} x {steps}"], flush=True)
    return found


def their_ts2vec(path: Path, x: np.ndarray) -> Callable[[], object]:
    """Return the work of embedding series (N,C,T) by the authors' code with its defaults."""
    sys.path.insert(0, str(path))
    from ts2vec import TS2Vec  # type: ignore[import-not-found]

    sys.path.remove(str(path))
    theirs = TS2Vec(x.shape[1], device="cpu")
    steps_first = np.ascontiguousarray(x.transpose(0, 2, 1))
    return lambda: theirs.encode(steps_first, encoding_window="full_series")


def alternating(*works: Callable[[], object], rounds: int = 5) -> list[float]:
    """Least seconds of each of several jobs, which take turns."""
    seconds = np.full((rounds, len(works)), np.inf)
    for row in seconds:
        for i, work in enumerate(works):
            start = time.perf_counter()
            work()
            row[i] = time.perf_counter() - start
    return [float(least) for least in seconds.min(axis=0)]


PARTS = {"learn": learn, "open": open_sets, "curves": curves, "embed": embed}


def main() -> None:
    """Measure the parts that are named, or all; print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--ts2vec", type=Path, help="checkout of the TS2Vec authors' repository")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"got {', '.join(unknown)}, wanted some of {', '.join(PARTS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in args.parts or PARTS:
        results[name] = embed(args.ts2vec) if name == "embed" else PARTS[name]()
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {RESULTS.name}")


if __name__ == "__main__":
    main()
