"""Media: pictures, texts, sounds and films of arrays and tables; they become a SeriesSet."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from selftime.data.arrays import SeriesError, as_array
from selftime.data.channels import notes_of_all
from selftime.data.columns import Table
from selftime.data.formats.bounds import check_memory
from selftime.data.formats.documents import texts_of_table
from selftime.data.formats.pictures import pictures_of_array
from selftime.data.formats.sound import Recording, scaled_samples
from selftime.data.forms import Form
from selftime.data.images import films_of, images_of
from selftime.data.mel import sounds_of
from selftime.data.schema import Asked
from selftime.data.series import SeriesSet
from selftime.data.signals import Sound, Wave
from selftime.data.symbols import texts_of
from selftime.data.tables import series_of_table
from selftime.door import option


@dataclass(frozen=True, eq=False)
class Part:
    """The content of a file or array: pictures, texts, sounds or films that are no series yet.

    Attributes:
        items: :class:`Pictures`, texts or recordings.
        count: of series; None where it is that of the items.
        ids, labels, groups: (count,) where they are said.
        notes: what was decided.
    """

    items: Sequence[Any]
    count: int | None = None
    ids: np.ndarray | None = None
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items) if self.count is None else self.count


def part_of_arrays(source: Any, kind: str, form: Form) -> Part:
    """Return what arrays hold of a kind.

    Images are (N,H,W) or (N,H,W,1, 3 or 4), film (N,T,H,W) or (N,T,H,W,1, 3 or 4), sound and wave
    (N,T); or a list of these without N, each of a size of its own.

    Raises:
        SeriesError: arrays of another shape, or numbers that are no pixels or samples.
    """
    if kind in ("sound", "wave"):
        return _part_of_samples(source, form)
    axes = 3 if kind == "film" else 2
    several = isinstance(source, list | tuple) and any(np.ndim(part) >= axes for part in source)
    found = (
        [as_array(part, "a picture") for part in source]
        if several
        else [as_array(source, "the pictures")]
    )
    cubes = [_cube(array if not several else array[None], axes, kind) for array in found]
    divisor, notes = _divisor_of(cubes)
    if any(cube.shape[-1] == 4 for cube in cubes):
        notes = (*notes, "what is transparent in a picture is shown on white")
    cubes = [_scaled(cube, divisor) for cube in cubes]
    if kind == "images":
        blocks = [pictures_of_array(cube) for cube in cubes]
        return Part(blocks, sum(map(len, cubes)), notes=notes)
    return Part([pictures_of_array(film) for cube in cubes for film in cube], notes=notes)


def _cube(values: np.ndarray, axes: int, kind: str) -> np.ndarray:
    """Return pictures (N,H,W,colours) or films (N,T,H,W,colours) without transparency."""
    if values.ndim == axes + 1:
        values = values[..., None]
    good = values.ndim == axes + 2 and values.shape[-1] in (1, 3, 4) and values.size > 0
    if not good or values.dtype.kind not in "biuf":
        shape = "(N,T,H,W) or (N,T,H,W,3)" if kind == "film" else "(N,H,W) or (N,H,W,3)"
        raise SeriesError(
            f"got an array of {values.dtype} of shape {values.shape[: values.ndim]} for {kind}, "
            f"wanted numbers of shape {shape}"
        )
    check_memory(8 * values.size, values.nbytes, f"holds {values.size:,} values")
    return values


_LEVELS = (1, 16, 255, 1023, 4095, 65535)
"""Largest values that pixels are stored with."""


def _divisor_of(cubes: Sequence[np.ndarray]) -> tuple[float, tuple[str, ...]]:
    """Return the number that pixels are divided by to lie between 0 and 1, and a note on it."""
    cubes = [cube for cube in cubes if cube.dtype not in (np.uint8, np.bool_)]
    if not cubes:
        return 255.0, ()
    low = min(float(np.fmin.reduce(cube, axis=None)) for cube in cubes)
    high = max(float(np.fmax.reduce(cube, axis=None)) for cube in cubes)
    if not 0 <= low <= high <= _LEVELS[-1]:
        raise SeriesError(
            f"got pixels from {low:g} to {high:g}, wanted 0 to 1, or 0 to 255: rescale them"
        )
    divisor = next(level for level in _LEVELS if high <= level)
    if divisor == 1:
        return 1.0, ()
    return float(divisor), (f"pixels from {low:g} to {high:g} are divided by {divisor:,}",)


def _scaled(cube: np.ndarray, divisor: float) -> np.ndarray:
    """Return pixels as bytes, or from 0 to 1; transparent ones on white."""
    if cube.dtype == np.uint8 and cube.shape[-1] < 4:
        return cube
    known = {np.dtype(np.uint8): 255.0, np.dtype(np.bool_): 1.0}
    plain = (cube / known.get(cube.dtype, divisor)).astype(np.float32)
    if plain.shape[-1] < 4:
        return plain
    return plain[..., :3] * plain[..., 3:] + (1 - plain[..., 3:])


def _part_of_samples(source: Any, form: Form) -> Part:
    rate = form.like.rate if isinstance(form.like, Sound | Wave) else form.rate
    if rate is None:
        raise SeriesError(
            f"got samples without a rate, wanted how many a second: {option('rate', 16000)}"
        )
    parts = [as_array(part, "a sound") for part in source]
    recordings, notes = [], dict[str, None]()
    for i, part in enumerate(parts):
        if part.ndim != 1 or not part.size or part.dtype.kind not in "iuf":
            raise SeriesError(
                f"sound {i} has shape {part.shape} of {part.dtype}, wanted samples (T,)"
            )
        samples = np.nan_to_num(scaled_samples(part).astype(np.float32))
        if (most := float(np.abs(samples).max())) > 2:
            samples = samples / np.float32(32768)
            notes[f"samples reach {most:,.0f}, so they are divided by 32,768"] = None
        recordings.append(Recording(str(i), round(rate), samples.copy))
    return Part(recordings, notes=tuple(notes))


def part_of_table(table: Table | SeriesSet, kind: str, asked: Asked) -> Part:
    """Return the texts of a table, or the pictures in it, one a row.

    Raises:
        SeriesError: there are none, or another kind is wanted.
    """
    if kind == "images":
        return _part_of_flat_pixels(table, asked)
    if kind != "text" or isinstance(table, SeriesSet):
        raise SeriesError(f"is a table, wanted {kind}: tables hold series, text or images")
    found = texts_of_table(table, asked)
    return Part(found.texts, None, found.ids, found.labels, found.groups, found.notes)


def part_of_texts(source: Any) -> Part:
    """Return strings as texts.

    Raises:
        SeriesError: something else, or a text that is empty.
    """
    texts = list(source) if isinstance(source, list | tuple | np.ndarray) else [source]
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            what = "an empty text" if isinstance(text, str) else type(text).__name__
            raise SeriesError(f"text {i} is {what}, wanted a string of one letter at least")
    paths = [text for text in texts if _PATH.fullmatch(text)]
    notes = (f"{paths[0]!r} is no file, so it is taken for a text",) if paths else ()
    return Part([str(text) for text in texts], notes=notes)


_PATH = re.compile(r"\S{1,200}\.(txt|md|csv)", re.IGNORECASE)
"""Texts that are like the names of files."""


def part_of_mapping(arrays: Mapping[str, np.ndarray], kind: str, form: Form) -> Part:
    """Return what named arrays hold of a kind: ``x`` of them, labelled by ``y``, or a single one.

    Raises:
        SeriesError: several arrays and none of a known name.
    """
    rest = dict(arrays)
    labels = next((rest.pop(name) for name in ("y", "labels") if name in rest), None)
    values = next((rest[name] for name in ("x", "X", "values") if name in rest), None)
    if values is None and len(rest) == 1:
        values = next(iter(rest.values()))
    if values is None:
        raise SeriesError(f"holds arrays {', '.join(rest)}, wanted one of them named x")
    part = part_of_arrays(values, kind, form)
    if labels is not None and labels.shape != (len(part),):
        raise SeriesError(
            f"holds labels of shape {labels.shape} for {len(part)} {kind}: wanted one each"
        )
    return replace(part, labels=labels)


def _part_of_flat_pixels(table: Table | SeriesSet, asked: Asked) -> Part:
    """Return the pictures of a table with one in each row: its pixels from left to right, down."""
    wide = asked._replace(layout="wide", form=Form())
    series = table if isinstance(table, SeriesSet) else series_of_table(table, wide)
    values, labels, notes = series.values[:, 0], series.labels, []
    size = asked.form.size if asked.form.size and len(asked.form.size) == 2 else None
    shape = _shape_of_row(values.shape[1], size)
    if shape is None and labels is None and asked.label is None:
        shape = _shape_of_row(values.shape[1] - 1, size)
        if shape is not None:
            at = -1 if len(np.unique(values[:, -1])) > 1 else 0
            labels, values = values[:, at].astype(np.int64), np.delete(values, at, axis=1)
            where = "last" if at else "first"
            notes = [f"labels are the numbers in the {where} column, the others are pixels"]
    if shape is None:
        raise SeriesError(
            f"has {values.shape[1]} pixels a row, which make no square picture, wanted height "
            f"times width: {option('size', (28, 28))}, and {option('label')} for the labels"
        )
    part = part_of_arrays(values.reshape(len(values), *shape), "images", asked.form)
    ids = series.ids if series.ids.dtype.kind == "U" and asked.id not in (None, "none") else None
    notes = [*notes, *part.notes]
    return replace(part, ids=ids, labels=labels, groups=series.groups, notes=tuple(notes))


def _shape_of_row(count: int, size: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return (height, width) or (height, width, 3) of so many numbers; None where they are none."""
    if size is not None:
        area = size[0] * size[1]
        return {area: size, 3 * area: (*size, 3)}.get(count)
    for colours in (1, 3):
        side = round((count / colours) ** 0.5)
        if side > 0 and colours * side * side == count:
            return (side, side) if colours == 1 else (side, side, 3)
    return None


