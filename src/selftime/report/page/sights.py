"""Sights: series that are no curves, as the page shows them, packed small."""

import io
from base64 import b64encode
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from selftime.data.signals import Film, Images, Signal, Sound, Text
from selftime.report.pictures.signals import (
    Pixels,
    Ranges,
    extent_of,
    pixels_of,
)
from selftime.report.pictures.texts import Piece, pieces_of

FEWEST_PIXELS, MOST_PIXELS = 256, 20_000
"""Pixels of a picture: never fewer, so that something is seen, and never more."""
_MOST_SYMBOLS = 600
"""Symbols of a text that are shown."""
_QUALITY = 85
"""Of JPEG, which is taken where it is smaller than PNG: of photographs, mostly."""
_ACROSS = 3
"""Frames of a film in a row."""
_SHARP = 64
"""A picture with no side above this is shown enlarged, pixel by pixel."""


class Sight(NamedTuple):
    """A series as it is shown: a picture or a text."""

    alt: str  # what is seen, in words
    picture: str = ""  # address that holds the picture itself; empty of a text
    look: str = ""  # of a picture: "sharp", "stretched" or empty, a class of the style sheet
    pieces: list[Piece] = []  # the text; empty of a picture

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(piece.text for piece in self.pieces)


def sight_of(  # noqa: PLR0913 - each is a part of what is shown
    values: Float[np.ndarray, "C T"],
    kind: Signal,
    ranges: Ranges,
    *,
    name: str,
    pixels: int = MOST_PIXELS,
    symbols: int = _MOST_SYMBOLS,
) -> Sight:
    """Show a series of pixels or symbols within a bound of either.

    Raises:
        TypeError: a kind that is seen as curves.
    """
    alt = f"{name}, {extent_of(kind, values.shape[1])}"
    if isinstance(kind, Text):
        return Sight(alt, pieces=pieces_of(values[0], kind, symbols))
    drawn = shrink(pixels_of(values, kind, ranges, across=_ACROSS), pixels)
    sharp = isinstance(kind, Images) and max(drawn.shape) <= _SHARP
    look = "stretched" if isinstance(kind, Sound) else "sharp" if sharp else ""
    return Sight(alt, address_of(drawn), look)


def shrink(pixels: Pixels, most: int) -> Pixels:
    """Return a picture of at most about so many pixels, its sides in proportion."""
    (height, width), room = pixels.shape[:2], max(most, FEWEST_PIXELS)
    share = (room / (height * width)) ** 0.5
    if share >= 1:
        return pixels
    size = [min(room, max(1, round(side * share))) for side in (width, height)]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def address_of(pixels: Pixels) -> str:
    """Return a ``data:`` address that holds the picture, as PNG or JPEG, whichever is smaller."""
    grey = bool((pixels == pixels[:, :, :1]).all())
    picture = Image.fromarray(pixels[:, :, 0] if grey else pixels)
    packed = {}
    for name, options in {"png": {}, "jpeg": {"quality": _QUALITY}}.items():
        buffer = io.BytesIO()
        picture.save(buffer, name, optimize=True, **options)
        packed[name] = buffer.getvalue()
    name = min(packed, key=lambda name: len(packed[name]))
    return f"data:image/{name};base64,{b64encode(packed[name]).decode('ascii')}"


def legend_of(kind: Signal) -> str:
    """Say how pictures of a kind are to be read; empty where they speak for themselves."""
    if isinstance(kind, Sound):
        top = kind.rate / 2000
        return f"Time goes to the right, low bands are below, up to {top:.3g} kHz; bright is loud."
    if isinstance(kind, Film):
        return "Frames from first to last, evenly spaced."
    return ""
