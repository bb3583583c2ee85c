"""Dates that whole numbers write: 20240628, 2024180, 202406, 202426, 20242; a part a column."""

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Int64, Shaped

from selftime.data.cells import numbers_in
from selftime.data.schema import TIME_NAMES, plain_name

Digits = Literal["yyyymmdd", "yyyyddd", "yyyymm", "yyyyww", "yyyyq"]
"""Day of a month, day of a year, month, ISO week and quarter."""
_PER_YEAR: dict[Digits, int] = {
    "yyyymmdd": 10_000,
    "yyyyddd": 1000,
    "yyyymm": 100,
    "yyyyww": 100,
    "yyyyq": 10,
}
_DOZEN = 12
"""Numbers from which on days or weeks of one year are believed."""


def dates_of_digits(
    numbers: Int64[np.ndarray, "T"], *, years: tuple[int, int]
) -> tuple[Shaped[np.ndarray, "T"], Digits] | None:
    """Return the dates (T,) that numbers write, the first day of each, and how; None for others.

    Every number must be a date between two years. Weeks are those numbers that cannot be months.
    Numbers may also count steps: so days of years, weeks and quarters must differ, and be of more
    years than one, or a dozen days or weeks.

    Example:
        >>> dates_of_digits(np.array([2023365, 2024001]), years=(1900, 2100))[0].tolist()
        [datetime.date(2023, 12, 31), datetime.date(2024, 1, 1)]
    """
    for kind, per_year in _PER_YEAR.items():
        year, part = np.divmod(numbers, per_year)
        if ((year < years[0]) | (year > years[1])).any():
            continue
        dates = _begin(kind, year, part)
        is_sure = kind in ("yyyymmdd", "yyyymm") or (
            np.ptp(part) > 0 and (np.ptp(year) > 0 or (kind != "yyyyq" and len(numbers) >= _DOZEN))
        )
        if is_sure and not np.isnat(dates).any():
            return dates, kind
    return None


_DATE_PARTS, _MOST = ("year", "month", "day", "hour", "minute", "second"), 1e6
"""Columns that make a time together, and more than any of their numbers."""


def date_parts(names: Sequence[str], kept: Collection[str] = ()) -> list[str]:
    """Return the columns of the year, the month and what follows that together are a time.

    There are none where the month is missing, where another column is a time by its name, or where
    one of them is to be ``kept``.
    """
    own = {plain_name(name): name for name in reversed(names)}
    used = [own[part] for part in takewhile(own.__contains__, _DATE_PARTS)]
    known = own.keys() & set(TIME_NAMES)
    return [] if len(used) < 2 or known or {*kept} & {*used} else used


def with_joined_parts(cells: Any, kept: Collection[str] = ()) -> tuple[Any, tuple[str, ...]]:
    """Join :func:`date_parts` of a table into one column of times, and say so.

    A table stays as it is where one of them holds anything but whole numbers that make a date.
    """
    used = date_parts(cells.column_names, kept)
    found = [numbers_in(cells.column(name), ("",)) for name in used]
    numbers = [part for part in found if part is not None and (part == np.rint(part)).all()]
    if not used or len(numbers) < len(used) or np.abs(numbers).max() > _MOST:
        return cells, ()
    parts = [part.astype(np.int64) for part in numbers]
    parts += [np.full(cells.num_rows, least) for least in (1, 0, 0, 0)[len(parts) - 2 :]]
    year, month, day, hour, minute, second = parts
    dates = days_of(year, month, day)
    clock = (hour >= 0) & (hour <= 24) & (minute >= 0) & (minute < 60) & (second >= 0)
    if np.isnat(dates).any() or not (clock & (second < 61)).all():
        return cells, ()
    times = dates.astype("M8[s]") + (hour * 60 + minute) * 60 + second
    name = "date" if len(used) < 4 else "time"
    text = pa.array(np.datetime_as_string(times, unit="D" if len(used) < 4 else "s"))
    cells = cells if isinstance(cells, pa.Table) else cells.read()
    place = cells.column_names.index(used[0])
    note = f"Columns {', '.join(map(repr, used))} are joined into one of times, {name!r}."
    return cells.add_column(place, name, text).drop_columns(used), (note,)


def _begin(kind: Digits, year: np.ndarray, part: np.ndarray) -> np.ndarray:
    one = np.ones_like(part)
    if kind == "yyyymmdd":
        return days_of(year, part // 100, part % 100)
    if kind == "yyyyddd":
        dates = days_of(year, one, one) + (part - 1)
        within = dates.astype("M8[Y]") == (year - 1970).astype("M8[Y]")
        return np.where(within, dates, np.datetime64("NaT", "D"))
    if kind == "yyyyww":
        return weeks_of(year, part, one)
    return days_of(year, 3 * part - 2 if kind == "yyyyq" else part, one)


def digits_of_dates(times: Shaped[np.ndarray, "T"], kind: Digits) -> Int64[np.ndarray, "T"]:
    """Return dates (T,) as the numbers that :func:`dates_of_digits` reads.

    Example:
        >>> digits_of_dates(np.array(["2024-12-30"], "M8[D]"), "yyyyww").tolist()
        [202501]
    """
    days = times.astype("M8[D]")
    if kind == "yyyyww":
        days = days + (3 - (days.astype(np.int64) + 3) % 7)  # the Thursday tells the year
    year = days.astype("M8[Y]")
    day = (days - year).astype(np.int64)
    month = (days.astype("M8[M]") - year).astype(np.int64)
    of_month = (days - days.astype("M8[M]")).astype(np.int64) + 1
    part = {
        "yyyymmdd": (month + 1) * 100 + of_month,
        "yyyyddd": day + 1,
        "yyyymm": month + 1,
        "yyyyww": day // 7 + 1,
        "yyyyq": month // 3 + 1,
    }[kind]
    return np.asarray((year.astype(np.int64) + 1970) * _PER_YEAR[kind] + part)


def days_of(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return days as datetime64[D], NaT where the calendar has none."""
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    days = months.astype("M8[D]") + (day - 1)
    good = (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("M8[M]") == months)
    return np.where(good, days, np.datetime64("NaT", "D"))


def weeks_of(year: np.ndarray, week: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return days of ISO weeks, NaT where a year has no such week: the first one has 4 January."""
    fourth = days_of(year, np.ones_like(year), np.full_like(year, 4))
    weekday = (fourth.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    monday = fourth - weekday + 7 * (week - 1)
    good = (week >= 1) & (day >= 1) & (day <= 7)
    good &= (monday + 3).astype("M8[Y]") == fourth.astype("M8[Y]")
    return np.where(good, monday + (day - 1), np.datetime64("NaT", "D"))
