"""Channels by name: selected, matched with those of a model, and sets that share them joined."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.matching import common_kind, in_form, match_kind
from selftime.data.memory import is_mapped, make_room, row_blocks
from selftime.data.schema import Asked, list_names
from selftime.data.series import SeriesSet, names_of_channels
from selftime.data.signals import Measurements
from selftime.door import option


def is_numbered(channels: Sequence[str]) -> bool:
    """Return whether channels came without names and are numbered."""
    return tuple(channels) == names_of_channels(len(channels))


def select_channels(series: SeriesSet, names: Sequence[str]) -> SeriesSet:
    """Return the series with these channels alone, in this order.

    Raises:
        SeriesError: names that there are not.
    """
    wanted = tuple(map(str, names))
    if series.channels == wanted:
        return series
    at = [_position(series, name, wanted) for name in wanted]
    return replace(
        series,
        steps=_take_channels(series.steps, at),
        observed=None if series.observed is None else series.observed.take(at, axis=1),
        origin=None if series.origin is None else series.origin.take(at, axis=1),
        channels=wanted,
    )


def _take_channels(steps: np.ndarray, at: list[int]) -> np.ndarray:
    """Return some channels, laid out as ever, so that sums keep their bits."""
    if not is_mapped(steps):
        return steps.take(at, axis=1)
    found = make_room((len(steps), len(at)), beside=steps)
    for rows in row_blocks(steps, found):
        found[rows] = steps[rows].take(at, axis=1)
    return found


def select_as_asked(series: SeriesSet, asked: Asked) -> SeriesSet:
    """Return series that came from no table in the form, with the channels and gaps asked for.

    What was asked of columns, which they have none of, is said to have done nothing.

    Raises:
        SeriesError: channels that there are not, to take or to leave out, or a mark of missing
            values that is no number.
    """
    series = in_form(series, asked.form)
    of_columns: tuple[str, ...]
    of_columns = ("id", "time", "label", "group", "layout", "time_zone", "repeated")
    if series.kind != Measurements():
        of_columns, asked = (*of_columns, "channels"), asked._replace(ignore=(), missing=())
    given = [(name, getattr(asked, name)) for name in of_columns]
    idle = [option(name, value) for name, value in given if value not in (None, "none")]
    if idle:
        said = f"{', '.join(idle)}: left aside, since it is for tables and these series are none"
        series = replace(series, notes=(*series.notes, said))
    if series.kind == Measurements() and (asked.channels is not None or asked.ignore):
        some = series.channels if asked.channels is None else tuple(asked.channels)
        select_channels(series, asked.ignore or some)  # names those that there are not
        series = select_channels(series, [name for name in some if name not in asked.ignore])
    if not asked.missing:
        return series
    values = series.steps.astype(np.float64)
    if series.origin is not None:
        values += np.repeat(series.origin, series.lengths, axis=0)
    there = np.ones(values.shape, bool) if series.observed is None else series.observed.copy()
    for mark in asked.missing:
        there &= ~np.isclose(values, mark_as_number(mark), rtol=1e-6, atol=0)
    steps = np.where(there, series.steps, np.float32(0))
    return replace(series, steps=steps, observed=None if there.all() else there)


def mark_as_number(mark: Any) -> float:
    """Return a value that means missing, as a number."""
    try:
        return float(mark)
    except (TypeError, ValueError):
        raise SeriesError(
            f"got {option('missing', mark)}, wanted numbers, such as {option('missing', -9999)}"
        ) from None


def _position(series: SeriesSet, name: str, wanted: Sequence[str]) -> int:
    if name in series.channels:
        return series.channels.index(name)
    free = [other for other in series.channels if other not in wanted]
    near = get_close_matches(name, free, 1) or free[:1]
    hint = f"; rename {near[0]!r} to {name!r} if it is the same" if near else ""
    raise SeriesError(
        f"channel {name!r} is missing, got {list_names(series.channels)}, wanted "
        f"{list_names(wanted)}, in any order: add it{hint}"
    )


def match_channels(series: SeriesSet, names: Sequence[str]) -> SeriesSet:
    """Return the series with the channels of a model, in its order; there may be no others.

    Channels that are numbered only, here or there, are taken by their position.

    Raises:
        SeriesError: channels that are missing or unknown, named, or another number of them.
    """
    wanted = tuple(map(str, names))
    if series.channels == wanted:
        return series
    if is_numbered(series.channels) or is_numbered(wanted):
        if len(wanted) == series.n_channels:
            return replace(series, channels=wanted)
        raise SeriesError(
            f"got series of {series.n_channels} channels, wanted {len(wanted)} "
            f"({', '.join(wanted[:8])}): choose the same channels as in pretraining"
        )
    found = select_channels(series, wanted)
    extra = [name for name in series.channels if name not in wanted]
    if extra:
        raise SeriesError(
            f"got channels {list_names(extra)}, which are unknown here, wanted "
            f"{list_names(wanted)} alone: choose them, {option('channels', list(wanted))}"
        )
    return found


_NOTHING: Mapping[str, np.ndarray | None] = {}


def concatenate(
    parts: Sequence[SeriesSet], *, whole: Mapping[str, np.ndarray | None] = _NOTHING
) -> SeriesSet:
    """Return the series of all parts as one set; channels are put in the order of the first.

    Times and groups stay where every part has them; where some parts have labels, the series of
    the others are unlabelled. ``whole`` holds columns that lie end to end already.

    Raises:
        SeriesError: other channels, or ids that repeat.
    """
    kind = common_kind(parts)
    first, *rest = (match_kind(part, kind) for part in parts)
    parts = [first, *(match_channels(part, first.channels) for part in rest)]

    def column(name: str, blank: Any = None) -> np.ndarray | None:
        if name in whole:
            return whole[name]
        every = [getattr(part, name) for part in parts]
        absent = [own is None for own in every]
        if all(absent) or (any(absent) and blank is None):
            return None
        return np.concatenate(
            [blank(p) if own is None else own for own, p in zip(every, parts, strict=True)]
        )

    steps = column("steps")
    assert steps is not None
    return SeriesSet(
        steps=steps,
        offsets=np.cumsum([0, *np.concatenate([part.lengths for part in parts])], dtype=np.int64),
        observed=column("observed", lambda part: np.ones(part.steps.shape, bool)),
        channels=first.channels,
        ids=np.concatenate([part.ids for part in parts]),
        times=column("times"),
        stamps=first.stamps,
        labels=column("labels", lambda part: np.full(len(part), None, object)),
        step_labels=column("step_labels", lambda part: np.full(len(part.steps), None, object)),
        groups=column("groups"),
        origin=column("origin", lambda part: np.zeros((len(part), part.n_channels))),
        recordings=column("recordings"),
        starts=column("starts"),
        rows=column("rows"),
        columns=first.columns,
        kind=first.kind,
        notes=notes_of_all([part.notes for part in parts]),
    )


_EXAMPLE = re.compile(r"(?<!column )'[^']*'|-?\d[\d.,]*")
"""What differs from file to file in notes of one kind: cells, lines and counts."""


def notes_of_all(parts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the notes of all parts; of those that differ in an example alone the first part's.

    Example:
        >>> notes_of_all([["'0,5' is read as 0.5.", "A"], ["'0,7' is read as 0.7.", "A"]])
        ("'0,5' is read as 0.5, and alike in 1 more.", 'A')
    """
    kinds: dict[str, dict[int, list[str]]] = {}
    for number, notes in enumerate(parts):
        for note in notes:
            kinds.setdefault(_EXAMPLE.sub("…", note), {}).setdefault(number, []).append(note)
    return tuple(note for kind in kinds.values() for note in _first_of(list(kind.values())))


def _first_of(kind: list[list[str]]) -> list[str]:
    """Return the notes of the first part; where others differ, the last says how many there are."""
    *before, last = kind[0]
    others = sum(notes != kind[0] for notes in kind[1:])
    more = f", and alike in {others:,} more" if others else ""
    end = "." if last.endswith(".") else ""
    return [*before, f"{last.removesuffix('.')}{more}{end}"]
