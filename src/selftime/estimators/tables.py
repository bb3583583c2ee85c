"""Tables of what a model or a fitted estimator says of series, block by block, part by part."""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from selftime.data.blocks import FORMS, Blocks, blocks_of
from selftime.data.files import (
    begin_successor,
    clear_successor,
    has_successor,
    install_successor,
    is_free,
    place_of,
    restore,
    successor_of,
    sweep,
    whole_file,
    write_json,
)
from selftime.data.frames import Tabular, arrow_table
from selftime.data.places import check_place, only_writer
from selftime.data.readers import kind_for
from selftime.data.records import read_values
from selftime.data.series import SeriesSet
from selftime.data.writers import TABLES, write_table
from selftime.door import Door, language, option, through
from selftime.engine.embeddings import embed
from selftime.engine.model import Model, ModelError
from selftime.engine.ray_cluster import Engine, cluster_of
from selftime.estimators.loading import load
from selftime.progress import Progress, open_progress

INDEX = "_table.json"
"""Says how far the table of a folder is; readers of parquet pass over names with an underscore."""
_OWN = re.compile(rf"{INDEX}|part-\d+\.parquet")
_METHODS = ("predictions", "forecasts", "detection", "imputation")
"""Of fitted estimators: each makes the table of its command."""
_CLOSE = 1e-3
"""Difference of numbers, as a share, that another machine may make."""


class Parts(NamedTuple):
    """A table that was written.

    Attributes:
        path: its file, or the folder of its parts.
        series: that it is about.
        rows: that it has.
    """

    path: Path
    series: int
    rows: int


def predict(  # noqa: PLR0913 - the front door: each is one thing that people decide
    fitted: Any,
    x: Any,
    out: str | os.PathLike[str],
    *,
    reading: Mapping[str, Any] | None = None,
    engine: Engine = "local",
    overwrite: bool = False,
    safe_cells: bool = True,
    progress: bool | Progress | None = None,
) -> Parts:
    """Write what a model or a fitted estimator says of series, which need not fit in memory.

    Vectors of a model, classes, values, forecasts or scores: the table of the command that does
    it. Files of a folder, and series of a store, are read block by block; each block becomes a part
    of the table, a parquet file that is there whole or not at all. A call that ended early goes on
    with the parts that are missing when it is made again.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")
        >>> classifier = st.Classifier(st.pretrain(x, encoder="quantiles")).fit(x)
        >>> with TemporaryDirectory() as folder:
        ...     st.predict(classifier, "sample:JapaneseVowels:test", folder + "/who").series
        370

    Args:
        fitted: a model, a fitted estimator, the folder of one, or a function of series that
            returns a table, such as ``functools.partial(st.detect, train_end=500)``.
        x: whatever :func:`selftime.read` takes.
        out: folder of the parts; or one file, .csv or .parquet, of vectors .npz or .npy too.
        reading: options of :func:`selftime.read`, such as ``{"id": "machine"}``.
        engine: "ray" shares blocks out to the workers of a cluster, which read them and write the
            parts; :class:`selftime.Ray` says which one.
        overwrite: replace what stands there, which stays until the new one is whole.
        safe_cells: as of :func:`selftime.write_table`.
        progress: a bar where a person looks when None; :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: the series cannot be read, or have other channels.
        FileExistsError: something stands there, or parts of another table.
        OSError: the disk is full: parts that were written are kept; or somebody else writes there.
        ModelError: a folder that holds nothing that says anything of series.
    """
    target = place_of(out).absolute()  # workers stand elsewhere
    is_file = target.suffix.lower() in TABLES
    check_place(target)
    if is_file and os.path.lexists(target) and not overwrite:
        raise FileExistsError(f"{target} exists: choose another, or {option('overwrite', True)}")
    found = load(fitted) if isinstance(fitted, str | os.PathLike) else fitted
    blocks = blocks_of(x, reading_for(found, x, reading or {}), lenient=True)
    job = BlockTable(table_maker(found), blocks, None, language())
    with open_progress(progress) as tell:
        if is_file:
            made = _all_tables(job, engine, tell)
            table = pa.concat_tables([table for _, table in made], promote_options="default")
            write_table(target, columns_in(table), overwrite=overwrite, safe_cells=safe_cells)
            return Parts(target, sum(count for count, _ in made), len(table))
        with only_writer(target):
            return _write_parts(job, target, engine, overwrite, tell)


