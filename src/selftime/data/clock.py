"""Clocks: what the stamps of series are, the rule that they follow, and the stamps after them."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int64

from selftime.data.arrays import SeriesError
from selftime.data.digits import Digits, dates_of_digits, digits_of_dates
from selftime.data.rules import (
    DAY,
    HOUR,
    MOST_OFF,
    FixedStep,
    Months,
    OpenHours,
    Rule,
    numbers_of,
    rule_in_words,
)

MONTH = 27 * DAY
"""Stamps of months are at least so far apart."""
OFTEN = 0.3
"""A weekday or an hour belongs to a pattern that has this share of the stamps of the fullest."""


class Stamps(NamedTuple):
    """The zone and kind of times as they came in, so that they go out the same.

    Attributes:
        zone: time zone such as "Europe/Berlin" or "+02:00"; None where stamps have none. Times are
            then in UTC, else as the clock on the wall showed.
        kind: "time" of day and date, "date" alone, plain "number" (seconds, steps), or a number
            that is read as a date, such as "yyyymmdd".
    """

    zone: str | None = None
    kind: Literal["time", "date", "number"] | Digits = "time"

    def column(self, times: np.ndarray) -> pa.Array:
        """Return times as a column of a table, of the type and in the zone in which they came.

        Example:
            >>> import numpy as np
            >>> Stamps(kind="yyyymm").column(np.array(["2024-02-01"], "datetime64[ns]")).to_pylist()
            [202402]
        """
        if times.dtype.kind != "M":
            return pa.array(times)
        if self.kind == "date":
            return pa.array(times.astype("datetime64[D]"))
        if self.kind != "time" and self.kind != "number":
            return pa.array(digits_of_dates(times, self.kind))
        return pa.array(times, pa.timestamp("ns", self.zone))

    def wall_clock(self, times: np.ndarray) -> np.ndarray:
        """Return times as the clock on the wall of their zone shows them; numbers as they are."""
        if times.dtype.kind != "M" or self.zone is None:
            return times
        return np.asarray(pc.local_timestamp(self.column(times)))

    def words(self, times: np.ndarray) -> list[str]:
        """Return times as text: ISO 8601, with the offset of their zone if they have one.

        Example:
            >>> import numpy as np
            >>> Stamps("Asia/Kolkata").words(np.array(["2024-03-01T00:00"], "datetime64[ns]"))
            ['2024-03-01T05:30:00+05:30']
        """
        return [str(word) for word in iso_text(self.column(times)).to_pylist()]


def iso_text(column: pa.Array) -> pa.Array:
    """Return times of a column as ISO 8601, no longer than they must be; others as plain text."""
    if not pa.types.is_timestamp(column.type):
        return column.cast(pa.string())
    zone = column.type.tz
    for unit in ("s", "ms", "us", "ns"):
        shorter = column.cast(pa.timestamp(unit, zone), safe=False)
        if shorter.cast(column.type, safe=False).equals(column):
            break
    text = pc.strftime(shorter, "%Y-%m-%dT%H:%M:%S" + ("%z" if zone else ""))
    return pc.replace_substring_regex(text, r"([+-]\d\d)(\d\d)$", r"\1:\2") if zone else text


def in_zone(times: np.ndarray, stamps: Stamps, zone: str | None) -> tuple[np.ndarray, Stamps]:
    """Return stamps in UTC with a zone: those that have none are read as the clock there showed.

    An hour that the clock showed twice is the first of both where time goes on, else the second.
    """
    if zone is None or stamps.zone is not None:
        return times, stamps if zone is None else stamps._replace(zone=zone)
    local = pa.array(times.astype("datetime64[ns]"))
    try:
        early, late = (
            np.asarray(pc.assume_timezone(local, zone, ambiguous=one, nonexistent="latest"))
            for one in ("earliest", "latest")
        )
    except (pa.ArrowInvalid, OSError):
        raise SeriesError(
            f"got the time zone {zone!r}, wanted a name such as Europe/Berlin: check its spelling"
        ) from None
    back = np.r_[False, early[1:] <= early[:-1]] & (early != late)
    return np.where(back, late, early), stamps._replace(zone=zone)


def dates_in(
    numbers: Float[np.ndarray, "T"] | Int64[np.ndarray, "T"],
) -> tuple[np.ndarray, Stamps] | None:
    """Return the dates (T,) that numbers such as 20240628 or 200912 write; None for others.

    Every one must be a date between 1800 and 2199, and there must be at least two.

    Example:
        >>> dates_in(np.array([202411.0, 202412.0]))[0].astype("datetime64[D]").tolist()
        [datetime.date(2024, 11, 1), datetime.date(2024, 12, 1)]
    """
    whole = np.asarray(numbers).astype(np.int64)
    if len(whole) < 2 or not (whole == numbers).all():
        return None
    found = dates_of_digits(whole, years=(1800, 2199))
    return found and (found[0].astype("datetime64[ns]"), Stamps(None, found[1]))


class Clock(NamedTuple):
    """The rule that the stamps of a series follow; None where there is none.

    Days and longer steps follow the clock on the wall of the zone, shorter ones time itself. The
    reason says the rule in words, or why there is none.

    Example:
        >>> import numpy as np
        >>> ends = np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[ns]")
        >>> clock = Clock.of(ends)
        >>> clock.next(ends[-1], 2).astype("datetime64[D]").tolist()
        [datetime.date(2024, 4, 30), datetime.date(2024, 5, 31)]
    """

    rule: Rule | None
    reason: str = ""

    @classmethod
    def of(cls, times: np.ndarray, stamps: Stamps | None = None) -> "Clock":
        """Recognise the rule of rising stamps (T,): numbers, or datetimes, in UTC with a zone.

        A few absent or late stamps do not hide it. Of rules that hold, the one with the fewest
        absent stamps counts; opening hours must explain most of those that others lack.
        """
        if len(times) < 2:
            return cls(None, "a single stamp has no step")
        numbers = numbers_of(times, None)
        steps = np.diff(numbers)
        if (steps <= 0).any():
            return cls(None, "stamps do not rise")
        is_time = times.dtype.kind == "M"
        zone = stamps.zone if stamps is not None and is_time else None
        best: Rule | None = None
        least = np.inf
        for rule in _plain_rules(times, steps, zone, is_time=is_time):
            found = rule.places(times)
            if found.cost < least and found.is_kept:
                best, least = rule, found.cost
            if least == 0:
                break
        hours = _open_hours(numbers_of(times, zone), zone) if is_time and least > 0 else None
        if hours is not None and (best is None or _explain_more(hours, best, times)):
            best = hours if hours.places(times).is_kept else best
        if best is None or (isinstance(best, FixedStep) and _is_unknown_calendar(best, times)):
            return cls(None, "stamps follow no rule")
        return cls(best, rule_in_words(best, is_time=is_time))

    def next(self, last: np.generic | int | float, k: int) -> np.ndarray:
        """Return the ``k`` stamps after the last one (k,).

        Raises:
            ValueError: the clock has no rule.
        """
        return self.shift(np.repeat(np.asarray(last)[None], k), np.arange(1, k + 1))

    def shift(self, times: np.ndarray, k: Int64[np.ndarray, "T"]) -> np.ndarray:
        """Return the stamps ``k`` places after others (T,)."""
        if self.rule is None:
            raise ValueError(f"{self.reason}: there is no stamp after another")
        return self.rule.shift(times, k)

    def places(self, times: np.ndarray) -> Int64[np.ndarray, "T"]:
        """Return the place of each stamp on the grid, from 0, rising; a jump says what is absent.

        Stamps beside the grid keep a place of their own. Without a rule places are consecutive.
        """
        if self.rule is None:
            return np.arange(len(times))
        return np.append(0, np.cumsum(np.maximum(self.rule.places(times).jumps, 1)))

    def number(self, time: np.generic) -> int:
        """Return which step of its rule a stamp is, counted alike in all series of the rule.

        Raises:
            ValueError: the clock has no rule.
        """
        if self.rule is None:
            raise ValueError(f"{self.reason}: stamps have no number")
        one = np.asarray(time)[None]
        if not isinstance(self.rule, FixedStep):
            return int(self.rule.places(one).at[0])
        at = numbers_of(one, self.rule.zone)[0] - (self.rule.phase or 0)
        return int(np.rint(at / self.rule.step))

    def follows(self, times: np.ndarray) -> bool:
        """Return whether stamps keep the rule to the letter, none of them absent."""
        if self.rule is None or len(times) < 2 or self.rule.places(times).cost > 0:
            return False
        return bool((self.rule.shift(times, np.zeros(len(times), np.int64)) == times).all())

    def without_phase(self) -> "Clock":
        """Return the same rule for a series that begins at another phase."""
        rule = self.rule
        return (
            self._replace(rule=rule._replace(phase=None)) if isinstance(rule, FixedStep) else self
        )


def _is_unknown_calendar(rule: FixedStep, times: np.ndarray) -> bool:
    """Return whether steps of whole days vary as those of a calendar do, not by chance."""
    numbers = numbers_of(times, rule.zone)
    off = rule.places(times).off > 1e-6
    whole_days = times.dtype.kind == "M" and bool((np.diff(numbers) % DAY == 0).all())
    return whole_days and bool(off.mean() > MOST_OFF)


def _plain_rules(
    times: np.ndarray, steps: np.ndarray, zone: str | None, *, is_time: bool
) -> Iterator[Rule]:
    """Yield the rules that stamps may follow, the plainest first."""
    if is_time and steps.min() >= MONTH:
        yield from _months(numbers_of(times, zone), zone)
    if zone is not None and np.median(steps) > 22 * HOUR:
        local = numbers_of(times, zone)
        yield from (
            FixedStep(step, _phase(local, step), zone)
            for step in _steps_of(np.diff(local))
            if step % DAY == 0
        )
    numbers = numbers_of(times, None)
    yield from (FixedStep(step, _phase(numbers, step)) for step in _steps_of(steps))


def _steps_of(steps: np.ndarray) -> list[int | float]:
    """Return steps that may be the one of the grid: the most frequent, the median, the divisor."""
    middle = np.sort(steps)[len(steps) // 2]
    if steps.dtype.kind != "i":
        near = steps[np.abs(steps - middle) < 1e-6 * middle]
        return [float(np.median(near))]
    found, counts = np.unique(steps, return_counts=True)
    every = [found[counts.argmax()], middle, np.gcd.reduce(found)]
    return [int(step) for step in dict.fromkeys(every)]


def _phase(numbers: np.ndarray, step: int | float) -> int | None:
    """Return the remainder that most stamps have; None where there is none."""
    if numbers.dtype.kind != "i" or not step:
        return None
    found, counts = np.unique(numbers % int(step), return_counts=True)
    return int(found[counts.argmax()]) if counts.max() > len(numbers) / 2 else None


def _months(local: Int64[np.ndarray, "T"], zone: str | None) -> Iterator[Months]:
    """Yield the months that stamps may be of, on the days on which most are."""
    dates, hours = np.divmod(local, DAY)
    month = dates.astype("datetime64[D]").astype("datetime64[M]")
    day = int(_mode_of(dates - month.astype("datetime64[D]").astype(np.int64))) + 1
    number, hour = month.astype(np.int64), int(_mode_of(hours))
    for step in _steps_of(np.diff(number)):
        if step < 1:
            continue
        phase = int(_mode_of(number % int(step)))
        for one in (31, "last", day, "first") if day > 24 else (day, "first"):
            yield Months(int(step), phase, one, hour, zone)


def _open_hours(local: Int64[np.ndarray, "T"], zone: str | None) -> OpenHours | None:
    """Return the weekdays and hours on which stamps come again and again; all days in a week."""
    dates, hour = np.divmod(local, DAY)
    days = np.unique(dates)
    found, counts = np.unique(hour, return_counts=True)
    hours = found[counts >= OFTEN * counts.max()]
    weekdays, on = np.unique((days + 3) % 7, return_counts=True)
    weekdays = weekdays[on >= OFTEN * on.max()] if days[-1] - days[0] >= 7 else np.arange(7)
    if len(hours) * 2 > len(local):
        return None
    return OpenHours(tuple(map(int, weekdays)), tuple(map(int, hours)), zone)


def _explain_more(hours: OpenHours, plain: Rule, times: np.ndarray) -> bool:
    """Return whether hours make what is absent so much likelier that chance cannot be the reason.

    The gain in log likelihood, where every place is absent with the same chance, must be more than
    that of choosing the weekdays and the spans of hours that are left out, and of stamps that come
    all the same.
    """
    step = plain.step if isinstance(plain, FixedStep) else DAY
    spans = int((np.diff([*hours.hours, hours.hours[0] + DAY]) > step).sum())
    is_usual = hours.days in ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6))
    days = 1.5 if is_usual else (7 - len(hours.days)) * np.log(7)
    choices = 2 + days + 2 * spans * np.log(max(DAY / step, 2))
    found, T = hours.places(times), len(times)
    gain = _likelihood(found.absent, T) - _likelihood(plain.places(times).absent, T)
    return bool(gain > choices + 5 * (found.off > 0).sum())


def _likelihood(absent: int, present: int) -> float:
    every = absent + present
    return float(absent * np.log(max(absent, 1) / every) + present * np.log(present / every))


def _mode_of(values: np.ndarray) -> np.int64:
    found, counts = np.unique(values, return_counts=True)
    return np.int64(found[counts.argmax()])