def series_of_parts(
    parts: Sequence[Part], names: Sequence[str], kind: str, form: Form, said: Sequence[str] = ()
) -> SeriesSet:
    """Return all that parts hold as series of one kind; ``said`` are notes made before.

    Ids are the names of the parts, and ``name:i`` where a part holds several.
    """
    items = [item for part in parts for item in part.items]
    found: SeriesSet
    if kind == "images":
        found, _ = images_of(items, form)
    elif kind == "film":
        found = films_of(items, form)
    elif kind == "text":
        found = texts_of(items, form)
    else:
        found = sounds_of(items, form, kind)
    notes = notes_of_all([part.notes for part in parts])
    return replace(
        found,
        ids=_ids_of(parts, names),
        labels=_column_of(parts, "labels"),
        groups=_column_of(parts, "groups"),
        notes=(*said, *notes, *form.idle_for(kind), *found.notes),
    )


def _ids_of(parts: Sequence[Part], names: Sequence[str]) -> np.ndarray:
    if len(parts) == 1 and not names[0]:
        ids = parts[0].ids
        return np.arange(len(parts[0])).astype(str) if ids is None else ids
    out: list[str] = []
    for part, name in zip(parts, names, strict=True):
        several = range(len(part)) if part.ids is None else part.ids
        plain = len(part) == 1 and part.ids is None
        out += [name] if plain else [f"{name}:{i}" for i in several]
    return np.array(out)


def _column_of(parts: Sequence[Part], name: str) -> np.ndarray | None:
    columns = [getattr(part, name) for part in parts]
    if any(column is None for column in columns):
        return None
    return np.concatenate(columns)
