"""AdamW, its rate over a run, and averages of the weights."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from selftime.objectives.base import Averaging, Recipe, half_cosine

EMA_DECAY = 0.99


def optimiser(
    module: nn.Module, recipe: Recipe, rates: dict[str, float] | None = None
) -> torch.optim.AdamW:
    """Return AdamW over all weights that are trained.

    ``rates`` holds factors of the rate for weights whose names begin so; the longest beginning
    counts. Each group keeps its factor as ``scale``.
    """
    groups: dict[float, list[Tensor]] = {}
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            starts = [start for start in rates or {} if name.startswith(start)]
            scale = (rates or {})[max(starts, key=len)] if starts else 1.0
            groups.setdefault(scale, []).append(weight)
    made = [
        {"params": weights, "scale": scale, "lr": scale * recipe.rate}
        for scale, weights in groups.items()
    ]
    return torch.optim.AdamW(made, recipe.rate, weight_decay=recipe.weight_decay, fused=True)


def rate_at(progress: float, recipe: Recipe) -> float:
    """Return the learning rate after a share of the run: warm-up, then constant or half a cosine.

    Linear warm-up (Goyal et al. 2017, section 2.2), cosine without restarts (Loshchilov & Hutter
    2017, equation 5).
    """
    if progress < recipe.warmup:
        return recipe.rate * progress / recipe.warmup
    if not recipe.cosine:
        return recipe.rate
    after = (progress - recipe.warmup) / (1 - recipe.warmup)
    return recipe.rate * half_cosine(min(after, 1.0))


class Average:
    """An average of weights over the steps of a run: "mean", "ema", or "none" for the last."""

    def __init__(self, weights: Iterable[Tensor], kind: Averaging) -> None:
        self.kind = kind
        self.weights = [weight.detach().clone() for weight in weights]
        self.steps = 1  # the initial weights count, as in torch's AveragedModel

    def add(self, weights: Iterable[Tensor]) -> None:
        """Take in the weights of one more step."""
        share = {"none": 1.0, "ema": 1 - EMA_DECAY, "mean": 1 / (self.steps + 1)}[self.kind]
        with torch.no_grad():
            torch._foreach_lerp_(self.weights, [weight.detach() for weight in weights], share)
        self.steps += 1
