"""Cells of tables: what the columns of an arrow table hold, whatever their types say.

Nothing here lets arrow import pandas, as ``pa.array`` and ``to_numpy`` do: it takes long.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int, Int32, Int64

from selftime.data.arrays import MISSING_LABELS

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?inf(inity)?$"
MONTH_NAMES = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
"""Names of months, whole or short."""
_DATE = (
    r"^((\d{4}([-/.])\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d.*)?"
    r"|(19|20)\d{2}-(0[1-9]|1[0-2])|(19|20)\d{2}[- ]?(Q[1-4]|W[0-5]\d)|Q[1-4][- ](19|20)\d{2}"
    r"|" + MONTH_NAMES + r"[- ](19|20)\d{2})$"
)
_STEP = r"\d{4}[-/]\d{1,2}([-/]\d{1,2}([ T]\d{1,2}:\d{2}.*)?)?"
_HEAD, _PART = 2000, 1 << 16
"""Cells of text that are looked at, and rows that are compared at a time."""
_NONE = {"f": np.float16("nan"), "M": np.datetime64("NaT")}


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
        """Return the arrow type of a column; of a dictionary that of its values."""
        return value_type(self.cells.schema.field(name).type)

    def kind_in_words(self, name: str) -> str:
        """Return the type of the cells of a column, as people say it."""
        if self.typed or pa.types.is_boolean(self.kind(name)):
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
        """Count the different rows of one or two columns."""
        of = list(dict.fromkeys(names))
        if any(pa.types.is_nested(self.kind(name)) for name in of):
            return self.rows
        if len(of) == 1:
            cells = self.cells.column(of[0])
            coded = pa.types.is_dictionary(cells.type)
            return len(codes_of(cells)[1]) if coded else int(pc.count_distinct(cells).as_py())
        first, second = map(self._key, of)
        return int(order_of(second, first)[1].sum())

    def _key(self, name: str) -> np.ndarray:
        """Return a whole number for each cell of a column, the same for equal ones."""
        cells = whole(self.cells.column(name))
        if (is_number(cells.type) or pa.types.is_timestamp(cells.type)) and not cells.null_count:
            numbers = array_of(cells)
            if numbers.dtype.itemsize == 8:
                return numbers.view(np.int64)
        return codes_of(cells)[0]

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
        names = [name for name in among if name != time and not self.is_measured(name)]
        names = [time, *(name for name in names if self.repeats(name))]
        return any(self.count(time, name) > 0.95 * self.rows for name in names)

    def begins_anew(self, time: str, name: str) -> bool:
        """Return whether stamps repeat in the table, but hardly any beside the same name."""
        return self.count(time) < 0.95 * self.rows < self.count(time, name)

    def is_constant_within(self, id: str, name: str) -> bool:
        """Return whether a column has at most one known value for each value of another."""
        codes, ids = codes_of(known_in(self.cells.column(name)))[0], self._key(id)
        codes, ids = codes[codes >= 0], ids[codes >= 0]
        return int(order_of(ids, codes)[1].sum()) == len(np.unique(ids))

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
        codes = self._key(id)
        lengths = np.unique(codes, return_counts=True)[1]
        if len(codes) != len(numbers) or len(lengths) < 2 or lengths.min() < least:
            return False
        order = np.lexsort((numbers, codes))
        first = np.r_[True, np.diff(codes[order]) != 0]
        starts, steps = numbers[order][first], np.diff(numbers[order])[~first[1:]]
        return bool(len(steps) and (steps == 1).all() and (starts == starts[0]).all())


def _are_whole(numbers: np.ndarray) -> bool:
    return bool(np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all())


def value_type(kind: Any) -> Any:
    """Return an arrow type; of a dictionary that of its values."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def whole(cells: Any) -> Any:
    """Return a column as one arrow array."""
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.chunk(0) if cells.num_chunks == 1 else cells.combine_chunks()
    if isinstance(cells, pa.ChunkedArray):  # older arrow keeps an empty one wrapped
        cells = cells.chunk(0)
    return cells


def decoded(cells: Any) -> Any:
    """Return a column as one arrow array, without a dictionary."""
    cells = whole(cells)
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def codes_of(cells: Any) -> tuple[Int32[np.ndarray, "R"], Any]:
    """Return the number of each cell's value, by first appearance, -1 for none; and the values."""
    encoded = whole(cells).dictionary_encode()
    codes = _bare(encoded.indices, f"i{encoded.indices.type.bit_width // 8}")
    codes = codes.astype(np.int32, copy=False)
    if encoded.indices.null_count:
        codes = np.where(valid_in(encoded.indices), codes, -1)
    if _are_by_appearance(codes, len(encoded.dictionary)):
        return codes, encoded.dictionary
    found, first = np.unique(codes, return_index=True)
    found = found[np.argsort(first)].astype(np.int64)
    found = found[found >= 0]
    number = np.full(len(encoded.dictionary) + 1, -1, np.int32)  # the last one is that of none
    number[found] = np.arange(len(found))
    rows = pa.Array.from_buffers(pa.int64(), len(found), [None, pa.py_buffer(found)])
    return number[codes], encoded.dictionary.take(rows)


