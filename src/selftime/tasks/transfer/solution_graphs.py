"""Solutions as graphs: from raw values to probabilities or values, scaling and head included."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selftime.engine.graphs import scaled_batch
from selftime.objectives.supervised.targets import Amount, AnyClasses, TargetType
from selftime.tasks.probing.head_graphs import head_graph
from selftime.tasks.transfer.solution import (
    FrozenSolution,
    Solution,
    TunedSolution,
    with_tokens,
)


class FrozenGraph(nn.Module):
    """A frozen model with its head; by step, what the head says of each token."""

    def __init__(self, solution: FrozenSolution) -> None:
        super().__init__()
        self.by_step, self.scaling = solution.target_type.by_step, solution.model.scaling
        encoder = solution.model.encoder
        self.encoder = with_tokens(encoder) if self.by_step else encoder
        self.head = head_graph(solution.head)

    def forward(self, values: Float[Tensor, "N C T"]) -> Float[Tensor, "N *T K"]:
        """Probabilities or values, (N,T,K) by step."""
        batch = scaled_batch(self.scaling, values)
        if not self.by_step:
            out: Tensor = self.head(self.encoder.embed(batch).double())
            return out.float()
        tokens = self.encoder(batch).double()
        each = self.head(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        stride = self.encoder.stride or 1
        steps: Tensor = each.repeat_interleave(stride, dim=1)[:, : values.shape[2]]
        return steps.float()


class TunedGraph(nn.Module):
    """A network that was trained on labels, with the calibration of its outputs."""

    def __init__(self, solution: TunedSolution) -> None:
        super().__init__()
        self.network, self.scaling = solution.network, solution.model.scaling
        self.temperature, self.target_type = solution.temperature, solution.target_type

    def forward(self, values: Float[Tensor, "N C T"]) -> Float[Tensor, "N *T K"]:
        """Probabilities or values, (N,T,K) by step."""
        outputs = self.network.outputs(scaled_batch(self.scaling, values)).double()
        return answers(self.target_type, outputs, self.temperature).float()


def answers(
    target_type: TargetType, outputs: Float[Tensor, "N *T K"], temperature: float
) -> Float[Tensor, "N *T K"]:
    """Return probabilities, calibrated by the temperature, or values."""
    if isinstance(target_type, Amount):
        mean, std = (torch.as_tensor(part) for part in (target_type.mean, target_type.std))
        return outputs * std + mean
    scores = outputs / temperature
    return scores.sigmoid() if isinstance(target_type, AnyClasses) else scores.softmax(dim=-1)


def solution_graph(solution: Solution) -> nn.Module:
    """Return a solution as a module: raw values (N,C,T), NaN where missing, to its answers.

    Raises:
        ValueError: a head that has no graph.
    """
    if isinstance(solution, TunedSolution):
        return TunedGraph(solution)
    assert isinstance(solution, FrozenSolution)
    return FrozenGraph(solution)
