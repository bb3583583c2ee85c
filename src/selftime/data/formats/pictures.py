"""Pictures: png, jpeg, webp, bmp and gif by Pillow, the IDX files of MNIST, and arrays."""

import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.formats.bounds import check_memory
from selftime.data.formats.text import decoding, naming, read_bytes
from selftime.data.signals import size_in_pixels

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
"""Endings of pictures; of a moving gif the first frame is read."""
Pixels = np.ndarray
"""(count, height, width, 1 or 3): bytes, or numbers from 0 to 1."""


class Pictures(NamedTuple):
    """Pictures of one size, such as a file or the frames of a film, before they are drawn.

    Attributes:
        height: pixels, as they are seen.
        width: pixels.
        draw: gives the pixels in a size (height, width), and notes on what was decided.
        rate: frames a second of a film; None where it is not known.
    """

    height: int
    width: int
    draw: Callable[[int, int], tuple[Pixels, tuple[str, ...]]]
    rate: float | None = None


def open_picture(path: Path) -> Pictures:
    """Open a picture file; it is decoded when it is drawn."""
    with decoding("picture"):
        image = _open_image(read_bytes(path))
        width, height = image.size
        turned = _orientation(image) >= 5
    height, width = (width, height) if turned else (height, width)

    def draw(height: int, width: int) -> tuple[Pixels, tuple[str, ...]]:
        with naming(path):
            return _draw(read_bytes(path), height, width)

    return Pictures(height, width, draw)


def _open_image(data: bytes) -> Any:
    from PIL import Image, UnidentifiedImageError  # heavy, and few read pictures

    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "BMP", "GIF"))
    except Image.DecompressionBombError:
        raise SeriesError(
            "has more than 179 million pixels, wanted fewer: make the picture smaller"
        ) from None
    except UnidentifiedImageError:
        raise SeriesError(
            "is no picture that can be read, wanted png, jpeg, webp, bmp or gif: convert it"
        ) from None
    return image


def _orientation(image: Any) -> int:
    """Return how a camera was held (EXIF 2.3, tag 274): 1 upright, 5 to 8 on its side."""
    held = image.getexif().get(274, 1)
    return held if isinstance(held, int) and 1 <= held <= 8 else 1


def _draw(data: bytes, height: int, width: int) -> tuple[Pixels, tuple[str, ...]]:
    """Decode a picture straight into a size; what lies beside the wanted shape is cut off."""
    with decoding("picture"):
        image = _open_image(data)
        held = _orientation(image)
        target = (height, width) if held >= 5 else (width, height)
        what = f"has {size_in_pixels(image.size[1], image.size[0])}"
        image.draft(None, (2 * target[0], 2 * target[1]))  # a jpeg is decoded at a fraction
        check_memory(_memory_of(image), len(data), what)
        small = fit_picture(_plain(image), target)
        notes: tuple[str, ...] = ()
        if small.mode == "RGBA":
            small, notes = _on_white(small)
        return _pixels_of(_upright(small, held)), notes


def _memory_of(image: Any) -> int:
    """Return the bytes that a picture takes when it is decoded, and again in another mode."""
    each = {"L": 1, "1": 2, "RGB": 4, "P": 5}.get(image.mode, 8)
    return int(each * image.size[0] * image.size[1])


def _plain(image: Any) -> Any:
    """Return a picture in a mode whose values can be averaged."""
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if _is_transparent(image) else "RGB")
    if image.mode == "LA":
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I"):
        return image.convert("F")  # 16 bits
    return image if image.mode in ("L", "RGB", "RGBA", "F") else image.convert("RGB")


def _is_transparent(image: Any) -> bool:
    return image.mode == "PA" or "transparency" in image.info


def _on_white(image: Any) -> tuple[Any, tuple[str, ...]]:
    from PIL import Image

    if image.getextrema()[3][0] == 255:
        return image.convert("RGB"), ()
    paper = Image.new("RGBA", image.size, "white")
    note = "what is transparent in a picture is shown on white"
    return Image.alpha_composite(paper, image).convert("RGB"), (note,)


