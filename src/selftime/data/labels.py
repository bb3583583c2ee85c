"""Labels that come apart from their series: joined by id or file name, or by spans of time."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from selftime.data.arrays import LabelFileError, SeriesError, are_known, label_column
from selftime.data.clock import Stamps, in_zone
from selftime.data.columns import Table, column_in
from selftime.data.formats.times import parse_times
from selftime.data.schema import LABEL_NAMES, list_names, plain_name
from selftime.data.series import SeriesSet
from selftime.door import option
from selftime.texts import safe_cell

KEY_NAMES = ("id", "unique_id", "series", "file", "filename", "file_name", "path", "name")
START_NAMES, END_NAMES = ("start", "begin", "onset", "from"), ("end", "stop", "until", "to")
_ENDING = re.compile(r"(\.[A-Za-z]\w{0,7}){1,2}$")
_OTHER_NAMES = ("target", "annotation", "event", "state", "activity", "result", "y")


def labelled_part(series: SeriesSet, name: str) -> SeriesSet:
    """Return the labelled series alone; ``name`` is theirs, for the message.

    Raises:
        SeriesError: none is labelled.
    """
    known = series.labelled
    if not known.any():
        raise SeriesError(
            f"{name} has no labels, wanted one for some series at least: {where_labels_are(series)}"
        )
    return series if known.all() else series[known]


def where_labels_are(series: SeriesSet) -> str:
    """Say how labels are given, and which texts that were left out may be labels."""
    texts = [c.name for c in series.columns if c.role in ("static", "ignored") and c.is_text]
    which = f" ({list_names(texts)} may be one)" if texts else ""
    return (
        f"name their column{which}, {option('label', *texts[:1])}, "
        f"or a file of ids and labels, {option('labels')}"
    )


def share_in_words(known: np.ndarray, name: str = "", said: Sequence[str] = ()) -> list[str]:
    """Say how many of the series are labelled, where not all are; nothing where none is.

    Nor where notes in ``said`` count them already, as those of labels from a file do.
    """
    count = int(known.sum())
    if count in (0, len(known)) or any(_count_in_words(count, len(known)) in it for it in said):
        return []
    of = f" of {name}" if name else ""
    return [f"{count:,} of {len(known):,} series{of} are labelled"]


def _count_in_words(count: int, every: int) -> str:
    return f"{count:,} of {every:,} series labelled"


class LabelTable(NamedTuple):
    """Rows of labels: the key of a series each, a span of its steps where given, and a label.

    ``head`` names the columns of key and label where these words mean nothing by themselves, so
    that they may be a row: of a file without a head.
    """

    keys: np.ndarray
    labels: np.ndarray | None
    spans: tuple[np.ndarray, np.ndarray] | None = None
    head: tuple[str, str] | None = None

    def whole(self, are_keys: Callable[[np.ndarray], np.ndarray]) -> "LabelTable":
        """Return the rows with the head as the first, if that is a key as well."""
        if self.head is None or self.labels is None:
            return self
        if not are_keys(np.array(self.head[:1], object)).all():
            return self
        labels = label_column([self.head[1], *self.labels])
        return LabelTable(np.array([self.head[0], *self.keys], object), labels)


def label_table(table: Table, id: str | None = None, label: str | None = None) -> LabelTable:
    """Find keys, spans and labels in a table: by name, else in the first and the last column.

    Raises:
        SeriesError: a table of fewer than two columns.
    """
    names = [str(name) for name in table.cells.column_names]
    if len(names) < 2:
        raise SeriesError(f"has columns {list_names(names)}, wanted ids and labels of series")
    lower = {plain_name(name): name for name in reversed(names)}

    def find(wanted: Sequence[str]) -> str | None:
        return next((lower[name] for name in wanted if name in lower), None)

    start, end = find(START_NAMES), find(END_NAMES)
    asked = label if label in names else find((*LABEL_NAMES, *_OTHER_NAMES))
    label, key = asked or names[-1], id if id in names else find(KEY_NAMES)
    is_unknown = asked is None and key is None
    if key in (None, label):  # as of clusters and the name of each
        key = None if names[0] in (start, end, label) else names[0]
    rows = table.cells.num_rows
    keys = np.full(rows, "") if key is None else column_in(table, key)
    spans = None
    if start is not None and end is not None:
        texts = table._replace(cells=_times_as_text(table.cells))
        first, last = column_in(texts, start), column_in(texts, end)
        open_ = np.full(rows, None, object)  # from the first step, to the last
        if first is not None or last is not None:
            spans = (open_ if first is None else first, open_ if last is None else last)
    head = (key, label) if is_unknown and key is not None and spans is None else None
    keys = np.full(rows, "") if keys is None else keys
    return LabelTable(keys, column_in(table, label), spans, head)


def _times_as_text(cells: Any) -> Any:
    for i, field in enumerate(cells.schema):
        if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type):
            cells = cells.set_column(i, field.name, cells.column(i).cast(pa.large_string()))
    return cells


def label_mapping(labels: Mapping[Any, Any]) -> LabelTable:
    """Return a mapping from ids to labels as rows."""
    keys = np.array([str(key) for key in labels], dtype=object)
    return LabelTable(keys, label_column(list(labels.values())))


def join_labels(series: SeriesSet, rows: LabelTable, source: str = "the labels") -> SeriesSet:
    """Return the series with the labels of a table, each matched by id, file name or stem.

    Rows with a span label the steps in it. What matched and what did not is counted and named.

    Raises:
        SeriesError: rows of which none matches, or two labels of one series.
    """
    rows = rows.whole(lambda keys: match_keys(series, keys) >= 0)
    if rows.labels is None:
        note = f"{source}: no row has a label yet, so all series stay unlabelled"
        return replace(series, labels=None, notes=(*series.notes, note))
    known = are_known(rows.labels)
    owners = match_keys(series, rows.keys)
    strange = list(dict.fromkeys(str(key) for key in rows.keys[owners < 0]))
    if (rows.keys == "").all() and len(series) > 1:
        raise SeriesError(
            f"{source}: its rows name no series, and there are {len(series):,}: add a column of "
            f"ids or file names, such as {str(series.ids[0])!r}"
        )
    if (owners < 0).all():
        raise LabelFileError(
            f"{source}: none of its {len(owners)} rows matches a series: they name "
            f"{list_names(strange[:3])}, the series are {list_names([*map(str, series.ids[:3])])}: "
            "write ids, file names or file names without their ending"
        )
    use = known & (owners >= 0)
    values, owners = rows.labels[use], owners[use]
    if rows.spans is None:
        found, note = _of_series(series, owners, values, source)
    else:
        spans = rows.spans[0][use], rows.spans[1][use]
        found, note = _of_steps(series, owners, spans, values)
    if strange:
        n = f"1 row of {source} matches" if len(strange) == 1 else f"{len(strange)} rows match"
        note += f"; {n} no series: {list_names(strange)}"
    return replace(found, notes=(*found.notes, note))


def match_keys(series: SeriesSet, keys: np.ndarray) -> np.ndarray:
    """Return the number of the series that each key names (R,), -1 for none.

    By id, also as a safe cell of csv, else by the end of a path, with or without the ending of the
    file name, where only one series has it. A single series needs no key.
    """
    ids = [str(name) for name in series.ids]
    owners: dict[str, set[int]] = {}
    for i, name in enumerate(ids):
        for form in (*_forms_of(name), safe_cell(name)):
            owners.setdefault(form, set()).add(i)
    places = {form: mine.pop() for form, mine in owners.items() if len(mine) == 1}
    places |= {name: i for i, name in enumerate(ids)}
    if len(series) == 1:
        places |= {"": 0}
    found = [
        next((places[form] for form in (key, *_forms_of(key)) if form in places), -1)
        for key in map(str, keys)
    ]
    return np.array(found, np.int64)


def _forms_of(name: str) -> Iterator[str]:
    """Yield the ends of a path, the longest first, each also without the ending of a file."""
    parts = name.strip().replace("\\", "/").split("/")
    for k in range(len(parts)):
        form = "/".join(parts[k:])
        yield from (form, _ENDING.sub("", form))


def _of_series(
    series: SeriesSet, owners: np.ndarray, values: np.ndarray, source: str
) -> tuple[SeriesSet, str]:
    out = np.full(len(series), None, object)
    for i, value in zip(owners.tolist(), values.tolist(), strict=True):
        if out[i] is not None and out[i] != value:
            raise SeriesError(
                f"{source}: series {str(series.ids[i])!r} has labels {out[i]!r} and {value!r}, "
                "wanted one: correct a row, or give each its start and end"
            )
        out[i] = value
    note = _count_in_words(len(set(owners.tolist())), len(series))
    return replace(series, labels=label_column(out)), note


def _of_steps(
    series: SeriesSet,
    owners: np.ndarray,
    spans: tuple[np.ndarray, np.ndarray],
    values: np.ndarray,
) -> tuple[SeriesSet, str]:
    """Label the steps of spans: stamps where the series has such, both ends in; else step numbers.

    Where spans overlap the later one counts.

    Raises:
        SeriesError: no span holds a step.
    """
    out = np.full(len(series.steps), None, object)
    stamped = series.times is not None and (
        series.times.dtype.kind != "M" or not _are_steps(spans[0])
    )
    if stamped:
        spans = _stamps_of(spans[0], series, "start"), _stamps_of(spans[1], series, "end")
    for i, start, end, value in zip(owners.tolist(), *spans, values.tolist(), strict=True):
        first, last = int(series.offsets[i]), int(series.offsets[i + 1])
        if stamped and series.times is not None:
            own = series.times[first:last]
            a = np.searchsorted(own, start, side="left")
            b = np.searchsorted(own, end, side="right")
        else:
            a = 0 if start is None else max(_as_step(start), 0)
            b = last - first if end is None else min(_as_step(end), last - first)
        out[first + int(a) : first + int(b)] = value
    count = int(are_known(out).sum())
    if len(owners) and not count:
        reach = (
            f"0 to {int(series.lengths.max())}"
            if series.times is None or not stamped
            else (f"{series.times.min()} to {series.times.max()}")
        )
        raise SeriesError(
            f"no label is for a step of the series: the first one is from {spans[0][0]} to "
            f"{spans[1][0]}, the series run from {reach}: correct them, or say in which zone the "
            f"stamps of the series are, {option('time_zone')}"
        )
    note = f"{count:,} of {len(out):,} steps labelled, in {len(set(owners.tolist())):,} series"
    return replace(series, step_labels=label_column(out)), note


def _are_steps(column: np.ndarray) -> bool:
    return column.dtype.kind in "iuf"


def _stamps_of(column: np.ndarray, series: SeriesSet, name: str) -> np.ndarray:
    """Return starts or ends as stamps like those of the series, in whose zone they are if any."""
    own: Any = series.times
    known = are_known(column)
    out = np.full(len(column), own.min() if name == "start" else own.max())  # where none is given
    if not known.any():
        return out
    texts = pa.array(column[known].astype(str), pa.large_string())
    dated = own.dtype.kind == "M"
    found = parse_times(texts, lambda _: f"column {name!r} of the labels", epochs=dated)
    times = found.times
    if (times.dtype.kind == "M") != dated:
        raise SeriesError(
            f"got {texts[0]} for the {name} of a label, wanted a time like the stamps of the "
            f"series, such as {own[0]}: write it so, {option('labels')}"
        )
    if dated and found.zone is None:
        times, _ = in_zone(times, Stamps(), series.stamps.zone)
    out[known] = times
    return out


def _as_step(value: Any) -> int:
    try:
        return int(float(value))
    except ValueError:
        raise SeriesError(
            f"got {str(value)!r} for the start or end of a label, wanted the number of a step: the "
            "series have no stamps"
        ) from None


def labels_of_spans(
    series: SeriesSet, starts: np.ndarray, lengths: np.ndarray
) -> np.ndarray | None:
    """Return the label of each span of steps: the one that most of them have, more than half."""
    if series.step_labels is None:
        return None
    known = are_known(series.step_labels)
    own = series.step_labels[known]
    _, first, codes = np.unique(own.astype(str), return_index=True, return_inverse=True)
    rows, ends, S = np.flatnonzero(known), starts + lengths, len(known)
    best = np.zeros(len(starts), np.int64)
    for bit in range(len(first).bit_length()):  # more than half of the steps have its binary digits
        ones = np.zeros(S + 1, np.int64)
        ones[1 + rows] = codes >> bit & 1
        ones.cumsum(out=ones)
        best |= (2 * (ones[ends] - ones[starts]) > lengths).astype(np.int64) << bit
    best = np.minimum(best, len(first) - 1)
    keys = np.sort(codes * S + rows)
    counts = np.searchsorted(keys, best * S + ends) - np.searchsorted(keys, best * S + starts)
    found: np.ndarray = own[first[best]].astype(object)
    found[2 * counts <= lengths] = None
    return found
