"""Heads and projectors that objectives train beside the encoder."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import TransformerLayer, attention_mask, sinusoids


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
    """A linear map of each token to the values (C,L) of a patch (Nie et al. 2023, section 3.2)."""

    def __init__(self, encoder: Encoder, size: int, *, seed: int) -> None:
        super().__init__()
        self.channels, self.size = encoder.channels, size
        # Where tokens hold each channel's features apart, all channels share one map.
        self.apart = encoder.channels if encoder.by_channel else 1
        inner, outer = encoder.dim // self.apart, size * encoder.channels // self.apart
        self.map = linear(inner, outer, weights_from(seed))

    def forward(self, tokens: Float[Tensor, "B P D"]) -> Float[Tensor, "B P C L"]:
        """Return values (B,P,C,L) of the patches of tokens (B,P,D)."""
        B, P, _ = tokens.shape
        values: Tensor = self.map(tokens.reshape(B, P, self.apart, -1))
        return values.reshape(B, P, self.channels, self.size)


# narrow and shallow beside the encoder (He et al. 2022, section 3, "MAE decoder")
_WIDTH, _HEADS, _LAYERS = 64, 4, 2


class Decoder(nn.Module):
    """Visible tokens, one learned mask token for hidden ones, positions; layers; a linear map."""

    def __init__(self, inner: int, outer: int, *, seed: int) -> None:
        super().__init__()
        rng = weights_from(seed)
        self.narrow = linear(inner, _WIDTH, rng)
        self.mask_token = nn.Parameter(0.02 * torch.randn(_WIDTH, generator=rng))  # MAE's std
        self.layers = nn.ModuleList(
            TransformerLayer(_WIDTH, _HEADS, inner=2 * _WIDTH, rng=rng) for _ in range(_LAYERS)
        )
        self.norm = nn.LayerNorm(_WIDTH)
        self.out = linear(_WIDTH, outer, rng)

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
        h = h + sinusoids(place, _WIDTH).to(h.dtype)
        for layer in self.layers:
            h = layer(h, attention_mask(visible | hidden))
        said: Tensor = self.out(self.norm(h))
        return said