_TURNS = dict(zip(range(2, 9), (0, 3, 1, 5, 4, 6, 2), strict=True))
"""The transposition of Pillow that makes a picture upright, by the orientation in its EXIF."""


def _upright(image: Any, held: int) -> Any:
    return image.transpose(_TURNS[held]) if held in _TURNS else image


def _pixels_of(image: Any) -> Pixels:
    values = np.asarray(image)
    if image.mode == "F":
        values = np.clip(values / 257, 0, 255).round().astype(np.uint8)
    return values.reshape(1, *values.shape[:2], -1)


def fit_picture(image: Any, size: tuple[int, int]) -> Any:
    """Return a picture of Pillow in a size (width, height): its centre, all of one of its sides."""
    from PIL.Image import Resampling

    if image.size == size:
        return image
    box = centre_of(image.size, size)
    return image.resize(size, Resampling.BILINEAR, box=box, reducing_gap=3.0)


def centre_of(given: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the box (left, top, right, bottom) in the middle that has the wanted shape.

    Shapes that differ by less than a pixel are the same: then it is all there is.
    """
    share = min(given[0] / wanted[0], given[1] / wanted[1])
    kept = [side * share for side in wanted]
    kept = [
        all_ if (all_ - own) / share < 1 else own for all_, own in zip(given, kept, strict=True)
    ]
    left, top = ((all_ - own) / 2 for all_, own in zip(given, kept, strict=True))
    return left, top, left + kept[0], top + kept[1]


def pictures_of_array(values: np.ndarray) -> Pictures:
    """Return pictures (count, height, width, 1 or 3) in memory, to be drawn in other sizes."""

    def draw(height: int, width: int) -> tuple[Pixels, tuple[str, ...]]:
        return resize(values, height, width), ()

    return Pictures(values.shape[1], values.shape[2], draw)


def resize(values: Pixels, height: int, width: int) -> Pixels:
    """Return pictures in another size, as :func:`fit_picture` does it."""
    if values.shape[1:3] == (height, width):
        return values
    from PIL import Image

    out = np.empty((len(values), height, width, values.shape[3]), values.dtype)
    for i, picture in enumerate(values):  # Pillow takes one at a time
        for c in range(values.shape[3]):
            channel = Image.fromarray(np.ascontiguousarray(picture[:, :, c]))
            out[i, :, :, c] = np.asarray(fit_picture(channel, (width, height)))
    return out


IDX_NAME = re.compile(r"[-._]idx([1-4])-ubyte$")
"""Names of IDX files, with the number of their axes."""


def name_of_idx_labels(name: str) -> str | None:
    """Return the name of the file with the labels of an IDX file of images.

    Example:
        >>> name_of_idx_labels("t10k-images-idx3-ubyte.gz")
        't10k-labels-idx1-ubyte.gz'
    """
    found = re.sub(r"images([-._]idx)[34]-ubyte", r"labels\g<1>1-ubyte", name)
    return None if found == name else found


_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(data: bytes) -> np.ndarray:
    """Read an array in the format of LeCun, Cortes & Burges: two zeros, type, axes, then sides.

    Raises:
        SeriesError: no such file, or one that holds less than it says.
    """
    kind = _IDX_TYPES.get(data[2] if len(data) > 3 else 0)
    if kind is None or data[:2] != b"\0\0" or len(data) < 4 + 4 * data[3] or not data[3]:
        raise SeriesError("is no IDX file, wanted two zeros, a type and the number of axes")
    start = 4 + 4 * data[3]
    shape = tuple(int(side) for side in np.frombuffer(data[4:start], ">u4"))
    size = np.dtype(kind).itemsize * math.prod(shape)
    if size != len(data) - start:
        raise SeriesError(
            f"says that it holds {' x '.join(f'{side:,}' for side in shape)} values of {size:,} "
            f"bytes, but has {len(data) - start:,}: is it cut?"
        )
    found = np.frombuffer(data, kind, offset=start).reshape(shape)
    return found.astype(found.dtype.newbyteorder("="))
