"""PooledCNN: three convolutions with max pooling, the encoder of TS-TCC."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, LayerShape, network_input
from selftime.encoders.networks.actnorm import (
    NormedConvolution,
    NormedNetwork,
    max_pool_pairs,
    step_masks,
)
from selftime.shapes import Tokens

_TAPS = 8
"""Of each convolution."""


class PooledCNN(NormedNetwork, Encoder):
    """One token for eight steps from three blocks: convolution, ReLU, maximum of two steps.

    The encoder of TS-TCC (Eldele et al. 2021, section 3.2), with the widths and taps that its
    authors take for human activity; a series is the mean of its tokens. ActNorm stands in the place
    of batch normalisation (:class:`selftime.encoders.networks.actnorm.NormedConvolution`), without
    dropout: only the views are random in training. No pooling overlaps, so token n stands for steps
    8n to 8n + 7, and the last one for the rest.

    Attributes:
        channels: C, of the series.
        hidden: width of the first block; it doubles from block to block, so D is four times it.
        seed: draws the initial weights.
    """

    stride = 8

    def __init__(self, *, channels: int, hidden: int = 32, seed: int = 0) -> None:
        super().__init__()
        self.channels, self.hidden, self.seed = channels, hidden, seed
        self.dim = 4 * hidden
        rng = torch.Generator().manual_seed(seed)
        self.stack = nn.ModuleList(
            NormedConvolution(inner, outer, _TAPS, rng=rng)
            for inner, outer in pairwise((channels, hidden, 2 * hidden, 4 * hidden))
        )

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Tokens after each block: one for two steps, one for four, one for eight."""
        h, steps = network_input(x), step_masks(x)
        for block in self.stack:
            # 0 beyond the end is never more than what a ReLU leaves within the series
            h = max_pool_pairs(steps.clear(block(h, steps).relu()))
            steps = steps.halved()
            yield h.transpose(1, 2)

    def layer_shapes(self) -> list[LayerShape]:
        """Half as many tokens of twice the width from block to block."""
        return [LayerShape(2**k * self.hidden, 2 ** (k + 1)) for k in range(3)]
