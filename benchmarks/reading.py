"""Seconds and memory of reading a million rows: `python -m benchmarks.reading`.

Ten series of 100,000 steps and three channels with stamps, as csv and as parquet. Each reader runs
in a process of its own, so that the peak memory is its own; beside it pandas and pyarrow read the
same file into columns, without making series of them. ``--before`` takes a checkout of an older
version, which is measured in the same run.

The peak is that of resident memory (VmHWM) above what the process held before it read (VmRSS),
with its packages imported; code that is first needed in reading counts. It is given as a multiple
of three sizes: the values in 32 bits, as a SeriesSet holds them; these and its stamps; and the
cells of the table, 8 bytes a number and a stamp and one a letter of the ids.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

RESULTS = Path(__file__).parent / "results" / "reading.json"
SERIES, STEPS, CHANNELS = 10, 100_000, 3
SIZES_MIB = {
    "values": SERIES * STEPS * CHANNELS * 4 / 2**20,
    "values and stamps": SERIES * STEPS * (CHANNELS * 4 + 8) / 2**20,
    "cells": SERIES * STEPS * (CHANNELS * 8 + 8 + len("machine 0")) / 2**20,
}
READERS = {
    "selftime": ("import selftime as st; st.read", "st.read({path!r})"),
    "pandas": ("import pandas as pd", "pd.{pandas}({path!r}{dates})"),
    "pyarrow": ("import pyarrow.csv, pyarrow.parquet as pq", "{arrow}({path!r})"),
}
CODE = """
import sys; sys.path.insert(0, {source!r})
import time, json, numpy, pyarrow
{imports}
def kib(what):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before, start = kib("VmRSS"), time.perf_counter()
x = {call}
seconds = time.perf_counter() - start
print(json.dumps(dict(seconds=seconds, peak_mib=(kib("VmHWM") - before) / 1024)))
"""
CALLS = {
    ".csv": {
        "pandas": "read_csv",
        "arrow": "pyarrow.csv.read_csv",
        "dates": ", parse_dates=['ds']",
    },
    ".parquet": {"pandas": "read_parquet", "arrow": "pq.read_table", "dates": ""},
}


def long_table() -> Any:
    """A million rows: id, stamp and three channels with four digits behind the point."""
    rng = np.random.default_rng(0)
    rows = SERIES * STEPS
    stamps = np.datetime64("2024-01-01", "s") + 60 * np.arange(STEPS)
    values = rng.normal(size=(rows, CHANNELS)).round(4)
    ids = np.repeat([f"machine {i}" for i in range(SERIES)], STEPS)
    columns = {"unique_id": ids, "ds": np.tile(stamps, SERIES)}
    return pa.table(columns | {f"y{c}": values[:, c] for c in range(CHANNELS)})


def measured(code: str) -> dict[str, float]:
    """What one process reports of itself."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def reading(path: Path, sources: dict[str, str], runs: int) -> dict[str, Any]:
    """Seconds and memory of every reader of one file, and our ratios to the others.

    Readers take turns, and the quickest turn counts: others on the machine only slow one down.
    """
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    for _ in range(runs):
        for name, source in sources.items():
            imports, call = READERS[name.split(" ")[0]]
            call = call.format(path=str(path), **CALLS[path.suffix])
            turns[name].append(measured(CODE.format(source=source, imports=imports, call=call)))
    rows: dict[str, Any] = {}
    for name, found in turns.items():
        rows[name] = min(found, key=lambda turn: turn["seconds"])
        print(path.suffix, name, {key: round(v, 2) for key, v in rows[name].items()}, flush=True)
    for name in rows.keys() - {"selftime"}:
        rows[name]["ratio"] = rows["selftime"]["seconds"] / rows[name]["seconds"]
    for row in rows.values():
        row["peak_in_sizes"] = {kind: row["peak_mib"] / mib for kind, mib in SIZES_MIB.items()}
    shown = {kind: round(ratio, 2) for kind, ratio in rows["selftime"]["peak_in_sizes"].items()}
    print(path.suffix, "peak of selftime in sizes of", shown, flush=True)
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="checkout of an older version")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    own = str(Path(__file__).parents[1] / "src")
    sources = dict.fromkeys(READERS, own)
    if options.before:
        sources["selftime before"] = str(options.before / "src")
    table = long_table()
    with tempfile.TemporaryDirectory() as folder:
        pyarrow.csv.write_csv(table, f"{folder}/a.csv")
        pyarrow.parquet.write_table(table, f"{folder}/a.parquet")
        results = {
            suffix: reading(Path(folder, f"a{suffix}"), sources, options.runs) for suffix in CALLS
        }
    made_with = {name: version(name) for name in ("numpy", "pandas", "pyarrow")}
    made_with["python"] = platform.python_version()
    sizes = {"rows": SERIES * STEPS, "sizes_mib": SIZES_MIB}
    found = {"made_with": made_with, **sizes, "readers": results}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(f"written to {RESULTS}")


if __name__ == "__main__":
    main()
