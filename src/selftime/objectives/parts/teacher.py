"""Teacher: a copy that follows what is trained, slowly and without a gradient."""

from collections.abc import Callable
from copy import deepcopy
from typing import Generic, Literal, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import half_cosine
from selftime.objectives.distributed import distribute
from selftime.objectives.patches import tokens_of_patches

Module = TypeVar("Module", bound=nn.Module)
Schedule = Literal["constant", "linear", "cosine"]

REMAINING: dict[Schedule, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,  # noqa: ARG005
    "linear": lambda progress: 1 - progress,
    "cosine": half_cosine,
}
"""Share of its first pace at which a teacher still follows, by the progress of the run."""


class Teacher(nn.Module, Generic[Module]):
    """Exponential moving average of a module (Tarvainen & Valpola 2017, equation 1).

    Its weights are part of the state of a run, and no gradient reaches them. Call ``module`` as the
    student is called, under ``torch.no_grad()``. The momentum of the beginning, 0 to 1, rises to 1
    as the schedule says: not at all, in a straight line, or along half a cosine (Grill et al. 2020,
    section 3.3).
    """

    def __init__(self, student: Module, *, momentum: float, schedule: Schedule) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"got momentum={momentum}, wanted a share from 0 to 1: 0.99 is usual")
        self.momentum, self.schedule = momentum, schedule
        self.module = deepcopy(student).requires_grad_(False)

    def momentum_at(self, progress: float) -> float:
        """Return τ = 1 − (1 − momentum) · what the schedule leaves at this progress, 0 to 1."""
        return 1 - (1 - self.momentum) * REMAINING[self.schedule](progress)

    def follow(self, student: Module, progress: float) -> None:
        """Move: θ ← τ · θ + (1 − τ) · θ_student; buffers are copied."""
        self._move(student, 1 - self.momentum_at(progress))

    def copy(self, student: Module) -> None:
        """Begin as the student is now."""
        self._move(student, 1.0)

    @torch.no_grad()
    def _move(self, student: Module, share: float) -> None:
        own: list[Tensor] = list(self.module.parameters())
        torch._foreach_lerp_(own, [w.detach() for w in student.parameters()], share)
        for kept, new in zip(self.module.buffers(), student.buffers(), strict=True):
            kept.copy_(new)


class Branch(nn.Module):
    """An encoder and its projector, for a teacher of both: series to projections."""

    def __init__(self, encoder: Encoder, project: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = project

    def forward(self, x: Batch) -> Float[Tensor, "B K"]:
        """Return one projection per series; processes share the encoding."""
        out: Tensor = self.project(distribute(self.encoder.embed, x))
        return out


@torch.no_grad()
def patch_targets(teacher: Teacher[Encoder], x: Batch, patch: int) -> Float[Tensor, "B P D"]:
    """Return the teacher's tokens of each patch, each normalised to mean 0 and variance 1."""
    encoder = teacher.module
    tokens = tokens_of_patches(distribute(encoder, x), x, encoder, patch)
    return F.layer_norm(tokens, tokens.shape[2:])
