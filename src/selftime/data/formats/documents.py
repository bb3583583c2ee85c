"""Texts of files and tables, and how prose is told from numbers."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selftime.data.arrays import SeriesError
from selftime.data.cells import decoded, is_text
from selftime.data.columns import Table, column_in, names_of
from selftime.data.formats.dialects import kind_of, separator_of_columns
from selftime.data.formats.text import UNPACKERS, count_of, read_bytes, utf8_of
from selftime.data.schema import ID_NAMES, LABEL_NAMES, Asked, list_names, plain_name
from selftime.door import option

SUFFIXES = (".txt", ".md")
"""Endings of texts; a ``.txt`` may also hold numbers."""
_HEAD = 1 << 16
_WORDS = 0.6
"""Share of the words in a file of prose, at least, that are no numbers or dates."""
_WORD = re.compile(r"[^\s,;|]+")
_CELLS = 30
"""Typical letters of a cell, from which on a column is one of texts and not of names."""


class Texts(NamedTuple):
    """Texts of a file or table, with what else is said of each; None where nothing is.

    Attributes:
        texts: N of them.
        ids: (N,) unique names.
        labels: (N,) classes.
        groups: (N,) subjects or machines.
        notes: what was decided.
    """

    texts: list[str]
    ids: np.ndarray | None = None
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read_document(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Read a file as one text, its line ends those of Unix; also notes on its encoding.

    Raises:
        SeriesError: it is empty, or holds bytes that no text has.
    """
    plain, notes = utf8_of(data)
    text = plain.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return text, notes


def is_prose(path: Path) -> bool:
    """Return whether a file holds prose, as its beginning tells, and no numbers or table."""
    try:
        packed = path.suffix.lower() in UNPACKERS
        with io.BytesIO(read_bytes(path)) if packed else path.open("rb") as file:
            text, _ = utf8_of(file.read(_HEAD))
    except (SeriesError, OSError):
        return False  # said by who reads it
    words = _WORD.findall(text.decode("utf-8", "replace"))
    share = np.mean([kind_of(word) == "text" for word in words]) if words else 0.0
    letters = sum(map(str.isalpha, "".join(words)))
    mostly = letters > 0.5 * sum(map(len, words))
    return bool(mostly and share >= _WORDS and separator_of_columns(text) is None)


def texts_of_table(table: Table, asked: Asked) -> Texts:
    """Return the column of texts of a table: the one asked for, else that of the longest texts.

    Ids, labels and groups are the columns asked for, or of well-known names. Rows without a text
    are left out, which is said.

    Raises:
        SeriesError: no such column.
    """
    names = [str(name) for name in table.cells.column_names]
    known = {plain_name(name): name for name in reversed(names)}
    roles = {
        "id": _column(names, known, asked.id, ID_NAMES, "id"),
        "label": _column(names, known, asked.label, LABEL_NAMES, "label"),
        "group": _column(names, known, asked.group, ("group", "subject"), "group"),
    }
    free = [name for name in names if name not in (*roles.values(), *asked.ignore)]
    name = _text_column(table.cells, free, names, asked.channels)
    cells = decoded(table.cells.column(name)).cast(pa.large_string())
    there = pc.fill_null(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(cells)), 0), False)
    kept = np.flatnonzero(there.to_numpy(zero_copy_only=False))
    if not len(kept):
        raise SeriesError(f"column {name!r} holds no text, wanted some in at least one row")
    notes = [f"texts are those of column {name!r}; {option('channels')} names another"]
    if asked.channels is not None:
        notes = []
    if len(kept) < len(cells):
        notes.append(f"{count_of(len(cells) - len(kept), 'row')} without a text: left out")
    rows = table._replace(cells=table.cells.take(pa.array(kept)))
    ids = roles["id"] and names_of(rows, decoded(rows.cells.column(roles["id"])))
    return Texts(
        cells.take(pa.array(kept)).to_pylist(),
        ids if isinstance(ids, np.ndarray) and len(np.unique(ids)) == len(ids) else None,
        column_in(rows, roles["label"]),
        column_in(rows, roles["group"]),
        (*table.notes, *notes),
    )


def _column(
    names: list[str], known: dict[str, str], asked: str | None, usual: Sequence[str], role: str
) -> str | None:
    """Return the column of a role: the one asked for, else the first of a well-known name."""
    if asked in ("none", "folder", "name"):
        return None
    if asked is not None and asked not in names:
        raise SeriesError(
            f"column {asked!r} is missing, got {list_names(names)}: {option(role)} names another"
        )
    return asked or next((known[name] for name in usual if name in known), None)


def _text_column(cells: Any, free: list[str], names: list[str], asked: Sequence[str] | None) -> str:
    if asked is not None:
        if len(asked) != 1 or asked[0] not in names:
            raise SeriesError(
                f"got {option('channels', list(asked))}, wanted the one column of texts among "
                f"{list_names(names)}"
            )
        return asked[0]
    sizes = {}
    for name in free:
        column = decoded(cells.column(name))
        if is_text(column.type):
            sizes[name] = pc.mean(pc.utf8_length(column)).as_py() or 0.0
    if not sizes:
        raise SeriesError(
            f"holds no column of texts among {list_names(names)}, wanted one: "
            f"{option('channels')} names it"
        )
    return max(sizes, key=lambda name: sizes[name])
