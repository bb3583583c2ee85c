"""What the networks are tried on, and convolutions as plain loops."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.actnorm import NormedConvolution
from selftime.encoders.networks.inception import InceptionTime
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet

LENGTHS = (1, 2, 3, 7, 8, 9, 16, 17, 40)


def dice(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def walks(lengths: tuple[int, ...], *, channels: int = 2, gaps: float = 0.0) -> Batch:
    """Float64 random walks, ragged, with a share of the steps missing but the last."""
    rng, T = dice(), max(lengths)
    values = torch.randn(len(lengths), channels, T, generator=rng, dtype=torch.float64).cumsum(2)
    own, steps = torch.tensor(lengths)[:, None, None], torch.arange(T)
    seen = torch.rand(len(lengths), 1, T, generator=rng) >= gaps
    observed = (seen | (steps == own - 1)) & (steps < own)
    return Batch(values, observed.expand_as(values).clone())


def single(x: Batch) -> Batch:
    return Batch(x.values.float(), x.observed)


def alone(x: Batch, i: int) -> Batch:
    T = int(x.lengths[i])
    return Batch(x.values[i : i + 1, :, :T], x.observed[i : i + 1, :, :T])


SMALL: dict[str, Callable[[], Encoder]] = {
    "resnet": partial(ResNet, channels=2, hidden=4, depth=3),
    "inception": partial(InceptionTime, channels=2, hidden=3, depth=4),
    "pooled cnn": partial(PooledCNN, channels=2, hidden=3),
    "lstm": partial(LSTM, channels=2, hidden=5, depth=2),
    "lstm, causal": partial(LSTM, channels=2, hidden=5, depth=2, causal=True),
    "gru": partial(GRU, channels=2, hidden=5, depth=2),
    "gru, causal": partial(GRU, channels=2, hidden=5, causal=True),
    "gru, last": partial(GRU, channels=2, hidden=5, depth=2, pooling="last"),
}
"""How a small one of each is made."""


def network(name: str) -> Encoder:
    """A small one, not prepared."""
    return SMALL[name]()


def convolution(x: Tensor, weight: Tensor) -> Tensor:
    """Features (O,T) of one series (I,T): a tap a step, as many steps behind as before.

    An even number of taps looks one step further ahead than back.
    """
    taps, T = weight.shape[2], x.shape[1]
    y = torch.zeros(len(weight), T, dtype=x.dtype)
    for t in range(T):
        for k in range(taps):
            source = t + k - (taps - 1) // 2
            if 0 <= source < T:
                y[:, t] += weight[:, :, k] @ x[:, source]
    return y


def normed(x: Tensor, layer: NormedConvolution) -> Tensor:
    """Scale and shift of each feature, behind the convolution."""
    made = convolution(x, layer.weight.detach())
    return layer.scale.detach()[:, None] * made + layer.shift.detach()[:, None]
