"""Dialects of text tables: separator, lines above the names, units, names or none."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from selftime.data.arrays import SeriesError
from selftime.data.formats.bounds import COLUMN, check_memory
from selftime.data.formats.text import MISSING_CELLS, MISSING_NUMBERS, count_of
from selftime.data.schema import ID_NAMES, LABEL_NAMES, TIME_NAMES

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
KNOWN = {*TIME_NAMES, *LABEL_NAMES, *ID_NAMES, "y", "target", "group", "value", "name"}
"""Names that columns usually have; a line with one of them holds names."""

HEAD_LINES, HEAD_BYTES = 100, 1 << 16

_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\d*,\d+([eE][+-]?\d+)?"
    r"|[+-]?\d{1,3}([ '\u00a0\u202f.,]\d{3})+([.,]\d+)?|[+-]?(inf|infinity)",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2}([T ].*)?)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\.?( .*)?"
    r"|\d{1,2}[-. ][A-Za-z]{3,9}[-, ]+\d{2,4}.*|[A-Za-z]{3,9} \d{1,2}, ?\d{4}.*"
    r"|\d{4}-?[Qq]\d|\d{1,3}:\d\d(:\d\d([.,]\d+)?)?( ?[AP]M)?"
)
_DAY = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[AP]M)?")
_MISSING = frozenset({"", *MISSING_CELLS, *MISSING_NUMBERS})


class Dialect(NamedTuple):
    """The way in which a text table is written.

    Attributes:
        separator: the character between cells.
        names: of the columns, None where the table has none.
        start: the byte at which its rows begin.
        line: the number of that line, from 1.
        rows: its first rows, as cells.
        padded: numbers of columns with blanks around their cells.
        notes: what was guessed, a sentence each.
    """

    separator: str
    names: list[str] | None
    start: int
    line: int
    rows: list[list[str]]
    padded: frozenset[int]
    notes: tuple[str, ...]


class _Line(NamedTuple):
    """A line of the head: its number, the byte at which it begins, and its cells."""

    number: int
    start: int
    cells: list[str]
    text: str


def tabs_for_blanks(data: bytes) -> bytes:
    """Return lines with one tab for every run of blanks, and none at their ends."""
    return re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", data))


def without_blanks_before_quotes(data: bytes) -> bytes:
    """Return a text in which cells in quotes begin right after the separator."""
    head = re.sub(rb'"(?:[^"]|"")*"', b"q", data[:HEAD_BYTES])
    if not re.search(rb"[,;|] +q", head):
        return data
    return re.sub(rb'("(?:[^"]|"")*")|(?<=[,;|]) +(?=")', lambda found: found[1] or b"", data)


def sniff(data: bytes, separator: str | None = None) -> Dialect:
    """Find out how a text table in UTF-8 is written; ``separator`` is sniffed when None."""
    raw = _head(data)
    excel = re.match(rb"\"?sep=(.)\"?\r?\n", data)
    chosen = separator or (excel[1].decode() if excel else _separator(raw))
    lines = _parse(raw, chosen)[bool(excel) :]
    width = _width(lines)
    header, first, notes = _find_names(lines, width, chosen)
    rows = [line.cells for line in lines[first:] if len(line.cells) == width]
    if not rows:
        raise SeriesError("has no rows under its first line, wanted names, then at least one row")
    if chosen != "," and separator is None and width > 1:
        other = f"Cells are read with {SEPARATORS[chosen]} between."
        notes = (other, *notes)
    if header and width == 1 and separator is None and not excel and chosen == "\t":
        notes += ("Commas are decimal ones here; if they part cells, write a name for each.",)
    texts = [line.text for line in lines[first:]]
    return Dialect(
        separator=chosen,
        names=header and [name.strip(" \t'\"") for name in header],
        start=lines[first].start,
        line=lines[first].number,
        rows=rows,
        padded=_padded_columns(texts, chosen),
        notes=notes,
    )


def _head(data: bytes) -> list[bytes]:
    """Return the first lines, with what ends them."""
    lines: list[bytes] = []
    at = 0
    while at < len(data) and len(lines) < HEAD_LINES and (at < HEAD_BYTES or len(lines) < 5):
        end = data.find(b"\n", at) + 1 or len(data)
        lines.append(data[at:end])
        at = end
    width = 1 + max((line.count(mark.encode()) for line in lines for mark in SEPARATORS), default=0)
    check_memory(COLUMN * width, len(data), f"has {width:,} cells in a line")
    return lines


def _parse(raw: list[bytes], separator: str) -> list[_Line]:
    """Split lines that are not empty into cells; quotes may hold separators and line ends."""
    texts = [line.decode("utf-8", "replace").replace("\r", "") for line in raw]
    starts = [0]
    for line in raw:
        starts.append(starts[-1] + len(line))
    reader = csv.reader(iter(texts), delimiter=separator, skipinitialspace=separator != "\t")
    lines, before = [], 0
    limit = csv.field_size_limit(2**31 - 1)
    try:
        for cells in reader:
            text = "".join(texts[before : reader.line_num])
            if text.strip():
                stripped = [cell.strip() for cell in cells]
                lines.append(_Line(before + 1, starts[before], stripped, text))
            before = reader.line_num
    except csv.Error as error:
        raise SeriesError(f"line {before + 1}: {error}: close every quote") from None
    finally:
        csv.field_size_limit(limit)
    return lines


def _separator(raw: list[bytes]) -> str:
    """Return the separator that gives most lines the same width and most cells a meaning."""
    if _is_one_column_of_decimals(raw):
        return "\t"
    scores = {separator: _score(_parse(raw, separator)) for separator in SEPARATORS}
    best = max(scores, key=lambda separator: scores[separator])
    return best if any(scores[best]) else ","


def separator_of_columns(data: bytes) -> str | None:
    """Return what parts the columns of a plain text, a blank for runs of them; None for prose."""
    raw = _head(data)
    scores = {separator: _score(_parse(raw, separator)) for separator in SEPARATORS}
    scores[" "] = _score(_parse([tabs_for_blanks(line) for line in raw], "\t"))
    best = max(scores, key=lambda separator: scores[separator])
    value, known = scores[best]
    return best if known and value > (1 + known) / 2 else None


def _score(lines: list[_Line]) -> tuple[float, float]:
    """Return how well a separator fits, and the share of cells that are no text."""
    width = _width(lines)
    even = [line.cells for line in lines if len(line.cells) == width]
    if width < 2 or len(even) < 2:
        return 0.0, 0.0
    known = [kind_of(cell) != "text" for cells in even for cell in cells[:50]]
    share = sum(known) / len(known)
    return len(even) / len(lines) * (1 + share), share


def _is_one_column_of_decimals(raw: list[bytes]) -> bool:
    """Return whether the commas of a column under one name are decimal ones."""
    name, *cells = [line.decode("utf-8", "replace").strip() for line in raw if line.strip()] or [""]
    return (
        kind_of(name) == "text"
        and "," not in name
        and len(cells) > 1
        and any("," in cell for cell in cells)
        and all(re.fullmatch(r"[+-]?\d+(,\d+)?|", cell) for cell in cells)
    )


def _width(lines: list[_Line]) -> int:
    """Return the number of cells of a row: what most lines have, rather several than one."""
    widths = [len(line.cells) for line in lines if not _is_comment(line)]
    counts = Counter(widths)
    several = [(count, width) for width, count in counts.items() if width > 1 and count > 1]
    if several:
        count, width = max(several)
        if count >= counts[1] or width in widths[-2:]:
            return width
    return widths[0] if len(widths) == 1 else 1


def _is_comment(line: _Line) -> bool:
    return line.text.lstrip().startswith(("#", "%", "//", "!"))


def kind_of(cell: str) -> str:
    """Return what a cell looks like: "missing", "number", "date" or "text"."""
    if cell in _MISSING:
        return "missing"
    if _NUMBER.fullmatch(cell):
        return "number"
    return "date" if _DATE.fullmatch(cell) else "text"


def _find_names(
    lines: list[_Line], width: int, separator: str
) -> tuple[list[str] | None, int, tuple[str, ...]]:
    """Return the names of the columns, the place of the first row in ``lines``, and notes."""
    fitting = [i for i, line in enumerate(lines) if len(line.cells) == width and any(line.cells)]
    if not fitting:
        raise SeriesError("has no line of cells, wanted names, then at least one row")
    top = next((i for i in fitting if not _is_comment(lines[i])), fitting[0])
    rows = [lines[i] for i in fitting if i >= top]
    if not _are_names(rows[0].cells, _kinds(rows[1:], width)):
        names = _names_above(lines[top - 1], rows, width, separator) if top else None
        notes = _note_of_lines(top - (names is not None))
        if names is None and width > 1:
            notes.append("The first line holds values, so the columns have numbers for names.")
        return names, top, tuple(notes)
    units = _text_above_numbers(rows[1:], width)
    if len(rows) < 2 + len(units):
        raise SeriesError("has no rows under its first line, wanted names, then at least one row")
    held = next((line for line in units if _has_known(line.cells)), rows[0])
    held = rows[0] if _has_known(rows[0].cells) else held
    notes = _note_of_lines(lines.index(held))
    notes += [
        f"Line {line.number} ({_list_cells(line.cells)}) is taken for units, left out."
        for line in units
        if line.number > held.number
    ]
    return held.cells, lines.index(rows[1 + len(units)]), tuple(notes)


def _note_of_lines(n: int) -> list[str]:
    return [f"{count_of(n, 'line')} above the table: passed over."] if n else []


def _list_cells(cells: list[str]) -> str:
    return ", ".join(cells[:4]) + (", …" if len(cells) > 4 else "")


def _has_known(cells: Sequence[str]) -> bool:
    return any(cell.strip(" '\"").lower() in KNOWN for cell in cells)


def few_rows(width: int) -> int:
    """Return how many rows of a table are looked at cell by cell: fewer where rows are long."""
    return max(2, min(20, 10_000 // max(width, 1)))


def _kinds(rows: Sequence[_Line], width: int) -> list[str]:
    """Return what most cells of each column look like, "missing" if there are none."""
    counts = [Counter[str]() for _ in range(width)]
    for line in rows[: few_rows(width)]:
        for count, cell in zip(counts, line.cells, strict=False):
            count[kind_of(cell)] += 1
    for count in counts:
        del count["missing"]
    return [count.most_common(1)[0][0] if count else "missing" for count in counts]


def _are_names(cells: list[str], below: list[str]) -> bool:
    """Return whether a line holds names: text where the cells below are of another kind.

    0, 1, 2, … are names too: pandas writes frames without names so.
    """
    if _has_known(cells):
        return True
    count = [str(i) for i in range(len(cells))]
    if (cells == count or cells == ["", *count[:-1]]) and len(cells) > 1:
        return True
    kinds = [kind_of(cell) for cell in cells]
    if all(kind in ("number", "missing") for kind in kinds):
        return False
    if all(kind == "text" or not cell for kind, cell in zip(kinds, cells, strict=True)):
        return True
    if any(a != b and "missing" not in (a, b) for a, b in zip(kinds, below, strict=True)):
        return True
    return "date" not in kinds and _is_regular([c for c in cells if kind_of(c) == "number"])


def _is_regular(cells: list[str]) -> bool:
    """Return whether numbers count from 0, 1 or a year, as names of columns do."""
    if len(cells) < 2 or not all(cell.isdecimal() and len(cell) < 20 for cell in cells):
        return False
    first, *_ = values = [int(cell) for cell in cells]
    counts = (first in (0, 1)) | (1900 <= first <= 2100)
    return counts and all(b == a + 1 for a, b in pairwise(values))


def _names_above(line: _Line, rows: list[_Line], width: int, separator: str) -> list[str] | None:
    """Return names from the line above the first row: a comment, or of another width."""
    text = line.text.strip().lstrip("#%/!").strip()
    cells = [cell.strip() for cell in next(csv.reader([text], delimiter=separator), [])]
    if not cells or not all(kind_of(cell) == "text" or not cell for cell in cells):
        return None
    if len(cells) == width:
        return cells
    if _is_comment(line) or len(cells) < 2:
        return None
    if len(cells) < width and not any(any(row.cells[len(cells) :]) for row in rows):
        return [*cells, *[""] * (width - len(cells))]
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    clock = clock_column([row.cells for row in rows])
    if len(cells) == width - 1 and clock is not None:
        return [*cells[:clock], "", *cells[clock:]]
    if len(cells) == width - 1 and separator != ",":
        return ["", *cells]
    raise SeriesError(
        f"line {rows[0].number}: got {width} cells with {SEPARATORS[separator]} between under "
        f"{len(cells)} names in line {line.number}: give every line the same number, and write "
        "decimal commas as points"
    )


def clock_column(rows: list[list[str]]) -> int | None:
    """Return the number of a column of clocks that stands right of a column of dates."""
    for j in range(1, len(rows[0])):
        pairs = [(row[j - 1], row[j]) for row in rows if row[j]]
        if pairs and all(_CLOCK.fullmatch(b) and _DAY.fullmatch(a) for a, b in pairs):
            return j
    return None


def _text_above_numbers(rows: list[_Line], width: int) -> list[_Line]:
    """Return the lines under the names that hold text where all below holds numbers or dates."""
    found: list[_Line] = []
    for i, line in enumerate(rows[:3]):
        kinds, below = [kind_of(cell) for cell in line.cells], _kinds(rows[i + 1 :], width)
        values = [k for k in range(width) if below[k] in ("number", "date")]
        if {"number", "date"} & set(kinds) or not values:
            break
        found.append(line)
    while found and not _is_unit(found[-1], _kinds(rows[len(found) :], width)):
        found.pop()
    return found


def _is_unit(line: _Line, below: list[str]) -> bool:
    pairs = zip(line.cells, below, strict=True)
    return any(kind_of(cell) == "text" and kind in ("number", "date") for cell, kind in pairs)


def _padded_columns(texts: list[str], separator: str) -> frozenset[int]:
    """Return the numbers of columns with blanks around cells that are not in quotes."""
    plain = re.sub(r'"(?:[^"]|"")*"', "q", "".join(texts))
    lines = [line.split(separator) for line in plain.split("\n")]
    return frozenset(
        j
        for cells in lines
        for j, cell in enumerate(cells)
        if cell and cell != cell.strip(" \u00a0\t" if separator != "\t" else " \u00a0")
    )
