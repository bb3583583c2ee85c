"""Inputs that few expect: numbers at the ends of what computers hold, and things that are none.

``INPUTS`` names them; each is made anew by a call, so that no door finds what another left.
"""

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from scipy.sparse import csr_array

N, T = 12, 32
"""Series and steps of most of them."""


class Input(NamedTuple):
    """An input, and whether every number in it is finite and there: then so is every result."""

    make: Callable[[], Any]
    is_finite: bool = True


def usual(seed: int = 0) -> np.ndarray:
    """Series (N,1,T) as they usually are: waves of two kinds with noise."""
    rng, steps = np.random.default_rng(seed), np.arange(T)
    periods = np.where(np.arange(N) % 2, 6.0, 11.0)
    waves = np.sin(2 * np.pi * steps / periods[:, None] + rng.uniform(0, 6, (N, 1)))
    return (waves + 0.3 * rng.normal(size=(N, T)))[:, None]


def times(factor: float, dtype: Any = np.float64) -> Callable[[], np.ndarray]:
    """The usual series, so many times as large that the largest value is the factor."""
    x = usual()
    return lambda: (x / np.abs(x).max() * factor).astype(dtype)


def put(value: Any, dtype: Any = np.float64) -> Callable[[], np.ndarray]:
    """The usual series with one other value."""

    def make() -> np.ndarray:
        x = usual().astype(dtype)
        x[3, 0, 5] = value
        return x

    return make


def full(value: Any, dtype: Any = np.float64) -> Callable[[], np.ndarray]:
    """Series of one value."""
    return lambda: np.full((N, 1, T), value, dtype)


