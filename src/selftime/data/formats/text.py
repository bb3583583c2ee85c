"""Plain text: UCR tables (``.tsv``), columns of values (``.txt``), and the cells of text files.

A cell that does not fit is named; every fault of a file is a SeriesError.
"""

import gzip
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32

from selftime.data.arrays import SeriesError, trim_rows
from selftime.data.series import SeriesSet


@contextmanager
def decoding(kind: str, mend: str = "make the file again or copy it again") -> Iterator[None]:
    """Turn every error of a decoder into one SeriesError; ``mend`` is the advice in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SeriesError:
        raise
    except Exception as error:  # on broken files decoders raise anything, even KeyError
        reason = str(error).split("\n")[0] or type(error).__name__
        raise SeriesError(f"is not a whole {kind} file ({reason}): {mend}") from None


def suffix_of(path: Path) -> str:
    """Return the ending that names the format: ``.csv`` for ``a.csv`` and for ``a.CSV.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def read_bytes(path: Path) -> bytes:
    """Read a file, unpacked when its name ends in ``.gz``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SeriesError(f"cannot be opened ({error.strerror}): check the path") from None
    if path.suffix.lower() == ".gz":
        with decoding("gzip"):
            data = gzip.decompress(data)
    if not data.strip():
        raise SeriesError("is empty, wanted at least one series: check how it was written")
    return data


def text_lines(data: bytes) -> list[str]:
    """Return the lines of a UTF-8 text, without the empty ones at its end."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SeriesError(
            f"holds byte {data[error.start]:#04x} at {error.start}, wanted UTF-8 text: "
            "save it as UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n")


MISSING_CELLS = ("?", "NaN", "nan", "NA", "N/A", "#N/A", "null", "NULL", "None")
"""Cells of missing values; in tables they may also be empty."""

A_NUMBER = "a number: correct it, or write NaN where a value is missing"
A_TIME = "a time like 2024-01-31 23:59:00, or a number as in the first row: write one for each row"

Where = Callable[[int], str]
"""Gives the place of the k-th cell, for messages."""


def numbers(
    cells: Any, where: Where, missing: tuple[str, ...] = MISSING_CELLS
) -> Float32[np.ndarray, "K"]:
    """Parse values of text cells, NaN where missing."""
    values = _cast(cells, pa.float32())
    if values is None:
        trimmed = pc.utf8_trim_whitespace(cells)
        absent = pc.is_in(trimmed, value_set=pa.array(missing, trimmed.type))
        values = _all_cast(pc.if_else(absent, None, trimmed), pa.float32(), where, A_NUMBER)
    plain = np.array(values.to_numpy(zero_copy_only=False), np.float32)
    if np.isinf(plain).any():
        k = int(np.argmax(np.isinf(plain)))
        raise SeriesError(
            f"{where(k)}: got {cells[k].as_py()}, wanted a finite 32-bit number: "
            "write NaN for missing values or rescale"
        )
    return plain


def labels_of(cells: Any) -> np.ndarray:
    """Parse class labels: ints if all cells are whole numbers, floats if numbers, else text."""
    ints = _cast(cells, pa.int64())
    if ints is not None and not ints.null_count:
        return np.asarray(ints)
    floats = _cast(cells, pa.float64())
    if floats is None or floats.null_count or not np.isfinite(floats).all():
        return np.array(cells.to_pylist(), dtype=str)
    plain = np.asarray(floats)
    whole = (plain == np.rint(plain)) & (np.abs(plain) < 2**53)  # beyond, floats skip integers
    return plain.astype(np.int64) if whole.all() else plain


def times_of(cells: Any, where: Where) -> np.ndarray:
    """Parse times: float64 if all cells are numbers, else datetime64[ns]; zones become UTC.

    Dates go year first, as in ISO 8601; ``1990/1/1 0:00`` is understood as well.
    """
    if _cast(cells[:1], pa.float64()) is not None:
        return np.asarray(_all_cast(cells, pa.float64(), where, A_TIME))
    for zone in (None, "UTC"):
        times = _cast(cells, pa.timestamp("ns", zone))
        if times is not None:
            return np.asarray(times)
    dashes = pc.replace_substring(pc.utf8_trim_whitespace(cells), "/", "-")
    padded = pc.replace_substring_regex(dashes, pattern=r"([-:T ])(\d)\b", replacement=r"\10\2")
    return np.asarray(_all_cast(padded, pa.timestamp("ns"), where, A_TIME))


def _cast(cells: Any, kind: Any) -> Any:
    try:
        return cells.cast(kind)
    except pa.ArrowInvalid:
        return None


def _all_cast(cells: Any, kind: Any, where: Where, wanted: str) -> Any:
    values = _cast(cells, kind)
    if values is not None:
        return values
    good, bad = 0, len(cells)  # all before `good` can be cast; one before `bad` cannot
    while bad - good > 1:
        middle = (good + bad) // 2
        if _cast(cells[good:middle], kind) is None:
            bad = middle
        else:
            good = middle
    raise SeriesError(f"{where(good)}: got {shortened(cells[good].as_py())}, wanted {wanted}")


def shortened(text: str) -> str:
    """Return text in quotes, shortened to 40 characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def read_tsv(data: bytes) -> SeriesSet:
    """Read one-channel series from a UCR table: one line per series, label first, tabs between.

    NaN at the end of a line means that the series is shorter (Dau et al. 2019, "The UCR Time
    Series Archive", section on unequal lengths); elsewhere it is a missing value. Labels are ints
    when all of them are whole numbers, as ``1`` or ``1.0000e+00``.
    """
    lines = text_lines(data)
    rows = pc.split_pattern(pa.array(lines, pa.large_string()), "\t")
    width = _check_widths(pc.list_value_length(rows).to_numpy())
    cells = rows.flatten()
    first = np.arange(len(lines)) * width
    rest = np.delete(np.arange(len(cells)), first)
    values = numbers(
        cells.take(pa.array(rest)),
        lambda k: f"line {k // (width - 1) + 1}, cell {k % (width - 1) + 2}",
        (*MISSING_CELLS, ""),
    )
    steps, lengths = trim_rows(values.reshape(len(lines), width - 1))
    return SeriesSet.from_steps(steps, lengths, labels=labels_of(cells.take(pa.array(first))))


def read_txt(data: bytes) -> SeriesSet:
    """Read one series of one channel: one value per line, or all values on a single line."""
    lines = text_lines(data)
    cells = lines[0].split() if len(lines) == 1 else lines
    row = [len(line.split()) for line in lines]
    if len(lines) > 1 and max(row) > 1:
        i = int(np.argmax(np.array(row) > 1))
        raise SeriesError(
            f"line {i + 1}: got {row[i]} values, wanted one a line: save a table as .csv, or "
            "as .tsv with the label first"
        )
    values = numbers(pa.array(cells, pa.large_string()), lambda k: f"value {k + 1}")
    return SeriesSet.from_steps(values[:, None], np.array([len(values)]))


def _check_widths(widths: np.ndarray) -> int:
    width = int(widths[0])
    if width < 2:
        raise SeriesError(
            "line 1: got 1 cell, wanted a label and the values with tabs between: "
            "a file of one value a line is a .txt"
        )
    if (widths != width).any():
        i = int(np.argmax(widths != width))
        raise SeriesError(
            f"line {i + 1}: got {widths[i]} cells, line 1 has {width}: "
            "fill shorter series up with NaN"
        )
    return width
