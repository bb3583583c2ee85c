"""Workers of a local cluster beside this process: `python -m benchmarks.ray_workers --series 4000`.

One store is embedded block by block by this process, by one worker of Ray and by two, in one run.
Seconds of the clock hold starting the cluster and its workers, and whatever else the machine does.
So what is judged is seconds of the processor: each block notes those that its worker spent on it,
and a share is those of this process over those of the busiest worker, which the others wait for.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import torch

import selftime as st
from selftime.data import blocks
from selftime.data.frames import Tabular
from selftime.engine.model import current_versions

RESULTS = Path(__file__).parent / "results"
STEPS = 500
"""Of a series."""


@dataclass(frozen=True)
class Cost(Tabular):
    """Vectors of a block, the process that made them, and the seconds of it a series."""

    columns: dict[str, Any]

    def to_columns(self) -> dict[str, Any]:
        """Return them."""
        return self.columns


@dataclass(frozen=True)
class Costed:
    """A model that notes what a block costs."""

    model: st.Model

    def __call__(self, series: st.SeriesSet) -> Cost:
        """Embed a block."""
        begin = time.process_time()
        vectors = st.embed(self.model, series, progress=False).to_columns()
        count = len(series)
        spent = np.full(count, (time.process_time() - begin) / count)
        return Cost(vectors | {"spent": spent, "process": np.full(count, os.getpid())})


def waves(count: int) -> st.SeriesSet:
    """Waves with noise, all different."""
    rng = np.random.default_rng(0)
    turns, phases = rng.uniform(5, 50, (2, count, 1))
    x = np.sin(turns * np.arange(STEPS) / STEPS + phases) + 0.2 * rng.normal(size=(count, STEPS))
    return st.SeriesSet.of(x)


def measure(series: int, encoder: str) -> dict[str, Any]:
    """Embed by this process, by one worker and by two."""
    engines: dict[str, Any] = {"local": "local"}
    engines |= {f"ray, {n}": st.Ray(workers=n) for n in (1, 2)}
    with tempfile.TemporaryDirectory() as folder:
        here, x = Path(folder), waves(series)
        st.pack(x, here / "store", progress=False)
        model = st.pretrain(x[:200], encoder=encoder, progress=False)
        model.embed(x[:10], progress=False)  # compiles what is not yet
        rows, vectors = dict[str, Any](), list[np.ndarray]()
        for name, engine in engines.items():
            begin = time.perf_counter()
            out = st.predict(Costed(model), here / "store", here / name, engine=engine).path
            seconds = time.perf_counter() - begin
            table = parquet.read_table(out)
            spent, process = (table[column].to_numpy() for column in ("spent", "process"))
            busiest = max(float(spent[process == one].sum()) for one in np.unique(process))
            rows[name] = {
                "seconds of the clock": round(seconds, 2),
                "seconds of the processor, all": round(float(spent.sum()), 2),
                "of the busiest worker": round(busiest, 2),
            }
            vectors.append(np.stack([table[f"e{i}"].to_numpy() for i in range(model.dim)]))
    alone = rows["local"]["of the busiest worker"]
    for row in rows.values():
        row["times as fast by the processor"] = round(alone / row["of the busiest worker"], 2)
    same = all(np.array_equal(vectors[0], other) for other in vectors[1:])
    return {"series": series, "steps": STEPS, "encoder": encoder, "same bits": same, "rows": rows}


def main() -> None:
    """Measure, print, write."""
    how = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    parser.add_argument("--series", type=int, default=4000)
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS / "ray_workers.json")
    args = parser.parse_args()
    torch.set_num_threads(1)  # as a worker has
    blocks.VALUES = args.series * STEPS // 16
    found = measure(args.series, args.encoder) | {"made_with": current_versions()}
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1), f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
