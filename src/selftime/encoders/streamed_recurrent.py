"""LSTM and GRU a step at a time: the states go along."""

import torch
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.recurrent import GRU, LSTM, Layer
from selftime.encoders.steps import entering
from selftime.encoders.streamed import Memory, Streamed
from selftime.shapes import Tokens


class StreamedRecurrent(Streamed):
    """Tokens of an :class:`LSTM` or :class:`GRU` that goes ahead in time alone.

    Attributes:
        layers: the encoder's own.
        states: one (2,1,S,H) for each layer of an LSTM, its output and its cell; (1,1,S,H) of a
            GRU.
    """

    reach = 1000
    """States fade at a pace of their own; this is longer than most remember."""

    def __init__(self, encoder: LSTM | GRU, streams: int) -> None:
        self.layers = [layer.ahead for layer in encoder.stack if isinstance(layer, Layer)]
        parts = 2 if isinstance(encoder, LSTM) else 1
        like = next(encoder.parameters())
        self.states: list[Float[Tensor, "P 1 S H"]] = [
            torch.zeros(parts, 1, streams, encoder.hidden, dtype=like.dtype) for _ in self.layers
        ]

    def advance(self, x: Batch, time: int) -> Tokens:  # noqa: ARG002 - states know the past
        """The states of the last layer at each of the next steps (S,k,H)."""
        h = entering(x).permute(2, 0, 1)  # (k,S,C)
        with torch.autocast(h.device.type, enabled=False):
            for layer, state in zip(self.layers, self.states, strict=True):
                h, after = layer(h, tuple(state) if len(state) == 2 else state[0])
                state.copy_(torch.stack(after) if isinstance(after, tuple) else after[None])
        return h.transpose(0, 1)

    def memory(self) -> Memory:
        """The states of every layer."""
        return {f"{k}.state": state for k, state in enumerate(self.states)}
