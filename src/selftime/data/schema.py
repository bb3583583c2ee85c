"""The schema of a table: its layout, its columns with their roles, and what was asked of it."""

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from selftime.data.forms import Form

Layout = Literal["long", "wide", "series"]
"""long: one row per step and a column of ids; wide: one row per series; series: one series."""
Role = Literal["measurement", "id", "time", "label", "group", "static", "ignored"]


TIME_NAMES = ("ds", "date", "time", "timestamp", "datetime", "date_time", "time_stamp", "ts")
LABEL_NAMES = ("label", "class")
ID_NAMES = (
    *("unique_id", "series_id", "item_id", "id", "series", "machine_id", "machine", "asset_id"),
    *("asset", "device_id", "device", "unit_id", "sensor_id", "shop_id", "shop", "store"),
    *("patient_id", "patient", "subject_id", "subject", "part_id", "part", "part_no"),
    *("part_number", "serial_number", "recording", "file"),
    *("meter_id", "sku", "ticker", "symbol", "customer_id", "user_id"),
)
"""Well-known names of columns; "Machine ID" is machine_id."""


class Column(NamedTuple):
    """A column of a table: its name, what it was taken for, the type of its cells, and why."""

    name: str
    role: Role
    type: str
    reason: str

    @property
    def is_text(self) -> bool:
        """True where its cells are texts."""
        return self.type in ("text", "string", "large_string", "string_view")


class Asked(NamedTuple):
    """Options of :func:`selftime.read` for a table; "none" says that there is no such column.

    Attributes:
        id: column that names the series of each row.
        time: column of stamps.
        label: column of classes.
        group: column of subjects, machines or sessions.
        channels: columns of values; all that are left when None.
        ignore: columns that are left out.
        layout: "long", "wide" or "series"; recognised when None.
        time_zone: zone of stamps that have none, or in which they are shown.
        missing: values that mean that nothing was measured, such as -9999.
        repeated: which of the rows with one stamp counts: "first", their "mean", or "refuse".
        form: kind of signal, and the form in which it is asked for.
    """

    id: str | None = None
    time: str | None = None
    label: str | None = None
    group: str | None = None
    channels: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    layout: Layout | None = None
    time_zone: str | None = None
    missing: Sequence[Any] = ()
    repeated: Literal["first", "mean", "refuse"] | None = None
    form: Form = Form()


class Schema(NamedTuple):
    """The layout of a table, the role of each column, and what was guessed, in words."""

    layout: Layout
    columns: tuple[Column, ...]
    notes: tuple[str, ...]

    def of(self, role: Role) -> str | None:
        """Return the name of the first column of a role; None without one."""
        return next((column.name for column in self.columns if column.role == role), None)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the columns of values."""
        return tuple(column.name for column in self.columns if column.role == "measurement")


def plain_name(name: str) -> str:
    """Return a name in lower case, with underscores between words: as well-known ones are.

    A unit in brackets behind it is left out.

    Example:
        >>> plain_name("Time [s]"), plain_name("Machine-ID")
        ('time', 'machine_id')
    """
    bare = re.sub(r"(?<=\S)\s*(\[[^\[\]]*\]|\([^()]*\))\s*$", "", name)
    return "_".join(bare.strip().lower().replace("-", " ").replace("_", " ").split())


def list_names(names: Sequence[str]) -> str:
    """Return the first names in quotes, and the number of the others."""
    shown = ", ".join(map(repr, names[:8]))
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
