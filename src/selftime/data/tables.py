"""Tables of named columns become series: layouts long, wide and series, stamps, repeated rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float64, Int32, Int64

from selftime.data.arrays import SeriesError, TextsWanted, trim_rows
from selftime.data.cells import (
    array_of,
    codes_of,
    dates_of_names,
    is_text,
    order_of,
    truths_in,
    value_type,
    whole,
)
from selftime.data.columns import (
    Table,
    check_no_gap,
    column_in,
    ids_in,
    labels_in,
    names_of,
    numbers_in_column,
    take_names,
    times_in,
)
from selftime.data.digits import with_joined_parts
from selftime.data.formats.text import MISSING_CELLS, MISSING_NUMBERS
from selftime.data.roles import decide_roles
from selftime.data.schema import ID_NAMES, TIME_NAMES, Asked, Schema
from selftime.data.series import SeriesSet
from selftime.data.unfolding import with_lists_laid_out, with_own_names
from selftime.door import option

MANY_REPEATED = 0.05
"""Share of rows whose stamp repeats, above which series are more likely than repeated readings."""


MARKS = (*MISSING_CELLS, *MISSING_NUMBERS, "")
"""Texts that mean that nothing was measured."""
_NOTHING = Asked()


def series_of_table(table: Table, asked: Asked = _NOTHING) -> SeriesSet:
    """Read the series in a table.

    Rows are sorted by time within each series; without a time column they keep their order.
    """
    if table.cells.num_rows == 0:
        raise SeriesError("has no rows, wanted at least one: check the query or the file")
    table = table._replace(cells=_plain(table.cells, typed=table.first_line is None))
    table = _unfold(table, asked)
    table, asked = _fold_levels(*_with_one_id(table, asked))
    schema = schema_of(table, asked)
    found = series_by_schema(table, schema, asked)
    notes = (*table.notes, *schema.notes, *found.notes, *_doubts(found, schema))
    return replace(found, columns=schema.columns, notes=notes)


def asked_names(asked: Asked) -> list[str]:
    """Return the columns that are asked for, which are read as they are."""
    given = [name for name in (asked.id, asked.time, asked.label, asked.group) if name]
    return [*given, *(asked.channels or ()), *asked.ignore]


def _unfold(table: Table, asked: Asked) -> Table:
    """Lay out lists of cells, tell names apart that occur twice, and join parts of dates."""
    cells, kept, lines = table.cells, asked_names(asked), table.lines
    named: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    if isinstance(cells, pa.Table):  # columns of a large file have neither lists nor names twice
        cells, named = with_own_names(cells, kept)
        cells, listed, rows = with_lists_laid_out(cells)
        lines = lines if rows is None else rows + 1
    cells, joined = with_joined_parts(cells, kept) if asked.time is None else (cells, ())
    return table._replace(cells=cells, notes=(*table.notes, *named, *listed, *joined), lines=lines)


def schema_of(table: Table, asked: Asked) -> Schema:
    """Decide what each column is, from all rows that the table has.

    Raises:
        SeriesError: columns that can be read two ways, or whose texts are not there.
    """
    schema = decide_roles(table.cells, asked, typed=table.first_line is None, marks=MARKS)
    if table.first_line is not None:
        _check_kept(table.cells, schema)
    return schema


def series_by_schema(
    table: Table,
    schema: Schema,
    asked: Asked,
    *,
    ids: np.ndarray | None = None,
    rows: Int64[np.ndarray, "R"] | None = None,
) -> SeriesSet:
    """Read the series in a table whose columns are known.

    Args:
        table: its cells.
        schema: its columns.
        asked: options.
        ids: (N,) of the series by first appearance; those of its column when None.
        rows: numbers of the rows in the order of a larger table, of which these are some.
    """
    if schema.layout == "wide":
        return _wide(table, schema, asked, ids)
    return _long(table, schema, asked, ids, rows)


def _check_kept(cells: Any, schema: Schema) -> None:
    """Check that columns of a text file that came without their texts need none.

    Raises:
        TextsWanted: numbers or times are to be names, or could be months such as 2024.10.
    """
    for column in schema.columns:
        kind = cells.schema.field(column.name).type
        if pa.types.is_temporal(kind):
            fits = column.role in ("time", "ignored")
        elif pa.types.is_floating(kind):
            fits = column.role in ("measurement", "ignored")
            fits |= column.role == "time" and _are_plain(cells.column(column.name))
        else:
            fits = True
        if not fits:
            raise TextsWanted(f"column {column.name!r} holds names, wanted their texts")


def _are_plain(cells: Any) -> bool:
    """Return whether numbers can only be such: some are no whole ones, and some no months."""
    numbers = array_of(whole(cells))
    is_whole, is_month = numbers == np.rint(numbers), (numbers >= 1900) & (numbers < 2101)
    return not (is_whole.all() or is_month.all())


def _doubts(series: SeriesSet, schema: Schema) -> Iterator[str]:
    """Yield what is implausible in a table as it was read, with the option that reads it else."""
    steps, C = int(series.lengths.max()), series.n_channels
    if schema.layout == "long" and steps == 1 and len(series) > 1:
        yield f"every series has 1 step; if the rows are one series: {option('id', 'none')}"
    if schema.layout == "series" and max(16, 4 * steps) < C and schema.of("time"):
        rows = f"if each row is a series: {option('layout', 'wide')}"
        yield f"{C} channels of {steps} steps; {rows}"
    known = [] if series.labels is None else series.labels[series.labelled].tolist()
    if len(set(known)) == len(known) > 9 and not isinstance(known[0], float):
        yield (
            f"column {schema.of('label')!r} holds a class of its own for each series; if it is no "
            f"label: {option('label', 'none')}"
        )


def _fold_levels(table: Table, asked: Asked) -> tuple[Table, Asked]:
    """Take of several levels of an index one for the time and the others for the id.

    The time is the level of dates, else of a well-known name, else the last if it holds numbers.
    """
    levels = [name for name in table.levels if name in table.cells.column_names]
    kinds = {name: value_type(table.cells.schema.field(name).type) for name in levels}
    times = [name for name in levels if pa.types.is_temporal(kinds[name])]
    times += [name for name in levels if name.lower() in TIME_NAMES]
    times += [name for name in levels[-1:] if not is_text(kinds[name])]
    if len(levels) < 2 or not times or asked.id is not None or asked.time is not None:
        return table, asked
    others = [name for name in levels if name != times[0]]
    name, cells = _join_columns(table.cells, others)
    note = f"levels of the index are taken for the id, {name!r}, and the time, {times[0]!r}"
    usual = name.lower() in ID_NAMES and times[0].lower() in TIME_NAMES
    notes = table.notes if usual else (*table.notes, note)
    return table._replace(cells=cells, notes=notes), asked._replace(id=name, time=times[0])


def _join_columns(cells: Any, names: Sequence[str]) -> tuple[str, Any]:
    """Return a table in which one column, such as ``site/machine``, stands for several."""
    name = "/".join(names)
    if len(names) == 1:
        return name, cells
    cells = cells if isinstance(cells, pa.Table) else cells.read()
    texts = [cells.column(other).cast(pa.string()) for other in names]
    joined = pc.binary_join_element_wise(*texts, "/")
    return name, cells.drop_columns(list(names)).add_column(0, name, joined)


def _with_one_id(table: Table, asked: Asked) -> tuple[Table, Asked]:
    """Join the columns of an id such as ``site,machine``."""
    names = [] if asked.id is None else [part.strip() for part in asked.id.split(",")]
    known = set(table.cells.column_names)
    if len(names) < 2 or asked.id in known or not known.issuperset(names):
        return table, asked
    name, cells = _join_columns(table.cells, names)
    return table._replace(cells=cells), asked._replace(id=name)


def _wide(table: Table, schema: Schema, asked: Asked, ids: np.ndarray | None) -> SeriesSet:
    steps, lengths = trim_rows(_values(table, schema, asked))
    ids = ids_in(table, schema.of("id")) if ids is None else ids
    series = SeriesSet.from_steps(steps, lengths, ids=ids)
    labels, groups = (column_in(table, schema.of(role)) for role in ("label", "group"))
    dates = dates_of_names(schema.channels)
    times = None if dates is None else np.concatenate([dates[:n] for n in lengths])
    return replace(series, labels=labels, groups=groups, times=times)


def _long(
    table: Table,
    schema: Schema,
    asked: Asked,
    ids: np.ndarray | None,
    rows: Int64[np.ndarray, "R"] | None,
) -> SeriesSet:
    """Read a long table; one series is a long table in which every row has the same id."""
    codes = np.broadcast_to(np.int32(0), table.cells.num_rows)
    if schema.layout == "long":
        check_no_gap(table, str(schema.of("id")))
        codes, names = codes_of(table.cells.column(str(schema.of("id"))))
        ids = names_of(table, names) if ids is None else ids
    times, stamps, said = times_in(table, schema.of("time"), asked)
    order, new = order_of(codes, times)
    if rows is None and order is not None:
        rows = np.arange(len(order))
    notes = [*said]
    if not new.all():
        _check_repeats(table, str(schema.of("time")), asked, order, new)
        notes.append(_repeats_in_words(int((~new).sum()), asked))

    def sort(column: np.ndarray) -> np.ndarray:
        column = column if order is None else column[order]
        return column if new.all() else column[new]

    def values(name: str) -> Float64[np.ndarray, "S"]:
        found = numbers_in_column(table, name, asked)
        if not isinstance(table.cells, pa.Table):
            table.cells.forget(name)
        mean = asked.repeated == "mean" and not new.all()
        return _means(found, order, new) if mean else sort(found)

    codes = sort(codes)
    first = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    labels, step_labels = _labels(table, schema.of("label"), sort, first)
    return replace(
        SeriesSet.from_columns(
            map(values, schema.channels),  # each is let go before the next
            np.diff(first, append=int(new.sum())),
            ids=ids,
            channels=schema.channels,
        ),
        times=None if times is None else sort(times),
        stamps=stamps,
        labels=labels,
        step_labels=step_labels,
        groups=_groups(table, schema.of("group"), sort, first),
        rows=None if rows is None else sort(rows),
        notes=tuple(notes),
    )


_Sort = Callable[[np.ndarray], np.ndarray]
"""Brings a column of rows into the order of the series."""


def _values(table: Table, schema: Schema, asked: Asked) -> Float64[np.ndarray, "R C"]:
    """Return the measurements of all rows, NaN where missing."""
    return np.stack([numbers_in_column(table, name, asked) for name in schema.channels], axis=1)


def _check_repeats(
    table: Table, name: str, asked: Asked, order: np.ndarray | None, new: Bool[np.ndarray, "R"]
) -> None:
    """Check that rows may repeat stamps.

    Raises:
        SeriesError: where repeated stamps are refused, or so many that rows may be of several
            series.
    """
    count = int((~new).sum())
    if asked.repeated == "refuse" or (
        asked.repeated is None and count / (len(new) - 1) > MANY_REPEATED
    ):
        row = int(new.argmin()) if order is None else int(order[new.argmin()])
        raise SeriesError(
            f"{table.place(row, name)}: got a time twice in one series, as in {count:,} "
            f"of {len(new):,} rows, wanted each once: name the column that tells series apart, "
            f"{option('id')} (several with commas), or say which row counts, "
            f"{option('repeated', 'first')} or {option('repeated', 'mean')}, or keep the order of "
            f"rows, {option('time', 'none')}"
        )


def _means(
    values: Float64[np.ndarray, "R"], order: np.ndarray | None, new: Bool[np.ndarray, "R"]
) -> Float64[np.ndarray, "S"]:
    """Return the means of rows with one stamp."""
    values = (values if order is None else values[order])[:, None]
    there, first = ~np.isnan(values), np.flatnonzero(new)
    total = np.add.reduceat(np.where(there, values, 0.0), first, axis=0)
    count = np.add.reduceat(there.astype(np.float64), first, axis=0)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.asarray(mean[:, 0])


def _repeats_in_words(n: int, asked: Asked) -> str:
    rows = "1 row repeats a stamp" if n == 1 else f"{n:,} rows repeat a stamp"
    if asked.repeated == "mean":
        return f"{rows}: their mean counts"
    other = f"{option('repeated', 'mean')} averages them, {option('repeated', 'refuse')} refuses"
    return f"{rows} and {'was' if n == 1 else 'were'} dropped, the first counts; {other}"


def _labels(
    table: Table, name: str | None, sort: _Sort, first: Int64[np.ndarray, "N"]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the labels of series, or those of steps where they change within a series."""
    codes, values = labels_in(table, name)
    if values is None:
        return None, None
    codes = sort(codes)
    of_series = _constant(codes, first)
    if of_series is None:
        return None, take_names(values, codes)
    return take_names(values, of_series), None


