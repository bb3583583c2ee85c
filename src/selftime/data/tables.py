"""Tables of named columns become series: layouts long, wide and series, stamps, repeated rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from selftime.data.arrays import SeriesError, are_known, column_of, trim_rows
from selftime.data.cells import dates_of_names, is_number, is_text, known_in, truths_in
from selftime.data.clock import Stamps, dates_in, in_zone
from selftime.data.formats.text import MISSING_CELLS, MISSING_NUMBERS, labels_of, numbers
from selftime.data.formats.times import parse_times
from selftime.data.roles import decide_roles
from selftime.data.schema import ID_NAMES, TIME_NAMES, Asked, Schema
from selftime.data.series import SeriesSet
from selftime.door import option

MANY_REPEATED = 0.05
"""Share of rows whose stamp repeats, above which series are more likely than repeated readings."""


class Table(NamedTuple):
    """An arrow table from a file or a frame; ``first_line`` is None where cells have types.

    Attributes:
        cells: the table.
        named: whether columns came with names.
        first_line: line of the first row in a text file.
        notes: what was decided in reading the file.
        lines: of all rows in a text file, where other lines lie between them.
        levels: columns that were the levels of an index of pandas.
    """

    cells: Any
    named: bool = True
    first_line: int | None = None
    notes: tuple[str, ...] = ()
    lines: np.ndarray | None = None
    levels: tuple[str, ...] = ()

    def place(self, row: int, column: str) -> str:
        """Return the place of a cell, for messages."""
        at = f"row {row + 1}" if self.first_line is None else f"line {row + self.first_line}"
        at = at if self.lines is None else f"line {self.lines[row]}"
        return f"{at}, column {column!r}"


_NOTHING = Asked()


def series_of_table(table: Table, asked: Asked = _NOTHING) -> SeriesSet:
    """Read the series in a table.

    Rows are sorted by time within each series; without a time column they keep their order.
    """
    if table.cells.num_rows == 0:
        raise SeriesError("has no rows, wanted at least one: check the query or the file")
    table = table._replace(cells=_plain(table.cells, typed=table.first_line is None))
    table, asked = _fold_levels(*_with_one_id(table, asked))
    marks = (*MISSING_CELLS, *MISSING_NUMBERS, "")
    schema = decide_roles(table.cells, asked, typed=table.first_line is None, marks=marks)
    read = _wide if schema.layout == "wide" else _long
    found = read(table, schema, asked)
    notes = (*table.notes, *schema.notes, *found.notes, *_doubts(found, schema))
    return replace(found, columns=schema.columns, notes=notes)


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
    kinds = {name: table.cells.schema.field(name).type for name in levels}
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


def _wide(table: Table, schema: Schema, asked: Asked) -> SeriesSet:
    steps, lengths = trim_rows(_values(table, schema, asked))
    series = SeriesSet.from_steps(steps, lengths, ids=_ids(table, schema.of("id")))
    labels, groups = (column_in(table, schema.of(role)) for role in ("label", "group"))
    dates = dates_of_names(schema.channels)
    times = None if dates is None else np.concatenate([dates[:n] for n in lengths])
    return replace(series, labels=labels, groups=groups, times=times)


def _long(table: Table, schema: Schema, asked: Asked) -> SeriesSet:
    """Read a long table; one series is a long table in which every row has the same id."""
    ids, codes = None, np.zeros(table.cells.num_rows, np.int64)
    if schema.layout == "long":
        _check_no_gap(table, str(schema.of("id")))
        encoded = _cells(table, str(schema.of("id"))).dictionary_encode()  # by first appearance
        codes = np.asarray(encoded.indices, np.int64)
        ids = _plain_names(table, encoded.dictionary)
    times, stamps, said = _times(table, schema.of("time"), asked)
    order = np.argsort(codes, kind="stable") if times is None else np.lexsort((times, codes))
    values, notes = _values(table, schema, asked), [*said]
    if times is not None:
        same = (times[order][1:] == times[order][:-1]) & (codes[order][1:] == codes[order][:-1])
        if same.any():
            values = _without_repeats(table, schema, asked, values, order, same)
            order = order[np.r_[True, ~same]]
            notes.append(_repeats_in_words(times, same, asked))
    lengths = np.bincount(codes[order])
    series = SeriesSet.from_steps(values[order], lengths, ids=ids, channels=schema.channels)
    first = np.cumsum(lengths) - lengths
    labels, step_labels = _labels(table, schema, order, first)
    return replace(
        series,
        times=None if times is None else times[order],
        stamps=stamps,
        labels=labels,
        step_labels=step_labels,
        groups=_groups(table, schema.of("group"), order, first),
        rows=None if (np.diff(order) > 0).all() else order,
        notes=tuple(notes),
    )


def _values(table: Table, schema: Schema, asked: Asked) -> Float64[np.ndarray, "R C"]:
    """Return the measurements of all rows, NaN where missing or as good as (``missing``)."""
    marks = (*MISSING_CELLS, "", *map(str, asked.missing))
    values = np.stack([_numbers(table, name, marks) for name in schema.channels], axis=1)
    for mark in asked.missing:
        number = _as_number(mark)
        if number is not None:
            values[np.isclose(values, number, rtol=1e-6, atol=0)] = np.nan
    return values


def _as_number(mark: Any) -> float | None:
    try:
        return float(mark)
    except ValueError:
        return None


def _numbers(table: Table, name: str, marks: tuple[str, ...]) -> Float64[np.ndarray, "R"]:
    cells = _cells(table, name)
    if is_text(cells.type):
        return np.asarray(numbers(cells, lambda row: table.place(row, name), marks), np.float64)
    if not is_number(cells.type):
        raise SeriesError(
            f"column {name!r} holds {cells.type}, wanted numbers: name others, {option('channels')}"
        )
    values = np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    with np.errstate(over="ignore"):
        far = np.isinf(values.astype(np.float32))
    if far.any():
        row = int(np.argmax(far))
        raise SeriesError(
            f"{table.place(row, name)}: got {cells[row].as_py()}, wanted a finite 32-bit number: "
            f"rescale, or say that it means missing, {option('missing')}"
        )
    return values.copy()


def _times(
    table: Table, name: str | None, asked: Asked
) -> tuple[np.ndarray | None, Stamps, tuple[str, ...]]:
    """Return the stamps of the rows, in UTC where they have a zone, what they are, and notes."""
    if name is None:
        return None, Stamps(), ()
    notes: tuple[str, ...] = ()
    cells = _cells(table, name)
    kind, zone = "time", getattr(cells.type, "tz", None)
    if is_text(cells.type):
        times, zone, kind, notes = parse_times(
            cells, lambda row: table.place(row, name), epochs=False
        )
    elif pa.types.is_temporal(cells.type) and not pa.types.is_time(cells.type):
        kind = "date" if pa.types.is_date(cells.type) else "time"
        times = np.asarray(cells.to_numpy(zero_copy_only=False)).astype("datetime64[ns]")
    elif pa.types.is_integer(cells.type) and not cells.null_count:
        times = np.asarray(cells.to_numpy(zero_copy_only=False)).astype(np.int64)
    elif is_number(cells.type):
        times = np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    else:
        raise SeriesError(f"column {name!r} holds {cells.type}, wanted times or numbers")
    lost = np.isnat(times) if times.dtype.kind in "mM" else ~np.isfinite(times)
    if lost.any():
        raise SeriesError(
            f"{table.place(int(np.argmax(lost)), name)}: got no time, wanted one for each row: "
            f"drop the row, or read rows in their order, {option('time', 'none')}"
        )
    if times.dtype.kind not in "mM":
        return *(dates_in(times) or (times, Stamps(None, "number"))), notes
    stamps = Stamps(zone, kind)  # type: ignore[arg-type]
    return *in_zone(times, stamps, asked.time_zone), notes


def _without_repeats(
    table: Table,
    schema: Schema,
    asked: Asked,
    values: np.ndarray,
    order: Int64[np.ndarray, "R"],
    same: np.ndarray,
) -> np.ndarray:
    """Return values whose first row of each stamp counts for all of them.

    Raises:
        SeriesError: where repeated stamps are refused, or so many that rows may be of several
            series.
    """
    row = int(order[int(np.argmax(same)) + 1])
    if asked.repeated == "refuse" or (asked.repeated is None and same.mean() > MANY_REPEATED):
        name = str(schema.of("time"))
        raise SeriesError(
            f"{table.place(row, name)}: got a time twice in one series, as in {int(same.sum()):,} "
            f"of {len(order):,} rows, wanted each once: name the column that tells series apart, "
            f"{option('id')} (several with commas), or say which row counts, "
            f"{option('repeated', 'first')} or {option('repeated', 'mean')}, or keep the order of "
            f"rows, {option('time', 'none')}"
        )
    if asked.repeated != "mean":
        return values
    run = np.cumsum(np.r_[True, ~same]) - 1  # rows with one stamp
    first = np.flatnonzero(np.r_[True, ~same])
    there = ~np.isnan(values[order])
    total = np.add.reduceat(np.where(there, values[order], 0.0), first, axis=0)
    count = np.add.reduceat(there.astype(np.float64), first, axis=0)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    out = values.copy()
    out[order] = mean[run]
    return out


def _repeats_in_words(times: np.ndarray, same: np.ndarray, asked: Asked) -> str:
    n = int(same.sum())
    rows = "1 row repeats a stamp" if n == 1 else f"{n:,} rows repeat a stamp"
    if asked.repeated == "mean":
        return f"{rows}: their mean counts"
    other = f"{option('repeated', 'mean')} averages them, {option('repeated', 'refuse')} refuses"
    return f"{rows} and {'was' if n == 1 else 'were'} dropped, the first counts; {other}"


def _labels(
    table: Table, schema: Schema, order: Int64[np.ndarray, "R"], first: Int64[np.ndarray, "N"]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the labels of series, or those of steps where they change within a series."""
    column = column_in(table, schema.of("label"))
    if column is None:
        return None, None
    column = column[order]
    of_series = _constant(column, first)
    return (of_series, None) if of_series is not None else (None, column)


