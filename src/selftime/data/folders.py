"""Folders of files as one SeriesSet."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.decoding import suffix_of
from selftime.data.series import SeriesSet


def read_folder(
    folder: Path, suffixes: Collection[str], read_file: Callable[[Path], SeriesSet]
) -> SeriesSet:
    """All readable files under a folder, in the order of their names.

    Ids are paths within the folder, ``a/b.csv`` for the one series of a file and ``a/b.tsv:7`` for
    one of several. Sub-folders right under the folder give the labels when there are at least two,
    every file is in one and no file carries labels.

    Args:
        folder: where to look; hidden files and folders are passed over.
        suffixes: endings of the files to read; others are passed over.
        read_file: reads one of them.

    Raises:
        SeriesError: nothing to read, a file that cannot be read, or files that do not go together.
    """
    found = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = [name for name in found if not any(part.startswith(".") for part in name.parts)]
    names = [name for name in names if suffix_of(name) in suffixes]
    if not names:
        raise SeriesError(
            f"{folder}: none of the {len(found)} files in it can be read, wanted some ending in "
            f"{', '.join(suffixes)}: check the path"
        )
    parts = [_named(read_file(folder / name), name) for name in names]
    series = _merge(parts, [str(folder / name) for name in names])
    kinds = [name.parts[0] if len(name.parts) > 1 else "" for name in names]
    if series.labels is None and "" not in kinds and len(set(kinds)) > 1:
        return replace(series, labels=np.repeat(kinds, [len(part) for part in parts]))
    return series


def _named(series: SeriesSet, name: Path) -> SeriesSet:
    """The same series, their file in their ids."""
    if series.ids.tolist() == ["0"]:
        return replace(series, ids=np.array([name.as_posix()]))
    return replace(series, ids=np.array([f"{name.as_posix()}:{i}" for i in series.ids]))


def _merge(parts: Sequence[SeriesSet], names: Sequence[str]) -> SeriesSet:
    """Several SeriesSets as one; ``names`` are theirs, for messages."""
    for part, name in zip(parts, names, strict=True):
        if part.channels != parts[0].channels:
            raise SeriesError(
                f"{name}: has {part.n_channels} channels ({', '.join(part.channels[:8])}), "
                f"{names[0]} has {parts[0].n_channels} ({', '.join(parts[0].channels[:8])}): "
                "wanted the same in every file, read others on their own"
            )
    gaps = any(part.observed is not None for part in parts)
    return SeriesSet(
        steps=np.concatenate([part.steps for part in parts]),
        offsets=np.cumsum([0, *np.concatenate([part.lengths for part in parts])], dtype=np.int64),
        observed=np.concatenate([_observed_mask(part) for part in parts]) if gaps else None,
        channels=parts[0].channels,
        ids=np.concatenate([part.ids for part in parts]),
        times=_join_columns("times", [part.times for part in parts], names),
        labels=_join_columns("labels", [part.labels for part in parts], names),
        groups=_join_columns("groups", [part.groups for part in parts], names),
    )


def _observed_mask(part: SeriesSet) -> np.ndarray:
    return np.ones(part.steps.shape, bool) if part.observed is None else part.observed


def _join_columns(
    what: str, columns: Sequence[np.ndarray | None], names: Sequence[str]
) -> np.ndarray | None:
    """The columns end to end; all files must have one of the same kind, or none."""
    kinds = ["no" if column is None else column.dtype.kind for column in columns]
    odd = next((i for i, kind in enumerate(kinds) if kind != kinds[0]), None)
    if odd is not None:
        raise SeriesError(
            f"{names[odd]}: {_describe(columns[odd], what)}, {names[0]} "
            f"{_describe(columns[0], what)}: wanted the same in every file, read others on their "
            "own"
        )
    there = [column for column in columns if column is not None]
    return np.concatenate(there) if there else None


def _describe(column: np.ndarray | None, what: str) -> str:
    return f"has no {what}" if column is None else f"has {what} of type {column.dtype}"
