"""Paths become series: files by their ending, folders, patterns; and the labels beside them."""

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selftime.data.arrays import LabelsError, SeriesError, TextsWanted
from selftime.data.buckets import series_in_buckets
from selftime.data.channels import select_as_asked
from selftime.data.columns import Table
from selftime.data.files import place_of
from selftime.data.formats.bounds import check_is_file
from selftime.data.formats.csv_parquet import read_csv, read_parquet, read_plain, read_tabs
from selftime.data.formats.edf import read_bdf, read_edf
from selftime.data.formats.excel import read_excel
from selftime.data.formats.hdf5_mat import read_hdf5, read_mat
from selftime.data.formats.large import is_huge, read_large
from selftime.data.formats.npz import read_arrays, read_npy, read_npz
from selftime.data.formats.partitions import files_of_parquet_set, read_parquet_set
from selftime.data.formats.sound import read_wav
from selftime.data.formats.text import naming, read_bytes, suffix_of
from selftime.data.formats.ts import read_ts
from selftime.data.labels import LabelTable, join_labels, label_table
from selftime.data.media import series_of_parts
from selftime.data.media_files import (
    OWN,
    axes_of_idx,
    files_of_one_kind,
    kind_of_files,
    open_parts,
)
from selftime.data.parts import Portion, are_stored, join_parts, name_part
from selftime.data.places import is_url
from selftime.data.remote import as_named, copy_of, without_secrets
from selftime.data.samples import sample
from selftime.data.schema import Asked
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements
from selftime.data.store import is_store, read_store
from selftime.data.tables import series_of_table
from selftime.door import option, tell

