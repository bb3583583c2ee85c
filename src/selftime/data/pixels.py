"""Pixels and steps: pictures as patches in raster order, films as frames, and both back again."""

from jaxtyping import Float
from torch import Tensor

from selftime.data.signals import Film, Images


def patches_to_pixels(
    values: Float[Tensor, "B C T"], kind: Images
) -> Float[Tensor, "B colours height width"]:
    """Return the pictures that patches make."""
    rows, columns, size = kind.height // kind.patch, kind.columns, kind.patch
    parts = values.reshape(len(values), kind.colours, size, size, rows, columns)
    return parts.permute(0, 1, 4, 2, 5, 3).reshape(
        len(values), kind.colours, kind.height, kind.width
    )


def pixels_to_patches(
    pixels: Float[Tensor, "B colours height width"], kind: Images
) -> Float[Tensor, "B C T"]:
    """Return pictures as patches in raster order; channels are colours, then rows, then columns."""
    rows, columns, size = kind.height // kind.patch, kind.columns, kind.patch
    parts = pixels.reshape(len(pixels), kind.colours, rows, size, columns, size)
    return parts.permute(0, 1, 3, 5, 2, 4).reshape(len(pixels), -1, rows * columns)


def steps_to_frames(
    values: Float[Tensor, "B C T"], kind: Film
) -> Float[Tensor, "B T colours height width"]:
    """Return the frames of films."""
    B, _, T = values.shape
    return values.transpose(1, 2).reshape(B, T, kind.colours, kind.height, kind.width)


def frames_to_steps(
    frames: Float[Tensor, "B T colours height width"],
) -> Float[Tensor, "B C T"]:
    """Return frames as steps; channels are colours, then rows, then columns."""
    return frames.flatten(2).transpose(1, 2)