@dataclass(frozen=True)
class BlockTable:
    """Makes the table of a block, wherever it is called.

    Attributes:
        make: of the series of a block.
        blocks: of all series.
        folder: for the parts; None returns the tables.
        language: of the door that was used, for errors.
    """

    make: Callable[[SeriesSet], Tabular]
    blocks: Blocks
    folder: Path | None
    language: Door

    def __call__(self, number: int) -> tuple[int, pa.Table | None]:
        """Return the number of series of a block, and its table unless it was written."""
        with through(self.language, lambda _: None):
            series = self.blocks.read(number)
            table = arrow_table(self.make(series).to_columns())
            table = table.replace_schema_metadata({_SERIES: str(len(series))})
            if self.folder is None:
                return len(series), table
            with whole_file(part_in(self.folder, number)) as file:
                parquet.write_table(table, file)
        return len(series), None


_SERIES = b"selftime series"
"""Name under which a part says how many series it is about."""


def part_in(folder: Path, number: int) -> Path:
    """Return the file of a part; in the order of their names they are in that of the series."""
    return folder / f"part-{number:06d}.parquet"


def table_maker(fitted: Any) -> Callable[[SeriesSet], Tabular]:
    """Return the function of series that makes the table of a model or fitted estimator.

    Raises:
        ModelError: something that says nothing of series.
    """
    if isinstance(fitted, Model):
        return partial(embed, fitted, progress=False)
    if hasattr(fitted, "fitted_on_"):  # histories that no other series need
        fitted = copy(fitted)
        del fitted.fitted_on_
    for name in _METHODS:
        if hasattr(fitted, name):
            own: Callable[[SeriesSet], Tabular] = getattr(fitted, name)
            return own
    if callable(fitted):
        return fitted  # type: ignore[no-any-return]
    raise ModelError(
        f"got {type(fitted).__name__}, which says nothing of new series by itself, wanted a model, "
        "a classifier, regressor, segmenter, forecaster, detector or imputer"
    )


