"""Times of text cells: ISO 8601, dates in any order, parts of years, epochs, clocks."""

from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selftime.data.arrays import SeriesError
from selftime.data.cells import MONTH_NAMES
from selftime.data.digits import Digits, dates_of_digits, days_of, weeks_of
from selftime.data.formats.text import Where, cast_all, cast_or_none, shortened
from selftime.door import option

Kind = Literal["time", "date", "number"] | Digits

A_TIME = "a time like 2024-01-31 23:59:00, or a number as in the first row: write one for each row"
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CLOCK = (
    r"(?:[T ,]+(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm])?)?$"
)
DATES = (
    r"^(?P<a>\d{1,4})(?P<sep>[-/.])(?P<b>\d{1,2})[-/.](?P<c>\d{1,4})\.?" + CLOCK,
    r"^(?P<a>\d{1,2})(?P<sep>[- ./])\s*(?P<b>[A-Za-z]{3})[a-z]*[-,. /]+(?P<c>\d{2,4})" + CLOCK,
    r"^(?P<b>[A-Za-z]{3})[a-z]*(?P<sep>[-. ])\s*(?P<a>\d{1,2}),?[- ]+(?P<c>\d{2,4})" + CLOCK,
)
"""Dates of three parts, the second and third pattern with the name of a month."""

YEARS = (
    r"^(?P<year>\d{4})[-/. ]?(?P<unit>[Ww])(?P<part>\d{1,2})(?:-(?P<day>\d))?$",
    r"^(?P<unit>[Ww])(?P<part>\d{1,2})[-/. ](?P<year>\d{4})(?P<day>)$",
    r"^(?P<year>\d{4})[-/. ]?(?P<unit>[QqHhSsMm]?)(?P<part>\d{1,2})$",
    r"^(?P<unit>[QqHhSsMm]?)(?P<part>\d{1,2})[-/. ](?P<year>\d{4})$",
    r"^(?P<part>" + MONTH_NAMES + r")(?P<unit>)[-/. ]+(?P<year>\d{4}|\d{2})$",
    r"^(?P<year>\d{4})[-/. ]+(?P<part>" + MONTH_NAMES + r")(?P<unit>)$",
)
"""A year and a part of it: a week, a quarter, a half, a month by number or by name."""

ZONE = r"(?P<zone>Z|[+-]\d{2}:?\d{2}|[+-]\d{2})$"


class ParsedTimes(NamedTuple):
    """Times of text cells.

    Attributes:
        times: (R,) datetime64[ns], or int64 or float64 where ``kind`` is "number".
        zone: the offset that all cells carry, such as "+02:00", "UTC" where they differ, or None;
            with a zone the times are in UTC.
        kind: "time", "date" (days alone), "number", "yyyymmdd" or "yyyymm".
        notes: what was decided, a sentence each.
    """

    times: np.ndarray
    zone: str | None
    kind: Kind
    notes: tuple[str, ...] = ()


def parse_times(cells: Any, where: Where, *, epochs: bool = True) -> ParsedTimes:
    """Parse the times of a column of text.

    Example:
        >>> import pyarrow as pa
        >>> days = pa.array(["30.12.2024", "31.12.2024"], pa.large_string())
        >>> parse_times(days, str).times.astype("M8[D]").astype(str).tolist()
        ['2024-12-30', '2024-12-31']

    Args:
        cells: (R,) an arrow array of text.
        where: gives the place of the k-th cell, for messages.
        epochs: read whole numbers of 10, 13, 16 or 19 digits as seconds, milliseconds … since
            1970 in UTC; False leaves them numbers.

    Raises:
        SeriesError: a cell that is no time; the message names its place.
    """
    if cells.null_count:
        k = pc.index(cells.is_null(), True).as_py()
        raise SeriesError(f"{where(k)}: got no time, wanted one for each row: drop the row")
    trimmed = pc.utf8_trim_whitespace(cells)
    if len(trimmed) > 1 and _extract(trimmed, r"^(?P<m>(?:19|20)\d\d\.(?:0[1-9]|1[0-2]))$"):
        note = f"{trimmed[0].as_py()} in the column of times is read as a month of a year"
        return parse_times(pc.replace_substring(trimmed, ".", "-"), where)._replace(notes=(note,))
    if cast_or_none(trimmed[:1], pa.float64()) is not None:
        plain = np.asarray(cast_all(trimmed, pa.float64(), where, A_TIME))
        ints = cast_or_none(trimmed, pa.int64())
        return times_of_numbers(plain if ints is None else np.asarray(ints), epochs=epochs)
    for parse in (_iso, _iso_with_zone, _part_of_year, _clock_alone):
        parsed = parse(trimmed)
        if parsed is not None:
            return parsed
    return _of_parts(trimmed, where)


