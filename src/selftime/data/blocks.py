"""Blocks: what can be read in pieces that are read one by one, on any machine that reaches it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.files import place_of
from selftime.data.forms import form_of
from selftime.data.memory import is_mapped
from selftime.data.paths import FolderFiles, files_in, parquet_set_in
from selftime.data.readers import read
from selftime.data.schema import Asked
from selftime.data.series import SeriesSet
from selftime.data.store import is_store

VALUES, FILE_BYTES = 2**22, 2**24
"""About how many values of series in memory or in a store are a block, or bytes of files."""
FORMS = ("kind", "patch", "size", "symbols", "rate")
"""Options of :func:`selftime.read` that ask for a form of signal."""


@dataclass(frozen=True)
class Blocks:
    """A source of series in blocks, whose number and limits depend on the source alone.

    Attributes:
        source: the files of a folder; the path of a store; or series in memory.
        spans: of files, or of series, of each block.
        reading: options of :func:`selftime.read`.
        lenient: read series without the labels that were asked for where they have none.
        mark: of what is in the source, as its names and sizes tell.
    """

    source: Any
    spans: Sequence[tuple[int, int]]
    reading: Mapping[str, Any] = field(default_factory=dict)
    lenient: bool = False
    mark: str = ""

    def __len__(self) -> int:
        return len(self.spans)

    def read(self, number: int) -> SeriesSet:
        """Return the series of a block.

        Raises:
            SeriesError: it cannot be read.
        """
        span = slice(*self.spans[number])
        if isinstance(self.source, FolderFiles):
            return _read(self.source._replace(part=span), self.reading, self.lenient)
        return self._whole[span]

    @cached_property
    def _whole(self) -> SeriesSet:
        return _read(self.source, self.reading, self.lenient)


def blocks_of(x: Any, reading: Mapping[str, Any] | None = None, *, lenient: bool = False) -> Blocks:
    """Return what :func:`selftime.read` takes in blocks.

    Files of measurements in a folder, and series of a store, are read only when their block is; of
    everything else the blocks are spans of series that are read now.
    """
    asked = dict(reading or {})
    if "labels" in asked:
        asked["labels"] = portable(asked["labels"])
    folder = Path(os.path.abspath(place_of(x))) if _is_path(x) else Path(os.devnull)
    if folder.is_dir() and not is_store(folder) and not parquet_set_in(folder):
        form = form_of(**{name: asked.get(name) for name in FORMS})
        files = files_in(folder, Asked(form=form))
        if files.kind == "series" and asked.get("windows") is None:
            sizes = [os.path.getsize(path) for path in files.paths]
            mark = _mark_of([sizes, *(path.relative_to(folder).as_posix() for path in files.paths)])
            return Blocks(files, spans_below(np.array(sizes), FILE_BYTES), asked, lenient, mark)
    series = _read(x, asked, lenient)
    spans = spans_below(series.lengths * series.n_channels, VALUES)
    mark, source = _mark_of([series.lengths.tolist(), series.ids.tolist()]), portable(series)
    return Blocks(source, spans, {} if source is series else asked, lenient, mark)


def portable(x: Any) -> Any:
    """Return a source as other machines can read it: paths in full; of mapped series their store.

    Example:
        >>> portable("sample:ECG")
        'sample:ECG'
    """
    if isinstance(x, SeriesSet) and is_mapped(x.steps) and x.source:
        return portable(x.source)
    return os.path.abspath(place_of(x)) if _is_path(x) else x


def _is_path(x: Any) -> bool:
    is_text = isinstance(x, str) and not x.startswith("sample:") and "://" not in x
    return is_text or isinstance(x, os.PathLike)


def _read(source: Any, reading: Mapping[str, Any], lenient: bool) -> SeriesSet:
    try:
        return read(source, **reading)
    except SeriesError as error:
        if not lenient or error.lacks is None:
            raise
        return read(source, **{**reading, error.lacks: None})


def spans_below(sizes: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Return spans of neighbours whose sizes add up to about ``most``; a larger one is alone.

    Example:
        >>> spans_below(np.array([3, 3, 3, 9, 1]), 6)
        [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    ends = np.cumsum(sizes)
    spans, begin, before = [], 0, 0
    while begin < len(sizes):
        end = max(int(np.searchsorted(ends, before + most, side="right")), begin + 1)
        spans.append((begin, end))
        begin, before = end, int(ends[end - 1])
    return spans


def _mark_of(content: Any) -> str:
    return sha256(repr(content).encode("utf8", "surrogateescape")).hexdigest()