def ends(dtype: Any) -> Callable[[], np.ndarray]:
    """Series that go from the least to the greatest whole number of a type."""
    info = np.iinfo(dtype)
    row = np.array([info.min, info.max, 0, 1] * (T // 4), dtype)
    return lambda: np.stack([np.roll(row, i) for i in range(N)])[:, None]


def turns(size: float) -> np.ndarray:
    """Series that turn between plus and minus a size."""
    signs = np.where((np.arange(T) + np.arange(N)[:, None]) % 2, 1.0, -1.0)
    return (signs * size)[:, None]


def mixed() -> np.ndarray:
    """Each series of another size, from 1e-38 to 1e38."""
    sizes = np.logspace(-38, 38, N)[:, None, None]
    return usual() / np.abs(usual()).max() * sizes


def ragged(lengths: Any) -> list[np.ndarray]:
    """Series of given lengths."""
    x = usual()
    return [x[i % N, 0, :length] for i, length in enumerate(lengths)]


def with_gaps(kind: str) -> np.ndarray:
    """The usual series, a value or a whole channel of them missing."""
    x = usual()
    if kind == "channel":
        return np.concatenate([x, np.full_like(x, np.nan)], axis=1)
    if kind == "series":
        x[2] = np.nan
    elif kind == "most":
        x[:, :, 1:] = np.nan
    else:
        x[::3, 0, 4:9] = np.nan
    return x


def cells(value: Any) -> list[list[Any]]:
    """Lists of one kind of cell."""
    return [[value] * T for _ in range(N)]


def one_cell(value: Any) -> list[list[Any]]:
    """Lists of usual numbers with one other cell."""
    rows = usual()[:, 0].tolist()
    rows[3][5] = value
    return rows


def long_table(size: float) -> dict[str, Any]:
    """A table in the long layout."""
    x = usual()[:, 0] / np.abs(usual()).max() * size
    rows = np.repeat(np.arange(N), T)
    return {"unique_id": rows.astype(str), "ds": np.tile(np.arange(T), N), "y": x.ravel()}


def stamped() -> pd.DataFrame:
    """A frame with stamps and a value that no 32 bits hold."""
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(64)]
    y = np.sin(np.arange(64))
    y[7] = 1e300
    return pd.DataFrame({"ds": days, "y": y})


def memory_map() -> np.ndarray:
    """An array in a file."""
    path = Path(tempfile.mkdtemp()) / "x.npy"
    np.save(path, usual())
    return np.load(path, mmap_mode="r")


def read_only() -> np.ndarray:
    """An array that cannot be written into."""
    x = usual()
    x.flags.writeable = False
    return x


def masked() -> np.ma.MaskedArray:
    """A masked array with an infinity under its mask."""
    x = usual()
    x[:, 0, 3] = np.inf
    return np.ma.masked_invalid(x)


def objects() -> np.ndarray:
    """An object array of arrays of unequal lengths."""
    out = np.empty(N, object)
    out[:] = ragged(range(8, 8 + N))
    return out


def itself() -> list[Any]:
    """A list that holds itself."""
    x: list[Any] = []
    x.append(x)
    return x


def deep(levels: int) -> Any:
    """A number within so many lists."""
    x: Any = 1.0
    for _ in range(levels):
        x = [x]
    return x


MAX32 = float(np.finfo(np.float32).max)
INPUTS: dict[str, Input] = {
    "usual": Input(usual),
    # sizes
    "size 1e12": Input(times(1e12)),
    "size 1e18": Input(times(1e18)),
    "size 1e20": Input(times(1e20)),
    "size 1e25": Input(times(1e25)),
    "size 1e30": Input(times(1e30)),
    "size 1e38": Input(times(1e38)),
    "size 1e38, 32 bits": Input(times(1e38, np.float32)),
    "size 3.4e38": Input(times(MAX32)),
    "size 1e39": Input(times(1e39)),
    "size 1e300": Input(times(1e300)),
    "size 1e-20": Input(times(1e-20)),
    "size 1e-30": Input(times(1e-30)),
    "size 1e-38": Input(times(1e-38)),
    "size 1e-45": Input(times(1e-44)),
    "size 1e-310": Input(times(1e-310)),
    "sizes mixed": Input(mixed),
    "float16 extremes": Input(times(65504, np.float16)),
    "tiny above a level": Input(lambda: 1e9 + 1e-3 * usual()),
    "huge level": Input(lambda: 1e30 * (1 + 1e-12 * usual())),
    # one wild value
    "one 1e12": Input(put(1e12)),
    "one 1e19": Input(put(1e19)),
    "one 1e25": Input(put(1e25)),
    "one 1e38": Input(put(1e38)),
    "one -3e38": Input(put(-3e38)),
    "one 1e300": Input(put(1e300)),
    "one inf": Input(put(np.inf), is_finite=False),
    "one -inf": Input(put(-np.inf), is_finite=False),
    # constant and turning
    "zeros": Input(full(0.0)),
    "constant 3e38": Input(full(3e38)),
    "constant -1e25": Input(full(-1e25)),
    "constant 1e-310": Input(full(1e-310)),
    "turns 3e38": Input(lambda: turns(3e38)),
    "turns 1e25": Input(lambda: turns(1e25)),
    # missing
    "NaN everywhere": Input(full(np.nan), is_finite=False),
    "NaN in one channel": Input(lambda: with_gaps("channel"), is_finite=False),
    "NaN in one series": Input(lambda: with_gaps("series"), is_finite=False),
    "NaN but one step": Input(lambda: with_gaps("most"), is_finite=False),
    "gaps": Input(lambda: with_gaps("some"), is_finite=False),
    "gaps at 1e38": Input(lambda: with_gaps("some") * 5e37, is_finite=False),
    "masked array": Input(masked, is_finite=False),
    # types of numbers
    "int64 extremes": Input(ends(np.int64)),
    "uint64 extremes": Input(ends(np.uint64)),
    "int8 extremes": Input(ends(np.int8)),
    "bool": Input(lambda: usual() > 0),
    "complex": Input(lambda: usual() + 1j),
    "objects": Input(objects),
    "strings": Input(lambda: usual().astype(str)),
    "int of 400 digits": Input(lambda: one_cell(10**400)),
    "only ints of 400 digits": Input(lambda: cells(-(10**400))),
    "Decimal": Input(lambda: one_cell(Decimal("1e30"))),
    "Decimal 1e400": Input(lambda: one_cell(Decimal("1e400"))),
    "Fraction": Input(lambda: one_cell(Fraction(1, 3))),
    "Fraction 10**400": Input(lambda: one_cell(Fraction(10**400, 3))),
    "datetime": Input(lambda: cells(datetime(2024, 1, 1))),
    "datetime64": Input(lambda: np.arange(N * T).reshape(N, T).astype("M8[s]")),
    "None in a list": Input(lambda: one_cell(None), is_finite=False),
    "big-endian": Input(lambda: usual().astype(">f8")),
    "long double": Input(lambda: usual().astype(np.longdouble)),
    # tensors
    "tensor with grad": Input(lambda: torch.tensor(usual(), requires_grad=True)),
    "tensor on meta": Input(lambda: torch.empty(N, 1, T, device="meta")),
    "tensor of bfloat16": Input(lambda: torch.tensor(usual()).bfloat16()),
    "tensor at 3e38": Input(lambda: torch.tensor(times(3e38, np.float32)())),
    "sparse tensor": Input(lambda: torch.tensor(usual()[:, 0]).to_sparse()),
    "list of tensors with grad": Input(
        lambda: [torch.tensor(row[0], requires_grad=True) for row in usual()]
    ),
    # shapes
    "one step": Input(lambda: usual()[:, :, :1]),
    "two steps": Input(lambda: usual()[:, :, :2]),
    "three steps at 1e38": Input(lambda: times(1e38)()[:, :, :3]),
    "one series": Input(lambda: usual()[:1]),
    "one series of one step": Input(lambda: usual()[:1, :, :1]),
    "two series": Input(lambda: usual()[:2]),
    "no series": Input(lambda: usual()[:0]),
    "no steps": Input(lambda: usual()[:, :, :0]),
    "no channels": Input(lambda: usual()[:, :0]),
    "0-D": Input(lambda: np.array(1.0)),
    "1-D": Input(lambda: usual().ravel()),
    "4-D": Input(lambda: usual()[..., None]),
    "1,000 channels": Input(lambda: np.random.default_rng(0).normal(size=(6, 1000, 8))),
    "ragged": Input(lambda: ragged(range(8, 8 + N))),
    "ragged, some of one step": Input(lambda: ragged([1, 30, 1, 20, 25, 1, 31, 2])),
    "ragged at 1e38": Input(lambda: [5e37 * row for row in ragged(range(8, 8 + N))]),
    "unequal depth": Input(lambda: [[1.0, 2.0], [[1.0], [2.0]], 3.0]),
    "deep lists": Input(lambda: deep(200)),
    "a list of itself": Input(itself),
    "empty list": Input(list),
    "list of empty lists": Input(lambda: [[], []]),
    "unequal channels": Input(lambda: [np.ones((1, 9)), np.ones((2, 9))]),
    # memory
    "memmap": Input(memory_map),
    "not contiguous": Input(lambda: np.repeat(usual(), 2, axis=2)[:, :, ::2]),
    "negative strides": Input(lambda: usual()[::-1, :, ::-1]),
    "read-only": Input(read_only),
    # frames
    "pandas at 1e38": Input(lambda: pd.DataFrame(long_table(1e38))),
    "pandas at 1e300": Input(lambda: pd.DataFrame(long_table(1e300))),
    "pandas with stamps and 1e300": Input(stamped),
    "pandas of huge ints": Input(lambda: pd.DataFrame(one_cell(10**400))),
    "polars at 1e38": Input(lambda: pl.DataFrame(long_table(1e38))),
    "polars at 1e-310": Input(lambda: pl.DataFrame(long_table(1e-310))),
    "arrow at 1e39": Input(lambda: pa.table(long_table(1e39))),
    "empty frame": Input(pd.DataFrame),
    "pandas Series at 3e38": Input(lambda: pd.Series(3e38 * np.sin(np.arange(64)))),
    "sparse matrix": Input(lambda: csr_array(usual()[:, 0])),
    # no series at all
    "generator": Input(lambda: (row for row in usual())),
    "dict": Input(lambda: {"a": usual()[0], "b": usual()[1]}),
    "dict of 1e300": Input(lambda: {"a": usual()[0] * 1e300, "b": usual()[1]}),
    "empty dict": Input(dict),
    "set": Input(lambda: {1.0, 2.0}),
    "None": Input(lambda: None),
    "a number": Input(lambda: 3.5),
    "bytes": Input(lambda: b"12 34"),
    "no such path": Input(lambda: "no/such/file.csv"),
    "empty text": Input(str),
    "a type": Input(lambda: dict),
}
"""Every input by name."""
