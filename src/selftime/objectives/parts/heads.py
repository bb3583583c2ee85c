"""Heads and projectors that objectives train beside the encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import (
    TransformerLayer,
    attention_mask,
    position_waves,
)
from selftime.objectives.parts.content import content_of
from selftime.objectives.patches import Patches
from selftime.settings import check_count


def projector(inner: int, hidden: int, outer: int, *, seed: int) -> nn.Sequential:
    """Linear, ReLU, linear: (B,inner) to (B,outer) (Chen et al. 2020, section 2.1); not kept."""
    rng = weights_from(seed)
    return nn.Sequential(linear(inner, hidden, rng), nn.ReLU(), linear(hidden, outer, rng))


def normed_projector(widths: Sequence[int], *, seed: int, last: bool = False) -> nn.Sequential:
    """Linear maps, batch norms and ReLU (Zbontar et al. 2021, 2.2; Grill et al. 2020, section 3.3).

    Statistics are those of the batch at hand in every mode, since projections serve training alone.
    ``last`` normalises the output too, without a learned scale (SimSiam, section 4.4).
    """
    rng, layers = weights_from(seed), list[nn.Module]()
    for inner, outer in pairwise(widths[:-1]):
        layers += [linear(inner, outer, rng), batch_norm(outer), nn.ReLU()]
    layers.append(linear(widths[-2], widths[-1], rng))
    return nn.Sequential(*layers, *([batch_norm(widths[-1], affine=False)] if last else []))


def batch_norm(width: int, *, affine: bool = True) -> nn.BatchNorm1d:
    """Each feature to mean 0 and variance 1 over the batch, then a learned scale and shift."""
    return nn.BatchNorm1d(width, affine=affine, track_running_stats=False)


def weights_from(seed: int) -> Generator:
    """Return the generator of first weights."""
    return torch.Generator().manual_seed(seed)


def linear(inner: int, outer: int, rng: Generator) -> nn.Linear:
    """A linear map with weights drawn as torch draws them, but from ``rng``."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inner, outer)  # type: ignore[no-untyped-call]
    bound = inner**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=rng)
        layer.bias.uniform_(-bound, bound, generator=rng)
    return layer


def dropout(z: Tensor, share: float, rng: Generator) -> Tensor:
    """Set a share of all numbers to 0 and raise the others to make up for it."""
    if share == 0:
        return z
    keep = torch.rand(z.shape, generator=rng, device=rng.device).to(z.device) >= share
    return z * keep / (1 - share)


class PatchHead(nn.Module):
    """A linear map of each token to what its patch holds (Nie et al. 2023, section 3.2).

    That is values (C,L), or logits (L,V) where steps are symbols, and what a guess at them costs
    (:mod:`selftime.objectives.parts.content`).
    """

    def __init__(self, encoder: Encoder, size: int, *, seed: int) -> None:
        super().__init__()
        self.size, self.content = size, content_of(encoder, size)
        # Where tokens hold each channel's features apart, all channels share one map.
        self.apart = encoder.channels if encoder.by_channel else 1
        inner, outer = encoder.dim // self.apart, self.content.width // self.apart
        self.map = linear(inner, outer, weights_from(seed))

    def forward(self, tokens: Float[Tensor, "B P D"]) -> Float[Tensor, "B P _ _"]:
        """Return values (B,P,C,L) of the patches of tokens (B,P,D), or logits (B,P,L,V)."""
        B, P, _ = tokens.shape
        said: Tensor = self.map(tokens.reshape(B, P, self.apart, -1))
        return self.content.read(said.reshape(B, P, -1))

    def loss(self, tokens: Float[Tensor, "B P D"], wanted: Patches) -> Float[Tensor, ""]:
        """Return the mean cost of what tokens (B,P,D) say of what was observed; 0 of nothing."""
        return self.content.loss(self(tokens), wanted)


@dataclass(frozen=True, kw_only=True)
class DecoderSize:
    """Width and layers of a decoder, narrow and shallow beside the encoder.

    He et al. 2022, section 3, "MAE decoder", has 512 and 8 beside 1,024 and 24.
    """

    width: int = 64
    layers: int = 2

    def __post_init__(self) -> None:
        check_count("layers", self.layers, 1)
        if self.width < 1 or self.width % (2 * _HEADS):
            raise ValueError(
                f"got width={self.width}, wanted a multiple of {2 * _HEADS}: 64 is usual"
            )


_HEADS = 4


class Decoder(nn.Module):
    """Visible tokens, one learned mask token for hidden ones, positions; layers; a linear map.

    Places are in time, or on a grid of so many ``columns``.
    """

    def __init__(
        self,
        inner: int,
        outer: int,
        *,
        seed: int,
        columns: int | None = None,
        size: DecoderSize = DecoderSize(),  # noqa: B008
    ) -> None:
        super().__init__()
        rng, width = weights_from(seed), size.width
        self.columns, self.width = columns, width
        self.narrow = linear(inner, width, rng)
        self.mask_token = nn.Parameter(0.02 * torch.randn(width, generator=rng))  # MAE's std
        self.layers = nn.ModuleList(
            TransformerLayer(width, _HEADS, inner=2 * width, rng=rng) for _ in range(size.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.out = linear(width, outer, rng)

    def forward(
        self,
        tokens: Float[Tensor, "B P D"],
        visible: Bool[Tensor, "B P"],
        hidden: Bool[Tensor, "B P"],
    ) -> Float[Tensor, "B P E"]:
        """Return predictions (B,P,outer); none attends to patches neither visible nor hidden."""
        # He et al. 2022, section 3 (MAE); the predictor of I-JEPA (Assran et al. 2023, section 3).
        place = torch.arange(tokens.shape[1], device=tokens.device, dtype=tokens.dtype)
        h = torch.where(visible[:, :, None], self.narrow(tokens), self.mask_token)
        h = h + position_waves(place, self.width, self.columns).to(h.dtype)
        for layer in self.layers:
            h = layer(h, attention_mask(visible | hidden))
        said: Tensor = self.out(self.norm(h))
        return said
