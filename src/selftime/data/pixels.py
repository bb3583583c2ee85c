"""Pixels and steps: pictures as patches in raster order, films as frames, both back; colours.

Arrays of numpy and tensors of torch are treated alike.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from selftime.data.signals import Film, Images

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue in what is seen as grey (ITU-R BT.601, section 2.5.1)."""
_TINT = 8
"""Levels of 255 by which colours of a pixel may differ and still count as grey: rounding."""


def patches_to_pixels(
    values: Float[Any, "B C T"], kind: Images
) -> Float[Any, "B colours height width"]:
    """Return the pictures that patches make."""
    rows, columns, size = kind.height // kind.patch, kind.columns, kind.patch
    parts = values.reshape(len(values), kind.colours, size, size, rows, columns)
    parts = parts.swapaxes(2, 4).swapaxes(3, 4).swapaxes(4, 5)  # rows, pixels, columns, pixels
    return parts.reshape(len(values), kind.colours, kind.height, kind.width)


def pixels_to_patches(
    pixels: Float[Any, "B colours height width"], kind: Images
) -> Float[Any, "B C T"]:
    """Return pictures as patches in raster order; channels are colours, then rows, then columns."""
    rows, columns, size = kind.height // kind.patch, kind.columns, kind.patch
    parts = pixels.reshape(len(pixels), kind.colours, rows, size, columns, size)
    parts = parts.swapaxes(4, 5).swapaxes(3, 4).swapaxes(2, 4)  # pixels, pixels, rows, columns
    return parts.reshape(len(pixels), kind.colours * size * size, rows * columns)


def steps_to_frames(
    values: Float[Any, "B C T"], kind: Film
) -> Float[Any, "B T colours height width"]:
    """Return the frames of films."""
    B, _, T = values.shape
    return values.swapaxes(1, 2).reshape(B, T, kind.colours, kind.height, kind.width)


def frames_to_steps(frames: Float[Any, "B T colours height width"]) -> Float[Any, "B C T"]:
    """Return frames as steps; channels are colours, then rows, then columns."""
    B, T, colours, height, width = frames.shape
    return frames.reshape(B, T, colours * height * width).swapaxes(1, 2)


def has_colour(pixels: np.ndarray) -> bool:
    """Return whether any of some pixels (…,1 or 3), bytes or from 0 to 1, is not grey."""
    if pixels.shape[-1] == 1:
        return False
    most = _TINT if pixels.dtype == np.uint8 else _TINT / 255
    low, high = pixels.min(axis=-1), pixels.max(axis=-1)
    return bool((high - low > most).any())


def in_colours(pixels: np.ndarray, colours: int) -> Float32[np.ndarray, "*shape colours"]:
    """Return pixels (…,1 or 3) from 0 to 1 with so many colours, 1 or 3."""
    plain = pixels.astype(np.float32)
    if pixels.dtype == np.uint8:
        plain /= 255
    if plain.shape[-1] == colours:
        return plain
    if colours == 3:
        return np.repeat(plain, 3, axis=-1)
    return np.asarray(plain @ _GREY)[..., None]