def _constant(column: np.ndarray, first: Int64[np.ndarray, "N"]) -> np.ndarray | None:
    """Return the value of each series in a column, blanks left out; None where some has several."""
    known = are_known(column)
    names, codes = np.unique(column[known].astype(str), return_inverse=True)
    high, low = np.full(len(column), -1), np.full(len(column), len(names))
    high[known] = low[known] = codes
    most, least = np.maximum.reduceat(high, first), np.minimum.reduceat(low, first)
    if ((most != least) & (most >= 0)).any():
        return None
    place = np.zeros(max(len(names), 1), np.int64)
    place[codes] = np.flatnonzero(known)
    found = column[place[np.maximum(most, 0)]].astype(column.dtype)
    if (most < 0).any():
        found = found.astype(object)
        found[most < 0] = None
    return found


def _groups(
    table: Table, name: str | None, order: Int64[np.ndarray, "R"], first: Int64[np.ndarray, "N"]
) -> np.ndarray | None:
    column = column_in(table, name)
    if column is None or name is None:
        return None
    found = _constant(column[order], first)
    if found is None or not are_known(found).all():
        raise SeriesError(
            f"column {name!r} changes within a series, wanted one group for each: leave it out, "
            f"{option('ignore', name)}, or name another, {option('group')}"
        )
    return found


