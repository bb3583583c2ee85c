"""Visible patches: encoded without those that are hidden, and put back in their places."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.patches import patches_of, tokens_of_patches
from selftime.objectives.ranks import distribute
from selftime.shapes import Embedding


class Visible(NamedTuple):
    """What an encoder says of the visible patches.

    Attributes:
        tokens: (B,P,D) the mean of the tokens of each visible patch, 0 for all others.
        embeddings: (B,D) what it makes of them together.
    """

    tokens: Float[Tensor, "B P D"]
    embeddings: Embedding


def encode_visible(
    encoder: Encoder, seen: Batch, visible: Bool[Tensor, "B P"], size: int
) -> Visible:
    """Tokens of the visible patches alone (He et al. 2022, section 3, "MAE encoder").

    Series with fewer visible patches than others are filled up with patches that hold nothing.
    Encoders that look at whole series see the hidden patches as missing.

    Args:
        encoder: its stride divides ``size``.
        seen: series of which the hidden patches are missing already.
        visible: (B,P) patches to encode.
        size: steps of a patch.
    """
    holding = patches_of(seen, size).observed.flatten(2).any(dim=2)
    places = visible_first(visible, holding)  # (B,K)
    given = visible.gather(1, places)
    part = steps_at(seen, places, size)
    stride = encoder.stride or size
    count = -(-seen.values.shape[2] // stride)
    tokens = distribute(encoder.tokens_at, seen, _expand_places(places, size // stride).clamp(max=count - 1))
    means = tokens_of_patches(tokens, part, encoder, size)  # (B,K,D)
    index = places[:, :, None].expand_as(means)
    back = means.new_zeros(*visible.shape, means.shape[2])
    back = back.scatter(1, index, means.where(given[:, :, None], 0.0))
    return Visible(back, encoder.pool(tokens, part))


def visible_first(visible: Bool[Tensor, "B P"], holding: Bool[Tensor, "B P"]) -> Int[Tensor, "B K"]:
    """Places of the visible patches in their order, and then of others that hold nothing, K in all.

    Hidden patches of which something is left, the step that ends a series, come last of all and
    are not reached: K, the most that are visible in a series, is below P where any is hidden.
    """
    keys = torch.where(visible, 0, 1 + holding.long())
    most = int(visible.sum(dim=1).max().clamp(min=1))
    return keys.argsort(dim=1, stable=True)[:, :most]


def _expand_places(places: Int[Tensor, "B K"], each: int) -> Int[Tensor, "B M"]:
    """The ``each`` places (B,K·each) that make up every one of these."""
    inner = torch.arange(each, device=places.device)
    return (places[:, :, None] * each + inner).flatten(1)


def steps_at(x: Batch, places: Int[Tensor, "B K"], size: int) -> Batch:
    """The steps of some patches as a series of their own (B,C,K·size)."""
    T = x.values.shape[2]
    steps = _expand_places(places, size)  # (B,K·size)
    index = steps.clamp(max=T - 1)[:, None].expand(-1, x.values.shape[1], -1)
    observed = x.observed.gather(2, index) & (steps < T)[:, None]
    return Batch(x.values.gather(2, index), observed)
