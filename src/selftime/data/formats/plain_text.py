"""Plain text: UCR tables (``.tsv``, one series a line) and columns of values (``.txt``)."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selftime.data.arrays import SeriesError, trim_rows
from selftime.data.formats.text import MISSING_CELLS, labels_of, numbers, text_lines
from selftime.data.series import SeriesSet


def read_tsv(data: bytes) -> SeriesSet:
    """One-channel series from a UCR table: a line a series, label first, tabs between.

    NaN at the end of a line means that the series is shorter (Dau et al. 2019, "The UCR Time
    Series Archive", section on unequal lengths); elsewhere it is a missing value. Labels are ints
    when all of them are whole numbers, as ``1`` or ``1.0000e+00``.

    Raises:
        SeriesError: lines of different widths, text where a number belongs, not UTF-8.
    """
    lines = text_lines(data)
    rows = pc.split_pattern(pa.array(lines, pa.large_string()), "\t")
    width = _width(pc.list_value_length(rows).to_numpy())
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
    """One series of one channel: one value a line, or all values on a single line.

    Raises:
        SeriesError: several values on one of several lines, text where a number belongs.
    """
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


def _width(widths: np.ndarray) -> int:
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