def times_of_numbers(numbers: np.ndarray, *, epochs: bool = True) -> ParsedTimes:
    """Read whole numbers as dates (20240131, 202401, …) or epochs where all of them are such.

    Args:
        numbers: (R,) ints or floats; floats stay numbers.
        epochs: read numbers of 10, 13, 16 or 19 digits as times since 1970 in UTC.
    """
    if numbers.dtype.kind not in "iu" or not len(numbers):
        return ParsedTimes(numbers, None, "number")
    found = dates_of_digits(numbers.astype(np.int64), years=(1900, 2100))
    if found:
        note = f"{numbers[0]} in the column of times is read as a date ({found[1]})"
        return ParsedTimes(found[0].astype("M8[ns]"), None, found[1], (note,))
    low, high = int(numbers.min()), int(numbers.max())
    unit = {10: "s", 13: "ms", 16: "us", 19: "ns"}.get(len(str(low)))
    if epochs and unit and low > 0 and len(str(low)) == len(str(high)):
        times = numbers.astype(f"M8[{unit}]").astype("M8[ns]")
        day = times.min().astype("M8[s]")
        note = f"{low} in the column of times is read as {unit} since 1970 in UTC ({day})"
        return ParsedTimes(times, "UTC", "time", (note,))
    return ParsedTimes(numbers, None, "number")


def _iso(cells: Any) -> ParsedTimes | None:
    times = cast_or_none(cells, pa.timestamp("ns"))
    if times is None or times.null_count:
        return None
    days = pc.all(pc.less_equal(pc.utf8_length(cells), 10)).as_py()
    return ParsedTimes(np.asarray(times), None, "date" if days else "time")


def _iso_with_zone(cells: Any) -> ParsedTimes | None:
    """Read ISO times that end in Z or in an offset, in UTC."""
    if not _has_zone(cells):
        return None
    plain = pc.replace_substring_regex(cells, r"\s*(UTC|GMT)$", "Z")
    plain = pc.replace_substring_regex(plain, r"\s+([+-][\d:]+)$", r"\1")
    times = cast_or_none(plain, pa.timestamp("ns", "UTC"))
    if times is None or times.null_count:
        return None
    ends = pc.unique(pc.struct_field(pc.extract_regex(plain, ZONE), "zone")).to_pylist()
    offsets = sorted({_offset(end) for end in ends})
    if len(offsets) == 1:
        return ParsedTimes(np.asarray(times), offsets[0], "time")
    note = (
        f"times carry the offsets {', '.join(offsets)} and are kept in UTC; "
        f"{option('time_zone', 'Europe/Berlin')} names the zone that they come from"
    )
    return ParsedTimes(np.asarray(times), "UTC", "time", (note,))


def _has_zone(cells: Any) -> bool:
    matches = pc.match_substring_regex(cells[:1], r":\d.*(Z|UTC|GMT|[+-]\d\d:?(\d\d)?)$")
    return bool(pc.any(matches).as_py())


def _offset(end: str) -> str:
    digits = end[1:].replace(":", "").ljust(4, "0")
    return "UTC" if digits == "0000" else f"{end[0]}{digits[:2]}:{digits[2:]}"


def _part_of_year(cells: Any) -> ParsedTimes | None:
    """Read months, quarters, halves and ISO weeks of years as the day on which each begins."""
    parts = next((found for each in YEARS if (found := _extract(cells, each))), None)
    if parts is None:
        return None
    unit, part, year = pc.utf8_lower(parts["unit"]), parts["part"], _ints(parts["year"])
    note: tuple[str, ...] = ()
    if pc.match_substring_regex(part[:1], "[A-Za-z]")[0].as_py():
        names = pc.utf8_lower(pc.utf8_slice_codeunits(part, 0, 3))
        number = _ints(pc.index_in(names, value_set=pa.array(MONTHS, cells.type)).fill_null(-1)) + 1
        if pc.utf8_length(parts["year"])[0].as_py() == 2:
            if len(year) > 1 and number[0] == number[1] and year[0] != year[1]:
                return None  # rather days of a month
            note = (f"{cells[0].as_py()!r} in the column of times is read as a month of a year",)
        year = _whole_year(parts["year"])
    else:
        number = _ints(part)
    if len(kinds := pc.unique(unit).to_pylist()) > 1:
        return None
    if kinds[0] == "w":
        day = _ints(pc.if_else(pc.equal(parts["day"], ""), "1", parts["day"]))
        days = weeks_of(year, number, day).astype("M8[ns]")
    else:
        length = {"q": 3, "h": 6, "s": 6}.get(kinds[0], 1)
        days = _days(year, (number - 1) * length + 1, np.ones_like(number))
    return None if np.isnat(days).any() else ParsedTimes(days, None, "date", note)


def _clock_alone(cells: Any) -> ParsedTimes | None:
    """Read a clock without days as seconds: ``00:01:30.5`` is 90.5."""
    parts = _extract(cells, r"^(?P<h>\d+):(?P<min>\d{2})(?::(?P<s>\d{2}(?:[.,]\d+)?))?$")
    if parts is None:
        return None
    note = f"{cells[0].as_py()} in the column of times has no day, so it is read as seconds"
    return ParsedTimes(_seconds(parts), None, "number", (note,))


