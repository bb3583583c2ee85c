"""`python -m benchmarks.export`: every encoder and the default classifier as ONNX files.

How near each file is to what selftime gives, whether it is the same to the bit, and how long
onnxruntime, torch and selftime take for one series and for 64.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import selftime as st
from selftime.data.scaling import fit_channels
from selftime.data.signals import Text
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.embedders import FrameEmbedder, SymbolEmbedder, WaveEmbedder
from selftime.encoders.networks.patching import GridEmbedder
from selftime.encoders.networks.recurrent import GRU
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.wrappers.embedded import Embedded
from selftime.encoders.wrappers.layered import Layered
from selftime.engine.model import current_versions

RESULTS = Path(__file__).parent / "results"
PAGE = RESULTS.parents[1] / "docs" / "export.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
CHANNELS, LENGTH, SERIES = 2, 100, 40
SIZES = {"channels": CHANNELS, "length": LENGTH}


def others() -> dict[str, Encoder]:
    """Encoders that no name stands for, with two channels; of symbols and frames as they need."""
    network = BUILDERS["transformer"](**SIZES)
    waves = WaveEmbedder(**SIZES, dim=32, strides=(5, 4), kernels=(10, 8))
    return {
        "ClassToken": ClassToken(encoder=network),
        "Layered": Layered(encoder=BUILDERS["dilated"](**SIZES), layer=5, pooling="mean+max"),
        "GridEmbedder": Transformer(
            embedder=GridEmbedder(channels=CHANNELS, rows=10, columns=10), positions="grid"
        ),
        "SymbolEmbedder": Transformer(embedder=SymbolEmbedder(symbols=26, length=LENGTH)),
        "WaveEmbedder, Embedded": Embedded(embedder=waves, encoder=GRU(channels=32, hidden=32)),
        "FrameEmbedder": FrameEmbedder(height=1, width=2, colours=1, length=LENGTH),
    }


def material(symbols: bool) -> st.SeriesSet:
    """Waves in noise, or random letters."""
    rng = np.random.default_rng(0)
    if symbols:
        letters = [
            "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), LENGTH)) for _ in range(4)
        ]
        return st.read(letters, kind=Text(vocabulary=tuple("abcdefghijklmnopqrstuvwxyz")))
    turn = rng.uniform(0, 6, (SERIES, CHANNELS, 1)) + np.arange(LENGTH) / rng.uniform(
        2, 9, (SERIES, 1, 1)
    )
    return st.SeriesSet.of(np.sin(turn) + 0.5 * rng.standard_normal(turn.shape))


def model_of(encoder: Encoder) -> st.Model:
    """A model with the encoder as it was drawn, prepared on some series."""
    from selftime.data.scaling import Unscaled

    series = material(encoder.symbols is not None)
    scaling = Unscaled() if encoder.symbols else fit_channels(series)
    rng = torch.Generator().manual_seed(0)
    encoder.prepare(scaling.apply(batch_of(series)), rng)
    return st.Model(encoder.eval(), scaling, series.channels, kind=series.kind)


def estimators() -> dict[str, Callable[[], Any]]:
    """What people export: the default classifier, one that was fine-tuned, and a regressor."""
    train = st.sample("JapaneseVowels", "train")
    values = np.array([np.nanmean(train.series(i)[0]) for i in range(len(train))])
    return {
        "Classifier, default": lambda: st.Classifier(st.pretrain(train)).fit(train[::5]),
        "Classifier, fine-tuned": lambda: st.Classifier(
            st.pretrain(train, objective="simclr", budget="5 steps"),
            strategy="full",
            budget="5 steps",
        ).fit(train[::5]),
        "Regressor, default": lambda: st.Regressor(st.pretrain(train)).fit(train, values),
    }


def measure(found: Any, to: str) -> dict[str, Any]:
    """One file: its error, its size, and milliseconds."""
    begin = time.perf_counter()
    with TemporaryDirectory() as room:
        made = st.export(found, Path(room, "graph.onnx" if to == "onnx" else "graph.pt2"), to=to)
        size = made.path.stat().st_size
    row = made.to_dict() | {"bytes": size, "seconds to export": time.perf_counter() - begin}
    del row["out"], row["to"]
    return row | {"same bits": made.error == 0}


def table_of(rows: dict[str, Any]) -> str:
    """The rows as the table of docs/export.md: error, length, and milliseconds by runtime."""
    lines = [
        "| | error | steps | onnxruntime, 1 series | torch | selftime "
        "| onnxruntime, 64 | torch | selftime |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        found = {(each["runtime"], each["batch"]): each["milliseconds"] for each in row["latency"]}
        each = [found.get(key) for key in product(("onnxruntime", "torch", "selftime"), (1, 64))]
        times = ["–" if ms is None else f"{ms:,.1f}" for ms in (*each[::2], *each[1::2])]
        error = "same bits" if row["same bits"] else f"{row['error']:.0e}"
        steps = "any" if row["length"] is None else f"{row['length']:,}"
        lines.append(f"| {' | '.join([name, error, steps, *times])} |")
    return "\n".join(lines) + "\n"


def write_table(rows: dict[str, Any]) -> None:
    """Write the table into docs/export.md."""
    text = PAGE.read_text(encoding="utf8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table_of(rows)}{END}{rest.split(END)[1]}", encoding="utf8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__)
    parser.add_argument("--only", nargs="+", help="names; all by default")
    parser.add_argument("--resume", action="store_true", help="keep rows that are in --out already")
    parser.add_argument("--out", type=Path, default=RESULTS / "export.json")
    args = parser.parse_args()
    known = json.loads(args.out.read_text())["rows"] if args.resume and args.out.exists() else {}
    made: dict[str, Callable[[], Any]] = dict(estimators())
    for name, encoder in others().items():
        made[name] = lambda encoder=encoder: model_of(encoder)
    for name, build in BUILDERS.items():
        made[name] = lambda build=build: model_of(build(**SIZES))
    for name, make in made.items():
        if (args.only and name not in args.only) or name in known:
            continue
        known[name] = measure(make(), "onnx")
        print(name, known[name]["error"], known[name]["latency"], flush=True)
        machine = {**current_versions(), "threads": torch.get_num_threads()}
        args.out.write_text(
            json.dumps({"made_with": machine, "sizes": SIZES, "rows": known}, indent=1) + "\n"
        )
    if args.out == RESULTS / "export.json":
        write_table(known)


if __name__ == "__main__":
    main()
