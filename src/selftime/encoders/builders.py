"""Named encoders: ``encoder="rocket"`` and its kind."""

from collections.abc import Callable

from selftime.data.signals import Film, Images, Measurements, Signal, Text, Wave
from selftime.door import option
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.fixed.rocket_numba import ROCKET_POOLINGS
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import FrameEmbedder, SymbolEmbedder, WaveEmbedder
from selftime.encoders.networks.inception import InceptionTime
from selftime.encoders.networks.patching import Embedder, GridEmbedder, PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.embedded import Embedded
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised
from selftime.encoders.wrappers.projected import Standardised

EQUAL_WEIGHT = 0.5**0.5
"""Two parts with this weight have together mean squared length 1."""
PATCHES = 12
"""A series has at least so many patches, where its length allows: few visible neighbours say
little about a masked one."""
MOST_STEPS = 1000
"""Steps from twice which on Hydra within `rocket` looks at every second, third, … of a series."""
MOST_CHANNELS = 32
"""Channels whose quantiles are taken one by one."""
_MAX_LENGTH = 512
"""Series are resampled to at most this many steps before quantiles are taken."""


def rocket(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """MiniRocket and Hydra (Dempster et al. 2021; Dempster et al. 2023), each standardised.

    Half as many features as published: twice as fast, at 0.2 ± 0.2 points less on halves of the
    training parts of 25 open sets (`python -m benchmarks.trials.halves`). Hydra looks at every n-th
    step of long series, at :data:`MOST_STEPS` of them or more.
    """
    kernels = MiniRocket(channels=channels, length=length, features=5000, seed=seed)
    groups = Hydra(channels=channels, length=length, groups=32, most_steps=MOST_STEPS, seed=seed)
    parts = [Standardised(encoder=kernels), Standardised(encoder=groups)]
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


def quantiles(*, channels: int, length: int, seed: int = 0) -> Encoder:
    """QUANT's interval quantiles (Dempster et al. 2024), standardised.

    Of more than :data:`MOST_CHANNELS` channels, of as many random mixtures of them.
    """
    steps, most = min(length, _MAX_LENGTH), MOST_CHANNELS
    return Standardised(
        encoder=Quantiles(channels=channels, length=steps, most_channels=most, seed=seed)
    )


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
    embedder = embedder_for(Measurements(), channels=channels, length=length, seed=seed)
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
"""Encoders of series by the names people type; each takes channels, length and seed."""
CONVOLUTIONAL_OR_RECURRENT = (
    *("dilated", "dilated_causal", "resnet", "inception", "tstcc_cnn"),
    *("lstm", "gru"),
)
"""Those that read the tokens of an embedder as a series."""


def vit_tiny(*, kind: Signal, channels: int, length: int, seed: int = 0) -> Encoder:
    """A Vision Transformer for two cores: pictures as patches (Dosovitskiy et al. 2021).

    4 layers of 4 heads, 128 dimensions, sines of rows and columns (He et al. 2022, A.1): 0.5
    million weights, where ViT-Tiny (Touvron et al. 2021) has 12 layers of 192 and 6 million.
    """
    return Transformer(
        embedder=embedder_for(kind, channels=channels, length=length, dim=128, seed=seed),
        positions="grid",
        depth=4,
        heads=4,
        seed=seed,
    )


def bert_mini(*, kind: Signal, channels: int, length: int, seed: int = 0) -> Encoder:
    """BERT-Mini (Turc et al. 2019, table 1): 4 layers of 4 heads, 256 dimensions, for text.

    2.1 million weights beside those of the vocabulary. Feed-forward parts are twice as wide as a
    token, where BERT's are four times, and positions are rotary, which need no table.
    """
    table = embedder_for(kind, channels=channels, length=length, dim=256, seed=seed)
    return Transformer(embedder=table, depth=4, heads=4, seed=seed)


def cpc_audio(*, kind: Signal, channels: int, length: int, seed: int = 0) -> Encoder:
    """The network of CPC for sound (van den Oord et al. 2018, section 3.1), a quarter as wide.

    Strided convolutions of the waveform, one token for 160 samples, then a GRU that knows the past
    alone: 128 features each, 0.4 million weights. The paper has 512 and 256.
    """
    waves = embedder_for(kind, channels=channels, length=length, dim=128, seed=seed)
    network = GRU(channels=waves.dim, hidden=128, causal=True, seed=seed)
    return Embedded(embedder=waves, encoder=network)


def frames_small(*, kind: Signal, channels: int, length: int, seed: int = 0) -> Encoder:
    """A small convolution of every frame of a film, and a Transformer of all (Vaswani et al. 2017).

    One network of frames, another of their order (Donahue et al. 2015, section 3, recurrent there).

    3 strided layers and 2 of 4 heads, 128 dimensions, rotary positions: 0.3 million weights beside
    those of the linear map from a frame.
    """
    frames = embedder_for(kind, channels=channels, length=length, dim=128, seed=seed)
    return Transformer(embedder=frames, depth=2, heads=4, seed=seed)


SIGNAL_BUILDERS: dict[str, Callable[..., Encoder]] = {
    "vit_tiny": vit_tiny,
    "bert_mini": bert_mini,
    "cpc_audio": cpc_audio,
    "frames_small": frames_small,
}
"""Encoders of a single kind of signal by the names people type; each takes the kind too."""
ENCODER_NAMES = (*BUILDERS, *SIGNAL_BUILDERS)
"""All names of encoders that people type."""
EVERY_CHANNEL = ("patchtst_42", "patchtst_64", "patchtst_masked")
"""Those that read every channel by itself, which the pixels of a film are too many for."""
READS: dict[str, tuple[str, ...]] = {
    "series": tuple(BUILDERS),
    "sound": tuple(BUILDERS),
    "images": (*BUILDERS, "vit_tiny"),
    "text": (*CONVOLUTIONAL_OR_RECURRENT, "transformer", "bert_mini"),
    "wave": (*BUILDERS, "cpc_audio"),
    "film": (*(name for name in BUILDERS if name not in EVERY_CHANNEL), "frames_small"),
}
"""Names of the encoders of each kind of signal. Random convolutions and quantiles read no symbols,
since those have no size."""


def embedder_for(
    kind: Signal, *, channels: int, length: int, dim: int = 128, seed: int = 0
) -> Embedder:
    """Make the embedder of a kind of signal: its tokens are what a Transformer attends to."""
    if isinstance(kind, Text):
        return SymbolEmbedder(symbols=kind.symbols, length=length, dim=dim, seed=seed)
    if isinstance(kind, Images):
        rows = kind.height // kind.patch
        return GridEmbedder(channels=channels, rows=rows, columns=kind.columns, dim=dim, seed=seed)
    if isinstance(kind, Wave):
        return WaveEmbedder(channels=channels, length=length, dim=dim, seed=seed)
    if isinstance(kind, Film):
        size = {"height": kind.height, "width": kind.width, "colours": kind.colours}
        return FrameEmbedder(**size, length=length, dim=dim, seed=seed)
    steps = min(8, max(length // PATCHES, 1))
    return PatchEmbedder(
        channels=channels, length=length, patch=steps, stride=steps, dim=dim, seed=seed
    )


def build_encoder(name: str, *, kind: Signal, channels: int, length: int, seed: int = 0) -> Encoder:
    """Build the named encoder, not yet prepared, for series of a kind.

    Of texts, waveforms and films a network reads the tokens that an embedder makes; of pictures
    and frames of sound it reads the series as it is.

    Args:
        name: one of :data:`ENCODER_NAMES`.
        kind: of the series.
        channels: C.
        length: usual steps of a series.
        seed: draws what is random.

    Raises:
        ValueError: an encoder that does not read this kind.
    """
    check_reads(name, kind)
    size = {"channels": channels, "length": length, "seed": seed}
    if name in SIGNAL_BUILDERS:
        return SIGNAL_BUILDERS[name](kind=kind, **size)
    if name == "transformer":
        positions = "rotary" if kind.columns is None else "grid"
        embedder = embedder_for(kind, **size)
        return Transformer(embedder=embedder, positions=positions, heads=8, seed=seed)
    if name in CONVOLUTIONAL_OR_RECURRENT and isinstance(kind, Text | Wave | Film):
        embedder = embedder_for(kind, **size)
        tokens = -(-length // embedder.stride)
        network = BUILDERS[name](channels=embedder.dim, length=tokens, seed=seed)
        return Embedded(embedder=embedder, encoder=network)
    return BUILDERS[name](**size)


def check_reads(name: str, kind: Signal) -> None:
    """Raise a ValueError for an encoder that does not read a kind of signal."""
    if name not in READS[kind.name]:
        raise ValueError(
            f"got {option('encoder', name)} for {kind.name}, which it does not read, wanted one "
            f"of {', '.join(READS[kind.name])}"
        )


SPELLINGS = {
    "InceptionTime": "inception",
    "PatchTST": "patchtst_42",
    "QUANT": "quantiles",
    "TS-TCC": "tstcc_cnn",
    "TS2Vec": "dilated",
}
"""Published names of encoders that are written otherwise here."""
