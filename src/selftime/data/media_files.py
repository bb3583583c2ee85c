"""Files of pictures, texts, sounds and films: of which kind they are, and what they hold."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.formats import documents, film, pictures, sound
from selftime.data.formats.bounds import check_is_file
from selftime.data.formats.npz import read_arrays
from selftime.data.formats.text import naming, read_bytes, suffix_of
from selftime.data.forms import Form
from selftime.data.media import Part, part_of_arrays, part_of_mapping, part_of_table
from selftime.data.schema import Asked
from selftime.door import option

ARRAYS = (".npy", ".npz")
TABLES = (".csv", ".tsv", ".parquet", ".xlsx")
OWN = {
    "images": pictures.SUFFIXES,
    "text": documents.SUFFIXES,
    "sound": (".wav", *sound.SUFFIXES),
    "wave": (".wav", *sound.SUFFIXES),
    "film": film.SUFFIXES,
}
"""Endings of each kind."""
ALSO = {
    "images": (*ARRAYS, *TABLES),
    "text": TABLES,
    "sound": ARRAYS,
    "wave": ARRAYS,
    "film": (*ARRAYS, *pictures.SUFFIXES),
}
"""Endings that may hold a kind as well, where it is asked for."""
_TOLD = {suffix: name for name in ("images", "sound", "film") for suffix in OWN[name]}
_TOLD |= {".md": "text", ".wav": "series"}
_FEW = 10
"""Files of measurements count unless so many times as many are of another kind."""
_DIGITS = re.compile(r"(\d+)")

ReadTable = Callable[[Path], Any]
"""Reads a file as a table."""


def kind_by_name(path: Path) -> str:
    """Return the kind that a file is taken for: by its ending, a ``.txt`` by what is in it."""
    if axes_of_idx(path):
        return "images"
    suffix = suffix_of(path)
    if suffix == ".txt":
        return "text" if documents.is_prose(path) else "series"
    return _TOLD.get(suffix, "series")


def axes_of_idx(path: Path) -> int:
    """Return how many axes the name of an IDX file says that it has; 0 for other files."""
    found = pictures.IDX_NAME.search(path.name.lower().removesuffix(".gz"))
    return int(found[1]) if found else 0


def _is_of(path: Path, kind: str) -> bool:
    if axes := axes_of_idx(path):
        return kind == "images" and axes > 1
    return suffix_of(path) in OWN[kind]


def files_of_one_kind(paths: Sequence[Path], form: Form) -> tuple[str, list[Path], tuple[str, ...]]:
    """Return the kind of the files in a folder, those that are of it, and what was decided.

    Where a kind is asked for, files that are nothing else go before those that may hold it too.
    Else measurements go before all others, unless these are ten times as many.
    """
    paths = [path for path in paths if axes_of_idx(path) != 1]  # labels
    if form.name == "series":
        return "series", list(paths), ()
    if form.name is not None:
        own = [path for path in paths if _is_of(path, form.name)]
        also = [path for path in paths if suffix_of(path) in ALSO[form.name]]
        return form.name, own or also, ()
    kinds = [kind_by_name(path) for path in paths]
    counts = Counter(kinds)
    if not counts:
        return "series", [], ()
    kind, most = max(counts.items(), key=lambda item: item[1])
    if _FEW * counts["series"] > 0 and most < _FEW * counts["series"]:
        kind = "series"
    chosen = [path for path, own in zip(paths, kinds, strict=True) if own == kind]
    left = [(own, path) for path, own in zip(paths, kinds, strict=True) if own != kind]
    notes = () if kind == "series" else (_note_of_kind(chosen[0], kind),)
    if left:
        note = (
            f"{len(left):,} files of another kind are left out, such as {left[0][1].name}; "
            f"{option('kind', left[0][0])} reads them instead"
        )
        notes = (*notes, note)
    return kind, chosen, notes


def kind_of_files(paths: Sequence[Path], form: Form) -> tuple[str, tuple[str, ...]]:
    """Return the kind of files that were named one by one, and a note where it is guessed.

    Raises:
        SeriesError: files of several kinds.
    """
    if form.name is not None:
        return form.name, ()
    kinds = [kind_by_name(path) for path in paths]
    if len(set(kinds)) > 1:
        odd = next(path for path, kind in zip(paths, kinds, strict=True) if kind != kinds[0])
        raise SeriesError(
            f"{odd}: is no file of {kinds[0]} as {paths[0].name} is, wanted files of one kind: "
            f"read each kind by itself, or say what all are, {option('kind', kinds[0])}"
        )
    return kinds[0], () if kinds[0] == "series" else (_note_of_kind(paths[0], kinds[0]),)


def _note_of_kind(path: Path, kind: str) -> str:
    why = "what is in them" if suffix_of(path) == ".txt" else f"names such as {path.name}"
    return f"taken for {kind} by {why}; {option('kind')} takes them otherwise"


def open_parts(
    paths: Sequence[Path], kind: str, asked: Asked, read_table: ReadTable
) -> tuple[list[Part], list[Path]]:
    """Return what files hold of a kind, and the path of each part: a folder of frames is one."""
    frames = [path for path in paths if suffix_of(path) in pictures.SUFFIXES]
    if kind != "film" or len(frames) < len(paths) or len(frames) == 1:
        parts = [_open_part(path, kind, asked, read_table) for path in paths]
        if asked.label == "none":
            parts = [replace(part, labels=None) for part in parts]
        return parts, list(paths)
    folders: dict[Path, list[Path]] = {}
    for path in sorted(frames, key=_in_order):
        folders.setdefault(path.parent, []).append(path)
    note = "the pictures of a folder are the frames of one film, in the order of their names"
    parts = [Part([film.film_of_pictures(own)], notes=(note,)) for own in folders.values()]
    return parts, list(folders)


def _in_order(path: Path) -> tuple[Path, list[Any]]:
    """Return what sorts ``frame2`` before ``frame10``."""
    words = _DIGITS.split(path.name)
    return path.parent, [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _open_part(path: Path, kind: str, asked: Asked, read_table: ReadTable) -> Part:
    check_is_file(path)
    with naming(path):
        suffix = suffix_of(path)
        if kind == "images" and axes_of_idx(path):
            return _open_idx(path)
        if suffix in ARRAYS and suffix in ALSO[kind]:
            return part_of_mapping(read_arrays(read_bytes(path), suffix), kind, asked.form)
        if suffix in TABLES and suffix in ALSO[kind]:
            return part_of_table(read_table(path), kind, asked)
        if kind == "text":
            text, notes = documents.read_document(read_bytes(path))
            return Part([text], notes=notes)
        if suffix not in OWN[kind] and (kind, suffix) != ("film", ".gif"):
            raise SeriesError(
                f"ends in {suffix!r}, wanted one of {', '.join((*OWN[kind], *ALSO[kind]))} for "
                f"{kind}: convert it, or choose another {option('kind')}"
            )
        if kind == "images":
            return Part([pictures.open_picture(path)])
        return Part([film.open_film(path) if kind == "film" else sound.open_recording(path)])


def _open_idx(path: Path) -> Part:
    """Return the images of an IDX file, with the labels in the file beside it."""
    values = pictures.read_idx(read_bytes(path))
    if values.ndim not in (3, 4):
        raise SeriesError(f"holds an array of {values.ndim} axes, wanted images of 3")
    part = part_of_arrays(values, "images", Form())
    beside = _labels_beside(path)
    if beside is None:
        return part
    with naming(beside):
        labels = pictures.read_idx(read_bytes(beside))
    if labels.shape != (len(part),):
        note = f"{beside.name} holds labels of shape {labels.shape}, which are left out"
        return replace(part, notes=(*part.notes, note))
    note = f"labels are those of {beside.name}"
    return replace(part, labels=labels.astype(np.int64), notes=(*part.notes, note))


def _labels_beside(path: Path) -> Path | None:
    name = pictures.name_of_idx_labels(path.name)
    if name is None:
        return None
    plain = name.removesuffix(".gz")
    return next(
        (p for n in (name, plain, f"{plain}.gz") if (p := path.with_name(n)).is_file()), None
    )
