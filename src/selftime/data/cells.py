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


class Evidence:
    """Answers to questions about the columns of a table, from its cells.

    Args:
        cells: the table.
        typed: cells have types, as in frames; else all are texts, as in csv.
        marks: texts that mean that nothing was measured.
    """

    def __init__(self, cells: Any, typed: bool, marks: Sequence[str]) -> None:
        self.cells, self.typed, self.marks = cells, typed, marks
        self.rows = int(cells.num_rows)
        names = [str(name) for name in cells.column_names]
        self.numeric = {name: self._holds_numbers(name) for name in names}

    def kind(self, name: str) -> Any:
        """Return the arrow type of a column."""
        return self.cells.schema.field(name).type

    def kind_in_words(self, name: str) -> str:
        """Return the type of the cells of a column, as people say it."""
        if self.typed or not is_text(self.kind(name)):
            return str(self.kind(name))
        return "number" if self.numeric[name] else "text"

    def _holds_numbers(self, name: str) -> bool:
        kind = self.kind(name)
        if is_text(kind):
            return holds_numbers(self.cells.column(name), self.marks)
        return is_number(kind) and (self.typed or not pa.types.is_null(kind))

    def numbers(self, name: str) -> np.ndarray | None:
        """Return the cells of a column as numbers, NaN where missing; None where they are none."""
        return numbers_in(self.cells.column(name), self.marks)

    def count(self, *names: str) -> int:
        """Count the different rows of some columns."""
        of = list(dict.fromkeys(names))
        if any(pa.types.is_nested(self.kind(name)) for name in of):
            return self.rows
        if len(of) == 1:
            return int(pc.count_distinct(self.cells.column(of[0])).as_py())
        return int(self.cells.select(of).group_by(of).aggregate([]).num_rows)

    def repeats(self, name: str) -> bool:
        """Return whether some value of a column occurs twice."""
        return self.count(name) < self.rows

    def is_empty(self, name: str) -> bool:
        """Return whether a column holds no value."""
        numbers = self.numbers(name)
        return numbers is not None and bool(np.isnan(numbers).all())

    def is_measured(self, name: str, most: int | None = None) -> bool:
        """Return whether a column holds numbers that are not few whole ones, a third of them."""
        head = self._head(name)
        if head is None:
            return False
        return not (_are_whole(head) and len(np.unique(head)) <= (most or len(head) / 3))

    def _head(self, name: str) -> np.ndarray | None:
        """Return the first numbers of a column, for a look that is quick in long tables."""
        cells = self.cells.column(name).slice(0, 10 * _HEAD)
        return numbers_in(cells, self.marks) if self.numeric[name] else None

    def tells_rows_apart(self, time: str, among: Sequence[str]) -> bool:
        """Return whether hardly any stamp repeats, in all or beside the name in some column."""
        names = [name for name in among if name != time and self.repeats(name)]
        names = [time, *(name for name in names if not self.is_measured(name))]
        return any(self.count(time, name) > 0.95 * self.rows for name in names)

    def begins_anew(self, time: str, name: str) -> bool:
        """Return whether stamps repeat in the table, but hardly any beside the same name."""
        return self.count(time) < 0.95 * self.rows < self.count(time, name)

    def is_constant_within(self, id: str, name: str) -> bool:
        """Return whether a column has one value for each value of another."""
        return self.count(id, name) == self.count(id)

    def counts(self, name: str, id: str | None = None, least: int = 2) -> bool:
        """Return whether a column counts rows, from the same number for each value of another.

        There must be at least two such values, and at least so many rows of each.
        """
        head = self._head(name)
        numbers = self.numbers(name) if head is not None and _are_whole(head) else None
        if numbers is None or len(numbers) < 3 or not np.isfinite(numbers).all():
            return False
        if id is None:
            return bool((np.diff(numbers) == 1).all())
        codes = np.asarray(self.cells.column(id).combine_chunks().dictionary_encode().indices)
        lengths = np.unique(codes, return_counts=True)[1]
        if len(codes) != len(numbers) or len(lengths) < 2 or lengths.min() < least:
            return False
        order = np.lexsort((numbers, codes))
        first = np.r_[True, np.diff(codes[order]) != 0]
        starts, steps = numbers[order][first], np.diff(numbers[order])[~first[1:]]
        return bool(len(steps) and (steps == 1).all() and (starts == starts[0]).all())


def _are_whole(numbers: np.ndarray) -> bool:
    return bool(np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all())


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


def truths_in(cells: Any) -> Any:
    """Return texts that are all true or false as truth values; None where some are not."""
    if not is_text(cells.type) or not len(cells):
        return None
    for part in (cells.slice(0, 10), cells):  # a look at the first spares most columns
        known = pc.utf8_lower(known_in(part))
        told = pc.is_in(known, value_set=pa.array(["true", "false"], known.type))
        if known.null_count == len(known) or not pc.all(pc.or_(told, pc.is_null(known))).as_py():
            return None
    return pc.if_else(pc.is_null(known), None, pc.equal(pc.utf8_trim_whitespace(known), "true"))


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
