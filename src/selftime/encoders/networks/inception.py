"""InceptionTime: convolutions of several lengths side by side."""

from collections.abc import Iterator

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
    convolve_same,
    he_uniform,
    highest_of,
    step_masks,
)
from selftime.shapes import Tokens

_KERNELS = (40, 20, 10)
"""Taps of the convolutions side by side (Fawaz et al. 2020, section 3.1)."""
_RESIDUAL_EVERY = 3
"""Modules from one residual sum to the next."""


class InceptionTime(NormedNetwork, Encoder):
    """One token a step from modules of convolutions of 40, 20 and 10 taps side by side.

    One of the five networks of InceptionTime (Fawaz et al. 2020, section 3.1 and figure 1): a
    residual sum after every third module, a series is the mean of its tokens (global average
    pooling). ActNorm stands in the place of batch normalisation
    (:class:`selftime.encoders.networks.actnorm.NormedConvolution`).

    Attributes:
        channels: C, of the series.
        hidden: features of each branch, and of the bottleneck before them; D is four times as many.
        depth: modules.
        seed: draws the initial weights.

    Raises:
        ValueError: no module.
    """

    def __init__(self, *, channels: int, hidden: int = 32, depth: int = 6, seed: int = 0) -> None:
        super().__init__()
        check_depth(depth)
        self.channels, self.hidden, self.depth, self.seed = channels, hidden, depth, seed
        self.dim = 4 * hidden
        rng = torch.Generator().manual_seed(seed)
        widths = [channels] + [self.dim] * (depth - 1)
        self.stack = nn.ModuleList(InceptionModule(width, hidden, rng=rng) for width in widths)
        self.beside = nn.ModuleList(
            NormedConvolution(widths[k], self.dim, 1, rng=rng)
            for k in range(0, depth - _RESIDUAL_EVERY + 1, _RESIDUAL_EVERY)
        )

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """One token a step after each module, and after the residual sum behind it."""
        h, steps = network_input(x), step_masks(x)
        before = h
        for k, block in enumerate(self.stack):
            h = block(h, steps)
            if k % _RESIDUAL_EVERY == _RESIDUAL_EVERY - 1:
                before = h = steps.clear(
                    (h + self.beside[k // _RESIDUAL_EVERY](before, steps)).relu()
                )
            yield h.transpose(1, 2)

    def layer_shapes(self) -> list[LayerShape]:
        """The same for all."""
        return [LayerShape(self.dim, self.stride)] * self.depth

    def blocks(self) -> list[nn.Module]:
        """The modules; a residual sum belongs to the module behind which it is."""
        made: list[nn.Module] = [*self.stack]
        for k, beside in enumerate(self.beside):
            last = _RESIDUAL_EVERY * k + _RESIDUAL_EVERY - 1
            made[last] = nn.ModuleList([made[last], beside])
        return made


class InceptionModule(nn.Module):
    """Convolutions behind a bottleneck, a linear map of the highest of three steps, then ReLU."""

    def __init__(self, inner: int, hidden: int, *, rng: Generator) -> None:
        super().__init__()
        narrow = hidden if inner > 1 else inner  # of a single channel there is nothing to narrow
        self.bottleneck = nn.Parameter(he_uniform(hidden, inner, 1, rng=rng)) if inner > 1 else None
        self.branches = nn.ModuleList(
            NormedConvolution(narrow, hidden, taps, rng=rng) for taps in _KERNELS
        )
        self.highest = NormedConvolution(inner, hidden, 1, rng=rng)

    def forward(self, x: Features, steps: StepMasks) -> Float[Tensor, "B O T"]:
        """Features (B,O,T), 0 beyond the ends of their series as those it takes."""
        narrow = x if self.bottleneck is None else convolve_same(x, self.bottleneck)
        made = [branch(narrow, steps) for branch in self.branches]
        made.append(self.highest(highest_nearby(x, steps), steps))
        return steps.clear(torch.cat(made, dim=1).relu())


def highest_nearby(x: Features, steps: StepMasks) -> Features:
    """The maximum of each step and the ones before and after it, within the series alone."""
    apart = steps.clear(x, -torch.inf)
    highest = highest_of(apart, 3, stride=1, beside=1)
    return highest if steps.within is None else highest.masked_fill(~steps.within, 0.0)
