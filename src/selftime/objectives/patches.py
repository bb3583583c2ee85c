"""Patches: series cut into pieces of equal length, some hidden, the visible ones encoded."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.door import option
from selftime.encoders.base import Encoder, valid_tokens
from selftime.objectives.base import Guess
from selftime.objectives.distributed import distribute
from selftime.shapes import Embedding, Tokens
from selftime.views.draws import uniform


class Patches(NamedTuple):
    """Pieces (B,P,C,L) of L steps, which do not overlap and begin with the first step."""

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
    """Cut series into patches of ``size`` steps, the last one filled up with nothing."""
    B, C, T = x.values.shape
    padded = (F.pad(part, (0, -T % size)) for part in x)
    return Patches(*(part.view(B, C, -1, size).transpose(1, 2) for part in padded))


def steps_of_patches(values: Float[Tensor, "B P C L"], T: int) -> Float[Tensor, "B C {T}"]:
    """Return the first ``T`` steps of the series that patches make."""
    B, _, C, _ = values.shape
    return values.transpose(1, 2).reshape(B, C, -1)[:, :, :T]


def guess_at(x: Batch, seen: Batch, made: Float[Tensor, "B P C L"]) -> Guess:
    """Return series with the patches that were made of what was not seen of them."""
    return Guess(x, x.observed & ~seen.observed, steps_of_patches(made, x.values.shape[2]))


def tokens_of_patches(
    tokens: Tokens, x: Batch, encoder: Encoder, size: int
) -> Float[Tensor, "B P D"]:
    """Return the mean (B,P,D) of the tokens of each patch that begin within their series."""
    B, N, D = tokens.shape
    each = size // (encoder.stride or size)
    valid = valid_tokens(encoder, x)[:, :, None]  # (B,N,1)
    total = F.pad(tokens * valid, (0, 0, 0, -N % each)).view(B, -1, each, D).sum(dim=2)
    count = F.pad(valid, (0, 0, 0, -N % each)).view(B, -1, each, 1).sum(dim=2)
    return total / count.clamp(min=1)


def patch_columns(encoder: Encoder, size: int) -> int | None:
    """Return the patches in a row, where tokens lie on a grid and rows are whole patches."""
    each = size // (encoder.stride or size)
    whole = encoder.columns is not None and encoder.columns % each == 0
    return encoder.columns // each if encoder.columns is not None and whole else None


def check_patch(encoder: Encoder, size: int) -> None:
    """Raise a ValueError unless every patch holds whole tokens."""
    if size < 1:
        raise ValueError(f"got patch={size}, wanted at least 1 step")
    if encoder.stride is None:
        raise ValueError(
            f"got {type(encoder).__name__}, which sees a series only as a whole, wanted an encoder "
            f"with tokens along time: use {option('encoder', 'dilated')}"
        )
    if size % encoder.stride:
        raise ValueError(
            f"got patch={size} for an encoder with a token every {encoder.stride} steps: "
            f"use a multiple of {encoder.stride}"
        )


def trimmed(x: Batch) -> Batch:
    """Cut off the padding that all series share, so that no later draw depends on it."""
    T = int(x.lengths.max().clamp(min=1))
    return Batch(x.values[:, :, :T], x.observed[:, :, :T])


def draw_patches(free: Bool[Tensor, "B P"], share: float, rng: Generator) -> Bool[Tensor, "B P"]:
    """Draw round(share · count) of the free patches of a series: at least 1, of several not all."""
    # Random masking by sorting noise (He et al. 2022, section 3); halves are rounded to even.
    counts = free.sum(dim=1)  # (B,)
    wanted = (share * counts.double()).round().clamp(min=1)
    wanted = wanted.minimum((counts - 1).clamp(min=1))
    noise = uniform(*free.shape, rng=rng, like=free).masked_fill(~free, torch.inf)
    place = noise.argsort(dim=1, stable=True).argsort(dim=1)  # (B,P) in the order of noise
    return free & (place < wanted[:, None])


def patch_steps(patches: Bool[Tensor, "B P"], size: int, T: int) -> Bool[Tensor, "B {T}"]:
    """Return the first ``T`` steps (B,T), each True where its patch of ``size`` steps is."""
    return patches.repeat_interleave(size, dim=1)[:, :T]


def encode_visible(
    encoder: Encoder, seen: Batch, visible: Bool[Tensor, "B P"], size: int
) -> tuple[Float[Tensor, "B P D"], Embedding]:
    """Encode the visible patches alone (He et al. 2022, section 3, "MAE encoder").

    Mean tokens (B,P,D) of visible patches, 0 for others, and the embeddings (B,D). Where fewer are
    visible, empty patches fill up. Encoders of whole series see hidden patches as missing.
    """
    holding = patches_of(seen, size).observed.flatten(2).any(dim=2)
    places = visible_first(visible, holding)  # (B,K)
    given = visible.gather(1, places)
    part = steps_at(seen, places, size)
    stride = encoder.stride or size
    count = -(-seen.values.shape[2] // stride)
    tokens = distribute(
        encoder.tokens_at, seen, _expand_places(places, size // stride).clamp(max=count - 1)
    )
    means = tokens_of_patches(tokens, part, encoder, size)  # (B,K,D)
    index = places[:, :, None].expand_as(means)
    back = means.new_zeros(*visible.shape, means.shape[2])
    back = back.scatter(1, index, means.where(given[:, :, None], 0.0))
    return back, encoder.pool(tokens, part)


def visible_first(visible: Bool[Tensor, "B P"], holding: Bool[Tensor, "B P"]) -> Int[Tensor, "B K"]:
    """Return K indices: the visible patches in their order, then others that hold nothing."""
    # Hidden patches that still hold the last step come last and are not reached, as K < P.
    keys = torch.where(visible, 0, 1 + holding.long())
    most = int(visible.sum(dim=1).max().clamp(min=1))
    return keys.argsort(dim=1, stable=True)[:, :most]


def _expand_places(places: Int[Tensor, "B K"], each: int) -> Int[Tensor, "B M"]:
    """Return the ``each`` indices (B,K·each) that make up every one of these."""
    inner = torch.arange(each, device=places.device)
    return (places[:, :, None] * each + inner).flatten(1)


def steps_at(x: Batch, places: Int[Tensor, "B K"], size: int) -> Batch:
    """Return the steps of some patches as a series of their own (B,C,K·size)."""
    T = x.values.shape[2]
    steps = _expand_places(places, size)  # (B,K·size)
    index = steps.clamp(max=T - 1)[:, None].expand(-1, x.values.shape[1], -1)
    observed = x.observed.gather(2, index) & (steps < T)[:, None]
    return Batch(x.values.gather(2, index), observed)
