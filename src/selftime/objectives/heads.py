"""Heads: from tokens to the values of the patches they stand for."""

from jaxtyping import Float
from torch import Tensor, nn

from selftime.encoders.base import Encoder
from selftime.objectives.parts import linear, weights_from


class PatchHead(nn.Module):
    """A linear map of each token to the values (C,L) of a patch (Nie et al. 2023, section 3.2).

    Where tokens hold each channel's features apart, all channels share one map from their own
    features to their own values.
    """

    def __init__(self, encoder: Encoder, size: int, *, seed: int) -> None:
        super().__init__()
        self.channels, self.size = encoder.channels, size
        self.apart = encoder.channels if encoder.by_channel else 1
        inner, outer = encoder.dim // self.apart, size * encoder.channels // self.apart
        self.map = linear(inner, outer, weights_from(seed))

    def forward(self, tokens: Float[Tensor, "B P D"]) -> Float[Tensor, "B P C L"]:
        """Values (B,P,C,L) of the patches of tokens (B,P,D)."""
        B, P, _ = tokens.shape
        values: Tensor = self.map(tokens.reshape(B, P, self.apart, -1))
        return values.reshape(B, P, self.channels, self.size)
