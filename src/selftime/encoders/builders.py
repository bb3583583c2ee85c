"""Named encoders: what ``encoder="rocket"`` means."""

from collections.abc import Callable

from selftime.encoders.base import Encoder, Joined
from selftime.encoders.dilated import Dilated
from selftime.encoders.projected import Standardised
from selftime.encoders.quantiles import Quantiles
from selftime.encoders.rocket import Hydra, MiniRocket, multirocket

HALF = 0.5**0.5
"""Two parts with this weight have together mean squared length 1."""
LONGEST = 512
"""Series are resampled to at most this many steps before quantiles are taken."""


def rocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """MiniRocket and Hydra side by side, each standardised."""
    parts = [
        minirocket(channels=channels, length=length, seed=seed),
        hydra(channels=channels, length=length, seed=seed),
    ]
    return Joined(encoders=parts, weights=[HALF, HALF])


def minirocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """MiniRocket as published (Dempster et al. 2021), standardised."""
    return Standardised(encoder=MiniRocket(channels=channels, length=length, seed=seed))


def hydra(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """Hydra as published (Dempster et al. 2023), standardised."""
    return Standardised(encoder=Hydra(channels=channels, length=length, seed=seed))


def multirocket_features(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """MultiRocket as published (Tan et al. 2022), standardised."""
    return Standardised(encoder=multirocket(channels=channels, length=length, seed=seed))


def quantiles(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """QUANT's interval quantiles (Dempster et al. 2024), standardised; nothing is random."""
    return Standardised(encoder=Quantiles(channels=channels, length=min(length, LONGEST)))


def dilated(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """TS2Vec's dilated convolutions at the published size (Yue et al. 2022), trained by gradient.

    Hidden 64, depth 10, 320 dimensions: 0.6 million weights.
    """
    return Dilated(channels=channels, hidden=64, depth=10, dim=320, seed=seed)


def dilated_causal(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """The same size, each token made from its own step and earlier ones (Yue et al. 2022)."""
    return Dilated(channels=channels, hidden=64, depth=10, dim=320, causal=True, seed=seed)


BUILDERS: dict[str, Callable[..., Encoder]] = {
    "rocket": rocket,
    "minirocket": minirocket,
    "hydra": hydra,
    "multirocket": multirocket_features,
    "quantiles": quantiles,
    "dilated": dilated,
    "dilated_causal": dilated_causal,
}
"""Encoders by the names people type; each takes channels, length and seed."""
