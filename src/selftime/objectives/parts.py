"""Parts that objectives train beside the encoder."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn


def projector(inner: int, hidden: int, outer: int, *, seed: int) -> nn.Sequential:
    """Two linear maps with a ReLU between: (B,inner) to (B,outer) (Chen et al. 2020, section 2.1).

    What the loss asks for beyond what is useful later is left to it; it is not kept with the
    encoder.
    """
    rng = weights_from(seed)
    return nn.Sequential(linear(inner, hidden, rng), nn.ReLU(), linear(hidden, outer, rng))


def normed_projector(widths: Sequence[int], *, seed: int, last: bool = False) -> nn.Sequential:
    """Linear maps with batch normalisation and ReLU between them, as methods without negatives use.

    (Zbontar et al. 2021, section 2.2; Grill et al. 2020, section 3.3.) Statistics are those of the
    batch at hand in every mode, since projections serve training alone.

    Args:
        widths: of input, hidden layers and output, at least two.
        seed: draws the weights.
        last: whether the output is normalised too, without a learned scale (SimSiam, section 4.4).
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
    """What draws first weights."""
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
    """A share of all numbers set to 0, the others raised to make up for it (dropout)."""
    if share == 0:
        return z
    keep = torch.rand(z.shape, generator=rng, device=rng.device).to(z.device) >= share
    return z * keep / (1 - share)
