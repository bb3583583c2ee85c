"""Excel workbooks (``.xlsx``), read by the optional package openpyxl."""

import csv
import io
import zipfile
from typing import Any

from selftime.data.arrays import SeriesError
from selftime.data.columns import Table
from selftime.data.formats.bounds import TEXT, check_memory, size_in_words
from selftime.data.formats.csv_parquet import read_csv
from selftime.data.formats.text import decoding

_CELL = 50
"""Bytes of memory for a cell."""


def read_excel(data: bytes) -> Table:
    """Read the first sheet that holds cells, as a text table: lines are its rows.

    Raises:
        SeriesError: openpyxl is not installed, it is no workbook, or no sheet holds cells.
    """
    try:
        import openpyxl
    except ImportError:
        raise SeriesError(
            "needs the package openpyxl: pip install 'selftime[excel]', or save it as .csv"
        ) from None
    with decoding("xlsx", "save it as .xlsx again, or as .csv"):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            size = sum(part.file_size for part in file.infolist())
        check_memory(TEXT * size, len(data), f"unpacks to {size_in_words(size)}")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        cells = 0
        sheets: dict[str, list[tuple[Any, ...]]] = {}
        for sheet in book.worksheets:
            rows = sheets[sheet.title] = []
            for row in sheet.iter_rows(values_only=True):  # as many as the place of the last says
                cells += len(row) + 1
                check_memory(_CELL * cells, len(data), f"says that it has {cells:,} cells or more")
                rows.append(row)
    full = {
        title: rows
        for title, rows in sheets.items()
        if any(cell is not None for row in rows for cell in row)
    }
    if not full:
        raise SeriesError("has no sheet with cells, wanted names, then at least one row")
    first, *others = full
    buffer = io.StringIO()
    csv.writer(buffer).writerows([_text(cell) for cell in row] for row in full[first])
    table = read_csv(buffer.getvalue().encode(), separator=",")
    note = f"Sheet {first!r} is read, not {', '.join(map(repr, others))}: save those on their own."
    return table._replace(notes=(note, *table.notes) if others else table.notes)


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(cell.isoformat(" ") if hasattr(cell, "hour") and hasattr(cell, "day") else cell)