def _of_parts(cells: Any, where: Where) -> ParsedTimes:
    """Read dates of three parts in any order, with a clock or without."""
    pattern = next((each for each in DATES if _extract(cells[:1], each)), None)
    if pattern is None:
        kind = pa.timestamp("ns", "UTC" if _has_zone(cells) else None)
        cast_all(cells, kind, where, A_TIME)  # says which cell is none
        pattern = DATES[0]
    parts = _extract(cells, pattern)
    if parts is None:
        _refuse(cells, pc.extract_regex(cells, pattern).is_valid(), where)
    assert parts is not None
    year, month, day, notes = _in_order(parts, cells, where)
    days = _days(year, month, day)
    if np.isnat(days).any():
        _refuse(cells, pa.array(~np.isnat(days)), where)
    clock = np.rint(_seconds(parts) * 1e6).astype("m8[us]").astype("m8[ns]")
    is_clocked = pc.any(pc.not_equal(parts["h"], "")).as_py()
    return ParsedTimes(days + clock, None, "time" if is_clocked else "date", notes)


def _refuse(cells: Any, fits: Any, where: Where) -> NoReturn:
    k = pc.index(fits, False).as_py()
    raise SeriesError(f"{where(k)}: got {shortened(cells[k].as_py())}, wanted {A_TIME}")


def _in_order(
    parts: dict[str, Any], cells: Any, where: Where
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return year, month and day of dates, and what was decided on their order."""
    year = _whole_year(parts["c"])
    a = _ints(parts["a"])
    if pc.match_substring_regex(parts["b"][:1], "[A-Za-z]")[0].as_py():
        months = pc.index_in(pc.utf8_lower(parts["b"]), value_set=pa.array(MONTHS, cells.type))
        return year, _ints(months.fill_null(12)) + 1, a, ()
    b = _ints(parts["b"])
    if pc.utf8_length(parts["a"])[0].as_py() == 4:
        return a, b, _ints(parts["c"]), ()
    if (a > 12).any() and (b > 12).any():
        k, j = int(np.argmax(a > 12)), int(np.argmax(b > 12))
        raise SeriesError(
            f"{where(max(j, k))}: got {cells[max(j, k)].as_py()!r} after "
            f"{cells[min(j, k)].as_py()!r}, wanted days first or months first in the whole column: "
            "write dates as 2024-01-31"
        )
    first = (a > 12).any() or not ((b > 12).any() or parts["sep"][0].as_py() == "/")
    words = ("days", "months") if first else ("months", "days")
    k = int(np.argmax((a > 12) | (b > 12)))
    note = f"{cells[k].as_py()!r} in the column of times is read with {words[0]} first"
    if not ((a > 12) | (b > 12)).any():
        note += f"; it could have {words[1]} first as well: write dates as 2024-01-31 to be sure"
    return (year, b, a, (note,)) if first else (year, a, b, (note,))


def _whole_year(cells: Any) -> np.ndarray:
    """Return years, those of two digits from 1969 to 2068."""
    year = _ints(cells)
    return np.where(_ints(pc.utf8_length(cells)) > 2, year, year + 1900 + 100 * (year < 69))


def _days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return days as datetime64[ns], NaT where the calendar or nanoseconds have none."""
    good = (year > 1677) & (year < 2262)
    days = np.where(good, days_of(year, month, day), np.datetime64("NaT", "D"))
    return days.astype("M8[ns]")


def _seconds(parts: dict[str, Any]) -> np.ndarray:
    """Return the seconds since midnight of parts of a clock, 0 where there is none."""
    texts = [pc.if_else(pc.equal(parts[name], ""), "0", parts[name]) for name in ("h", "min", "s")]
    texts[2] = pc.replace_substring(texts[2], ",", ".")
    hours, minutes, seconds = (np.asarray(text.cast(pa.float64())) for text in texts)
    if "half" in parts:
        half = pc.utf8_lower(parts["half"])
        noon = np.asarray(pc.starts_with(half, "p")) & (hours < 12)
        midnight = np.asarray(pc.starts_with(half, "a")) & (hours == 12)
        hours = hours + 12 * noon - 12 * midnight
    return np.asarray(hours * 3600 + minutes * 60 + seconds)


def _extract(cells: Any, pattern: str) -> dict[str, Any] | None:
    """Return the named groups of a pattern that all cells match, else None."""
    if not len(cells) or pc.extract_regex(cells[:1], pattern).null_count:
        return None
    found = pc.extract_regex(cells, pattern)
    if found.null_count:
        return None
    return {field.name: found.field(field.name) for field in found.type}


def _ints(cells: Any) -> np.ndarray:
    return np.asarray(cells.cast(pa.int64()))
