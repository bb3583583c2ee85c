"""Small instances of the embedders of pictures, texts, sound, film, and of networks behind them."""

from kinds import EncoderCase
from material import SYMBOLS, symbols_of

from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import FrameEmbedder, SymbolEmbedder, WaveEmbedder
from selftime.encoders.networks.patching import GridEmbedder
from selftime.encoders.networks.recurrent import GRU
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.embedded import Embedded


def grid(channels: int, seed: int) -> GridEmbedder:
    """Fewer rows than the series of the laws have."""
    return GridEmbedder(channels=channels, rows=4, columns=6, dim=8, seed=seed)


def symbols(channels: int, seed: int) -> SymbolEmbedder:  # noqa: ARG001 - a text has one
    """As many symbols as the material has."""
    return SymbolEmbedder(symbols=SYMBOLS, length=24, dim=8, seed=seed)


def waves(channels: int, seed: int) -> WaveEmbedder:
    """One token for four steps, whose taps reach back."""
    return WaveEmbedder(
        channels=channels, length=24, dim=8, strides=(2, 2), kernels=(5, 3), seed=seed
    )


def frames(channels: int, seed: int) -> FrameEmbedder:
    """Frames of a single row."""
    return FrameEmbedder(height=1, width=channels, colours=1, length=24, dim=8, seed=seed)


def picture(channels: int, seed: int) -> Encoder:
    """Positions in rows and columns."""
    embedder = grid(channels, seed)
    return Transformer(embedder=embedder, positions="grid", depth=1, heads=2, seed=seed)


def text(channels: int, seed: int) -> Encoder:
    """Symbols that attend to one another."""
    return Transformer(embedder=symbols(channels, seed), depth=2, heads=2, seed=seed)


def text_dilated(channels: int, seed: int) -> Encoder:
    """Symbols through convolutions."""
    network = Dilated(channels=8, hidden=8, depth=3, dim=16, seed=seed)
    return Embedded(embedder=symbols(channels, seed), encoder=network)


def sound_gru(channels: int, seed: int) -> Encoder:
    """CPC's network."""
    network = GRU(channels=8, hidden=12, causal=True, seed=seed)
    return Embedded(embedder=waves(channels, seed), encoder=network)


CASES = {
    "GridEmbedder": EncoderCase(grid, rounding=1e-5),
    "SymbolEmbedder": EncoderCase(symbols, rounding=1e-5, read=symbols_of),
    "WaveEmbedder": EncoderCase(waves, rounding=1e-5),
    "FrameEmbedder": EncoderCase(frames, rounding=1e-5),
    "Transformer, of a grid": EncoderCase(picture, rounding=1e-5),
    "Transformer, of symbols": EncoderCase(text, rounding=1e-5, read=symbols_of),
    "Embedded": EncoderCase(sound_gru, rounding=1e-5),
    "Embedded, of symbols": EncoderCase(text_dilated, rounding=1e-5, read=symbols_of),
}
"""A second case of an encoder has its name before a comma."""
