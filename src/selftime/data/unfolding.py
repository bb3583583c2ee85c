"""Tables as pipelines write them: lists in cells are laid out, names told apart."""

from collections import Counter
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from selftime.data.arrays import SeriesError
from selftime.data.schema import ID_NAMES, plain_name


def with_own_names(
    cells: pa.Table, asked: Collection[str] = ()
) -> tuple[pa.Table, tuple[str, ...]]:
    """Number names that occur more than once, as pandas does, and say so; asked ones must not."""
    twice = [name for name, times in Counter(cells.column_names).items() if times > 1]
    if not twice or {*twice} & {*asked}:
        return cells, ()
    seen: Counter[str] = Counter()
    names = []
    for name in cells.column_names:
        own = f"{name}.{seen[name]}" if seen[name] else name
        seen[name] += 1
        if own != name and own in cells.column_names:
            return cells, ()  # refused later
        names.append(own)
    name = twice[0]
    note = f"{seen[name]} columns are named {name!r}: all but the first are {name + '.1'!r}, …"
    return cells.rename_columns(names), (note,)


def with_lists_laid_out(
    cells: pa.Table,
) -> tuple[pa.Table, tuple[str, ...], Int64[np.ndarray, "R"] | None]:
    """Return a table with a row a step where cells hold lists, one series a row, and say so.

    Also the row (R,) that each of them was; None where nothing is laid out.

    Raises:
        SeriesError: lists of a row that differ in length, or a row without any.
    """
    lists = [field.name for field in cells.schema if _is_list(field.type)]
    if not lists:
        return cells, (), None
    columns = {name: cells.column(name).combine_chunks() for name in lists}
    lengths = {
        name: np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)
        for name, column in columns.items()
    }
    first = lengths[lists[0]]
    for name in lists:
        if not lengths[name].all():
            row = int(np.argmin(lengths[name]))
            raise SeriesError(f"row {row + 1}, column {name!r}: got no values: leave the row out")
        if (lengths[name] != first).any():
            row = int(np.argmax(lengths[name] != first))
            raise SeriesError(
                f"row {row + 1}: columns {lists[0]!r} and {name!r} hold {first[row]} and "
                f"{lengths[name][row]} values, wanted as many steps in each: give them one length"
            )
    rows = np.repeat(np.arange(cells.num_rows), first)
    others = [name for name in cells.column_names if name not in lists]
    laid = {name: cells.column(name).take(pa.array(rows)) for name in others}
    out = pa.table(laid | {name: pc.list_flatten(columns[name]) for name in lists})
    known = [name for name in cells.column_names if plain_name(name) in ID_NAMES]
    if not any(pc.count_distinct(cells.column(name)).as_py() == len(first) for name in known):
        out = out.add_column(0, "unique_id", pa.array(rows))
    shown = ", ".join(map(repr, lists[:4]))
    return out, (f"Cells of {shown} hold lists: each row is a series of its steps.",), rows


def _is_list(kind: pa.DataType) -> bool:
    kinds = pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list
    return any(of(kind) for of in kinds) and not pa.types.is_nested(kind.value_type)
