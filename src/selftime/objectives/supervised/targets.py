"""Target types: what is asked of each series, as numbers a network can be trained on, and back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.special import expit, softmax
from torch import Tensor

IGNORED = -1
"""Target of a step that has no label."""


class TargetType(ABC):
    """One kind of question: how many outputs it takes, what they cost, what they say.

    Attributes:
        size: K, outputs a series (or a step).
        by_step: whether every step is asked, not the series as a whole.
    """

    size: int
    by_step: bool = False

    @abstractmethod
    def targets(self, y: Any) -> Tensor:
        """What a network is trained on, a row a series."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        """How far outputs are from their targets."""

    @abstractmethod
    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """Outputs as probabilities, or as values."""

    @abstractmethod
    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """Outputs as what people asked for."""


class OneClass(TargetType):
    """Which one of K classes a series is: cross entropy.

    Attributes:
        classes: (K,) labels.
    """

    def __init__(self, classes: np.ndarray) -> None:
        self.classes, self.size = classes, len(classes)

    def targets(self, y: np.ndarray) -> Tensor:
        """Numbers of the classes (N,)."""
        return torch.from_numpy(np.searchsorted(self.classes, y))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Mean of −log softmax at the class."""
        return F.cross_entropy(outputs, targets)

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """Softmax."""
        return np.asarray(softmax(outputs, axis=-1))

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """The likeliest class."""
        return np.asarray(self.classes[outputs.argmax(axis=-1)])


class AnyClasses(TargetType):
    """Which of K labels a series has, none to all of them: a cross entropy for each.

    Attributes:
        size: K.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def targets(self, y: np.ndarray) -> Tensor:
        """1 where a label is there (N,K)."""
        return torch.from_numpy(np.asarray(y, np.float32))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Mean binary cross entropy over series and labels."""
        return F.binary_cross_entropy_with_logits(outputs, targets)

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """The logistic function of each."""
        return np.asarray(expit(outputs))

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """1 where a label is likelier there than not."""
        return (outputs > 0).astype(np.int64)


class Amount(TargetType):
    """A value, or several: mean squared error of values at mean 0 and deviation 1.

    Attributes:
        mean: (K,) of the values that were seen.
        spread: (K,) their deviation.
    """

    def __init__(self, y: Float[np.ndarray, "N K"]) -> None:
        self.mean, spread = y.mean(axis=0), y.std(axis=0)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.size = y.shape[1]

    def targets(self, y: Float[np.ndarray, "N K"]) -> Tensor:
        """Scaled values (N,K)."""
        return torch.from_numpy(((y - self.mean) / self.spread).astype(np.float32))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Mean squared error, 1 for who always says the mean."""
        return F.mse_loss(outputs, targets)

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """The values."""
        return self.predictions(outputs)

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """The values, on their own scale."""
        return np.asarray(outputs * self.spread + self.mean)


class Future(TargetType):
    """The next K values: squared error in the units of the series, of outputs in those of a window.

    Attributes:
        size: K.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def targets(self, y: Float[np.ndarray, "N K1"]) -> Tensor:
        """What follows each window in units of that window, and in the last column that unit."""
        return torch.from_numpy(np.asarray(y, np.float32))

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Mean of ((output − target) · unit)², as RevIN has it (Kim et al. 2022, equation 3)."""
        return ((outputs - targets[:, :-1]) * targets[:, -1:]).square().mean()

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """The values, in units of the window."""
        return outputs

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """The values, in units of the window."""
        return outputs


class StepClasses(TargetType):
    """Which of K classes every step is: cross entropy over the steps that have a label.

    Attributes:
        classes: (K,) labels.
    """

    by_step = True

    def __init__(self, classes: np.ndarray) -> None:
        self.classes, self.size = classes, len(classes)

    def targets(self, y: Sequence[np.ndarray]) -> Tensor:
        """Numbers of the classes (N,T), :data:`IGNORED` behind the end of shorter series."""
        out = torch.full((len(y), max(map(len, y))), IGNORED)
        for row, labels in zip(out, y, strict=True):  # a copy a series, once a fit
            row[: len(labels)] = torch.from_numpy(np.searchsorted(self.classes, labels))
        return out

    def loss(self, outputs: Float[Tensor, "B T K"], targets: Tensor) -> Float[Tensor, ""]:
        """Mean of −log softmax at the class of each step."""
        known = targets[:, : outputs.shape[1]]
        return F.cross_entropy(outputs.flatten(0, 1), known.flatten(), ignore_index=IGNORED)

    def probabilities(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... K"]:
        """Softmax at each step."""
        return np.asarray(softmax(outputs, axis=-1))

    def predictions(self, outputs: Float[np.ndarray, "... K"]) -> np.ndarray:
        """The likeliest class of each step."""
        return np.asarray(self.classes[outputs.argmax(axis=-1)])
