"""Small instances of the convolutional and recurrent networks."""

from functools import partial

from kinds import EncoderCase

from selftime.encoders.base import Encoder
from selftime.encoders.registry import ENCODERS


def resnet(channels: int, seed: int) -> Encoder:
    """Narrow, with a block that widens nothing."""
    return ENCODERS["ResNet"](channels=channels, hidden=8, depth=3, seed=seed)


def inception(channels: int, seed: int) -> Encoder:
    """Narrow, with a residual sum and a module behind it."""
    return ENCODERS["InceptionTime"](channels=channels, hidden=4, depth=4, seed=seed)


def pooled_cnn(channels: int, seed: int) -> Encoder:
    """Narrow."""
    return ENCODERS["PooledCNN"](channels=channels, hidden=8, seed=seed)


def recurrent(
    channels: int, seed: int, *, kind: str, causal: bool = False, pooling: str = "mean"
) -> Encoder:
    """Two narrow layers, so that the second reads both directions of the first."""
    return ENCODERS[kind](
        channels=channels, hidden=12, depth=2, causal=causal, pooling=pooling, seed=seed
    )


CASES = {
    "ResNet": EncoderCase(resnet, rounding=1e-5),
    "InceptionTime": EncoderCase(inception, rounding=1e-5),
    "PooledCNN": EncoderCase(pooled_cnn, rounding=1e-5),
    "LSTM": EncoderCase(partial(recurrent, kind="LSTM"), rounding=1e-5),
    "LSTM, causal": EncoderCase(partial(recurrent, kind="LSTM", causal=True), rounding=1e-5),
    "GRU": EncoderCase(partial(recurrent, kind="GRU"), rounding=1e-5),
    "GRU, causal": EncoderCase(partial(recurrent, kind="GRU", causal=True), rounding=1e-5),
    "GRU, last states": EncoderCase(partial(recurrent, kind="GRU", pooling="last"), rounding=1e-5),
}
"""A second case of an encoder has its name before a comma."""
