"""Encoders fed step by step: what one is, and what vectors, channels and parts make of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.wrappers.normalised import split_channels
from selftime.shapes import Tokens

Memory = dict[str, Tensor]
"""All that a streamed encoder remembers, by name: the tensors themselves, not copies."""


class StreamError(ValueError):
    """A model, values or a state that cannot be streamed: the message says why and what to do.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(x, objective="simclr", encoder="dilated_causal", budget="2 steps")
        >>> model.stream(every=0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        selftime...StreamError: got every=0, wanted at least 1, and above 1 only with a window: ...
    """


class Streamed(ABC):
    """An encoder that reads S series a few steps at a time and remembers what it needs of them.

    What it says of a step does not depend on how many steps come at a time, and its memory does
    not grow with them.

    Attributes:
        reach: steps after which what came before has no influence any more, or hardly any.
    """

    reach: int

    @abstractmethod
    def advance(self, x: Batch, time: int) -> Tokens:
        """One vector a step (S,k,D) for the next k steps.

        Args:
            x: the steps (S,C,k).
            time: how many came before them.
        """

    @abstractmethod
    def memory(self) -> Memory:
        """What it remembers; writing into these tensors changes it."""


class Mapped(Streamed):
    """A streamed encoder, and a function of each of its vectors."""

    def __init__(self, inner: Streamed, function: Callable[[Tensor], Tensor]) -> None:
        self.inner, self.function, self.reach = inner, function, inner.reach

    def advance(self, x: Batch, time: int) -> Tokens:
        """The mapped vectors of the next steps (S,k,D)."""
        return self.function(self.inner.advance(x, time))

    def memory(self) -> Memory:
        """That of the encoder."""
        return self.inner.memory()


class Apart(Streamed):
    """A streamed encoder of S·C series of one channel, read as S series of C channels."""

    def __init__(self, inner: Streamed, channels: int) -> None:
        self.inner, self.channels, self.reach = inner, channels, inner.reach

    def advance(self, x: Batch, time: int) -> Tokens:
        """The vectors of the channels of each step side by side (S,k,D)."""
        each = self.inner.advance(split_channels(x), time)  # (S·C,k,D/C)
        SC, k, d = each.shape
        grouped = each.view(SC // self.channels, self.channels, k, d)  # (S,C,k,D/C)
        return grouped.transpose(1, 2).flatten(2)

    def memory(self) -> Memory:
        """That of the encoder."""
        return self.inner.memory()


class SideBySide(Streamed):
    """Several streamed encoders, their vectors times a weight each, concatenated."""

    def __init__(self, parts: Sequence[Streamed], weights: Sequence[float]) -> None:
        self.parts, self.weights = list(parts), list(weights)
        self.reach = max(part.reach for part in parts)

    def advance(self, x: Batch, time: int) -> Tokens:
        """The vectors of all parts for the next steps (S,k,D)."""
        pairs = zip(self.parts, self.weights, strict=True)
        return torch.cat([part.advance(x, time) * weight for part, weight in pairs], dim=2)

    def memory(self) -> Memory:
        """That of every part."""
        each = enumerate(self.parts)
        return {f"{k}.{name}": held for k, part in each for name, held in part.memory().items()}


def lazy_zeros(*shape: int, dtype: torch.dtype) -> Float[Tensor, "..."]:
    """Zeros that take no memory until they are written to, as far as the system allows."""
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    return torch.from_numpy(np.zeros(shape, kind))
