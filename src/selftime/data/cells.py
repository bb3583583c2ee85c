"""Cells of tables: what the columns of an arrow table hold, whatever their types say."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selftime.data.arrays import MISSING_LABELS

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?inf(inity)?$"
_DATE = r"^(\d{4}([-/.])\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d.*)?$"
_STEP = r"\d{4}[-/]\d{1,2}([-/]\d{1,2}([ T]\d{1,2}:\d{2}.*)?)?"
_HEAD = 2000
"""Cells of text that are looked at."""


def is_text(kind: Any) -> bool:
    """Return whether an arrow type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number(kind: Any) -> bool:
    """Return whether an arrow type holds numbers, or nothing but missing ones."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in (*tests, pa.types.is_null))


def holds_numbers(cells: Any, marks: Sequence[str]) -> bool:
    """Return whether half of the first cells of text are numbers or marks of missing ones."""
    return _share(cells, _NUMBER, marks) >= 0.5  # a few that are none are faults, said by line


def holds_dates(cells: Any) -> bool:
    """Return whether a column holds times, as its type says or as all its first texts show."""
    kind = cells.type
    if is_text(kind):
        return _share(cells, _DATE, ()) == 1
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _share(cells: Any, pattern: str, marks: Sequence[str]) -> float:
    cells = pc.utf8_trim_whitespace(cells.slice(0, _HEAD))
    right = pc.match_substring_regex(cells, pattern)
    if marks:
        right = pc.or_kleene(pc.is_in(cells, value_set=pa.array(tuple(marks), cells.type)), right)
    known = len(cells) - cells.null_count
    return float((pc.sum(right).as_py() or 0) / known) if known else float(bool(marks))


def known_in(cells: Any) -> Any:
    """Return the cells of a column with null where a text means that there is none."""
    if not is_text(cells.type):
        return cells
    trimmed = pc.utf8_trim_whitespace(cells)
    marks = pa.array(MISSING_LABELS, trimmed.type)
    return pc.if_else(pc.is_in(trimmed, value_set=marks), None, cells)


def numbers_in(cells: Any, marks: Sequence[str]) -> np.ndarray | None:
    """Return the cells of a column as numbers, NaN where missing; None where they are none."""
    cells = cells.combine_chunks()
    try:
        if is_text(cells.type):
            trimmed = pc.utf8_trim_whitespace(cells)
            value_set = pa.array(tuple(marks), trimmed.type)
            cells = pc.if_else(pc.is_in(trimmed, value_set=value_set), None, trimmed)
        return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def dates_of_names(names: Sequence[str]) -> np.ndarray | None:
    """Return the dates that names of columns are, such as 2024-03; None where some is none."""
    if not names or not all(re.fullmatch(_STEP, name) for name in names):
        return None
    try:
        found = np.array([n.replace("/", "-").replace(" ", "T") for n in names], "datetime64[ns]")
    except ValueError:
        return None
    return found if (np.diff(found) > np.timedelta64(0)).all() else None
