"""Data larger than memory: `python -m benchmarks.larger_than_memory --gigabytes 1.6`.

Series are generated as files, packed into a store, pretrained on in closed form and by steps,
embedded and classified, at a sixteenth, a quarter and all of so many gigabytes. Each size has a
process of its own that may use two gigabytes; the same jobs on the smallest size in memory, in a
process without a limit, are what speeds are shares of.

**Sizes.** ``--sizes`` names others; ``--channels`` and ``--length`` make series of more bytes, so
that twenty gigabytes take minutes and not hours. Sources are deleted once they are packed, and one
size is on the disk at a time: it takes 2.2 times the largest one, which is looked for before
anything is written.

**Limit.** ``RLIMIT_DATA`` bounds all memory that a process can write to, which is what it cannot
give back. ``RLIMIT_AS`` would count the addresses of mapped files too, which take no memory, and a
control group needs rights that few have; both ask the wrong question of a map. What is read of a
mapped file can be taken back by the kernel at any time; the peaks that are printed count it all the
same (``VmHWM``, set back before each job), so that they would grow if it were held.

**Speed** is series a second of the processor, which pages that have to be mapped and copied cost as
well, but other programs on the machine do not; seconds of the clock stand beside it.

**Order.** At last batches are read in order and as a run of steps draws them, from a file that the
kernel has in memory and from one that it was told to forget.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import selftime as st
from selftime.data.windows import batches
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.model import current_versions
from selftime.engine.training.trainer import Sampler

RESULTS = Path(__file__).parent / "results"
FILE = 16_000_000
"""Bytes of a file, about."""
ROOM = 2.2
"""A size takes so many times its bytes on the disk: files and store, then vectors twice."""
LABELLED = 40
"""Series with a label that a classifier learns from."""
STEPS = 30
"""Steps of a run by gradient, 64 series each."""
JOBS = ("pack", "pretrain", "embed", "classify", "steps")


def in_a_file(args: argparse.Namespace) -> int:
    """Series of a file, an even number."""
    return max(FILE // (4 * args.channels * args.length) // 2 * 2, LABELLED)


def generate(folder: Path, series: int, args: argparse.Namespace) -> None:
    """Write files of waves of two speeds with noise, and a few of them with labels."""
    folder.mkdir(parents=True)
    T, C, some = args.length, args.channels, in_a_file(args)
    for number, first in enumerate(range(0, series, some)):
        n = min(some, series - first)
        rng = np.random.default_rng(number)
        fast = np.arange(n) % 2
        turns = (1 + fast)[:, None] * (20 + 5 * rng.random((n, 1)))
        wave = np.sin(2 * np.pi * (turns * np.arange(T) / T + rng.random((n, 1))))
        x = rng.standard_normal((n, C, T), np.float32)
        x += wave[:, None].astype(np.float32)
        np.savez(folder / f"{number:05}.npz", x=x)
        if number == 0:
            names = np.array(["slow", "fast"])[fast[:LABELLED]]
            np.savez(folder.with_name("few.npz"), x=x[:LABELLED], y=names)


def peak() -> float:
    """Megabytes of memory that this process took at most since :func:`forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def forget_peak() -> None:
    """Let the peak be counted anew."""
    Path("/proc/self/clear_refs").write_text("5")


def work(args: argparse.Namespace) -> dict[str, Any]:
    """Do every job on the series of a folder, from a store or in memory."""
    here, how = args.out, args.work
    chosen = {} if args.encoder == "default" else {"encoder": args.encoder}
    files, store, few = here / "files", here / "store", st.read(here.parent / "few.npz")
    st.pretrain(few, **chosen).embed(few)  # compiles the kernels
    found: dict[str, Any] = {"start": {"peak_mb": peak()}}
    if how == "memory":
        x: Any = st.read(files)

    def measured(name: str, job: Callable[[], Any]) -> Any:
        forget_peak()
        start, busy = time.perf_counter(), time.process_time()
        made = job()
        busy, seconds = time.process_time() - busy, time.perf_counter() - start
        found[name] = {"seconds": seconds, "cpu_seconds": busy, "peak_mb": peak()}
        return made

    if how == "store":
        measured("pack", lambda: st.pack(files, store, progress=False))
        shutil.rmtree(files)
        x = st.read(store)
    limit = f"{args.minutes:g} minutes"
    known, rate = few.labels, [(0.0, 0)]

    def watch(what: str, done: int, of: int, detail: str = "") -> None:  # noqa: ARG001
        if what in ("learning", "training"):
            rate.append((time.process_time(), done))

    model = measured("pretrain", lambda: st.pretrain(x, **chosen, budget=limit, progress=watch))
    (begin, first), (end, last) = rate[1], rate[-1]
    found["pretrain"]["series"] = last
    found["pretrain"]["series_a_cpu_second"] = (last - first) / max(end - begin, 1e-9)
    vectors = measured("embed", lambda: model.embed(x, progress=False))
    st.write_table(here / f"{how}.npy", {"vectors": vectors})
    del vectors
    fitted = st.Classifier(model, strategy="probe").fit(few, known)
    said = measured("classify", lambda: fitted.predict(x))
    right = np.array(["slow", "fast"])[np.arange(len(x)) % 2] == said
    found["classify"]["right"] = float(right.mean())
    for name in ("embed", "classify"):
        found[name]["series_a_cpu_second"] = len(x) / found[name]["cpu_seconds"]
    network = Dilated(channels=args.channels, hidden=8, depth=4, dim=16)
    steps = {"encoder": network, "objective": "simclr", "budget": f"{STEPS} steps"}
    rate[1:] = []
    measured("steps", lambda: st.pretrain(x, **steps, progress=watch))
    (begin, first), (end, last) = rate[1], rate[-1]
    found["steps"]["series_a_cpu_second"] = 64 * (last - first) / max(end - begin, 1e-9)
    return found | {"series": len(x), "shuffled": shuffling(x, store) if how == "store" else {}}


def shuffling(x: st.SeriesSet, store: Path) -> dict[str, float]:
    """Seconds of a batch of 64, in order and drawn, from memory of the kernel and from the disk."""
    sampler = Sampler(count=len(x), batch_size=64, seed=0)
    some = min(sampler.batches_a_pass, 200)
    orders = {
        "in order": np.arange(some * 64) % len(x),
        "drawn": np.concatenate([sampler.batch(i) for i in range(some)]),
    }
    found = {}
    for where in ("disk", "kernel"):
        for name, order in orders.items():
            with (store / "values.npy").open("rb") as file:
                if where == "disk":
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                start = time.perf_counter()
                for _ in batches(x, size=64, order=order):
                    pass
                found[f"{name}, {where}"] = (time.perf_counter() - start) / some
    return found


def in_process(here: Path, how: str, args: argparse.Namespace) -> dict[str, Any]:
    """What a process of its own reports of all jobs; it is ended where it takes more memory."""
    words = ["--work", how, "--out", here, "--limit", args.limit if how == "store" else 0]
    for name in ("minutes", "channels", "length", "encoder"):
        words += [f"--{name}", getattr(args, name)]
    command = [sys.executable, "-m", "benchmarks.larger_than_memory", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{how} at {here}: {done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def judge(sizes: dict[str, dict[str, Any]], memory: dict[str, Any]) -> dict[str, Any]:
    """Shares of the speed in memory, and how much more memory the largest size takes."""
    names = list(sizes)
    speed = {
        job: {
            name: found[job]["series_a_cpu_second"] / memory[job]["series_a_cpu_second"]
            for name, found in sizes.items()
        }
        for job in (JOBS[1:] if memory else ())
    }
    peaks = {job: {name: found[job]["peak_mb"] for name, found in sizes.items()} for job in JOBS}
    growth = {job: own[names[-1]] / own[names[0]] for job, own in peaks.items()}
    return {"share_of_speed_in_memory": speed, "peak_mb": peaks, "growth_of_peak": growth}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Run every size, and the smallest one in memory."""
    sizes, memory = dict[str, dict[str, Any]](), dict[str, Any]()
    asked = args.sizes or [args.gigabytes * share / max(args.times) for share in args.times]
    needed, free = ROOM * max(asked), shutil.disk_usage(tempfile.gettempdir()).free / 1e9
    where = f"in {tempfile.gettempdir()} (TMPDIR)"
    if needed > free:
        raise SystemExit(f"{free:.1f} GB are free {where}, wanted {needed:.1f} GB")
    print(f"takes up to {needed:.1f} of {free:.1f} GB {where}", file=sys.stderr, flush=True)
    for gigabytes in sorted(asked):
        with tempfile.TemporaryDirectory() as folder:
            here, start = Path(folder) / "one", time.perf_counter()
            each = 4 * args.length * args.channels
            series = max(round(gigabytes * 1e9 / each), 2 * LABELLED)
            generate(here / "files", series, args)
            shutil.move(here / "few.npz", here.parent / "few.npz")
            name = f"{each * series / 1e9:.3g} GB"
            if not (memory or args.alone):
                memory = in_process(here, "memory", args)
                print("in memory", json.dumps(memory), file=sys.stderr, flush=True)
            sizes[name] = in_process(here, "store", args)
            sizes[name]["minutes"] = (time.perf_counter() - start) / 60
            print(name, json.dumps(sizes[name]), file=sys.stderr, flush=True)
    return judge(sizes, memory) | {"sizes": sizes, "memory": memory}


def main() -> None:
    """Measure, print, write."""
    how = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    parser.add_argument("--gigabytes", type=float, default=1.6, help="of the largest size")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16], help="of the smallest")
    parser.add_argument("--sizes", type=float, nargs="+", help="gigabytes of each, in their place")
    parser.add_argument("--channels", type=int, default=1, help="of a series")
    parser.add_argument("--length", type=int, default=1000, help="steps of a series")
    parser.add_argument("--encoder", default="quantiles", help='a name, or "default"')
    parser.add_argument("--limit", type=float, default=2.0, help="gigabytes of memory")
    parser.add_argument("--minutes", type=float, default=2.0, help="of learning in closed form")
    parser.add_argument("--alone", action="store_true", help="without the jobs in memory")
    parser.add_argument("--out", type=Path, default=RESULTS / "larger_than_memory.json")
    parser.add_argument("--work", choices=("store", "memory"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        if args.limit:
            resource.setrlimit(resource.RLIMIT_DATA, (int(args.limit * 1e9),) * 2)
        print(json.dumps(work(args)))
        return
    found = measure(args)
    shape = {name: getattr(args, name) for name in ("channels", "length", "encoder")}
    found |= {"limit_gb": args.limit, **shape, "made_with": current_versions()}
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    told = {name: found[name] for name in ("share_of_speed_in_memory", "peak_mb", "growth_of_peak")}
    print(json.dumps(told, indent=1), f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
