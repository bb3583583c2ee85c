"""A data set at a glance: sizes, classes, times, and warnings with their remedies."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from selftime.data.arrays import number_classes
from selftime.data.clock import Clock
from selftime.data.fills import describe_fills
from selftime.data.levels import extremes_of, share_missing
from selftime.data.memory import release
from selftime.data.periods import period_of
from selftime.data.readers import read
from selftime.data.rules import Months, rule_in_words
from selftime.data.schema import Column
from selftime.data.series import SeriesSet
from selftime.data.signals import Images, Measurements
from selftime.door import option
from selftime.report.signals import LONG_TEXT, facts_of_kind, windows_of_kind

_MAX_LISTED_CLASSES, _MAX_LISTED_COLUMNS = 12, 30
"""Classes and columns that are listed by name; the rest are counted."""
_MIN_RECORDING, _PERIODS = 64, 4
"""Steps from which a single recording is to be cut, and periods of such a window."""


class DataWarning(NamedTuple):
    """A finding that may spoil results, and its remedy."""

    finding: str
    remedy: str


_TUPLES = ("columns", "warnings")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The findings of :func:`selftime.inspect`.

    Attributes:
        series: number of series.
        kind: what they are: "series", "images", "text", "sound", "wave" or "film".
        about: facts of what are no measurements, in words, by name.
        channels: their names.
        shortest: timepoints of the shortest series.
        median: median number of timepoints.
        longest: timepoints of the longest series.
        missing: share of values that were not observed, 0 to 1.
        labels: series of each class, by the name of the class; empty without labels.
        labelled: series that have a label.
        unlabelled: series that have none.
        constant: channels that have a single value throughout.
        zone: time zone of the stamps; None where they have none.
        interval: median time between timepoints, in words; None without times.
        irregular: share of timepoints that are not one such interval apart; None without times.
        duplicates: series that are equal to an earlier one, value for value.
        contradictions: those among them with another label than the earlier one.
        windows: steps of windows that a single recording may be cut into, a few periods each.
        columns: of the table that was read: name, role, type, and the reason for the role.
        notes: what was decided in reading, a sentence each.
        warnings: findings that may spoil results, with remedies.
    """

    series: int
    channels: tuple[str, ...]
    shortest: int
    median: float
    longest: int
    missing: float
    labels: dict[str, int]
    labelled: int
    unlabelled: int
    constant: tuple[str, ...]
    zone: str | None
    interval: str | None
    irregular: float | None
    duplicates: int
    contradictions: int
    windows: int | None = None
    kind: str = Measurements.name
    about: dict[str, str] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[DataWarning, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        several = {name: [it._asdict() for it in getattr(self, name)] for name in _TUPLES}
        return asdict(self) | several


def inspect(x: Any) -> Inspection:
    """Look a data set over; nothing in it is changed.

    Example:
        >>> import selftime as st
        >>> found = st.inspect("sample:JapaneseVowels:train")
        >>> found.series, len(found.channels), found.shortest, found.longest
        (270, 12, 7, 26)
        >>> found.warnings
        ()

    Args:
        x: whatever :func:`selftime.read` takes.

    Raises:
        SeriesError: it cannot be read.
    """
    series = read(x)
    interval, irregular = sampling_interval(series)
    measured = series.kind == Measurements()
    duplicates, contradictions = count_duplicates(series)
    found = Inspection(
        series=len(series),
        channels=series.channels,
        shortest=int(series.lengths.min()),
        median=float(np.median(series.lengths)),
        longest=int(series.lengths.max()),
        missing=share_missing(series),
        labels=class_counts(series.labels),
        labelled=int(series.labelled.sum()),
        unlabelled=int((~series.labelled).sum()),
        constant=constant_channels(series) if measured else (),
        zone=series.stamps.zone,
        interval=interval,
        irregular=irregular,
        duplicates=duplicates,
        contradictions=contradictions,
        windows=windows_for(series),
        kind=series.kind.name,
        about=dict(facts_of_kind(series)),
        columns=series.columns,
        notes=series.notes,
    )
    fills = _warnings_of_fills(series) if measured else ()
    return replace(found, warnings=(*warnings_of(found), *fills))


def class_counts(labels: np.ndarray | None) -> dict[str, int]:
    """Count the series of each class."""
    if labels is None:
        return {}
    names, codes = number_classes(labels)
    counts = np.bincount(codes[codes >= 0])
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}


