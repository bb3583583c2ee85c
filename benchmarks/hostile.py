"""Mutated model folders and damaged data files: `python -m benchmarks.hostile`.

Each is used in a process of its own with 2 GB of memory, and has to end in one of selftime's own
errors, or in something that can be used. Counts of aborts, hangs, other errors, files outside that
were touched, and peak memory go to `results/hostile.json`; the folder or file of a failure can be
made again from its seed alone (--only).
"""

import argparse
import collections
import hashlib
import json
import os
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import selftime as st
from benchmarks.hostile_material import data_files, model_folders, waves
from benchmarks.hostile_mutations import SECRET, damage_file, damage_folder
from selftime.engine.model import current_versions

RESULTS = Path(__file__).parent / "results"
MEMORY, SECONDS = 2 << 30, 60
Outcome = dict[str, Any]


def use_folder(path: Path) -> str:
    """Open a folder and use what it holds; "worked", or "refused" and why."""
    try:
        made = st.load(path)
        channels = getattr(made, "channels", None) or getattr(made, "channels_", None)
        x = waves(7, channels, series=2 if isinstance(made, st.AnomalyDetector) else 6, steps=240)
        found = made.embed(x) if isinstance(made, st.Model) else made.predict(x)
        finite = np.asarray(found).dtype.kind not in "f" or np.isfinite(np.asarray(found)).all()
        return "worked" if finite else "worked, not finite"
    except (st.ModelError, st.SeriesError) as error:
        return f"refused: {error}"


def read_file(path: Path) -> str:
    """Read a file; "worked", or "refused" and why."""
    try:
        series = st.read(str(path))
        return "worked" if np.isfinite(series.steps).all() else "worked, not finite"
    except st.SeriesError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error), str(error)[:300]
        return f"refused: {error}"


def tried(use: Callable[[Path], str], path: Path) -> Outcome:
    """What comes of a use in a process of its own: its words, and memory beside that of before."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        here = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (here + MEMORY, here + MEMORY))
        signal.alarm(SECONDS)
        begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            said = use(path)
        except BaseException:  # noqa: BLE001 - whatever is none of our errors is what is counted
            said = f"error: {traceback.format_exc()[-1500:]}"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun
        os.write(send, json.dumps({"said": said[:3000], "MB": grown / 1024}).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    if text:
        return dict(json.loads(text))
    name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else str(status)
    return {"said": "hang" if name == "SIGALRM" else f"abort: {name}", "MB": 0.0}


def seen(folder: Path) -> dict[str, str]:
    """All that is in a folder: names, times and content."""
    files = sorted(path for path in folder.rglob("*"))
    return {
        str(path): f"{path.lstat().st_mtime_ns} {path.lstat().st_mode} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in files
    }


def case_of(kind: str, seed: int, root: Path, sound: dict[str, Any]) -> tuple[Path, str]:
    """Make the folder or file of a seed anew; what was done to it, in words."""
    rng = np.random.default_rng([seed, kind == "data"])
    name = list(sound)[seed % len(sound)]
    if kind == "models":
        target = root / "case" / f"{seed}-{name}"
        shutil.copytree(sound[name], target)
        return target, f"{name}: {damage_folder(target, rng, list(sound.values()), root)}"
    target = root / "case" / f"{seed}-{name}"
    target.parent.mkdir(exist_ok=True)
    return target, f"{name}: {damage_file(target, sound[name], rng)}"


def counted(kind: str, seeds: list[int], root: Path, sound: dict[str, Any]) -> Outcome:
    """Try the cases of all seeds one after the other."""
    use = use_folder if kind == "models" else read_file
    counts, failures = collections.Counter[str](), []
    peak, touched, start = (0.0, ""), 0, time.perf_counter()
    outside = root / "outside"
    before = seen(outside) | seen(root / "sound")
    for seed in seeds:
        path, words = case_of(kind, seed, root, sound)
        found = tried(use, path)
        outcome = found["said"].split(":")[0]
        leaked = SECRET in found["said"]
        now = seen(outside) | seen(root / "sound")
        touched += now != before
        counts[outcome] += 1
        if (seed + 1) % 250 == 0:
            print(kind, seed + 1, dict(counts), flush=True)
        peak = max(peak, (found["MB"], f"seed {seed}, {words}"))
        if outcome in ("abort", "hang", "error") or leaked or now != before or found["MB"] > 1500:
            failures.append({"seed": seed, "done": words, **found})
            print(f"{kind} {seed} {words}\n  {found['said']} ({found['MB']:.0f} MB)", flush=True)
        before = now
        shutil.rmtree(root / "case")
    return {
        "tried": len(seeds),
        "refused": counts["refused"],
        "worked": counts["worked"] + counts["worked, not finite"],
        "of these not finite": counts["worked, not finite"],
        "aborts": counts["abort"],
        "hangs": counts["hang"],
        "other errors": counts["error"],
        "touched outside": touched,
        "peak memory, MB beside that of before": round(peak[0]),
        "peak memory is of": peak[1],
        "seconds": round(time.perf_counter() - start),
        "failures": failures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--data", type=int, default=500)
    parser.add_argument("--only", type=int, nargs="*", help="seeds to try again")
    parser.add_argument("--out", type=Path, default=RESULTS / "hostile.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "outside").mkdir()
        (root / "outside" / "secret.txt").write_text(SECRET)
        kinds: Any = {"models": (args.models, model_folders), "data": (args.data, data_files)}
        for kind, (count, make) in kinds.items():
            sound = make(root / "sound")
            for path in sound.values() if kind == "models" else ():
                assert use_folder(path) == "worked", f"{path} does not work before it is mutated"
            seeds = list(range(count)) if args.only is None else args.only[:count]
            results[kind] = counted(kind, seeds, root, sound)
            shown = {k: v for k, v in results[kind].items() if k != "failures"}
            print(kind, json.dumps(shown), flush=True)
    if args.only is None:
        made_with: dict[str, Any] = {"made_with": current_versions()}
        args.out.write_text(json.dumps(made_with | results, indent=1) + "\n")


if __name__ == "__main__":
    main()
