"""Target types: labels or values as tensors, their loss, and predictions from outputs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.special import expit, softmax
from torch import Tensor

from selftime.data.arrays import are_known

IGNORED = -1
"""Target of a step that has no label."""


class TargetType(ABC):
    """Base of targets: K = ``size`` outputs per series or step, their loss and predictions."""

    size: int
    by_step: bool = False

    @abstractmethod
    def targets(self, y: Any) -> Tensor:
        """Return the tensor that a network is trained on, one row per series."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        """Return the distance of outputs from their targets."""

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """Return outputs as probabilities, or as values."""
        return self.predictions(outputs)

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """Return outputs as labels or values; here unchanged."""
        return outputs


class OneClass(TargetType):
    """One of K ``classes`` per series: cross entropy."""

    def __init__(self, classes: np.ndarray) -> None:
        self.classes, self.size = classes, len(classes)

    def targets(self, y: np.ndarray) -> Tensor:
        """Return indices of the classes (N,)."""
        return torch.from_numpy(np.searchsorted(self.classes, y))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Return the mean of −log softmax at the class."""
        return F.cross_entropy(outputs, targets)

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """Return the softmax."""
        return np.asarray(softmax(outputs, axis=-1))

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """Return the most probable class."""
        return np.asarray(self.classes[outputs.argmax(axis=-1)])


class AnyClasses(TargetType):
    """None to all of K labels per series: a binary cross entropy for each."""

    def __init__(self, size: int) -> None:
        self.size = size

    def targets(self, y: np.ndarray) -> Tensor:
        """Return 1 where a series has a label (N,K)."""
        return torch.from_numpy(np.asarray(y, np.float32))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Return the mean binary cross entropy over series and labels."""
        return F.binary_cross_entropy_with_logits(outputs, targets)

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """Return the logistic function of each."""
        return np.asarray(expit(outputs))

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """Return 1 where a label has a probability above one half."""
        return (outputs > 0).astype(np.int64)


class Amount(TargetType):
    """One value or several: mean squared error of values scaled to mean 0 and deviation 1."""

    def __init__(self, mean: Float[np.ndarray, "K"], std: Float[np.ndarray, "K"]) -> None:
        self.mean, self.std, self.size = mean, std, len(mean)

    @classmethod
    def of(cls, y: Float[np.ndarray, "N K"]) -> "Amount":
        """Return the scale of some values."""
        std = y.std(axis=0)
        return cls(y.mean(axis=0), np.where(std > 0, std, 1.0))

    def targets(self, y: Float[np.ndarray, "N K"]) -> Tensor:
        """Return scaled values (N,K)."""
        return torch.from_numpy(((y - self.mean) / self.std).astype(np.float32))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Return the mean squared error, 1 for a constant prediction of the mean."""
        return F.mse_loss(outputs, targets)

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """Return the values, on their own scale."""
        return np.asarray(outputs * self.std + self.mean)


class Future(TargetType):
    """The next K values: squared error in the units of the series; outputs in those of a window."""

    def __init__(self, size: int) -> None:
        self.size = size

    def targets(self, y: Float[np.ndarray, "N K1"]) -> Tensor:
        """Return the next values in units of each window, and in the last column that unit."""
        return torch.from_numpy(np.asarray(y, np.float32))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Return the mean of ((output − target) · unit)² (RevIN: Kim et al. 2022, equation 3)."""
        return ((outputs - targets[:, :-1]) * targets[:, -1:]).square().mean()


class StepClasses(TargetType):
    """One of K ``classes`` per step: cross entropy over the steps that have a label."""

    by_step = True

    def __init__(self, classes: np.ndarray) -> None:
        self.classes, self.size = classes, len(classes)

    def targets(self, y: Sequence[np.ndarray]) -> Tensor:
        """Return indices of the classes (N,T), :data:`IGNORED` where there is no label."""
        out = torch.full((len(y), max(map(len, y))), IGNORED)
        for row, labels in zip(out, y, strict=True):  # a copy a series, once a fit
            known = are_known(labels)
            codes = np.full(len(labels), IGNORED)
            codes[known] = np.searchsorted(self.classes, labels[known].astype(self.classes.dtype))
            row[: len(labels)] = torch.from_numpy(codes)
        return out

    def loss(self, outputs: Float[Tensor, "B T K"], targets: Tensor) -> Float[Tensor, ""]:
        """Return the mean of −log softmax at the class of each step."""
        known = targets[:, : outputs.shape[1]]
        return F.cross_entropy(outputs.flatten(0, 1), known.flatten(), ignore_index=IGNORED)

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """Return the softmax at each step."""
        return np.asarray(softmax(outputs, axis=-1))

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """Return the most probable class of each step."""
        return np.asarray(self.classes[outputs.argmax(axis=-1)])
