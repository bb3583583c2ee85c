"""Clocks: what the stamps of series are, the rule that they follow, and the stamps after them."""

from typing import Literal, NamedTuple


class Stamps(NamedTuple):
    """The zone and kind of times as they came in, so that they go out the same.

    Attributes:
        zone: time zone such as "Europe/Berlin" or "+02:00"; None where stamps have none. Times are
            then in UTC, else as the clock on the wall showed.
        kind: "time" of day and date, "date" alone, plain "number" (seconds, steps), or a number
            that is read as a date: "yyyymmdd", "yyyymm".
    """

    zone: str | None = None
    kind: Literal["time", "date", "number", "yyyymmdd", "yyyymm"] = "time"
