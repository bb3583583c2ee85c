"""A small encoder with one token for every eight steps."""

import torch
import torch.nn.functional as F
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.parts.heads import linear, weights_from


class Strided(Encoder):
    """A linear map of each eight steps."""

    stride = 8

    def __init__(self, *, channels: int = 2, dim: int = 6, seed: int = 0) -> None:
        super().__init__()
        self.channels, self.dim, self.seed = channels, dim, seed
        self.map = linear(8 * channels, dim, weights_from(seed))

    def forward(self, x: Batch) -> Tensor:
        values = F.pad(x.values.where(x.observed, 0.0), (0, -x.values.shape[2] % 8))
        B, C, _ = values.shape
        pieces = values.view(B, C, -1, 8).transpose(1, 2).flatten(2)
        return torch.tanh(self.map(pieces))

    def pool(self, tokens: Tensor, x: Batch) -> Tensor:
        begins = torch.arange(tokens.shape[1]) * 8 < x.lengths.clamp(min=1)[:, None]
        return tokens.masked_fill(~begins[:, :, None], -torch.inf).amax(dim=1)