def windows_for(series: SeriesSet) -> int | None:
    """Return steps of windows for a single recording: some periods, an eighth of it at most."""
    T = int(series.lengths.max())
    if len(series) > 1 or T < _MIN_RECORDING:
        return None
    if series.kind != Measurements():
        return windows_of_kind(series.kind, T)
    x = np.nan_to_num(series.series(0).astype(np.float64))
    varied = x[np.argmax(np.ptp(x, axis=1) > 0)]
    return min(_PERIODS * period_of(varied - varied[0]), T // 8)


def constant_channels(series: SeriesSet) -> tuple[str, ...]:
    """Return the names of channels whose observed values are all the same."""
    low, high = extremes_of(series)
    return tuple(series.channels[c] for c in np.flatnonzero(low >= high))


def sampling_interval(series: SeriesSet) -> tuple[str | None, float | None]:
    """Return the median time between timepoints, and the share that differs by over a tenth.

    Months and longer steps are said as such.
    """
    if series.times is None:
        return None, None
    apart = np.delete(np.diff(series.times), series.offsets[1:-1] - 1)  # not from one to the next
    if not len(apart):
        return None, None
    dated = np.issubdtype(apart.dtype, np.timedelta64)
    rule = Clock.of(series.times[: series.offsets[1]], series.stamps).rule
    if isinstance(rule, Months):
        return rule_in_words(rule).removeprefix("every "), 0.0
    seconds = apart / np.timedelta64(1, "s") if dated else apart.astype(np.float64)
    usual = float(np.median(seconds))
    return duration_in_words(usual), float((np.abs(seconds - usual) > 0.1 * abs(usual)).mean())


def duration_in_words(seconds: float) -> str:
    """Write a span of time in the largest unit that divides it: ``30 minutes``."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}{'s' if seconds != size else ''}"
    return f"{seconds:g} second{'s' if seconds != 1 else ''}"


_TOGETHER = 100
"""Series of a store that are looked at before they are let go."""


def count_duplicates(series: SeriesSet) -> tuple[int, int]:
    """Count the series that equal an earlier one, and those of them with another label."""
    first: dict[bytes, int] = {}
    twins = []
    for i in range(len(series)):  # a hash is needed of each; a million short ones take seconds
        key = blake2b(series.series(i).tobytes(), digest_size=16).digest()
        if first.setdefault(key, i) != i:
            twins.append((first[key], i))
        if i % _TOGETHER == 0:
            release(series.steps, series.observed)
    if series.labels is None:
        return len(twins), 0
    codes = number_classes(series.labels)[1]
    pairs = codes[np.array(twins, np.int64).reshape(-1, 2)]
    return len(twins), int(((pairs[:, 0] != pairs[:, 1]) & (pairs >= 0).all(axis=1)).sum())


def warnings_of(found: Inspection) -> Iterator[DataWarning]:
    """Yield the findings that may spoil results."""
    if found.series == 1 and found.kind != Images.name:
        length = "..." if found.windows is None else found.windows
        yield DataWarning(
            "there is one series only", f"cut it into windows, {option('windows', length)}"
        )
    measured = found.kind == Measurements.name
    if measured:
        yield from _warnings_of_shape(found)
    if found.constant:
        names = ", ".join(found.constant)
        yield DataWarning(f"constant, so without information: {names}", "leave these channels out")
    if found.missing > 0.3:
        yield DataWarning(
            f"{found.missing:.0%} of the values are missing",
            "leave out the channels or series that are mostly empty",
        )
    if found.duplicates:
        yield DataWarning(
            f"{found.duplicates} series equal an earlier one, {found.contradictions} of them "
            "with another label",
            "drop them, or results on a test part that shares them look too good",
        )
    yield from _warnings_of_classes(found.labels)
    if measured:
        yield from _warnings_of_time(found)
    if found.kind == "text" and found.series > 1 and found.longest > LONG_TEXT:
        yield DataWarning(
            f"texts have up to {found.longest:,} symbols, and networks compare each with each",
            f"cut them into windows, {option('windows', 128)}",
        )


def _warnings_of_shape(found: Inspection) -> Iterator[DataWarning]:
    """Yield shapes that are likely to be read the wrong way, and how to read them otherwise."""
    C, T = len(found.channels), found.longest
    if T == 1:
        yield DataWarning(
            f"every series has one step, of {C} channels",
            f"if each row is a series of {C} steps: {option('layout', 'wide')}; if all rows are "
            f"one recording: {option('layout', 'series')}, {option('id', 'none')}",
        )
    elif C > 16 and C > 4 * T:
        yield DataWarning(
            f"{C} channels of {T} steps, many more channels than steps",
            f"if each row is a series of {C} steps: {option('layout', 'wide')}; in an array "
            "channels come before steps",
        )


def _warnings_of_fills(series: SeriesSet) -> Iterator[DataWarning]:
    for finding, remedy in describe_fills(series):
        yield DataWarning(finding, remedy)


def _warnings_of_classes(labels: dict[str, int]) -> Iterator[DataWarning]:
    if len(labels) == 1:
        yield DataWarning("all labels are the same", f"check the label column, {option('label')}")
    lonely = [name for name, count in labels.items() if count == 1]
    if len(labels) > 1 and len(lonely) > len(labels) / 2:
        yield DataWarning(
            f"{len(lonely)} of {len(labels)} classes have one series only",
            "check that the label column is not an id or a measured value: "
            f"{option('label', 'none')} takes none, {option('label')} another",
        )
    elif len(labels) > 1 and lonely:
        yield DataWarning(
            f"classes with one series only: {', '.join(lonely)}", "label more of them"
        )


def _warnings_of_time(found: Inspection) -> Iterator[DataWarning]:
    if found.irregular and found.irregular > 0.01:
        yield DataWarning(
            f"{found.irregular:.0%} of the steps are not {found.interval} apart",
            "resample to equal steps: the methods look at order, not at clock time",
        )
    if found.longest > 20 * found.shortest:
        yield DataWarning(
            f"lengths run from {found.shortest} to {found.longest} steps",
            f"cut the long ones, {option('windows', found.shortest)}, or leave out the stumps",
        )


def inspection_table(found: Inspection) -> Group:
    """List the facts of a data set, then its warnings."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in _facts(found):
        table.add_row(name, Text(value))
    notes = [Text(f"! {warned.finding}: {warned.remedy}") for warned in found.warnings]
    decided = [Text(f"- {note}") for note in found.notes]
    roles = [""] * bool(found.columns) + [_column_table(found.columns)] * bool(found.columns)
    said = [*decided, *(notes or [Text("Nothing stands out.")])]
    return Group(table, *roles, "", *said)


def _column_table(columns: Sequence[Column]) -> Table:
    """List the columns that were read, the first of many, with what each was taken for and why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("column", "taken for", "type", "because"):
        table.add_column(name)
    for column in columns[:_MAX_LISTED_COLUMNS]:
        table.add_row(*(Text(str(part)) for part in column))
    if len(columns) > _MAX_LISTED_COLUMNS:
        table.add_row(Text(f"and {len(columns) - _MAX_LISTED_COLUMNS} more"))
    return table


def _facts(found: Inspection) -> list[tuple[str, str]]:
    steps = f"{found.shortest:,}"
    if found.longest > found.shortest:
        steps = f"{steps} to {found.longest:,} (median {found.median:g})"
    times = "none" if found.interval is None else f"a step every {found.interval}"
    if found.irregular:
        times += f", {found.irregular:.1%} of the steps differ"
    if found.zone:
        times += f", zone {found.zone}"
    what = [
        ("series", f"{found.series:,}"),
        ("channels", f"{len(found.channels)}: {_name_list(found.channels)}"),
        ("steps", steps),
    ]
    measured = found.kind == Measurements.name
    when = [("times", times), ("constant", ", ".join(found.constant) or "none")]
    return [
        *(what if measured else found.about.items()),
        ("missing", f"{found.missing:.2%}" if found.missing else "none"),
        ("labels", _counts(found)),
        *(when if measured else ()),
        ("duplicates", f"{found.duplicates:,}" if found.duplicates else "none"),
    ]


def _counts(found: Inspection) -> str:
    if not found.labels:
        return "none"
    each = _name_list([f"{name} ({count})" for name, count in found.labels.items()])
    rest = f"; {found.labelled:,} labelled, {found.unlabelled:,} not" if found.unlabelled else ""
    return f"{len(found.labels)} classes (series): {each}{rest}"


def _name_list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_LISTED_CLASSES])
    more = len(names) - _MAX_LISTED_CLASSES
    return f"{shown} and {more} more" if more > 0 else shown
