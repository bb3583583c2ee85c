"""Rules that stamps follow: a fixed step, months and years, business days and opening hours."""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int64

HOUR, DAY = 3_600_000_000_000, 86_400_000_000_000
"""Nanoseconds."""
LATE = 0.25
"""A stamp this near to its place, in steps, is late or early; others have none."""
MOST_OFF = 0.1
"""Largest share of stamps without a place."""
FEWEST_NEXT = 0.2
"""Smallest share of stamps that come one step after another; events come as they like."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Places(NamedTuple):
    """Places of stamps on the grid of a rule, and how far off it each of them is, in steps."""

    at: Int64[np.ndarray, "T"]
    off: Float[np.ndarray, "T"]

    @property
    def jumps(self) -> Int64[np.ndarray, "T1"]:
        """Steps from each stamp to the next."""
        return np.diff(self.at)

    @property
    def absent(self) -> int:
        """Places between the first and the last that have no stamp."""
        return int(np.maximum(self.jumps - 1, 0).sum())

    @property
    def cost(self) -> float:
        """Share of absent places, and that of stamps that are off or share a place."""
        shared = np.append(self.jumps < 1, False)
        off = float(((self.off > 1e-6) | shared).mean())
        return self.absent / (self.absent + len(self.at)) + off

    @property
    def is_kept(self) -> bool:
        """True where stamps follow the rule but for a few."""
        T, lost = len(self.at), int((self.off > LATE).sum() + (self.jumps < 1).sum())
        return lost <= max(MOST_OFF * T, 2 if T >= 8 else 0) and bool(
            (self.jumps == 1).mean() >= FEWEST_NEXT
        )


class FixedStep(NamedTuple):
    """A step of nanoseconds or numbers; in a zone it is of days there, else of time itself.

    The phase is that of most stamps; None where each follows the one before it.
    """

    step: int | float
    phase: int | float | None = None
    zone: str | None = None

    def places(self, times: np.ndarray) -> Places:
        """Return how many steps each stamp is after the first; late ones keep their place."""
        ratio = np.diff(numbers_of(times, self.zone)) / self.step
        jumps = np.maximum(np.rint(ratio), 1)
        off = np.append(0.0, np.abs(ratio - jumps))
        return Places(np.cumsum(np.append(0, jumps)).astype(np.int64), off)

    def shift(self, times: np.ndarray, k: Int64[np.ndarray, "T"]) -> np.ndarray:
        """Return the stamps ``k`` steps after others."""
        at = numbers_of(times, self.zone)
        step = np.asarray(self.step)
        if self.phase is not None:
            late = at - self.phase - np.rint((at - self.phase) / step).astype(at.dtype) * step
            at = np.where(np.abs(late) <= LATE * step, at - late, at)
        return stamps_from(at + k * step, times, self.zone)


class Months(NamedTuple):
    """Every so many months on one day, 31 for the last; or the first or last business day."""

    months: int
    phase: int
    day: int | Literal["first", "last"]
    hour: int = 0
    zone: str | None = None

    def places(self, times: np.ndarray) -> Places:
        """Return how many steps each stamp is after the first."""
        local = numbers_of(times, self.zone)
        month = local.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
        right = (self._stamp(month) == local) & (month % self.months == self.phase)
        return Places((month - self.phase) // self.months, (~right).astype(np.float64))

    def shift(self, times: np.ndarray, k: Int64[np.ndarray, "T"]) -> np.ndarray:
        """Return the stamps ``k`` steps after others."""
        month = (self.places(times).at + k) * self.months + self.phase
        return stamps_from(self._stamp(month), times, self.zone)

    def _stamp(self, month: Int64[np.ndarray, "T"]) -> Int64[np.ndarray, "T"]:
        first = month.astype("datetime64[M]").astype("datetime64[D]")
        end = (month + 1).astype("datetime64[M]").astype("datetime64[D]") - 1
        if self.day == "first":
            days = np.busday_offset(first, 0, roll="forward")
        elif self.day == "last":
            days = np.busday_offset(end, 0, roll="backward")
        else:
            days = np.minimum(first + (self.day - 1), end)
        return np.asarray(days.astype("datetime64[ns]").astype(np.int64) + self.hour)


class OpenHours(NamedTuple):
    """Hours of the day, in nanoseconds, on some weekdays (Monday is 0): business days, trading."""

    days: tuple[int, ...]
    hours: tuple[int, ...]
    zone: str | None = None

    def places(self, times: np.ndarray) -> Places:
        """Return the place of each stamp; one between two has the place of the former."""
        date, hour = np.divmod(numbers_of(times, self.zone), DAY)
        week, weekday = np.divmod(date + 3, 7)
        day = np.searchsorted(self.days, weekday, side="right") - 1
        at = np.searchsorted(self.hours, hour, side="right") - 1
        is_open = np.isin(weekday, self.days)
        at = np.where(is_open, at, len(self.hours) - 1)
        off = ~(is_open & np.isin(hour, self.hours))
        return Places((week * len(self.days) + day) * len(self.hours) + at, off.astype(np.float64))

    def shift(self, times: np.ndarray, k: Int64[np.ndarray, "T"]) -> np.ndarray:
        """Return the stamps ``k`` places after others."""
        day, at = np.divmod(self.places(times).at + k, len(self.hours))
        week, which = np.divmod(day, len(self.days))
        date = week * 7 - 3 + np.array(self.days)[which]
        return stamps_from(date * DAY + np.array(self.hours, np.int64)[at], times, self.zone)


Rule = FixedStep | Months | OpenHours
_UNITS = {"week": 7 * DAY, "day": DAY, "hour": HOUR, "minute": HOUR // 60, "second": HOUR // 3600}


def rule_in_words(rule: Rule, *, is_time: bool = True) -> str:
    """Say a rule: ``"every 15 minutes"``, ``"every 3 months, on the last day"``.

    Example:
        >>> rule_in_words(FixedStep(2 * HOUR)), rule_in_words(Months(12, 0, 1))
        ('every 2 hours', 'every 12 months, on day 1')
    """
    if isinstance(rule, OpenHours):
        days = ", ".join(_WEEKDAYS[day] for day in rule.days)
        return f"{len(rule.hours)} times a day on {days}"
    if isinstance(rule, Months):
        names = {31: "the last day", "first": "the first business day"}
        last = "the last business day" if rule.day == "last" else f"day {rule.day}"
        return f"{_count('month', rule.months)}, on {names.get(rule.day, last)}"
    if not is_time:
        return f"a step of {rule.step:g}"
    for name, size in _UNITS.items():
        if rule.step % size == 0:
            return _count(name, int(rule.step // size))
    return f"every {rule.step / 1e9:g} seconds"


def _count(name: str, n: int) -> str:
    return f"every {name}" if n == 1 else f"every {n} {name}s"


def numbers_of(times: np.ndarray, zone: str | None) -> np.ndarray:
    """Return stamps as nanoseconds, as the clock on the wall of the zone shows, or as numbers."""
    if times.dtype.kind != "M":
        whole = bool((times == np.rint(times)).all()) and bool((np.abs(times) < 2**53).all())
        return times.astype(np.int64) if whole else times.astype(np.float64)
    times = times.astype("datetime64[ns]")
    if zone is not None:
        times = pc.local_timestamp(pa.array(times, pa.timestamp("ns", zone))).to_numpy()
    return times.astype(np.int64)


def stamps_from(numbers: np.ndarray, like: np.ndarray, zone: str | None) -> np.ndarray:
    """Return numbers as the stamps that they were made of."""
    if like.dtype.kind != "M":
        return numbers.astype(like.dtype if like.dtype.kind == "f" else numbers.dtype)
    times = numbers.astype("datetime64[ns]")
    if zone is not None:
        wall = pc.assume_timezone(pa.array(times), zone, ambiguous="earliest", nonexistent="latest")
        times = wall.cast(pa.timestamp("ns")).to_numpy()
    return times.astype(like.dtype)
