"""Embedders, which make tokens of a series; and patches, mapped linearly, as the first of them."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, check_channels, network_input
from selftime.encoders.networks.attention import xavier_linear
from selftime.shapes import Embedding, Tokens


class Embedder(nn.Module):
    """All that encoders share whose tokens a Transformer, or any other encoder, takes.

    A token is made from steps around its own, ``patch`` of them from its first on, and of none
    after it where that is the stride. Series of more than ``length`` steps work too. ``columns``
    says that tokens lie on a grid, and ``symbols`` that steps are symbols.
    """

    channels: int
    length: int
    dim: int
    stride: int
    patch: int
    symbols: int | None
    columns: int | None

    @abstractmethod
    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places, where that can be without making the others."""

    def forward(self, x: Batch) -> Tokens:
        """All tokens (B,N,D), N = ceil(T / stride)."""
        return self.tokens_at(x, all_places(x, self.stride))

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The mean (B,D) of the tokens with observed values."""
        return mean_or_first(tokens, observed_tokens(x, self.stride))


class PatchEmbedder(Embedder, Encoder):
    """One linear map of every patch of a series (Nie et al. 2023, section 3.1).

    Token n reads ``patch`` steps from step n·stride on, all channels together. Steps not observed
    enter as 0. Where patches overlap, the last value is repeated behind the end, so that the last
    patch is whole: PatchTST repeats it ``stride`` times; here it is patch − stride times, which
    is the same at its sizes and keeps N = ceil(T / stride) at all others.

    Attributes:
        channels: C, of the series.
        length: steps of the series it is prepared for; longer ones work too. A learned table of
            positions has a row for each of their tokens.
        patch: steps of a patch.
        stride: steps from the beginning of one patch to that of the next.
        dim: D, of the tokens.
        seed: draws the initial weights.

    Raises:
        ValueError: no steps, or a stride that leaves some of them out.
    """

    stride: int

    def __init__(
        self,
        *,
        channels: int,
        length: int,
        patch: int = 16,  # Nie et al. 2023, section 4.1
        stride: int = 8,
        dim: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if length < 1 or not 1 <= stride <= patch:
            raise ValueError(
                f"got patches of {patch} steps every {stride} of {length} steps, wanted at least "
                "one step and no gaps: use stride <= patch"
            )
        self.channels, self.length, self.patch, self.stride = channels, length, patch, stride
        self.dim, self.seed = dim, seed
        self.map = xavier_linear(channels * patch, dim, Generator().manual_seed(seed))

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) of the patches at some places; no other patch is mapped."""
        patches = extract_patches(x, self.patch, self.stride)  # (B,N,C·L)
        selected = patches.gather(1, places[:, :, None].expand(-1, -1, patches.shape[2]))
        tokens: Tensor = self.map(selected)
        return tokens


class GridEmbedder(Embedder, Encoder):
    """One linear map of every step: patches of a picture (Dosovitskiy et al. 2021, equation 1).

    Steps lie in rows on a grid, one after another, and a step not observed enters as 0.

    Attributes:
        channels: C, the pixels of a patch.
        rows: of the grid.
        columns: of the grid.
        dim: D, of the tokens.
        seed: draws the initial weights.

    Raises:
        ValueError: a grid without steps.
    """

    stride = patch = 1

    def __init__(
        self, *, channels: int, rows: int, columns: int, dim: int = 128, seed: int = 0
    ) -> None:
        super().__init__()
        if min(rows, columns) < 1:
            raise ValueError(f"got {rows} rows of {columns} steps, wanted at least 1 of 1")
        self.channels, self.rows, self.columns, self.dim = channels, rows, columns, dim
        self.seed, self.length = seed, rows * columns
        self.map = xavier_linear(channels, dim, Generator().manual_seed(seed))

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) of the steps at some places; no other step is mapped."""
        tokens: Tensor = self.map(steps_at_places(self, x, places))
        return tokens


def steps_at_places(
    embedder: Encoder, x: Batch, places: Int[Tensor, "B K"]
) -> Float[Tensor, "B K C"]:
    """Values of the steps at some places, all channels of each together; 0 where not observed."""
    check_channels(embedder, x)
    index = places[:, None].expand(-1, x.values.shape[1], -1)
    return network_input(x).gather(2, index).transpose(1, 2)


def all_places(x: Batch, stride: int) -> Int[Tensor, "B N"]:
    """The place of every token of a series."""
    B, _, T = x.values.shape
    return torch.arange(tokens_for(T, stride), device=x.values.device).expand(B, -1)


def tokens_for(steps: int, stride: int) -> int:
    """Tokens of so many steps, ceil(steps / stride); other programs round quotients below 0 up."""
    return (steps + stride - 1) // stride


def extract_patches(x: Batch, patch: int, stride: int) -> Float[Tensor, "B N E"]:
    """Patches (B,N,C·patch), N = ceil(T / stride), channel after channel within each."""
    T = x.values.shape[2]
    lacking = (tokens_for(T, stride) - 1) * stride + patch - T
    steps = torch.arange(T + lacking, device=x.values.device)
    last = x.lengths.clamp(min=1)[:, None, None] - 1  # (B,1,1)
    values = network_input(x)
    padded = values.gather(2, steps.minimum(last).expand(-1, values.shape[1], -1))
    padded = padded.where(steps <= last + patch - stride, 0.0)  # (B,C,T')
    return padded.unfold(2, patch, stride).transpose(1, 2).flatten(2)


def observed_tokens(x: Batch, stride: int) -> Bool[Tensor, "B N"]:
    """True for tokens with an observed value in the ``stride`` steps from their first on."""
    B, _, T = x.observed.shape
    some = F.pad(x.observed.any(dim=1), (0, -T % stride))
    return some.view(B, -1, stride).any(dim=2)


def mean_or_first(tokens: Tokens, valid: Bool[Tensor, "B N"]) -> Embedding:
    """Mean (B,D) of the valid tokens; of a series without any, its first one."""
    first = torch.arange(valid.shape[1], device=valid.device) == 0
    counted = valid | (first & ~valid.any(dim=1, keepdim=True))  # (B,N)
    total = tokens.masked_fill(~counted[:, :, None], 0.0).sum(dim=1)
    return total / counted.sum(dim=1, keepdim=True)
