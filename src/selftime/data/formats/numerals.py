"""Numbers of text cells with decimal commas, or with marks between thousands, written plainly."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow.compute as pc

from selftime.data.arrays import SeriesError
from selftime.data.formats.dialects import few_rows, kind_of
from selftime.data.schema import ID_NAMES, LABEL_NAMES

Place = Callable[[int, int], str]
"""Gives the place of a row and column, for messages."""

NAMES_OF_THINGS = {*ID_NAMES, *LABEL_NAMES, "group"}
"""Columns that hold names even where these look like numbers."""

_ODD = re.compile("[', \u2019\u00a0\u202f]|[.].*[.]")
_UNIT = re.compile("\\s*([+-]?[\\d.,'\u00a0\u202f]+)\\s*(?:%|°[CF]?)\\s*")
"""A number with a unit that is none of its name."""
_MARKS = "['\u2019 \u00a0\u202f]"
_COMMA_IS_DECIMAL = (
    rf"^[+-]?(\d+,(\d{{1,2}}|\d{{4,}})|0?,\d+|\d{{4,}},\d+|\d{{1,3}}(([.]|{_MARKS})\d{{3}})+,\d+"
    r"|\d{1,3}(\.\d{3}){2,})([eE][+-]?\d+)?$"
)
_COMMA_IS_THOUSAND = r"^[+-]?\d{1,3}((,\d{3}){2,}(\.\d+)?|(,\d{3})+\.\d+)$"
_COMMA_NUMBER = rf"^[+-]?(\d*|\d{{1,3}}(([.]|{_MARKS})\d{{3}})+)(,\d+)?([eE][+-]?\d+)?$"
_POINT_NUMBER = rf"^[+-]?\d{{1,3}}((,|{_MARKS})\d{{3}})+(\.\d*)?$"


def with_plain_numbers(
    columns: list[Any],
    names: Sequence[str],
    rows: list[list[str]],
    place: Place,
    separator: str,
    has_quotes: bool,
) -> tuple[list[Any], tuple[str, ...]]:
    """Return columns of text with numbers as ``1234.5``, and notes on what was changed.

    Only columns are touched whose first cells, ``rows``, all look like numbers. Whether commas are
    decimal ones is decided for the whole file.

    Raises:
        SeriesError: cells that contradict each other; the message names their places.
    """
    heads = list(zip(*rows[: few_rows(len(columns))], strict=True))
    columns, heads, notes_of_units = _without_units(list(columns), heads)
    plain, notes = _with_points(columns, names, heads, place, separator, has_quotes)
    return plain, (*notes_of_units, *notes)


def _without_units(
    columns: list[Any], heads: list[tuple[str, ...]]
) -> tuple[list[Any], list[tuple[str, ...]], tuple[str, ...]]:
    """Take ``%`` or degrees off the numbers of columns whose first cells all have them."""
    notes: list[str] = []
    for j, cells in enumerate(heads):
        held = [cell for cell in cells if kind_of(cell) != "missing"]
        if held and all(_UNIT.fullmatch(cell) for cell in held):
            columns[j] = pc.replace_substring_regex(columns[j], f"^{_UNIT.pattern}$", r"\1")
            heads[j] = tuple(_UNIT.sub(r"\1", cell) for cell in cells)
            notes = notes or [f"Numbers like {held[0]!r} are read without their unit."]
    return columns, heads, tuple(notes)


def _with_points(
    columns: list[Any],
    names: Sequence[str],
    heads: list[tuple[str, ...]],
    place: Place,
    separator: str,
    has_quotes: bool,
) -> tuple[list[Any], tuple[str, ...]]:
    """Return columns with points before decimals, and none between thousands; and notes."""
    numeric = [j for j in range(len(columns)) if _is_numeric(names[j], heads[j])]
    may_hold_commas = separator != "," or has_quotes
    odd = [j for j in numeric if _is_odd(columns[j], heads[j], may_hold_commas)]
    if not odd:
        clear = separator != ";" or not numeric
        return columns, () if clear else _note_of_thousands(names, heads, numeric)
    decimal = _first(columns, odd, _COMMA_IS_DECIMAL)
    thousand = _first(columns, odd, _COMMA_IS_THOUSAND)
    if decimal and thousand:
        (k, j), (other, i) = decimal, thousand
        raise SeriesError(
            f"{place(k, j)}: got {columns[j][k].as_py()!r}, but {columns[i][other].as_py()!r} in "
            f"{place(other, i)}: wanted commas either before decimals or between thousands"
        )
    commas = _first(columns, odd, ",")
    is_decimal = bool(decimal) or (not thousand and separator != "," and commas is not None)
    shown = decimal or thousand or commas or _first(columns, odd, _MARKS)
    plain = list(columns)
    for j in numeric if is_decimal else odd:
        plain[j] = _plain(columns[j], is_decimal, lambda k, j=j: place(k, j))  # type: ignore[misc]
    notes = []
    if shown:
        k, j = shown
        note = f"Numbers like {columns[j][k].as_py()!r} are read as {plain[j][k].as_py()}"
        if not decimal and not thousand and commas:
            other_way = "between thousands" if is_decimal else "before decimals"
            note += f"; if its comma stands {other_way}, write numbers with a point and no commas"
        notes = [note]
    for j in sorted(set(numeric) - set(odd)):
        if plain[j] is not columns[j] and (found := _first(columns, [j], "[.]")):
            was, now = columns[j][found[0]].as_py(), plain[j][found[0]].as_py()
            notes.append(
                f"{was!r} in column {names[j]!r} is read as {now}, as commas are before decimals; "
                "if its point is one, write the whole file with points"
            )
    return plain, tuple(f"{note}." for note in notes)


class PlainColumns(NamedTuple):
    """Numbers of the columns of plain numbers, and notes on how they are read."""

    columns: frozenset[int]
    notes: tuple[str, ...]


def plain_columns(
    names: Sequence[str], rows: list[list[str]], separator: str
) -> PlainColumns | None:
    """Return what columns hold numbers by their first rows; None where some are written oddly."""
    heads = list(zip(*rows[: few_rows(len(names))], strict=True))
    numeric = [j for j in range(len(names)) if _is_numeric(names[j], heads[j])]
    if any(_UNIT.fullmatch(cells[0]) for cells in heads if cells):
        return None
    if any(_ODD.search("\n".join(heads[j])) or "," in "".join(heads[j]) for j in numeric):
        return None
    clear = separator != ";" or not numeric
    return PlainColumns(
        frozenset(numeric), () if clear else _note_of_thousands(names, heads, numeric)
    )


def _note_of_thousands(
    names: Sequence[str], heads: Sequence[Sequence[str]], numeric: Sequence[int]
) -> tuple[str, ...]:
    """Say it where the points of a column could stand between thousands."""
    pattern = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
    for j in numeric:
        if all(pattern.fullmatch(cell) for cell in heads[j] if kind_of(cell) == "number"):
            return (
                f"Points such as that of {heads[j][0]!r} in column {names[j]!r} are read as "
                "decimal ones; if they stand between thousands, leave them out.",
            )
    return ()


def _is_numeric(name: str, cells: Sequence[str]) -> bool:
    kinds = {kind_of(cell) for cell in cells}
    return name.lower() not in NAMES_OF_THINGS and "number" in kinds <= {"number", "missing"}


def _is_odd(column: Any, cells: Sequence[str], may_hold_commas: bool) -> bool:
    """Return whether some cell holds more than a plain number: by the first ones, or a comma."""
    if _ODD.search("\n".join(cells)):
        return True
    return may_hold_commas and bool(pc.any(pc.match_substring(column, ",")).as_py())


def _first(columns: list[Any], some: Sequence[int], pattern: str) -> tuple[int, int] | None:
    """Return row and column of the first cell that matches, column by column."""
    for j in some:
        k = pc.index(pc.match_substring_regex(columns[j], pattern), True).as_py()
        if k >= 0:
            return k, j
    return None


def _plain(column: Any, is_decimal: bool, where: Callable[[int], str]) -> Any:
    """Return numbers without marks between thousands, and with a point before decimals."""
    fits = pc.match_substring_regex(column, _COMMA_NUMBER if is_decimal else _POINT_NUMBER)
    bare = pc.replace_substring_regex(column, ("[.]|" if is_decimal else ",|") + _MARKS, "")
    if is_decimal:
        bare = pc.replace_substring(bare, ",", ".")
        pointed = pc.and_(pc.match_substring_regex(column, r"\d*\.\d+"), pc.invert(fits))
        k = pc.index(pointed, True).as_py()
        if k >= 0 and not pc.any(pc.match_substring(column, ",")).as_py():
            return column  # has points of its own
        if k >= 0:
            raise SeriesError(
                f"{where(k)}: got {column[k].as_py()!r} in a column with decimal commas: wanted "
                "one way of writing numbers"
            )
    return pc.if_else(fits, bare, column)
