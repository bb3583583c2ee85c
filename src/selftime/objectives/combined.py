"""Combined: several objectives train one encoder together."""

from collections.abc import Sequence

import torch
from torch import Generator, nn

from selftime.data.batch import Batch
from selftime.objectives.base import Objective, Step


class Combined(Objective):
    """A weighted sum of objectives: masked and contrastive learning at once, or any other mix.

    Each objective sees the same batch and draws its own views. The recipe is that of the first.

    Attributes:
        encoder: the one that all of them train.
        objectives: two or more, made on the same encoder.
        weights: one factor an objective; None is 1 for each.

    Raises:
        ValueError: fewer than two objectives, several encoders, or other weights than objectives.
    """

    family = "combined"
    suits = "one method alone leaves something out: masked values for detail, contrast for identity"

    def __init__(
        self, *, objectives: Sequence[Objective], weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        check_parts(objectives, weights)
        self.encoder = objectives[0].encoder
        self.parts = nn.ModuleList(objectives)
        self.weights = None if weights is None else [float(weight) for weight in weights]
        self.recipe = objectives[0].recipe

    @property
    def objectives(self) -> list[Objective]:
        """The parts, in the order of their weights."""
        return [part for part in self.parts if isinstance(part, Objective)]

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare each of them."""
        for objective in self.objectives:
            objective.prepare(sample, rng)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """The loss of each, times its weight, added up; what they report is logged by name."""
        steps = [objective(batch, rng) for objective in self.objectives]
        weights = self.weights or [1.0] * len(steps)
        loss = torch.stack([w * step.loss for w, step in zip(weights, steps, strict=True)]).sum()
        parts = {}
        for name, step in zip(self.names(), steps, strict=True):
            parts[name] = step.loss.detach()
            parts |= {f"{name}: {part}": value for part, value in step.parts.items()}
        return Step(loss, parts, steps[0].embeddings)

    def after_step(self, progress: float) -> None:
        """Move the teachers of each."""
        for objective in self.objectives:
            objective.after_step(progress)

    def names(self) -> list[str]:
        """Class names, numbered where one occurs more than once."""
        plain = [type(objective).__name__ for objective in self.objectives]
        several = {name for name in plain if plain.count(name) > 1}
        return [f"{name} {i}" if name in several else name for i, name in enumerate(plain, 1)]


def check_parts(objectives: Sequence[Objective], weights: Sequence[float] | None) -> None:
    """Objectives that can be added up.

    Raises:
        ValueError: they cannot.
    """
    if len(objectives) < 2:
        raise ValueError(f"got {len(objectives)} objectives, wanted at least 2 to combine")
    if any(objective.encoder is not objectives[0].encoder for objective in objectives):
        raise ValueError("got objectives on several encoders: make all of them with the same one")
    if weights is not None and len(weights) != len(objectives):
        raise ValueError(f"got {len(weights)} weights for {len(objectives)} objectives: one each")
    if weights is not None and not all(weight > 0 for weight in weights):
        raise ValueError(f"got weights {list(weights)}, wanted each more than 0")