def column_in(table: Table, name: str | None) -> np.ndarray | None:
    """Return labels or groups as they are, or parsed where cells come from a text file.

    None stands where there is no label.
    """
    if name is None:
        return None
    cells = known_in(_cells(table, name))
    known = cells.drop_null()
    if not len(known):
        return None
    values = _plain_names(table, known)
    if len(known) == len(cells):
        return values
    out = np.full(len(cells), None, object)
    out[np.asarray(cells.is_valid())] = values.tolist()
    return out


def _plain_names(table: Table, cells: Any) -> np.ndarray:
    """Return ids or labels in their own type; texts of a file are numbers where nothing is lost."""
    if is_text(cells.type) and table.first_line is not None:
        return labels_of(cells)
    if pa.types.is_temporal(cells.type):
        return np.asarray(cells.to_numpy(zero_copy_only=False))
    return column_of(cells.to_pylist(), "labels")


def _ids(table: Table, name: str | None) -> np.ndarray | None:
    if name is None:
        return None
    _check_no_gap(table, name)
    return _plain_names(table, _cells(table, name))


def _check_no_gap(table: Table, name: str) -> None:
    cells = _cells(table, name)
    if cells.null_count:
        row = cells.is_null().to_pylist().index(True)
        raise SeriesError(f"{table.place(row, name)}: got nothing, wanted a name: fill it in")


def _plain(cells: Any, typed: bool) -> Any:
    """Return the table without dictionaries, durations in seconds, names stripped of blanks.

    Texts of a file that are all true or false are truth values, as they are in a frame.
    """
    for i, field in enumerate(cells.schema):
        if pa.types.is_dictionary(field.type):
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


def _cells(table: Table, name: str) -> Any:
    cells = table.cells.column(name).combine_chunks()
    if isinstance(cells, pa.ChunkedArray):  # older arrow keeps an empty or single chunk wrapped
        cells = cells.chunk(0)
    return cells
