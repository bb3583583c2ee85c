"""Plain text: UCR tables (``.tsv``), columns of values (``.txt``), and the cells of text files.

A cell that does not fit is named; every fault of a file is a SeriesError.
"""

import bz2
import codecs
import gzip
import io
import lzma
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from selftime.data.arrays import SeriesError, trim_rows
from selftime.data.cells import array_of, text_array
from selftime.data.formats.bounds import TEXT, check_memory, most_bytes, size_in_words
from selftime.data.series import SeriesSet

_LONGEST = 1000
"""Characters of a message: cells and names may have millions."""


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


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the path before the message of an error, which is one line of an ordinary length."""
    try:
        yield
    except SeriesError as error:
        said = " ".join(str(error).splitlines())
        short = said if len(said) <= _LONGEST else f"{said[: _LONGEST - 200]} … {said[-200:]}"
        raise type(error)(f"{path}: {short}") from None
    except MemoryError:
        raise SeriesError(f"{path}: takes more memory than there is: read a part of it") from None


def suffix_of(path: Path) -> str:
    """Return the ending that names the format: ``.csv`` for ``a.csv`` and for ``a.CSV.gz``.

    A zip goes by the ending of its only member where it can be opened.
    """
    name, packing = os.path.splitext(path.name.lower())
    if packing not in UNPACKERS:
        return packing
    if packing == ".zip" and path.is_file():
        with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as file:
            members = _members(file)
            name = members[0].lower() if len(members) == 1 else name
    return Path(name).suffix


def read_bytes(path: Path) -> bytes:
    """Read a file, unpacked when its name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zip``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SeriesError(f"cannot be opened ({error.strerror}): check the path") from None
    packing = path.suffix.lower()
    if packing in UNPACKERS:
        with decoding({".gz": "gzip"}.get(packing, packing[1:])):
            data = _unpack(UNPACKERS[packing](io.BytesIO(data)), len(data))
    if not data or data.isspace():
        raise SeriesError("is empty, wanted at least one series: check how it was written")
    return data


def _unpack(file: Any, stored: int) -> bytes:
    """Return what a packed file holds, and stop where that is too much."""
    most = most_bytes(stored) // TEXT
    with file:
        data: bytes = file.read(most + 1)
    what = f"unpacks from {size_in_words(stored)} to more than {size_in_words(most)}"
    check_memory(TEXT * len(data), stored, what)
    return data


def _open_zip(data: io.BytesIO) -> Any:
    file = zipfile.ZipFile(data)
    members = _members(file)
    if len(members) != 1:
        shown = ", ".join(members[:5]) + (", …" if len(members) > 5 else "")
        raise SeriesError(
            f"holds {len(members)} files ({shown}), wanted one: unpack it and read the folder"
        )
    return file.open(members[0])


def _members(file: zipfile.ZipFile) -> list[str]:
    """Return the files in a zip, without folders and what macOS adds."""
    names = [name for name in file.namelist() if not name.endswith("/")]
    return [name for name in names if not name.startswith(("__MACOSX/", "."))]


UNPACKERS: dict[str, Callable[[io.BytesIO], Any]] = {
    ".gz": lambda data: gzip.GzipFile(fileobj=data),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zip": _open_zip,
}
"""How packed files are opened, by the last ending of their names."""


