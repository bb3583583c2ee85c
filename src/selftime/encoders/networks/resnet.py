"""ResNet: residual blocks of three convolutions over time."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, LayerShape, network_input
from selftime.encoders.networks.actnorm import (
    Features,
    NormedConvolution,
    NormedNetwork,
    StepMasks,
    check_depth,
    step_masks,
)
from selftime.shapes import Tokens

_KERNELS = (8, 5, 3)
"""Taps of the three convolutions of a block (Wang et al. 2017, section 2.3)."""


class ResNet(NormedNetwork, Encoder):
    """One token a step from residual blocks of three convolutions of 8, 5 and 3 taps.

    The residual network of Wang et al. 2017, section 2.3; a series is the mean of its tokens
    (global average pooling). ActNorm stands in the place of batch normalisation
    (:class:`selftime.encoders.networks.actnorm.NormedConvolution`). As in He et al. 2016, figure 2,
    the ReLU of a block's last convolution comes after the sum; equation 3 has one before it too.

    Attributes:
        channels: C, of the series.
        hidden: width of the first block; the others are twice as wide.
        depth: blocks.
        seed: draws the initial weights.

    Raises:
        ValueError: no block.
    """

    def __init__(self, *, channels: int, hidden: int = 64, depth: int = 3, seed: int = 0) -> None:
        super().__init__()
        check_depth(depth)
        self.channels, self.hidden, self.depth, self.seed = channels, hidden, depth, seed
        rng = torch.Generator().manual_seed(seed)
        widths = [channels, hidden] + [2 * hidden] * (depth - 1)
        self.dim = widths[-1]
        self.stack = nn.ModuleList(ResidualBlock(a, b, rng=rng) for a, b in pairwise(widths))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """One token a step after each block."""
        h, steps = network_input(x), step_masks(x)
        for block in self.stack:
            h = block(h, steps)
            yield h.transpose(1, 2)

    def layer_shapes(self) -> list[LayerShape]:
        """The first has half the width of the others."""
        widths = [self.hidden] + [2 * self.hidden] * (self.depth - 1)
        return [LayerShape(width, self.stride) for width in widths]


class ResidualBlock(nn.Module):
    """relu(x + three convolutions of x), ReLUs between them; x is widened by a linear map."""

    def __init__(self, inner: int, outer: int, *, rng: Generator) -> None:
        super().__init__()
        widths = (inner, outer, outer)
        self.convolutions = nn.ModuleList(
            NormedConvolution(width, outer, taps, rng=rng)
            for width, taps in zip(widths, _KERNELS, strict=True)
        )
        self.beside = NormedConvolution(inner, outer, 1, rng=rng) if inner != outer else None

    def forward(self, x: Features, steps: StepMasks) -> Float[Tensor, "B O T"]:
        """Features (B,O,T), 0 beyond the ends of their series as those it takes."""
        first, second, third = self.convolutions
        h = steps.clear(first(x, steps).relu())
        h = steps.clear(second(h, steps).relu())
        beside = x if self.beside is None else self.beside(x, steps)
        return steps.clear((third(h, steps) + beside).relu())
