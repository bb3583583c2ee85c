"""The head of a model of texts: a linear map from tokens to what each says of a symbol."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from selftime.encoders.base import Encoder
from selftime.encoders.wrappers.layered import network_of
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.bert import BERT
from selftime.objectives.formula import Combined
from selftime.objectives.next_step import NextStep
from selftime.shapes import Tokens

Guessed = Literal["next", "hidden"]
"""The symbol after a token, from the past alone; or that of a token itself, from both sides."""
HEAD_TENSORS = _WEIGHT, _BIAS = "head.weight", "head.bias"
"""Names of its tensors in a model folder."""


@dataclass(frozen=True, eq=False)
class SymbolHead:
    """Guesses a symbol from a token, as the network beside it learned: tokens · weightᵀ + bias.

    Attributes:
        guessed: the symbol after each token, or the one that was hidden there.
        weight: a row for each symbol of the vocabulary.
        bias: a number for each.
    """

    guessed: Guessed
    weight: Float32[Tensor, "V D"]
    bias: Float32[Tensor, "V"]

    def __call__(self, tokens: Tokens) -> Float[Tensor, "B N V"]:
        """Return logits of every symbol."""
        return tokens @ self.weight.T + self.bias

    def tensors(self) -> dict[str, Tensor]:
        """Return what a model folder stores beside its plain values."""
        return {_WEIGHT: self.weight, _BIAS: self.bias}


def head_of(learner: ClosedForm | Objective) -> SymbolHead | None:
    """Return what an objective learned to say of symbols, one by one; None where it did not."""
    for part in learner.objectives if isinstance(learner, Combined) else [learner]:
        if isinstance(part, ClosedForm) or part.encoder.symbols is None or part.encoder.stride != 1:
            continue
        if isinstance(part, NextStep) and part.frame == 1:
            return _copy("next", part.head.map)
        if isinstance(part, BERT) and part.patch == 1:
            return _copy("hidden", part.word)
    return None


def _copy(guessed: Guessed, layer: torch.nn.Linear) -> SymbolHead:
    weight, bias = (
        part.detach().to("cpu", torch.float32, copy=True) for part in (layer.weight, layer.bias)
    )
    return SymbolHead(guessed, weight, bias)


def read_head(
    guessed: Any, state: dict[str, Tensor], encoder: Encoder, symbols: int | None
) -> SymbolHead | None:
    """Read the head from stored tensors, which may be anything; None where there is none.

    Args:
        guessed: what the config says that it guesses, or None.
        state: tensors of the folder that are the head's.
        encoder: of the model.
        symbols: V, of its vocabulary.

    Raises:
        ValueError: they do not fit the encoder and the vocabulary.
    """
    weight, bias = state.get(_WEIGHT), state.get(_BIAS)
    if guessed is None and not state:
        return None
    if guessed not in get_args(Guessed) or weight is None or bias is None or symbols is None:
        raise ValueError("the head is not whole: what it guesses, its weights or the vocabulary")
    network = network_of(encoder)
    if weight.shape != (symbols, network.dim) or bias.shape != (symbols,):
        raise ValueError(f"the head has shape {tuple(weight.shape)}")
    if any(part.dtype != torch.float32 or not part.isfinite().all() for part in (weight, bias)):
        raise ValueError("the head holds values that are not finite 32-bit numbers")
    return SymbolHead(guessed, weight, bias)
