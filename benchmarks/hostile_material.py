"""Sound model folders and data files, for :mod:`benchmarks.hostile` to mutate."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.io import savemat, wavfile

import selftime as st
from selftime.data import scaling
from selftime.data.formats.csv_parquet import encode_csv
from selftime.data.formats.npz import encode_npz
from selftime.data.formats.ts import encode_ts
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.recurrent import LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import Transformer


def waves(seed: int, channels: Any = None, series: int = 12, steps: int = 48) -> st.SeriesSet:
    """Random walks with classes."""
    names = ["left", "right"] if channels is None else [str(name) for name in channels]
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(series, len(names), steps)).cumsum(axis=2)
    return st.SeriesSet.of(values, ["up", "down"] * (series // 2), channels=names)


def model_folders(root: Path, *, small: bool = False) -> dict[str, Path]:
    """A folder of each kind that is saved: models and fitted estimators; few when ``small``."""
    x = waves(0)
    scale = scaling.fit_channels(x)
    patches = PatchEmbedder(channels=2, length=48, patch=4, stride=4, dim=16)
    networks = {
        "resnet": ResNet(channels=2, hidden=8, depth=2),
        "lstm": LSTM(channels=2, hidden=8, depth=2),
        "transformer": Transformer(embedder=patches, positions="learned", depth=2, heads=2),
        "dilated": BUILDERS["dilated_causal"](channels=2, length=48),
    }
    made = {name: st.Model(e.eval(), scale, x.channels) for name, e in networks.items()}
    saved: dict[str, Any] = dict(made)
    saved["classifier"] = st.Classifier(made["lstm"]).fit(x)
    if not small:
        saved["rocket"] = st.pretrain(x, encoder="minirocket", dim=16)
        saved["quantiles"] = st.pretrain(x, encoder="quantiles", dim=16)
        saved["forecaster"] = st.Forecaster(horizon=3).fit(waves(1, series=2, steps=150))
        saved["detector"] = st.AnomalyDetector().fit(waves(2, series=2, steps=200))
    return {name: thing.save(root / name) for name, thing in saved.items()}


def _written(write: Callable[..., Any], *args: Any) -> bytes:
    file = io.BytesIO()
    write(file, *args)
    return file.getvalue()


def _zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", data)
    return file.getvalue()


def data_files(root: Path, *, small: bool = False) -> dict[str, bytes]:
    """A file of each format, by name; none that takes long when ``small``."""
    x = waves(0, series=6, steps=20)
    csv, gaps = encode_csv(x), b"t0,t1,t2,label\n1,2,3,up\n4,5,,down\n"
    german = "# Gerät\nZeit;T;p\ns;°C;\n1.2.2024 0:00;1,5;1.013,2\n2.2.2024 0:00;-;7\n"
    table = pa.table({"unique_id": ["a", "a", "b"], "ds": [1, 2, 1], "y": [0.5, None, 3.0]})
    sound = np.arange(400, dtype=np.int16).reshape(200, 2)
    found = {
        "a.csv": csv,
        "wide.csv": gaps,
        "german.csv": german.encode("cp1252"),
        "utf16.csv": csv.decode().encode("utf-16"),
        "large.csv": csv if small else encode_csv(waves(1, series=400, steps=260)),
        "a.ts": encode_ts(x),
        "a.tsv": b"1\t0.5\t2\tNaN\n-1\t1e-3\t\t4\n",
        "a.txt": b"date u\n2024-01-01 1\n2024-01-02 2\n",
        "a.npy": _written(np.save, np.arange(60.0).reshape(3, 20)),
        "a.npz": encode_npz(x),
        "packed.npz": _written(lambda f: np.savez_compressed(f, x=np.zeros((3, 2, 500)))),
        "a.wav": _written(wavfile.write, 8000, sound),
        "a.mat": _written(savemat, {"x": np.arange(60.0).reshape(3, 20), "y": [1, 2, 3]}),
        "packed.mat": _written(lambda f: savemat(f, {"x": sound}, do_compression=True)),
        "a.parquet": _written(lambda f: pq.write_table(table, f)),
        "a.csv.gz": gzip.compress(csv, mtime=0),
        "a.csv.bz2": bz2.compress(csv),
        "a.csv.xz": lzma.compress(csv),
        "a.csv.zip": _zipped(csv),
    }
    return found | _optional(root) | ({} if small else _out_of_proportion())


def _out_of_proportion() -> dict[str, bytes]:
    """Small files that unpack to far more, and a table a million cells wide."""
    zeros = np.zeros(1 << 26)
    wide = [b",".join(b"%d" % i for i in range(10**6)), b",".join([b"1"] * 10**6)]
    return {
        "zeros.csv.gz": gzip.compress(b"0" * (300 << 20)),
        "zeros.npz": _written(lambda f: np.savez_compressed(f, x=zeros)),
        "zeros.parquet": _written(lambda f: pq.write_table(pa.table({"x": zeros}), f)),
        "wide columns.csv": b"\n".join(wide),
        "columns.csv": b"\n".join([wide[0][:50_000], wide[1][:20_000]]),
    }


def _optional(root: Path) -> dict[str, bytes]:
    """Files of formats that optional packages write."""
    import edfio
    import h5py
    import openpyxl

    root.mkdir(exist_ok=True)
    with h5py.File(root / "a.h5", "w") as file:
        file.create_dataset("x", data=np.arange(600.0).reshape(3, 200), compression="gzip")
        file["labels"] = ["a", "b", "c"]
    book = openpyxl.Workbook()
    for row in [["time", "u", "v"], *([i, i * 0.5, 3 - i] for i in range(20))]:
        book.active.append(row)
    book.save(root / "a.xlsx")
    signals = [edfio.EdfSignal(np.sin(np.arange(256.0)), 64, label=name) for name in ("u", "v")]
    edfio.Edf(signals).write(root / "a.edf")
    return {name: (root / name).read_bytes() for name in ("a.h5", "a.xlsx", "a.edf")}
