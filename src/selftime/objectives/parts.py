"""Parts that objectives train beside the encoder."""

import torch
from torch import Generator, Tensor, nn


def projector(inner: int, hidden: int, outer: int, *, seed: int) -> nn.Sequential:
    """Two linear maps with a ReLU between: (B,inner) to (B,outer) (Chen et al. 2020, section 2.1).

    What the loss asks for beyond what is useful later is left to it; it is not kept with the
    encoder.
    """
    rng = weights_from(seed)
    return nn.Sequential(linear(inner, hidden, rng), nn.ReLU(), linear(hidden, outer, rng))


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


def dropped(z: Tensor, share: float, rng: Generator) -> Tensor:
    """A share of all numbers set to 0, the others raised to make up for it (dropout)."""
    if share == 0:
        return z
    keep = torch.rand(z.shape, generator=rng, device=rng.device).to(z.device) >= share
    return z * keep / (1 - share)
