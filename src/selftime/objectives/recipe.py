"""Recipe: how a method is trained where nothing else is said, from its paper."""

import math
from dataclasses import dataclass
from typing import Literal

Averaging = Literal["none", "ema", "mean"]
AVERAGING: tuple[Averaging, ...] = ("none", "ema", "mean")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW (Loshchilov & Hutter 2019) with a rate that rises and, if wanted, falls again.

    Attributes:
        batch_size: series of a step, over all processes.
        rate: highest learning rate.
        weight_decay: decoupled.
        warmup: share of the run over which the rate rises from 0.
        cosine: whether it then falls to 0 along half a cosine; else it stays.
        averaging: which weights the model gets: those of the last step ("none"), a running
            average with decay 0.99 ("ema"), or the mean over all steps ("mean": stochastic weight
            averaging, Izmailov et al. 2018).

    Raises:
        ValueError: a setting out of range.
    """

    batch_size: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    cosine: bool = True
    averaging: Averaging = "none"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"got batch_size {self.batch_size}, wanted at least 1")
        if not self.rate > 0:
            raise ValueError(f"got rate {self.rate}, wanted more than 0, such as 0.001")
        if not self.weight_decay >= 0:
            raise ValueError(f"got weight_decay {self.weight_decay}, wanted 0 or more")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"got warmup {self.warmup}, wanted a share from 0 to below 1")
        if self.averaging not in AVERAGING:
            raise ValueError(
                f"got averaging {self.averaging!r}, wanted one of {', '.join(AVERAGING)}"
            )


def half_cosine(progress: float) -> float:
    """From 1 to 0 along half a cosine as progress goes from 0 to 1 (Loshchilov & Hutter 2017)."""
    return (1 + math.cos(math.pi * progress)) / 2
