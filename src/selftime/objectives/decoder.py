"""Decoder: from what is visible to what is hidden, through a small Transformer."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from selftime.encoders.attention import TransformerLayer, attention_mask, sinusoids
from selftime.objectives.parts import linear, weights_from

_WIDTH, _HEADS, _LAYERS = 64, 4, 2
"""Narrow and shallow beside the encoder (He et al. 2022, section 3, "MAE decoder")."""


class Decoder(nn.Module):
    """Visible tokens, mask tokens for the hidden ones, positions; Transformer layers; a map.

    The decoder of MAE (He et al. 2022, section 3) and the predictor of I-JEPA (Assran et al.
    2023, section 3). The mask token is one learned vector.

    Args:
        inner: numbers of a visible token.
        outer: numbers that come out for every patch.
        seed: draws the weights.
    """

    def __init__(self, inner: int, outer: int, *, seed: int) -> None:
        super().__init__()
        rng = weights_from(seed)
        self.narrow = linear(inner, _WIDTH, rng)
        self.mask_token = nn.Parameter(0.02 * torch.randn(_WIDTH, generator=rng))  # MAE's spread
        self.layers = nn.ModuleList(
            TransformerLayer(_WIDTH, _HEADS, inner=2 * _WIDTH, rng=rng) for _ in range(_LAYERS)
        )
        self.norm = nn.LayerNorm(_WIDTH)
        self.out = linear(_WIDTH, outer, rng)

    def forward(
        self,
        tokens: Float[Tensor, "B P D"],
        visible: Bool[Tensor, "B P"],
        hidden: Bool[Tensor, "B P"],
    ) -> Float[Tensor, "B P E"]:
        """What is said of every patch (B,P,outer).

        Args:
            tokens: (B,P,D) without meaning where nothing is visible.
            visible: (B,P) patches that were encoded.
            hidden: (B,P) patches that are asked for; all others are looked at by none.
        """
        place = torch.arange(tokens.shape[1], device=tokens.device, dtype=tokens.dtype)
        h = torch.where(visible[:, :, None], self.narrow(tokens), self.mask_token)
        h = h + sinusoids(place, _WIDTH).to(h.dtype)
        for layer in self.layers:
            h = layer(h, attention_mask(visible | hidden))
        said: Tensor = self.out(self.norm(h))
        return said