def utf8_of(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return text as UTF-8 without a byte order mark, and a note where it was written otherwise."""
    encoding = _wide_encoding(data)
    if encoding:
        try:
            text = data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise SeriesError(
                f"is no whole {encoding} text ({error.reason} at byte {error.start}): "
                "copy it again, or save it as UTF-8"
            ) from None
        plain, _ = utf8_of(text.encode("utf-8", "replace"))
        return plain, (f"The text is {encoding.upper()}.",)
    data = data[3:] if data.startswith(codecs.BOM_UTF8) else data
    if not data or data.isspace():
        raise SeriesError("is empty, wanted at least one series: check how it was written")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise SeriesError(
            f"line {line}: got a NUL byte, wanted text: is it a file of another kind?"
        )
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    try:
        data.isascii() or data.decode()
        return data, ()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        try:
            text, name = data.decode("cp1252"), "Latin-1 (cp1252)"
        except UnicodeDecodeError:
            text, name = data.decode("latin-1"), "Latin-1"
        byte = f"{data[error.start]:#04x}"
        note = f"Line {line} holds byte {byte}, which is no UTF-8: the text is read as {name}."
        return text.encode(), (note,)


def _wide_encoding(data: bytes) -> str | None:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = data[:200]
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) >= 4 and head[start::2].count(0) > 0.4 * len(head):
            return name
    return None


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


MISSING_CELLS = (
    "?", "NaN", "nan", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaT",
    "null", "Null", "NULL", "(null)", "None", "nil", "NIL",
)  # fmt: skip
"""Cells of missing values; in tables they may also be empty."""

MISSING_NUMBERS = (
    "-", "--", "---", ".", "..", "*", "-nan", "-NaN", "na", "n.a.", "none", "NONE", "missing",
    "Missing", "MISSING", "#NA", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!", "#NAME?",
)  # fmt: skip
"""Cells that mean a missing value as well, but only among numbers."""
A_NUMBER = "a number: correct it, or write NaN where a value is missing"

Where = Callable[[int], str]
"""Gives the place of the k-th cell, for messages."""


def numbers(
    cells: Any,
    where: Where,
    missing: tuple[str, ...] = MISSING_CELLS,
    kind: Any = pa.float64(),  # noqa: B008 - a constant
    remedy: str = "",
) -> Float[np.ndarray, "K"]:
    """Parse values of text cells, NaN where missing; none may exceed what 32 bits can hold.

    Args:
        cells: (K,) an arrow array of text with points before decimals.
        where: gives the place of the k-th cell, for messages.
        missing: cells that hold no value, beside those of ``MISSING_NUMBERS``; numbers among
            them stand for all ways of writing them.
        kind: the arrow type of the values.
        remedy: what else helps where a cell is no number, for messages.

    Raises:
        SeriesError: a cell that is no number, or an infinite one; the message names its place.
    """
    values = cast_or_none(cells, kind)
    if values is None:
        trimmed = pc.utf8_trim_whitespace(cells)
        none = text_array([*missing, *MISSING_NUMBERS], trimmed.type)
        absent = pc.is_in(trimmed, value_set=none)
        values = cast_all(pc.if_else(absent, None, trimmed), kind, where, A_NUMBER + remedy)
    plain = array_of(values)
    fills = [cell for cell in missing if cell[-1:].isdigit()]
    marks = cast_or_none(text_array(fills, pa.string()), kind)
    if marks:
        plain = np.where(np.isin(plain, array_of(marks)), plain.dtype.type("nan"), plain)
    with np.errstate(over="ignore"):
        beyond = np.isinf(plain.astype(np.float32))
    if beyond.any():
        k = int(np.argmax(beyond))
        raise SeriesError(
            f"{where(k)}: got {_cut(cells[k].as_py())}, wanted a finite 32-bit number: "
            "write NaN for missing values or rescale"
        )
    return plain


def labels_of(cells: Any) -> np.ndarray:
    """Parse class labels of text cells: numbers only where none of the text is lost, else text.

    They are ints where all are written as ints are (``7``, not ``007`` or ``+7``), floats where
    all are finite numbers that no two ways of writing share (``1.5`` and ``1.50`` stay text).
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    ints = cast_or_none(trimmed, pa.int64())
    if ints is not None and pc.all(pc.equal(ints.cast(trimmed.type), trimmed)).as_py():
        return array_of(ints)
    floats = cast_or_none(trimmed, pa.float64())
    odd = floats is None or pc.any(pc.match_substring_regex(trimmed, r"^([+]|-?0\d)")).as_py()
    if odd or floats.null_count or not np.isfinite(array_of(floats)).all():
        return np.array(cells.to_pylist(), dtype=str)
    if len(pc.unique(trimmed)) != len(pc.unique(floats)):
        return np.array(cells.to_pylist(), dtype=str)
    return array_of(floats)


def whole_labels_of(cells: Any) -> np.ndarray:
    """Parse class labels of archives: as :func:`labels_of`, but ``1.0000e+00`` is the int 1."""
    floats = cast_or_none(cells, pa.float64())
    if floats is None or floats.null_count or not np.isfinite(floats).all():
        return np.array(cells.to_pylist(), dtype=str)
    ints = cast_or_none(cells, pa.int64())
    if ints is not None:
        return np.asarray(ints)
    plain = np.asarray(floats)
    whole = (plain == np.rint(plain)) & (np.abs(plain) < 2**53)  # beyond, floats skip integers
    return plain.astype(np.int64) if whole.all() else plain


def cast_or_none(cells: Any, kind: Any) -> Any:
    """Return cells as another type, or None where one of them cannot be."""
    try:
        return cells.cast(kind)
    except pa.ArrowInvalid:
        return None


def cast_all(cells: Any, kind: Any, where: Where, wanted: str) -> Any:
    """Return cells as another type, or name the first that cannot be."""
    values = cast_or_none(cells, kind)
    if values is not None:
        return values
    good, bad = 0, len(cells)  # all before `good` can be cast; one before `bad` cannot
    while bad - good > 1:
        middle = (good + bad) // 2
        if cast_or_none(cells[good:middle], kind) is None:
            bad = middle
        else:
            good = middle
    raise SeriesError(f"{where(good)}: got {shortened(cells[good].as_py())}, wanted {wanted}")


def count_of(n: int, noun: str) -> str:
    """Return ``1 line`` or ``2 lines``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def shortened(text: str) -> str:
    """Return text in quotes, shortened to 40 characters."""
    return repr(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


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
        pa.float32(),
    )
    steps, lengths = trim_rows(values.reshape(len(lines), width - 1))
    return SeriesSet.from_steps(steps, lengths, labels=whole_labels_of(cells.take(pa.array(first))))


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
    texts = pa.array(cells, pa.large_string())
    values = numbers(texts, lambda k: f"value {k + 1}", kind=pa.float32())
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
