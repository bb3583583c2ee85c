"""Pictures and films as series: one size for all, grey or in colour, in patches or frames."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from selftime.data.arrays import SeriesError
from selftime.data.formats.bounds import check_memory
from selftime.data.formats.pictures import Pictures, Pixels, resize
from selftime.data.forms import Form
from selftime.data.pixels import (
    frames_to_steps,
    has_colour,
    in_colours,
    patches_to_pixels,
    pixels_to_patches,
    steps_to_frames,
)
from selftime.data.series import SeriesSet
from selftime.data.signals import Film, Images, size_in_pixels
from selftime.data.steps import series_of_steps
from selftime.door import option

LONGEST = {"images": 96, "film": 64}
"""Pixels of the longer side that larger pictures are shrunk to, unless a size is asked for."""
_PATCHES = ((16, 2), (48, 4))
"""Pixels of a patch by those of the longer side, up to each; 8 beyond."""
_USUAL_RATE = 25.0
"""Frames a second of films that do not say it."""
_Notes = tuple[str, ...]
_Sides = tuple[int, int]


def images_of(blocks: Sequence[Pictures], form: Form) -> tuple[SeriesSet, list[int]]:
    """Return all pictures as series of patches, and how many there are of each block."""
    like = form.like if isinstance(form.like, Images) else None
    if like is None:
        sides, notes = _common_sides(blocks, form, "images")
        patch = form.patch or _patch_for(sides)
        sides, more = whole_patches(sides, patch)
        notes = (*notes, *more)
    else:
        sides, patch, notes = (like.height, like.width), like.patch, ()
        notes = _note_of_sizes(blocks, sides, "pictures")
    pixels, colours, drawn = _draw_all(blocks, sides, like.colours if like else None)
    kind = Images(height=sides[0], width=sides[1], colours=colours, patch=patch)
    series = series_of_pixels(np.concatenate(pixels), kind)
    counts = [len(block) for block in pixels]
    return replace(series, notes=(*notes, *drawn)), counts


def films_of(blocks: Sequence[Pictures], form: Form) -> SeriesSet:
    """Return each block as a film, a series of frames."""
    like = form.like if isinstance(form.like, Film) else None
    if like is None:
        sides, notes = _common_sides(blocks, form, "film")
        rate, more = _rate_of(blocks, form)
        notes = (*notes, *more)
    else:
        sides, rate = (like.height, like.width), like.rate
        notes = _note_of_sizes(blocks, sides, "films")
    pixels, colours, drawn = _draw_all(blocks, sides, like.colours if like else None)
    kind = Film(height=sides[0], width=sides[1], colours=colours, rate=rate)
    return replace(series_of_frames(pixels, kind), notes=(*notes, *drawn))


def series_of_pixels(pixels: Float32[np.ndarray, "N H W colours"], kind: Images) -> SeriesSet:
    """Return pictures as series, a patch a step; NaN is missing."""
    patches = pixels_to_patches(pixels.transpose(0, 3, 1, 2), kind)
    return series_of_steps(list(patches.swapaxes(1, 2)), kind)


def series_of_frames(
    films: Sequence[Float32[np.ndarray, "frames H W colours"]], kind: Film
) -> SeriesSet:
    """Return films as series, a frame a step; NaN is missing."""
    steps = [frames_to_steps(film.transpose(0, 3, 1, 2)[None])[0].T for film in films]
    return series_of_steps(steps, kind)


def pixels_of(series: SeriesSet) -> list[Float32[np.ndarray, "count H W colours"]]:
    """Return the pixels of series of pictures or films, NaN where missing, one block a series."""
    kind = series.kind
    if not isinstance(kind, Images | Film):
        raise SeriesError(f"got {kind.name}, wanted images or film: they alone have pixels")
    steps = series.steps
    if series.observed is not None:
        steps = np.where(series.observed, steps, np.float32("nan"))
    parts = np.split(steps, series.offsets[1:-1])
    if isinstance(kind, Images):
        whole = (kind.height // kind.patch) * kind.columns
        if (series.lengths != whole).any():
            raise SeriesError(
                f"got pictures of {series.lengths.min()} to {series.lengths.max()} patches, "
                f"wanted {whole}: whole ones"
            )
        frames = (patches_to_pixels(part.T[None], kind) for part in parts)
    else:
        frames = (steps_to_frames(part.T[None], kind)[0] for part in parts)
    return [block.transpose(0, 2, 3, 1) for block in frames]


def resize_series(series: SeriesSet, kind: Images | Film) -> SeriesSet:
    """Return pictures or films in the size, the colours and the patches of another kind."""
    sides = kind.height, kind.width
    blocks = pixels_of(series)
    size = 8 * sum(map(len, blocks)) * kind.colours * kind.height * kind.width
    check_memory(size, series.steps.nbytes, f"is wanted in {size_in_pixels(*sides)}")
    if series.observed is not None and blocks[0].shape[1:3] != sides:
        raise SeriesError("some pixels are missing, so these pictures cannot be resized")
    blocks = [in_colours(resize(block, *sides), kind.colours) for block in blocks]
    if isinstance(kind, Images):
        made = series_of_pixels(np.concatenate(blocks), kind)
        per_step = {"times": None, "step_labels": None, "rows": None}
    else:
        made = series_of_frames(blocks, kind)
        per_step = {}
    return replace(
        series,
        steps=made.steps,
        offsets=made.offsets,
        observed=made.observed,
        channels=made.channels,
        origin=None,
        kind=kind,
        **per_step,  # type: ignore[arg-type]
    )


def _common_sides(blocks: Sequence[Pictures], form: Form, kind: str) -> tuple[_Sides, _Notes]:
    """Return height and width for all: those asked for, else those of most, not too large."""
    counts = Counter((block.height, block.width) for block in blocks)
    usual, count = max(counts.items(), key=lambda item: (item[1], item[0]))
    if count == 1 < len(blocks):
        usual = tuple(int(np.median(sides)) for sides in zip(*counts, strict=True))  # type: ignore[assignment]
    sides: _Sides = usual
    if form.size is not None and len(form.size) == 2:
        sides = usual = form.size[0], form.size[1]
    notes: list[str] = []
    what = "pictures" if kind == "images" else "films"
    if len(counts) > 1:
        odd = next(sides for sides in counts if sides != usual)
        notes.append(
            f"{what} are of {len(counts):,} sizes, such as {size_in_pixels(*odd)}: all are brought "
            f"to the shape of {size_in_pixels(*usual)}, what lies beside their centre is cut off"
        )
    if form.size is not None and len(form.size) == 2:
        return sides, tuple(notes)
    longest = form.size[0] if form.size else min(LONGEST[kind], max(usual))
    share = longest / max(usual)
    if share != 1:
        sides = max(round(usual[0] * share), 1), max(round(usual[1] * share), 1)
    if share < 1 and form.size is None:
        notes.append(
            f"{what} of {size_in_pixels(*usual)} are shrunk to {size_in_pixels(*sides)}; "
            f"{option('size', max(usual))} keeps all"
        )
    return sides, tuple(notes)


def _patch_for(sides: _Sides) -> int:
    usual = next((patch for most, patch in _PATCHES if max(sides) <= most), 8)
    return min(usual, *sides)


def whole_patches(sides: _Sides, patch: int) -> tuple[_Sides, _Notes]:
    """Return sides rounded to whole patches, and a note where that changes them."""
    height, width = (max(round(side / patch), 1) * patch for side in sides)
    if (height, width) == sides:
        return sides, ()
    note = (
        f"pictures of {size_in_pixels(*sides)} are brought to {size_in_pixels(height, width)}, "
        f"whole patches of {patch}"
    )
    return (height, width), (note,)


def _note_of_sizes(blocks: Sequence[Pictures], sides: _Sides, what: str) -> _Notes:
    """Return a note where pictures are of another size than what they are to be like."""
    counts = Counter((block.height, block.width) for block in blocks)
    counts.pop(sides, None)
    if not counts:
        return ()
    of = " and ".join(size_in_pixels(*own) for own in list(counts)[:3])
    return (f"{what} of {of} are brought to {size_in_pixels(*sides)}",)


def _rate_of(blocks: Sequence[Pictures], form: Form) -> tuple[float, _Notes]:
    """Return frames a second: as asked for, else those of most films."""
    counts = Counter(block.rate for block in blocks if block.rate)
    if form.rate is not None:
        return float(form.rate), ()
    if not counts:
        note = f"taken to have {_USUAL_RATE:g} frames a second; {option('rate')} says it otherwise"
        return _USUAL_RATE, (note,)
    rate = max(counts, key=lambda each: (counts[each], each))
    others = ", ".join(f"{each:g}" for each in counts if each != rate)
    said = f"films have {rate:g} frames a second, some {others}: their frames stay as they are"
    return float(rate), (said,) if others else ()


def _draw_all(
    blocks: Sequence[Pictures], sides: _Sides, colours: int | None
) -> tuple[list[Pixels], int, _Notes]:
    """Return the pixels of all blocks from 0 to 1, their number of colours, and notes."""
    pixels, notes = [], dict[str, None]()
    for block in blocks:
        drawn, said = block.draw(*sides)
        pixels.append(drawn)
        notes |= dict.fromkeys(said)
    if colours is None:
        colours = 3 if any(map(has_colour, pixels)) else 1
    return [in_colours(block, colours) for block in pixels], colours, tuple(notes)
