"""Parts of a set, such as the files of a folder: each read when it is its turn, then joined."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.channels import concatenate
from selftime.data.series import SeriesSet


class Portion(NamedTuple):
    """Series that are read when it is their turn.

    Attributes:
        name: of their file, or of their place in a list or dict.
        load: reads them.
        numbered: their rows are numbered as those of all portions together.
    """

    name: str
    load: Callable[[], SeriesSet]
    numbered: bool = False


class Whole(NamedTuple):
    """The series of all parts as one set, and how many each part has."""

    series: SeriesSet
    sizes: Sequence[int]


Join = Callable[[Sequence[Portion]], Whole]
"""Joins parts: in memory, or in a store."""


def join_in_memory(parts: Sequence[Portion]) -> Whole:
    """Read all parts, and copy them into one set."""
    found = [part.load() for part in parts]
    for part, series in zip(parts, found, strict=True):
        check_alike(series, part.name, found[0], parts[0].name)
    return Whole(concatenate(list(number_rows(found))), [len(series) for series in found])


_join: ContextVar[Join] = ContextVar("join", default=join_in_memory)


@contextmanager
def use_join(join: Join) -> Iterator[None]:
    """Let parts that are read be joined so; but parts of parts in memory."""
    before = _join.set(join)
    try:
        yield
    finally:
        _join.reset(before)


def are_stored() -> bool:
    """Return whether parts that are read are written as they come, not joined in memory."""
    return _join.get() is not join_in_memory


def join_parts(parts: Sequence[Portion]) -> Whole:
    """Read and join the series of several files, or of the entries of a list or dict.

    Raises:
        SeriesError: a part that cannot be read, or is not like the first one.
    """
    join = _join.get()
    with use_join(join_in_memory):
        return join(parts)


def name_part(series: SeriesSet, name: str) -> SeriesSet:
    """Name the series of a file after it: by its name alone where there is one."""
    if series.ids.tolist() == ["0"]:
        return replace(series, ids=np.array([name]))
    why = "named after the file as well"
    columns = [
        column._replace(role="static", reason=why) if column.role == "id" else column
        for column in series.columns
    ]
    ids = np.array([f"{name}:{i}" for i in series.ids])
    return replace(series, ids=ids, columns=tuple(columns))


def check_alike(series: SeriesSet, name: str, first: SeriesSet, first_name: str) -> None:
    """Check that the series of a part can be joined with those of the first one.

    Raises:
        SeriesError: they have other channels, or times or groups of another kind.
    """
    for what in ("times", "groups"):
        kinds = [_kind(getattr(own, what)) for own in (series, first)]
        if kinds[0] != kinds[1]:
            raise SeriesError(
                f"{name}: has {kinds[0]} {what}, {first_name} has {kinds[1]}: wanted the same in "
                "every file, read others on their own"
            )
    try:
        concatenate([first[:1], replace(series[:1], ids=np.array(["another"]))])
    except SeriesError as error:
        said = "".join(f"; {note}" for note in series.notes)
        raise SeriesError(f"{name}: {error}; {first_name} came first{said}") from None


def number_rows(parts: Sequence[SeriesSet]) -> Iterator[SeriesSet]:
    """Yield the parts with their rows counted on from file to file, if any were out of order."""
    ordered, before = all(part.rows is None for part in parts), 0
    for part in parts:
        if ordered:
            yield part
            continue
        rows = np.arange(len(part.steps)) if part.rows is None else part.rows
        yield replace(part, rows=rows + before)
        before += int(rows.max()) + 1


def _kind(column: np.ndarray | None) -> str:
    kinds = {"M": "dated", "f": "numbered", "i": "numbered", "u": "numbered"}
    return "no" if column is None else kinds.get(column.dtype.kind, "textual")