def _constant(
    codes: Int32[np.ndarray, "S"], first: Int64[np.ndarray, "N"]
) -> Int32[np.ndarray, "N"] | None:
    """Return the one value of each series in a column, -1 for none; None where some has several."""
    most = np.maximum.reduceat(codes, first)
    least = np.minimum.reduceat(np.where(codes < 0, np.iinfo(codes.dtype).max, codes), first)
    return None if ((most != least) & (most >= 0)).any() else most


def _groups(
    table: Table, name: str | None, sort: _Sort, first: Int64[np.ndarray, "N"]
) -> np.ndarray | None:
    codes, values = labels_in(table, name)
    if values is None or name is None:
        return None
    found = _constant(sort(codes), first)
    if found is None or (found < 0).any():
        raise SeriesError(
            f"column {name!r} changes within a series, wanted one group for each: leave it out, "
            f"{option('ignore', name)}, or name another, {option('group')}"
        )
    return take_names(values, found)


def _plain(cells: Any, typed: bool) -> Any:
    """Return the table without dictionaries, durations in seconds, names stripped of blanks.

    Texts of a file that are all true or false are truth values, as they are in a frame.
    """
    if not isinstance(cells, pa.Table):
        if not any(map(is_indirect, cells.schema.types)):
            return cells.rename_columns([str(name).strip() for name in cells.column_names])
        cells = cells.read()
    for i, field in enumerate(cells.schema):
        if pa.types.is_dictionary(field.type) and is_indirect(field.type):
            column = cells.column(i).cast(field.type.value_type)
        elif pa.types.is_duration(field.type):
            whole = cells.column(i).cast(pa.duration("ns")).cast(pa.int64())
            column = pc.divide(whole.cast(pa.float64()), 1e9)
        else:
            truths = None if typed else truths_in(cells.column(i))
            if truths is None:
                continue
            column = truths
        cells = cells.set_column(i, field.name, column)
    return cells.rename_columns([str(name).strip() for name in cells.column_names])


def is_indirect(kind: Any) -> bool:
    """Return whether cells stand for numbers: in a dictionary, or as durations."""
    coded = pa.types.is_dictionary(kind) and not is_text(kind.value_type)
    return bool(coded or pa.types.is_duration(kind))
