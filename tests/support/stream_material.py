"""Small models that can be streamed, series with gaps, and what offline says of every step."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from selftime.data.scaling import PerChannel, PerSeries, Scaling
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.streaming.streamable import body_of
from selftime.encoders.wrappers.normalised import ByChannel
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength
from selftime.engine.model import Model
from selftime.engine.streaming.stream import batch_from_cube


def dilated(channels: int) -> Encoder:
    return Dilated(channels=channels, hidden=6, depth=3, dim=7, causal=True)


def lstm(channels: int) -> Encoder:
    return LSTM(channels=channels, hidden=5, depth=2, causal=True)


def gru(channels: int) -> Encoder:
    return GRU(channels=channels, hidden=5, causal=True, pooling="last")


def by_channel(channels: int) -> Encoder:
    return ByChannel(channels=channels, encoder=dilated(1))


def standardised(channels: int) -> Encoder:
    made = Standardised(encoder=by_channel(channels))
    made.mean, made.scale = drawn(made.dim), drawn(made.dim).abs()
    return made


def projected(channels: int) -> Encoder:
    parts = [dilated(channels), Standardised(encoder=lstm(channels))]
    made = Projected(encoder=Joined(encoders=parts, weights=[0.5, 2.0]), dim=4)
    made.centre, made.weight = drawn(made.encoder.dim), drawn(made.encoder.dim, 4)
    return UnitLength(encoder=made)


def rocket(channels: int) -> Encoder:
    return MiniRocket(channels=channels, length=12, features=84)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


ENCODERS_OF: dict[str, Callable[[int], Encoder]] = {
    "dilated": dilated,
    "lstm": lstm,
    "gru": gru,
    "by channel": by_channel,
    "standardised": standardised,
    "projected": projected,
    "rocket": rocket,
}
STEPWISE = ("dilated", "lstm", "gru", "by channel", "standardised")
GROWING = (*STEPWISE, "projected")


@cache
def model_of(kind: str, channels: int = 1, scaling: Scaling | None = None) -> Model:
    """A model that shifts and scales each channel by numbers of its own."""
    each = tuple(range(1, channels + 1))
    scale = scaling or PerChannel(mean=tuple(map(float, each)), sd=tuple(2.0 * c for c in each))
    names = tuple(f"channel {c}" for c in each)
    return Model(ENCODERS_OF[kind](channels).eval(), scale, names)


def per_series(kind: str, channels: int = 1) -> Model:
    return model_of(kind, channels, PerSeries())


def series_of(shape: tuple[int, int, int], missing: float = 0.0, seed: int = 0) -> np.ndarray:
    """Random walks (S,C,T), a share of the numbers NaN, but none at the last step."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).cumsum(axis=2)
    gone = rng.random(shape) < missing
    gone |= rng.random((shape[0], 1, shape[2])) < missing / 2  # all channels at once
    gone[:, :, -1] = False
    return np.where(gone, np.nan, values)


def offline(model: Model, x: np.ndarray, of: str = "step") -> np.ndarray:
    """What the encoder says at each step (S,T,D): its tokens, or of what came so far."""
    S, _, T = x.shape
    with torch.inference_mode():
        if of == "step":
            return body_of(model.encoder)(model.scaling.apply(batch_from_cube(x))).numpy()
        ends = np.arange(T)[:, None] >= np.arange(T)  # (T,T), all prefixes in one batch
        prefixes = np.where(ends[None, :, None], x[:, None], np.nan).reshape(S * T, -1, T)
        return embedded(model, prefixes).reshape(S, T, -1)


def embedded(model: Model, x: np.ndarray) -> np.ndarray:
    """One vector a series (B,D)."""
    with torch.inference_mode():
        return model.encoder.embed(model.scaling.apply(batch_from_cube(x))).numpy()
