"""Series as they are seen: curves, pictures, spectrograms, strips of frames, and texts."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from matplotlib import colormaps
from matplotlib.axes import Axes

from selftime.data.pixels import patches_to_pixels, steps_to_frames
from selftime.data.series import SeriesSet
from selftime.data.signals import Film, Images, Signal, Sound, Text
from selftime.report.pictures.texts import MOST_SYMBOLS, draw_text, text_of

MOST_LINES = 4
"""With more channels than this, colours are drawn in place of lines."""
FRAMES = 6
"""Frames of a film that are shown side by side, evenly spaced."""
_TILES = np.array([[150, 166, 194], [186, 199, 219]], np.uint8)
"""Two blues of the tiles that stand where pixels are missing."""

_GREY = 138
"""Of the lines between frames."""

Ranges = Float[np.ndarray, "R 2"]
"""Ends between which values are drawn: of each channel, or (1,2) the same for all pixels."""
Pixels = UInt8[np.ndarray, "_ _ 3"]
"""Red, green and blue, the top row first."""


def is_pixels(kind: Signal) -> bool:
    """Return whether a series of this kind is seen as pixels."""
    return isinstance(kind, Images | Film | Sound)


def is_curve(kind: Signal) -> bool:
    """Return whether a series of this kind is seen as a curve for each channel."""
    return not is_pixels(kind) and not isinstance(kind, Text)


def ranges_of(series: SeriesSet) -> Ranges:
    """Return the ends between which the series are drawn.

    Of pictures and films they are the darkest and the brightest pixel, of sound the 0.5th and the
    99.5th percentile of all bands, of measurements the 1st and the 99th of each channel.
    """
    if not is_pixels(series.kind):
        return channel_ranges(series)
    steps = series.steps if series.observed is None else series.steps[series.observed]
    values = steps.ravel()[:: 1 + steps.size // 4_000_000].astype(np.float64)
    ends = [0.005, 0.995] if isinstance(series.kind, Sound) else [0, 1]
    low, high = np.quantile(values, ends)
    return np.array([[low, high if high > low else low + 1]])


def channel_ranges(series: SeriesSet) -> Float[np.ndarray, "C 2"]:
    """Return the 1st and 99th percentile of the observed values of every channel."""
    valid = series.observed if series.observed is not None else np.ones_like(series.steps, bool)
    steps = series.steps
    if series.origin is not None:
        steps = steps + np.repeat(series.origin, series.lengths, axis=0)
    ends = [
        np.quantile(column[seen], [0.01, 0.99]) if seen.any() else np.zeros(2)
        for column, seen in zip(steps.T, valid.T, strict=True)
    ]
    low, high = np.array(ends, np.float64).T
    above = np.maximum(low + 1, np.nextafter(low, np.inf))
    return np.stack([low, np.where(high > low, high, above)], axis=1)


def pixels_of(
    values: Float[np.ndarray, "C T"],
    kind: Signal,
    ranges: Ranges,
    *,
    frames: int = FRAMES,
    across: int = FRAMES,
) -> Pixels:
    """Draw a series that is seen as pixels; blue tiles stand where one is missing.

    A picture is as it is, a film some of its ``frames``, so many ``across``, sound a spectrogram
    with low bands below, from dark for quiet to bright for loud.

    Raises:
        TypeError: a kind that is not seen as pixels.
    """
    if isinstance(kind, Images):
        found = patches_to_pixels(torch.from_numpy(np.ascontiguousarray(values))[None], kind)
        return _shades(found[0].numpy(), ranges)
    if isinstance(kind, Film):
        return _strip(values[:, frames_at(values.shape[1], frames)], kind, ranges, across)
    if isinstance(kind, Sound):
        bands = values[::-1]
        loud = colormaps["magma"](np.nan_to_num(_shares(bands, ranges)), bytes=True)[:, :, :3]
        return _with_tiles(loud, ~np.isfinite(bands))
    raise TypeError(f"got series of kind {kind.name!r}, wanted images, film or sound")


def _strip(values: Float[np.ndarray, "C F"], kind: Film, ranges: Ranges, across: int) -> Pixels:
    """Draw frames in rows, with grey lines between them."""
    frames = steps_to_frames(torch.from_numpy(np.ascontiguousarray(values))[None], kind)[0].numpy()
    gap, columns = max(1, kind.width // 24), min(across, len(frames))
    high, wide = kind.height + gap, kind.width + gap
    found = np.full((-(-len(frames) // columns) * high - gap, columns * wide - gap, 3), _GREY)
    for k, frame in enumerate(frames):
        row, column = high * (k // columns), wide * (k % columns)
        shades = _shades(frame, ranges)
        found[row : row + kind.height, column : column + kind.width] = shades
    return found.astype(np.uint8)


def frames_at(T: int, most: int) -> Int64[np.ndarray, "F"]:
    """Return the steps of the frames that are shown, first and last too; of one the middle."""
    if most == 1:
        return np.array([T // 2])
    return np.linspace(0, T - 1, min(T, most)).round().astype(np.int64)


def _shares(values: Float[np.ndarray, "..."], ranges: Ranges) -> Float[np.ndarray, "..."]:
    low, high = ranges[0]
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def _shades(picture: Float[np.ndarray, "_ _ _"], ranges: Ranges) -> Pixels:
    """Draw one colour as greys, and three as red, green and blue."""
    shares = np.nan_to_num(_shares(picture, ranges)).transpose(1, 2, 0)
    seen = np.isfinite(picture).all(axis=0)
    if shares.shape[2] not in (1, 3):
        shares = shares.mean(axis=2, keepdims=True)
    shades = np.broadcast_to(np.rint(255 * shares), (*seen.shape, 3)).astype(np.uint8)
    return _with_tiles(shades, ~seen)


def _with_tiles(pixels: Pixels, missing: Bool[np.ndarray, "_ _"]) -> Pixels:
    """Put tiles where pixels are missing: they can be told from any grey."""
    side = max(1, min(missing.shape) // 14)
    rows, columns = np.indices(missing.shape) // side
    return np.where(missing[:, :, None], _TILES[(rows + columns) % 2], pixels)


def extent_of(kind: Signal, T: int) -> str:
    """Say how long a series is, in the words of its kind: "0.43 s", "28 × 28 pixels"."""
    if isinstance(kind, Images):
        return f"{kind.height} × {kind.width} pixels"
    if kind.per_second is None:
        return count_in_words(T, kind.step)
    seconds = f"{T / kind.per_second:.3g} s"
    return f"{count_in_words(T, kind.step)}, {seconds}" if isinstance(kind, Film) else seconds


def count_in_words(n: int, what: str) -> str:
    """Return a number with its noun: "1 step", "12 steps"."""
    return f"{n:,} {what if n == 1 else plural(what)}"


def plural(word: str) -> str:
    """Return the plural of the word for a step: steps, patches."""
    return f"{word}es" if word.endswith("ch") else f"{word}s"


def band_ticks(kind: Sound, most: int = 3) -> list[tuple[float, str]]:
    """Return a few bands, counted from the lowest, with their kHz.

    Their middles lie evenly on the mel scale (:func:`selftime.data.mel.mel_bands`).
    """
    top = kind.rate / 2
    found = []
    for k in reversed(range(most)):
        share = np.log10(1 + top / 2**k / 700) / np.log10(1 + top / 700)
        band = min((kind.bands + 1) * float(share) - 1, kind.bands - 0.5)
        found.append((band, f"{top / 1000 / 2**k:.3g}"))
    return found


def draw_series(  # noqa: PLR0913 - each is a part of what is drawn
    axes: Axes,
    values: Float[np.ndarray, "C T"],
    kind: Signal,
    ranges: Ranges,
    *,
    colour: str,
    frames: int = FRAMES,
) -> None:
    """Draw a series into axes that hold nothing else, as its kind is seen."""
    if isinstance(kind, Text):
        draw_text(axes, text_of(values[0], kind, MOST_SYMBOLS))
    elif is_pixels(kind):
        aspect: Literal["auto", "equal"] = "auto" if isinstance(kind, Sound) else "equal"
        pixels = pixels_of(values, kind, ranges, frames=frames)
        axes.imshow(pixels, aspect=aspect, interpolation="nearest")
    else:
        draw_trace(axes, values, ranges, colour=colour)
    axes.set_xticks([])
    axes.set_yticks([])


def draw_trace(
    axes: Axes, values: Float[np.ndarray, "C T"], ranges: Ranges, *, colour: str
) -> None:
    """Draw a curve for each channel; gaps stay empty.

    Every channel is drawn against its own range, so that channels of small values show too.
    """
    shares = (values - ranges[:, :1]) / (ranges[:, 1:] - ranges[:, :1])  # (C,T), mostly 0 to 1
    if len(values) > MOST_LINES:
        axes.imshow(shares, aspect="auto", cmap="RdYlBu_r", vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.plot(shares.T, color=colour, lw=1.1, marker="." if values.shape[1] == 1 else None)
        axes.set_ylim(-0.12, 1.12)
        axes.margins(x=0.06)
    axes.set_xticks([])
    axes.set_yticks([])