def reading_for(fitted: Any, x: Any, reading: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options of reading, for the kind that a model reads if no form was asked for."""
    model = fitted if isinstance(fitted, Model) else getattr(fitted, "model_", None)
    kind = kind_for(x, model.kind) if isinstance(model, Model) else None
    is_asked = any(reading.get(name) is not None for name in FORMS)
    return reading if kind is None or is_asked else {**reading, "kind": kind}


def _each(
    job: BlockTable,
    todo: list[int],
    engine: Engine,
    take: Callable[[int, tuple[int, pa.Table | None]], None],
) -> None:
    """Make tables of blocks here or on a cluster, and give each to ``take``."""
    cluster = cluster_of(engine)
    if cluster is not None:
        cluster.each(job, todo, take)
        return
    for place, number in enumerate(todo):
        take(place, job(number))


def _all_tables(job: BlockTable, engine: Engine, tell: Progress) -> list[tuple[int, pa.Table]]:
    """Return the tables of all blocks in their order, each with its number of series."""
    found: dict[int, tuple[int, Any]] = {}

    def take(place: int, made: tuple[int, Any]) -> None:
        found[place] = made
        tell("blocks", len(found), len(job.blocks))

    tell("blocks", 0, len(job.blocks))
    _each(job, list(range(len(job.blocks))), engine, take)
    return [found[place] for place in sorted(found)]


def _write_parts(
    job: BlockTable, target: Path, engine: Engine, overwrite: bool, tell: Progress
) -> Parts:
    """Write the parts that are missing, and say so in the index once all are there."""
    _put_in_place(target)
    folder, count = _begin(target, job.blocks, overwrite=overwrite), len(job.blocks)
    todo = [number for number in range(count) if not part_in(folder, number).exists()]
    done = sorted({*range(count)} - {*todo})
    if done:
        _check_same(job, folder, done[0], target)
    made = [len(done)]

    def take(place: int, counted: tuple[int, Any]) -> None:  # noqa: ARG001
        made[0] += 1
        tell("blocks", made[0], count)

    tell("blocks", len(done), count)
    writing = BlockTable(job.make, job.blocks, folder, job.language)
    _each(writing, todo, engine, take)
    heads = [parquet.read_metadata(part_in(folder, number)) for number in range(count)]
    rows = sum(head.num_rows for head in heads)
    series = sum(int((head.metadata or {}).get(_SERIES, b"0")) for head in heads)
    facts = _facts_of(job.blocks) | {"parts": count, "series": series, "rows": rows}
    write_json(folder / INDEX, {"selftime table": "finished"} | facts)
    _put_in_place(target)
    return Parts(target, series, rows)


def _facts_of(blocks: Blocks) -> dict[str, Any]:
    return {"of": blocks.mark, "blocks": len(blocks)}


def _status_of(folder: Path) -> dict[str, Any]:
    """Return what the index of a table says; nothing where there is none."""
    with suppress(ValueError, OSError):
        found = read_values(folder / INDEX)
        if isinstance(found, dict) and found.get("selftime table") in ("writing", "finished"):
            return dict(found)
    return {}


def _is_finished(folder: Path) -> bool:
    return _status_of(folder).get("selftime table") == "finished"


def _put_in_place(target: Path) -> None:
    """Let a finished table that was made beside another take its place, and sweep up."""
    restore(target)
    sweep(target.parent)
    if has_successor(target) and _is_finished(successor_of(target)):
        install_successor(target, _OWN)
    if not has_successor(target):
        clear_successor(target)
    for home in (target, successor_of(target)):
        if _status_of(home):
            sweep(home)


def _begin(target: Path, blocks: Blocks, *, overwrite: bool) -> Path:
    """Return the folder in which parts are made, with those that are there already."""
    wanted = _facts_of(blocks)
    work = successor_of(target) if has_successor(target) else target
    found = _status_of(work)
    if found and found["selftime table"] == "writing" and not overwrite:
        if any(found.get(name) != fact for name, fact in wanted.items()):
            raise FileExistsError(
                f"{target} holds parts of the table of other series: choose another, or begin "
                f"anew, {option('overwrite', True)}"
            )
        return work
    if found and not overwrite:
        raise FileExistsError(f"{target} exists: choose another, or {option('overwrite', True)}")
    if found or has_successor(target):
        work = begin_successor(target)
    elif not is_free(target):
        raise FileExistsError(f"{target} is no table and is left alone: choose another")
    write_json(work / INDEX, {"selftime table": "writing"} | wanted)
    return work


def _check_same(job: BlockTable, folder: Path, number: int, target: Path) -> None:
    """Check that a part that is there is what would be made of its block now."""
    there, wanted = parquet.read_table(part_in(folder, number)), job(number)[1]
    if wanted is not None and there.schema.equals(wanted.schema) and are_close(there, wanted):
        return
    raise FileExistsError(
        f"{target} holds parts that something else made, or of series that have changed since: "
        f"choose another, or begin anew, {option('overwrite', True)}"
    )


def are_close(one: pa.Table, other: pa.Table) -> bool:
    """Return whether two tables are equal but for the rounding of their numbers."""
    if len(one) != len(other):
        return False
    for a, b in zip(one.columns, other.columns, strict=True):
        if not pa.types.is_floating(a.type):
            if not a.equals(b):
                return False
            continue
        x, y = (column.to_numpy().astype(np.float64) for column in (a, b))
        size = float(np.nanmax(np.abs(y), initial=0.0))
        if not np.allclose(x, y, rtol=_CLOSE, atol=_CLOSE * size, equal_nan=True):
            return False
    return True


def columns_in(table: pa.Table) -> dict[str, Any]:
    """Return the columns of a table as those of results are: vectors are a matrix again.

    Texts of which some are missing are objects; all others stay columns of arrow.
    """
    width = 0
    while f"e{width}" in table.column_names and pa.types.is_floating(table[f"e{width}"].type):
        width += 1
    found: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if name == "e0" and width:
            vectors = [table[f"e{j}"].to_numpy() for j in range(width)]
            found["vectors"] = np.stack(vectors, axis=1)
        elif not re.fullmatch(r"e\d+", name) or int(name[1:]) >= width:
            is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            found[name] = column.to_numpy(zero_copy_only=False) if is_text else column
    return found
