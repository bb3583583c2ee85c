"""Teacher: a copy that follows what is trained, slowly and without a gradient."""

from copy import deepcopy
from typing import Generic, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class Teacher(nn.Module, Generic[Module]):
    """Exponential moving average of a module (Tarvainen & Valpola 2017, equation 1).

    Its weights are part of the state of a run, and no gradient reaches them.

    Attributes:
        module: the copy; call it as the module itself is called, under ``torch.no_grad()``.
    """

    def __init__(self, student: Module) -> None:
        super().__init__()
        self.module = deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def follow(self, student: Module, momentum: float) -> None:
        """θ ← momentum · θ + (1 − momentum) · θ_student; buffers are copied.

        Args:
            student: what is followed.
            momentum: 0 copies it, 1 stays.
        """
        own: list[torch.Tensor] = list(self.module.parameters())
        torch._foreach_lerp_(own, [w.detach() for w in student.parameters()], 1 - momentum)
        for kept, new in zip(self.module.buffers(), student.buffers(), strict=True):
            kept.copy_(new)
