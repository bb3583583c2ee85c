"""Named encoders: ``encoder="rocket"`` and its kind."""

from collections.abc import Callable

from selftime.data.signals import Signal
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.fixed.rocket_numba import ROCKET_POOLINGS
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.inception import InceptionTime
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised
from selftime.encoders.wrappers.projected import Standardised

EQUAL_WEIGHT = 0.5**0.5
"""Two parts with this weight have together mean squared length 1."""
PATCHES = 12
"""A series has at least so many patches, where its length allows: few visible neighbours say
little about a masked one."""
_MAX_LENGTH = 512
"""Series are resampled to at most this many steps before quantiles are taken."""


def rocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """MiniRocket and Hydra (Dempster et al. 2021; Dempster et al. 2023), each standardised."""
    parts = [
        minirocket(channels=channels, length=length, seed=seed),
        hydra(channels=channels, length=length, seed=seed),
    ]
    return Joined(encoders=parts, weights=[EQUAL_WEIGHT, EQUAL_WEIGHT])


def minirocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """MiniRocket as published (Dempster et al. 2021), standardised."""
    return Standardised(encoder=MiniRocket(channels=channels, length=length, seed=seed))


def hydra(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """Hydra as published (Dempster et al. 2023), standardised."""
    return Standardised(encoder=Hydra(channels=channels, length=length, seed=seed))


def multirocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """MultiRocket as published (Tan et al. 2022), standardised."""
    kernels = MiniRocket(
        channels=channels,
        length=length,
        features=50_000,  # section 3
        poolings=ROCKET_POOLINGS,
        differences=True,
        seed=seed,
    )
    return Standardised(encoder=kernels)


def quantiles(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """QUANT's interval quantiles (Dempster et al. 2024), standardised; nothing is random."""
    return Standardised(encoder=Quantiles(channels=channels, length=min(length, _MAX_LENGTH)))


def dilated_cnn(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """TS2Vec's dilated convolutions at the published size (Yue et al. 2022), trained by gradient.

    Hidden 64, depth 10, 320 dimensions: 0.6 million weights.
    """
    return Dilated(channels=channels, hidden=64, depth=10, dim=320, seed=seed)


def dilated_causal_cnn(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """The same size, each token made from its own step and earlier ones (Yue et al. 2022)."""
    return Dilated(channels=channels, hidden=64, depth=10, dim=320, causal=True, seed=seed)


def transformer(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """A Transformer of patches of up to 8 steps (Nie et al. 2023), all channels in one token.

    3 layers of 8 heads, 128 dimensions, rotary positions: 0.4 million weights. Short series have
    shorter patches, so that there are a dozen of them.
    """
    steps = min(8, max(length // PATCHES, 1))
    embedder = PatchEmbedder(channels=channels, length=length, patch=steps, stride=steps, seed=seed)
    return Transformer(embedder=embedder, heads=8, seed=seed)


def patchtst_42(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """PatchTST/42 at the published size: 42 patches of 336 steps (Nie et al. 2023, section 4.1).

    Every channel by itself, without mean and std: 128 dimensions a channel.
    """
    return _patchtst(channels, 336, 16, 8, seed)


def patchtst_64(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """PatchTST/64 at the published size: 64 patches of 512 steps (Nie et al. 2023, section 4.1)."""
    return _patchtst(channels, 512, 16, 8, seed)


def patchtst_masked(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """PatchTST for masked patches, so that they do not overlap (Nie et al. 2023, section 4.2).

    Patches of 12 steps of 512, every channel by itself, without mean and std.
    """
    return _patchtst(channels, 512, 12, 12, seed)


def _patchtst(channels: int, length: int, patch: int, stride: int, seed: int) -> Encoder:
    """3 layers of 16 heads, 128 dimensions, learned positions (Nie et al. 2023, A.1.4)."""
    embedder = PatchEmbedder(channels=1, length=length, patch=patch, stride=stride, seed=seed)
    network = Transformer(embedder=embedder, positions="learned", seed=seed)
    return ByChannel(channels=channels, encoder=InstanceNormalised(encoder=network))


def resnet(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """Residual convolutions at the published size (Wang et al. 2017), trained by gradient.

    Three blocks of 64, 128 and 128 features: 0.5 million weights.
    """
    return ResNet(channels=channels, hidden=64, depth=3, seed=seed)


def inception(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """One network of InceptionTime as published (Fawaz et al. 2020), trained by gradient.

    Six modules of 4 × 32 features: 0.4 million weights.
    """
    return InceptionTime(channels=channels, hidden=32, depth=6, seed=seed)


def tstcc_cnn(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """The small network of TS-TCC, one token for eight steps (Eldele et al. 2021), by gradient.

    32, 64 and 128 features: 0.1 million weights, a step over ten times as fast as of `dilated`.
    """
    return PooledCNN(channels=channels, hidden=32, seed=seed)


def lstm(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """Long short-term memory both ways (Hochreiter & Schmidhuber 1997), trained by gradient.

    One layer of 2 × 160 units, as many dimensions as `dilated` has: 0.2 million weights.
    """
    return LSTM(channels=channels, hidden=160, depth=1, seed=seed)


def gru(*, channels: int, length: int, seed: int = 0) -> Encoder:  # noqa: ARG001
    """Gated recurrent units both ways (Cho et al. 2014), trained by gradient."""
    return GRU(channels=channels, hidden=160, depth=1, seed=seed)


BUILDERS: dict[str, Callable[..., Encoder]] = {
    "rocket": rocket,
    "minirocket": minirocket,
    "hydra": hydra,
    "multirocket": multirocket,
    "quantiles": quantiles,
    "dilated": dilated_cnn,
    "dilated_causal": dilated_causal_cnn,
    "resnet": resnet,
    "inception": inception,
    "tstcc_cnn": tstcc_cnn,
    "lstm": lstm,
    "gru": gru,
    "transformer": transformer,
    "patchtst_42": patchtst_42,
    "patchtst_64": patchtst_64,
    "patchtst_masked": patchtst_masked,
}
"""Encoders by the names people type; each takes channels, length and seed."""


def build_encoder(name: str, *, kind: Signal, channels: int, length: int, seed: int = 0) -> Encoder:
    """Build the named encoder, not yet prepared, for series of a kind.

    Args:
        name: a key of :data:`BUILDERS`.
        kind: of the series.
        channels: C.
        length: usual steps of a series.
        seed: draws what is random.

    Raises:
        ValueError: an encoder that does not read this kind.
    """
    return BUILDERS[name](channels=channels, length=length, seed=seed)


SPELLINGS = {
    "InceptionTime": "inception",
    "PatchTST": "patchtst_42",
    "QUANT": "quantiles",
    "TS-TCC": "tstcc_cnn",
    "TS2Vec": "dilated",
}
"""Published names of encoders that are written otherwise here."""
