"""Patches: series cut into pieces of equal length, and the tokens that belong to each piece."""

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, valid_tokens
from selftime.shapes import Tokens


class Patches(NamedTuple):
    """Pieces of L steps, which do not overlap and begin with the first step.

    Attributes:
        values: (B,P,C,L) numbers without meaning where nothing was observed.
        observed: (B,P,C,L) True where a value was measured.
    """

    values: Float[Tensor, "B P C L"]
    observed: Bool[Tensor, "B P C L"]

    @property
    def valid(self) -> Bool[Tensor, "B P"]:
        """Patches that begin within their series; the first one always counts."""
        some = self.observed.any(dim=3).any(dim=2)  # (B,P)
        valid = some.flip(1).cumsum(dim=1).flip(1) > 0  # it or a later one holds something
        valid[:, 0] = True
        return valid


def patches_of(x: Batch, size: int) -> Patches:
    """Series cut into patches of ``size`` steps, the last one filled up with nothing."""
    B, C, T = x.values.shape
    padded = (F.pad(part, (0, -T % size)) for part in x)
    return Patches(*(part.view(B, C, -1, size).transpose(1, 2) for part in padded))


def tokens_of_patches(
    tokens: Tokens, x: Batch, encoder: Encoder, size: int
) -> Float[Tensor, "B P D"]:
    """Mean (B,P,D) of the tokens of each patch that begin within their series.

    Args:
        tokens: (B,N,D) as ``encoder`` gives them.
        x: the series they are of.
        encoder: its stride divides ``size``.
        size: steps of a patch.
    """
    B, N, D = tokens.shape
    each = size // (encoder.stride or size)
    valid = valid_tokens(encoder, x)[:, :, None]  # (B,N,1)
    total = F.pad(tokens * valid, (0, 0, 0, -N % each)).view(B, -1, each, D).sum(dim=2)
    count = F.pad(valid, (0, 0, 0, -N % each)).view(B, -1, each, 1).sum(dim=2)
    return total / count.clamp(min=1)


def check_patch(encoder: Encoder, size: int) -> None:
    """Every patch holds whole tokens.

    Raises:
        ValueError: an encoder of whole series, or a stride that does not divide the patch.
    """
    if size < 1:
        raise ValueError(f"got patch={size}, wanted at least 1 step")
    if encoder.stride is None:
        raise ValueError(
            f"got {type(encoder).__name__}, which sees a series only as a whole, wanted an encoder "
            "with tokens along time: use encoder='dilated'"
        )
    if size % encoder.stride:
        raise ValueError(
            f"got patch={size} for an encoder with a token every {encoder.stride} steps: "
            f"use a multiple of {encoder.stride}"
        )
