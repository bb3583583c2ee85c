"""Detection by the length of a recording: `python -m benchmarks.long_recordings`.

A machine runs eight programs in random order, the last of them seldom, under noise and a slow
drift; once in 20,000 steps after the normal part (the first 15 %) a run of 400 steps goes wrong.
Each length is a process of its own, on one thread: CPU seconds of `st.detect` on what is in memory,
after a short recording has loaded the compiled loops, and the same of the whole command from csv to
csv with its picture, with the peak of its resident memory. The exponent is the slope of log seconds
by log steps over all lengths. Alarms count as in benchmarks/alarms.py. Then the error: distances of
windows beside those to the nearest of all others, which take quadratic time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selftime.engine.model import current_versions
from selftime.tasks.anomaly.detect import record_of
from selftime.tasks.anomaly.scores.distances import (
    nearest_distances,
    principal,
    window_profile,
)

RESULTS = Path(__file__).parent / "results"
LENGTHS = (30_000, 60_000, 120_000, 240_000, 480_000, 1_000_000)
CHECKED = 240_000
"""Steps at which the error is measured."""
NORMAL, RUN, EVERY, SLACK = 0.15, 400, 20_000, 100
CODE = """
import json, resource, sys, time
import selftime as st
from benchmarks.long_recordings import counted, recording
st.detect(recording(3000)[0][None, None], past_only={past})
x, faults = recording({steps})
wall, cpu = time.perf_counter(), time.process_time()
found = st.detect(x[None, None], past_only={past})
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(dict(cpu=cpu, wall=wall, peak_mib=peak, **counted(found.alarms, faults))))
"""


def recording(steps: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Values (T,) and the first and last steps of what went wrong."""
    rng = np.random.default_rng(0)
    t = np.arange(RUN)
    programs = [
        np.sin(2 * np.pi * t / 50) + 0.6 * np.sin(2 * np.pi * (k + 2) * t / 100 + k)
        for k in range(8)
    ]
    order = rng.choice(8, size=steps // RUN + 1, p=[0.142] * 7 + [0.006])
    runs, faults = [programs[k].copy() for k in order], []
    for k, start in enumerate(range(int(NORMAL * steps) + EVERY // 2, steps - RUN, EVERY)):
        run, wrong = start // RUN, slice(150, 250)
        runs[run][wrong] = (0.3 * runs[run][wrong], runs[run][wrong][::-1], runs[run][150])[k % 3]
        faults.append((run * RUN + 150, run * RUN + 249))
    drift = 0.3 * np.sin(2 * np.pi * np.arange(steps) / 90_000)
    return np.concatenate(runs)[:steps] + drift + rng.normal(scale=0.1, size=steps), faults


def counted(alarms: Any, faults: list[tuple[int, int]]) -> dict[str, int]:
    """How many faults were found, and how many alarms there were and were right."""

    def meet(alarm: Any, fault: tuple[int, int]) -> bool:
        return bool(alarm.start <= fault[1] + SLACK and alarm.stop > fault[0] - SLACK)

    found = sum(any(meet(alarm, fault) for alarm in alarms) for fault in faults)
    right = sum(any(meet(alarm, fault) for fault in faults) for alarm in alarms)
    return {"faults": len(faults), "found": found, "alarms": len(alarms), "right": right}


def measured(steps: int, *, past: bool) -> dict[str, Any]:
    """What one process reports of a recording in memory."""
    words = [sys.executable, "-c", CODE.format(steps=steps, past=past)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=one_thread())
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def command(steps: int, folder: Path) -> dict[str, float]:
    """CPU seconds and peak memory of the command, from csv to csv, alarms and picture."""
    np.savetxt(folder / "in.csv", recording(steps)[0], header="value", comments="", fmt="%.6g")
    outs = ["--out", str(folder / "out.csv"), "--alarms", str(folder / "alarms.csv")]
    outs += ["--picture", str(folder / "out.png"), "--json", "--force"]
    words = [sys.executable, "-m", "selftime", "detect", str(folder / "in.csv"), *outs]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, env=one_thread()) as running:
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {running.returncode}")
    return {"cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}


def one_thread() -> dict[str, str]:
    """The environment of processes that use one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def exponent(rows: dict[str, dict[str, Any]]) -> float:
    """Slope of log CPU seconds by log steps."""
    steps, seconds = [float(name) for name in rows], [row["cpu"] for row in rows.values()]
    return float(np.polyfit(np.log(steps), np.log(seconds), 1)[0])


def errors(steps: int) -> dict[str, dict[str, float]]:
    """Distances of windows by shape and by values beside those to the nearest of all others."""
    record = record_of(recording(steps)[0], int(NORMAL * steps), False, ())
    width, whole = record.width, replace(record, paired=steps)
    starts, windows = record.cut(width)
    vectors = principal(windows, record.usual(starts, width), most=32)
    return {
        "shape": beside(window_profile(record, width), window_profile(whole, width)),
        "values": beside(
            nearest_distances(vectors, starts, width, record),
            nearest_distances(vectors, starts, width, whole),
        ),
    }


def beside(found: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """By how much distances are too large, and what share of the farthest windows is the same."""
    excess = found / np.maximum(exact, 1e-9) - 1
    far = max(len(exact) // 1000, 1)
    same = np.intersect1d(np.argsort(found)[-far:], np.argsort(exact)[-far:])
    return {
        "least excess": float(excess.min()),
        "median excess": float(np.median(excess)),
        "excess of 1 in 20": float(np.quantile(excess, 0.95)),
        "same of the farthest thousandth": len(same) / far,
        "correlation": float(np.corrcoef(found, exact)[0, 1]),
    }


def main() -> None:
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_recordings", description=__doc__
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--out", type=Path, default=RESULTS / "long_recordings.json")
    args = parser.parse_args()
    found: dict[str, Any] = {"st.detect": {}, "st.detect, past": {}, "selftime detect": {}}
    with tempfile.TemporaryDirectory() as folder:
        command(3000, Path(folder))  # compiles what is not yet
        for steps in args.lengths:
            found["st.detect"][str(steps)] = measured(steps, past=False)
            found["st.detect, past"][str(steps)] = measured(steps, past=True)
            found["selftime detect"][str(steps)] = command(steps, Path(folder))
            for name, rows in found.items():
                print(f"{steps:,} steps, {name}: {in_words(rows[str(steps)])}", flush=True)
    exponents = {name: exponent(rows) for name, rows in found.items()}
    missed = errors(CHECKED)
    print("exponents:", exponents, "errors:", missed, sep="\n")
    made = {"made_with": {**current_versions(), "threads": "1"}}
    made |= {"rows": found, "exponents": exponents, "errors": missed}
    args.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf8")


def in_words(row: dict[str, Any]) -> str:
    """A row as text."""
    words = f"{row['cpu']:.1f} s of CPU, peak {row['peak_mib']:,.0f} MiB"
    if "faults" not in row:
        return words
    faults = f"{row['found']} of {row['faults']} faults"
    return f"{words}, {faults}, {row['right']} of {row['alarms']} alarms right"


if __name__ == "__main__":
    main()
