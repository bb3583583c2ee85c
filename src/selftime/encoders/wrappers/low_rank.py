"""Low-rank adaptation: few weights beside the maps of a Transformer, folded in afterwards."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from selftime.door import option
from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import TransformerLayer


class LowRank(nn.Module):
    """A frozen linear map and a trained change of rank r: W x + b + B A x, A (r,in), B (out,r).

    LoRA (Hu et al. 2022, section 4.1): A is drawn, B is 0 at first, so nothing has changed yet.
    The paper's factor α / r is left to the learning rate.
    """

    def __init__(self, base: nn.Linear, rank: int, rng: Generator) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        down = torch.randn(rank, base.in_features, generator=rng) * base.in_features**-0.5
        self.down, self.up = nn.Parameter(down), nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """The map and the change to it."""
        out: Tensor = self.base(x) + F.linear(F.linear(x, self.down), self.up)
        return out

    def merge(self) -> nn.Linear:
        """Return one linear map that gives the same, up to rounding."""
        plain = deepcopy(self.base)
        with torch.no_grad():
            plain.weight += self.up @ self.down
        return plain.requires_grad_(True)


def add_low_rank(encoder: Encoder, *, rank: int, seed: int) -> Encoder:
    """Return a copy whose Transformer layers learn low-rank changes, and nothing else does."""
    own = deepcopy(encoder).requires_grad_(False)
    rng = Generator().manual_seed(seed)
    layers = [part for part in own.modules() if isinstance(part, TransformerLayer)]
    if not layers:
        raise ValueError(
            f"got an adapter for {type(encoder).__name__}, which has no Transformer layers: choose "
            f"'partial' or 'full', or pretrain with {option('encoder', 'transformer')}"
        )
    for layer in layers:
        for name, part in list(layer.named_children()):
            if isinstance(part, nn.Linear):
                setattr(layer, name, LowRank(part, rank, rng))
    return own


def merged(encoder: Encoder) -> Encoder:
    """Return a copy with every change folded into its map, to be saved as any other encoder."""
    own = deepcopy(encoder)
    for layer in [part for part in own.modules() if isinstance(part, TransformerLayer)]:
        for name, part in list(layer.named_children()):
            if isinstance(part, LowRank):
                setattr(layer, name, part.merge())
    return own.requires_grad_(True)