_SERIES_READERS: dict[str, Callable[[bytes], SeriesSet | Table]] = {
    ".ts": read_ts,
    ".tsv": read_tabs,
    ".txt": read_plain,
    ".dat": read_plain,
    ".npy": read_npy,
    ".npz": read_npz,
    ".wav": read_wav,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".xlsx": read_excel,
    ".mat": read_mat,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".edf": read_edf,
    ".bdf": read_bdf,
}
SUFFIXES = tuple(dict.fromkeys([*_SERIES_READERS, *(s for own in OWN.values() for s in own)]))
"""The endings that :func:`read` knows, each also followed by that of a packed file."""
_NO_SERIES = ("readme", "license", "licence", "changelog", "notes")
"""Names of files in a folder that hold no series."""
_LABEL_FILES = ("labels", "label", "annotations")
_LAST_NUMBER = re.compile(r"[ _.-]*\d+$")
_MACHINES = re.compile(
    r"(machine|asset|device|unit|sensor|pump|motor|engine|shop|store|site|line|subject|patient|"
    r"person|user|participant|animal|session|run|day)[ _-]?\w*",
    re.IGNORECASE,
)
"""Names of folders that are a machine or subject each, not a class."""
_NUMBERED = re.compile(r"[a-z]?\d+", re.IGNORECASE)
"""Such names where series are measurements; pictures of digits lie in folders of digits."""


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of files; their whole paths where names repeat."""
    short = [path.name for path in paths]
    return short if len(set(short)) == len(short) else [path.as_posix() for path in paths]


def read_labels(source: str | os.PathLike[str], asked: Asked) -> LabelTable:
    """Read a file of labels that name their series."""
    if is_url(source):
        with copy_of(str(source)) as copy:
            return read_labels(copy, asked)
    path = place_of(source)
    check_is_file(path)
    if not path.is_file():
        raise SeriesError(f"{path}: no such file of labels: check the path, {option('labels')}")
    with naming(path):
        found = _read_bytes(path)
        if not isinstance(found, Table):
            raise SeriesError("is no table of ids and labels: write them as .csv or .parquet")
        return label_table(found, asked.id, asked.label)


def read_path(source: str | os.PathLike[str], asked: Asked, *, labelled: bool = False) -> SeriesSet:
    """Read a file, a folder, all files of a pattern, or a bundled sample.

    With ``labelled`` labels are given, and those beside the files of a folder are passed over.
    """
    if isinstance(source, str) and source.startswith("sample:"):
        _, name, *split = source.split(":", 2)
        return select_as_asked(sample(name, split[0] if split else None), asked)
    if is_url(source):
        return _read_copy(str(source), asked, labelled=labelled)
    path = place_of(source)
    if os.path.isdir(path):
        return _read_directory(path, asked, labelled=labelled)
    if os.path.exists(path):
        alone = asked if asked.label == "name" else _inside(asked)
        kind, said = kind_of_files([path], asked.form)
        if kind == "series" or _has_kind(path):
            return _read_file(path, alone)
        parts, _ = open_parts([path], kind, alone, _read_bytes)
        return series_of_parts(parts, [""], kind, asked.form, said)
    found = sorted(filter(os.path.exists, glob.glob(str(path), recursive=True)))
    if not found:
        texts = "; texts come in a list" if asked.form.name == "text" else ""
        raise SeriesError(
            f"{path}: no such file or folder, wanted one to read: check the path{texts}"
        )
    return read_paths(found, asked)


def _read_directory(path: Path, asked: Asked, *, labelled: bool) -> SeriesSet:
    """Read a store, a data set that is one table, or files of series."""
    if is_store(path):
        return select_as_asked(read_store(path), asked)
    if files := parquet_set_in(path):
        with naming(path):
            return _read_stored(read_parquet_set(path, files), asked, path, files)
    return read_folder(files_in(path, asked), asked, labelled=labelled)


def _read_copy(url: str, asked: Asked, *, labelled: bool) -> SeriesSet:
    """Read what a URL names; notes show it in place of its copy."""
    with copy_of(url) as path:
        series = read_path(path, asked, labelled=labelled)
        notes = tuple(as_named(note, path, without_secrets(url)) for note in series.notes)
        return replace(series, notes=notes)


def read_paths(sources: Sequence[str | os.PathLike[str]], asked: Asked) -> SeriesSet:
    """Read several files and folders; ids are their names."""
    paths = [place_of(source) for source in sources]
    inside, kind = _inside(asked), "series"
    said: tuple[str, ...] = ()
    if all(os.path.isfile(path) for path in paths):
        kind, said = kind_of_files(paths, asked.form)
    if kind != "series":
        parts, paths = open_parts(paths, kind, inside, _read_bytes)
        series = series_of_parts(parts, short_names(paths), kind, asked.form, said)
        every = Names(paths, slice(None), len(series))
        return _add_names(series, [len(part) for part in parts], every, asked)
    names = short_names([place_of(without_secrets(source)) for source in sources])
    loads = [
        Portion(name, partial(_read_part, partial(read_path, source, inside), name))
        for source, name in zip(sources, names, strict=True)
    ]
    series, sizes = join_parts(loads)
    return _add_names(series, sizes, Names(paths, slice(None), len(series)), asked)


def _read_part(read: Callable[[], SeriesSet], name: str) -> SeriesSet:
    return name_part(read(), name)


class FolderFiles(NamedTuple):
    """Files of a folder that hold series, in the order of their names.

    Attributes:
        folder: that they lie in.
        paths: of all of them.
        kind: of signal that they hold.
        said: how that was told.
        labels: the file of labels among them, or None.
        part: those that are read; all of them when None. Whatever the names of all say together
            is said of a part too.
    """

    folder: Path
    paths: Sequence[Path]
    kind: str
    said: tuple[str, ...] = ()
    labels: Path | None = None
    part: slice | None = None


def parquet_set_in(folder: Path) -> list[Path]:
    """Return the files that are one table in a folder; none where each has series of its own."""
    return files_of_parquet_set(folder, _files_below(folder))


def _files_below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def files_in(folder: Path, asked: Asked) -> FolderFiles:
    """Find all files of series under a folder.

    Hidden files, READMEs and the like are left out; a file named ``labels`` holds the labels of
    the others.

    Raises:
        SeriesError: there is none.
    """
    found = _files_below(folder)
    names = [name for name in found if not any(part.startswith(".") for part in name.parts)]
    names = [
        n
        for n in names
        if n.stem.lower() not in _NO_SERIES
        and (suffix_of(folder / n) in SUFFIXES or axes_of_idx(folder / n))
    ]
    of_labels = [name for name in names if name.name.split(".")[0].lower() in _LABEL_FILES]
    names = [name for name in names if name not in of_labels] or names
    if not names:
        raise SeriesError(
            f"{folder}: none of the {len(found)} files in it can be read, wanted some ending in "
            f"{', '.join(SUFFIXES)}: check the path"
        )
    kind, paths, said = files_of_one_kind([folder / name for name in names], asked.form)
    labels = folder / of_labels[0] if of_labels and of_labels[0] not in names else None
    return FolderFiles(folder, paths, kind, said, labels)


def read_folder(files: FolderFiles, asked: Asked, *, labelled: bool = False) -> SeriesSet:
    """Read all files of a folder, or a part of them.

    Ids are paths within the folder, ``a/b.csv`` for the one series of a file and ``a/b.tsv:7`` for
    one of several.
    """
    folder, part = files.folder, files.part or slice(None)
    chosen = list(files.paths[part])
    series, sizes, paths = _read_all(folder, chosen, files.kind, _inside(asked), files.said)
    free = series.labels is None and asked.label not in ("folder", "name", "none")
    if free and not labelled and files.labels:
        try:
            return join_labels(series, read_labels(files.labels, asked), str(files.labels))
        except SeriesError as error:
            left = f"labels beside the series are left out: {error}"
            series = replace(series, notes=(*series.notes, left))
    every = paths if files.part is None else files.paths
    names = Names(
        [path.relative_to(folder) for path in every],
        part,
        len(series) if files.part is None else len(every),
    )
    return _add_names(_add_folders(series, sizes, names, asked), sizes, names, asked)


class Names(NamedTuple):
    """Names of all files of a set, which of them were read, and about how many series all hold."""

    every: Sequence[Path]
    part: slice
    series: int


def _read_all(
    folder: Path, paths: list[Path], kind: str, asked: Asked, said: tuple[str, ...]
) -> tuple[SeriesSet, Sequence[int], list[Path]]:
    """Read the files of a folder as one set; also the number of series and the path of each."""
    if not paths:
        raise SeriesError(
            f"{folder}: holds no file of {kind}, wanted some: check the path, or choose another "
            f"{option('kind')}"
        )
    if kind != "series":
        parts, paths = open_parts(paths, kind, asked, _read_bytes)
        names = [path.relative_to(folder).as_posix() for path in paths]
        names = [folder.name if name == "." else name for name in names]
        series = series_of_parts(parts, names, kind, asked.form, said)
        return series, [len(part) for part in parts], paths
    names = [path.relative_to(folder).as_posix() for path in paths]
    loads = [
        Portion(str(path), partial(_read_part, partial(_read_file, path, asked), name))
        for path, name in zip(paths, names, strict=True)
    ]
    series, sizes = join_parts(loads)
    return replace(series, notes=(*series.notes, *said)), sizes, paths


def _add_names(series: SeriesSet, sizes: Sequence[int], names: Names, asked: Asked) -> SeriesSet:
    """Take the names of files, less their last number, for labels where that is asked for."""
    paths = names.every
    stems = [path.name.split(".")[0] for path in paths]
    words = [_LAST_NUMBER.sub("", stem) for stem in stems]
    counts = Counter(words)
    shown = ", ".join(f"{word} ({n})" for word, n in list(counts.items())[:8])
    if asked.label != "name":
        few = 1 < len(counts) <= len(paths) / 2
        if series.labels is not None or asked.label is not None or not few:
            return series
        note = f"names of files begin with {shown}; if these are labels: {option('label', 'name')}"
        return replace(series, notes=(*series.notes, note))
    if "" in counts or 1 < len(counts) == len(paths):
        raise SeriesError(
            f"got names of files that begin with {shown}, wanted a few labels and then a number, "
            "as normal_001 and worn_014: rename them, or write a file of labels, "
            f"{option('labels')}"
        )
    note = f"labels are the names of files before their last number: {shown}"
    labels = np.repeat(words[names.part], sizes)
    return replace(series, labels=labels, notes=(*series.notes, note))


def _add_folders(series: SeriesSet, sizes: Sequence[int], names: Names, asked: Asked) -> SeriesSet:
    """Take the names of sub-folders for classes, or for groups; which of both is said."""
    kinds = [name.parts[0] if len(name.parts) > 1 else "" for name in names.every]
    column = np.repeat(kinds[names.part], sizes)
    several = "" not in kinds and 1 < len(set(kinds)) < names.series
    if asked.label == "folder" or asked.group == "folder":
        if not several:
            raise (LabelsError if asked.label == "folder" else SeriesError)(
                f"got sub-folders {sorted(set(kinds))} for {names.series} series, wanted at least "
                "two, every file in one, and fewer than series"
            )
        role = "labels" if asked.label == "folder" else "groups"
        return replace(series, **{role: column})  # type: ignore[arg-type]
    if not several or series.labels is not None or asked.label is not None:
        return series
    listed = ", ".join(sorted(set(kinds))[:4])
    patterns = (_MACHINES, _NUMBERED) if series.kind == Measurements() else (_MACHINES,)
    if all(any(pattern.fullmatch(kind) for pattern in patterns) for kind in kinds):
        note = (
            f"sub-folders ({listed} …) are taken for machines or subjects, which splits keep "
            f"whole; if they are classes: {option('label', 'folder')}"
        )
        return replace(series, groups=column, notes=(*series.notes, note))
    note = (
        f"sub-folders ({listed} …) are taken for classes; if they are machines or subjects: "
        f"{option('group', 'folder')}"
    )
    return replace(series, labels=column, notes=(*series.notes, note))


def _inside(asked: Asked) -> Asked:
    """Return what is asked of each file of several: not what their folders and names tell."""
    return asked._replace(
        label=None if asked.label in ("folder", "name") else asked.label,
        group=None if asked.group == "folder" else asked.group,
    )


def _read_file(path: Path, asked: Asked) -> SeriesSet:
    check_is_file(path)
    with naming(path):
        if (series := _read_in_parts(path, asked)) is not None:
            return series
        found = _read_bytes(path)
        if isinstance(found, Table):
            return series_of_table(found, asked)
        return select_as_asked(found, asked)


def _read_in_parts(path: Path, asked: Asked) -> SeriesSet | None:
    """Read a large file; None where readers of whole files say what is wrong, or need its texts."""
    large = read_large(path)
    with suppress(TextsWanted if _is_streamed([path]) else SeriesError):
        return None if large is None else _read_stored(large, asked, path, [path])
    return None


def _read_stored(table: Table, asked: Asked, path: Path, files: Sequence[Path]) -> SeriesSet:
    """Read a table whose cells lie in files: bucket by bucket where it is huge and packed."""
    if _is_streamed(files):
        if (series := series_in_buckets(table, asked, path)) is not None:
            return series
        tell(["only all rows together say what it holds, so it is read as a whole"], str(path))
    return series_of_table(table, asked)


def _is_streamed(files: Sequence[Path]) -> bool:
    return are_stored() and is_huge(sum(path.stat().st_size for path in files))


def _read_bytes(path: Path) -> SeriesSet | Table:
    suffix = suffix_of(path)
    if suffix not in _SERIES_READERS:
        known = ", ".join(_SERIES_READERS)
        raise SeriesError(f"ends in {suffix!r}, wanted one of {known}: convert it")
    return _SERIES_READERS[suffix](read_bytes(path))


def _has_kind(path: Path) -> bool:
    """Return whether a file holds series whose kind it says itself."""
    with naming(path):
        return suffix_of(path) == ".npz" and "kind" in read_arrays(read_bytes(path), ".npz")
