"""Views of pictures and films: crops, shifts, mirror images, tints and holes.

Patches and frames are unfolded to planes of pixels, (B,P,H,W) with a plane for each colour of a
picture, or of every frame of a film: what is drawn for a series holds for all of its frames.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from selftime.data.batch import Batch
from selftime.data.pixels import (
    frames_to_steps,
    patches_to_pixels,
    pixels_to_patches,
    steps_to_frames,
)
from selftime.data.signals import Film, Images
from selftime.settings import check_share, check_strength
from selftime.shapes import Values
from selftime.views.amplitude import finite, moments_of_all
from selftime.views.draws import either_way, normal, uniform
from selftime.views.masks import hidden, with_last_steps

Pictures = Images | Film
"""Kinds of series that are made of pixels."""
Planes = Float[Tensor, "B P H W"]
_Pair = Float[Tensor, "B 2"]
_RATIO = 4 / 3
"""Most that a crop is wider or higher than its picture (Szegedy et al. 2015, section 6)."""


def crop_picture(x: Batch, rng: Generator, *, kind: Pictures, least: float = 0.6) -> Batch:
    """Crop each picture at random, and bring the crop to the whole size.

    Random resized cropping (Szegedy et al. 2015; Chen et al. 2020, appendix A): the share of the
    area is uniform from ``least``, 0.08 in these papers, where objects fill photographs; here more
    is left, since half a letter is another one. Height and width differ by up to 4/3.
    """
    check_share("least", least)
    area, ratio = uniform(2, len(x.values), rng=rng, like=x.values)
    lies = uniform(len(x.values), 2, rng=rng, like=x.values)
    return reframed(x, kind, *crops(least + (1 - least) * area, ratio, lies))


def crops(area: Float[Tensor, "B"], ratio: Float[Tensor, "B"], lies: _Pair) -> tuple[_Pair, _Pair]:
    """Return size and offset, down and across, of crops within pictures of size 2 around 0.

    ``area`` is a share; ``ratio`` makes them highest at 0 and widest at 1, as far as they fit;
    they lie first at 0 and last at 1.
    """
    share = area.clamp(min=1e-4).log()  # negative, of both sides together
    wider = (-share).clamp(max=math.log(_RATIO)) * (2 * ratio - 1)
    size = ((share[:, None] + torch.stack([-wider, wider], dim=1)) / 2).exp()
    return size, (1 - size) * (2 * lies - 1)


def shift_picture(x: Batch, rng: Generator, *, kind: Pictures, strength: float = 0.1) -> Batch:
    """Move each picture by up to ``strength`` of its sides; the edge is held."""
    check_share("strength", strength)
    offset = 2 * strength * either_way(len(x.values), 2, rng=rng, like=x.values)
    return reframed(x, kind, torch.ones_like(offset), offset)


def reframed(x: Batch, kind: Pictures, size: _Pair, offset: _Pair) -> Batch:
    """Return pictures read at ``size · u + offset`` for u from −1 to 1, down and across.

    Pixels are interpolated by straight lines between those that were observed; beyond the edge it
    is held. A pixel counts as observed where the nearest one was.
    """
    precise = torch.promote_types(x.values.dtype, torch.float32)
    seen = to_planes(x.observed.to(precise), kind)
    planes = to_planes(x.values.where(x.observed, 0.0).to(precise), kind)
    theta = torch.diag_embed(size.flip(1))  # across comes first
    theta = torch.cat([theta, offset.flip(1)[:, :, None]], dim=2).to(precise)
    grid = affine_grid(theta, list(planes.shape), align_corners=False)
    read = _read(planes, grid, "bilinear")
    if bool(x.observed.all()):
        return x._replace(values=finite(from_planes(read, kind).to(x.values.dtype)))
    read = read / _read(seen, grid, "bilinear").clamp(min=1e-3)  # a quarter where it is observed
    observed = from_planes(_read(seen, grid, "nearest"), kind) > 0.5
    values = from_planes(read, kind).where(observed, x.values.to(precise))
    return Batch(finite(values.to(x.values.dtype)), with_last_steps(observed, x))


def _read(planes: Planes, grid: Float[Tensor, "B H W 2"], mode: str) -> Planes:
    return grid_sample(planes, grid, mode=mode, padding_mode="border", align_corners=False)


def mirror(x: Batch, rng: Generator, *, kind: Pictures, chance: float = 0.5) -> Batch:
    """Swap left and right in some of the pictures.

    Horizontal flipping (Chen et al. 2020, appendix A). It is no part of the usual view: letters,
    digits, signs and hearts are others in a mirror, and those who know that theirs are not may ask
    for it.
    """
    check_share("chance", chance)
    over = uniform(len(x.values), rng=rng, like=x.values) < chance
    return mirrored(x, kind, over)


def mirrored(x: Batch, kind: Pictures, over: Bool[Tensor, "B"]) -> Batch:
    """Return pictures with left and right swapped where ``over`` is True."""
    seen = x.observed.to(x.values.dtype)
    values, observed = (from_planes(to_planes(p, kind).flip(3), kind) for p in (x.values, seen))
    turn = over[:, None, None]
    kept = torch.where(turn, observed > 0.5, x.observed)
    return Batch(values.where(turn & kept, x.values), with_last_steps(kept, x))


def tint(x: Batch, rng: Generator, *, kind: Pictures, strength: float = 0.2) -> Batch:
    """Add a constant to every colour of each picture.

    Colour jitter by the offsets of Krizhevsky et al. (2012, section 4.1), here each colour by
    itself. ``strength`` is their deviation, in standard deviations of the picture; grey pictures
    change in brightness.
    """
    check_strength("strength", strength)
    drawn = strength * normal(len(x.values), kind.colours, rng=rng, like=x.values)
    return tinted(x, kind, drawn)


def tinted(x: Batch, kind: Pictures, offsets: Float[Tensor, "B K"]) -> Batch:
    """Return ``values + std * offset`` with the offset of each colour; channels are colours first.

    The standard deviation is that of the whole picture.
    """
    _, std = moments_of_all(x)
    each = offsets.repeat_interleave(x.values.shape[1] // kind.colours, dim=1)  # (B,C)
    return x._replace(values=finite((x.values + std * each[:, :, None]).to(x.values.dtype)))


def cut_out(x: Batch, rng: Generator, *, kind: Pictures, share: float = 0.25) -> Batch:
    """Hide a rectangle of each picture: its pixels become missing.

    Cutout (DeVries & Taylor 2017, section 3), which sets them to 0. Height and width are ``share``
    of those of the picture, rounded to whole pixels; it lies inside.
    """
    check_share("share", share)
    lies = uniform(len(x.values), 2, rng=rng, like=x.values)
    return hidden(x, outside_hole(x, kind, lies, share))


def outside_hole(x: Batch, kind: Pictures, lies: _Pair, share: float) -> Bool[Tensor, "B C T"]:
    """Return False in a rectangle of each picture, the first that fits at 0, the last near 1."""
    within = []
    for axis, side in enumerate((kind.height, kind.width)):
        width, pixels = round(share * side), torch.arange(side, device=lies.device)
        first = (lies[:, axis] * (side - width + 1)).long()[:, None]  # (B,1)
        within.append((first <= pixels) & (pixels < first + width))
    hole = (within[0][:, :, None] & within[1][:, None])[:, None]  # (B,1,H,W)
    planes = to_planes(x.values, kind).shape[1]
    return from_planes(hole.float().expand(-1, planes, -1, -1), kind) < 0.5


def to_planes(values: Values, kind: Pictures) -> Planes:
    """Return a plane of pixels for each colour of a picture, or of every frame of a film."""
    if isinstance(kind, Images):
        planes: Tensor = patches_to_pixels(values, kind)
    else:
        planes = steps_to_frames(values, kind).flatten(1, 2)
    return planes


def from_planes(planes: Planes, kind: Pictures) -> Values:
    """Return the steps that planes were made of."""
    B, _, H, W = planes.shape
    if isinstance(kind, Images):
        values: Tensor = pixels_to_patches(planes, kind)
    else:
        values = frames_to_steps(planes.reshape(B, -1, kind.colours, H, W))
    return values
