"""Small instances of the Transformers."""

from kinds import EncoderCase

from selftime.encoders.base import Encoder
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised


def embedder(channels: int, seed: int, *, stride: int = 4) -> PatchEmbedder:
    """Patches of four steps, prepared for series shorter than those of the laws."""
    return PatchEmbedder(channels=channels, length=24, patch=4, stride=stride, dim=8, seed=seed)


def rotary(channels: int, seed: int) -> Encoder:
    """Patches side by side."""
    return Transformer(embedder=embedder(channels, seed), depth=2, heads=2, seed=seed)


def learned(channels: int, seed: int) -> Encoder:
    """Patches that overlap, a table of positions that is too short."""
    patches = embedder(channels, seed, stride=2)
    return Transformer(embedder=patches, positions="learned", depth=1, heads=2, seed=seed)


def causal(channels: int, seed: int) -> Encoder:
    """No look ahead."""
    patches = embedder(channels, seed)
    return Transformer(embedder=patches, positions="sines", heads=2, causal=True, seed=seed)


def class_token(channels: int, seed: int) -> Encoder:
    """The vector is that of a token of its own."""
    return ClassToken(encoder=rotary(channels, seed), heads=2, seed=seed)


def instance_normalised(channels: int, seed: int) -> Encoder:
    """Level and scale are lost."""
    return InstanceNormalised(encoder=learned(channels, seed))


def by_channel(channels: int, seed: int) -> Encoder:
    """As PatchTST is put together."""
    return ByChannel(channels=channels, encoder=InstanceNormalised(encoder=learned(1, seed)))


def by_channel_class_token(channels: int, seed: int) -> Encoder:
    """Every channel has its class token."""
    return ByChannel(channels=channels, encoder=class_token(1, seed))


CASES: dict[str, EncoderCase] = {
    "PatchEmbedder": EncoderCase(embedder, rounding=1e-5),
    "Transformer": EncoderCase(rotary, rounding=1e-5),
    "Transformer, learned": EncoderCase(learned, rounding=1e-5),
    "Transformer, causal": EncoderCase(causal, rounding=1e-5),
    "ClassToken": EncoderCase(class_token, rounding=1e-5),
    "InstanceNormalised": EncoderCase(instance_normalised, rounding=1e-5),
    "ByChannel": EncoderCase(by_channel, rounding=1e-5),
    "ByChannel, class token": EncoderCase(by_channel_class_token, rounding=1e-5),
}