def _are_by_appearance(codes: Int32[np.ndarray, "R"], K: int) -> bool:
    highest = np.int32(-1)
    for part in np.array_split(codes, len(codes) // _PART + 1):
        rising = np.maximum.accumulate(np.r_[highest, part])
        if (np.diff(rising) > 1).any():
            return False
        highest = rising[-1]
    return bool(highest == K - 1)


def order_of(
    codes: Int[np.ndarray, "R"], times: np.ndarray | None
) -> tuple[Int64[np.ndarray, "R"] | None, Bool[np.ndarray, "R"]]:
    """Return the order of rows by series and time, None where they have it.

    Beside it, in that order: False for each row with the series and time of the one before.
    """
    new, rises = np.ones(len(codes), bool), True
    for first in range(1, len(codes), _PART):
        last = min(first + _PART, len(codes))
        now, before = slice(first, last), slice(first - 1, last - 1)
        same, later = codes[now] == codes[before], codes[now] > codes[before]
        if times is not None:
            later |= same & (times[now] > times[before])
            same &= times[now] == times[before]
            new[now] = ~same
        rises &= bool((same | later).all())
    if rises:
        return None, new
    order = np.argsort(codes, kind="stable") if times is None else np.lexsort((times, codes))
    return order, order_of(codes[order], None if times is None else times[order])[1]


def array_of(cells: Any) -> np.ndarray:
    """Return numbers or stamps of an arrow array, not copied; NaN or NaT where missing."""
    kind = dtype_of(cells.type)
    if kind is None:
        return np.asarray(cells.to_numpy(zero_copy_only=False))
    values = _bare(cells, kind)
    if not cells.null_count:
        return values
    values = values.astype(np.float64) if kind[0] == "i" else values
    return np.where(valid_in(cells), values, _NONE[values.dtype.kind])


def dtype_of(kind: Any) -> str | None:
    """Return numpy's name of an arrow type of numbers or stamps; None for other types."""
    if pa.types.is_timestamp(kind):
        return f"M8[{kind.unit}]"
    letter = "f" if pa.types.is_floating(kind) else "i"
    known = letter == "f" or pa.types.is_signed_integer(kind)
    return f"{letter}{kind.bit_width // 8}" if known else None


def _bare(cells: Any, kind: str) -> np.ndarray:
    """Return the values of an arrow array as they lie in memory, missing ones as well."""
    size = np.dtype(kind).itemsize
    buffer = cells.buffers()[1] if len(cells) else b""
    return np.frombuffer(buffer, kind, len(cells), cells.offset * size if len(cells) else 0)


def valid_in(cells: Any) -> Bool[np.ndarray, "R"]:
    """Return True for each cell of an arrow array that is there."""
    if not cells.null_count:
        return np.ones(len(cells), bool)
    bits = np.frombuffer(cells.buffers()[0], np.uint8)
    first, last = cells.offset, cells.offset + len(cells)
    return np.unpackbits(bits, count=last, bitorder="little")[first:].astype(bool)


def text_array(words: Sequence[str], kind: Any) -> Any:
    """Return words as an arrow array of text."""
    cells = [word.encode() for word in words]
    width = np.int64 if pa.types.is_large_string(kind) else np.int32
    ends = np.cumsum([0, *map(len, cells)], dtype=width)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(cells))]
    return pa.Array.from_buffers(kind, len(cells), buffers)


def is_text(kind: Any) -> bool:
    """Return whether an arrow type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number(kind: Any) -> bool:
    """Return whether an arrow type holds numbers, or nothing but missing ones."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in (*tests, pa.types.is_null))


def holds_numbers(cells: Any, marks: Sequence[str]) -> bool:
    """Return whether half of the first texts that are no marks of missing ones are numbers."""
    known = _known_texts(cells.slice(0, _HEAD), marks)
    if not len(known):
        known = _known_texts(cells, marks).slice(0, _HEAD)
    if not len(known):
        return bool(marks)
    right = pc.sum(pc.match_substring_regex(known, _NUMBER)).as_py()
    return bool(right >= len(known) / 2)  # a few that are none are faults, said by line


def _known_texts(cells: Any, marks: Sequence[str]) -> Any:
    """Return the texts that are there and mean something, without blanks around them."""
    cells = pc.utf8_trim_whitespace(decoded(cells).drop_null())
    return cells.filter(pc.invert(pc.is_in(cells, value_set=text_array(marks, cells.type))))


def holds_dates(cells: Any) -> bool:
    """Return whether a column holds times, as its type says or as all its first texts show."""
    kind = value_type(cells.type)
    if is_text(kind):
        first = _known_texts(cells.slice(0, _HEAD), ())
        return bool(len(first)) and pc.all(pc.match_substring_regex(first, _DATE)).as_py() is True
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def known_in(cells: Any) -> Any:
    """Return the cells of a column with null where a text means that there is none."""
    if not is_text(value_type(cells.type)):
        return cells
    cells = decoded(cells)
    trimmed = pc.utf8_trim_whitespace(cells)
    marks = text_array(MISSING_LABELS, trimmed.type)
    return pc.if_else(pc.is_in(trimmed, value_set=marks), None, cells)


def truths_in(cells: Any) -> Any:
    """Return texts that are all true or false as truth values; None where some are not."""
    if not is_text(cells.type) or not len(cells):
        return None
    for part in (cells.slice(0, 10), cells):  # a look at the first spares most columns
        known = pc.utf8_lower(known_in(part))
        told = pc.is_in(known, value_set=text_array(["true", "false"], known.type))
        if known.null_count == len(known) or not pc.all(pc.or_(told, pc.is_null(known))).as_py():
            return None
    return pc.if_else(pc.is_null(known), None, pc.equal(pc.utf8_trim_whitespace(known), "true"))


def numbers_in(cells: Any, marks: Sequence[str]) -> np.ndarray | None:
    """Return the cells of a column as numbers, NaN where missing; None where they are none."""
    cells = decoded(cells)
    try:
        if is_text(cells.type):
            trimmed = pc.utf8_trim_whitespace(cells)
            value_set = text_array(marks, trimmed.type)
            cells = pc.if_else(pc.is_in(trimmed, value_set=value_set), None, trimmed)
        return array_of(cells.cast(pa.float64(), safe=False))
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
