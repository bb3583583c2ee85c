"""Embedded: strides multiply, what is said of it holds, and it streams, adapts and is kept."""

import re

import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import LayerShape
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import FrameEmbedder, SymbolEmbedder, WaveEmbedder
from selftime.encoders.networks.patching import GridEmbedder, PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.registry import rebuild, recipe_of
from selftime.encoders.streaming.base import StreamError
from selftime.encoders.streaming.streamable import stream_series, stream_steps
from selftime.encoders.wrappers.embedded import Embedded
from selftime.encoders.wrappers.low_rank import add_low_rank, merged


def full(values: Tensor) -> Batch:
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(0))


def waves() -> WaveEmbedder:
    return WaveEmbedder(channels=1, length=40, dim=8, strides=(2, 2), kernels=(4, 2))


def causal(channels: int = 8) -> Dilated:
    return Dilated(channels=channels, hidden=8, depth=2, dim=6, causal=True)


def text(*, missing: bool = True) -> Batch:
    x = full(noise(3, 1, 12).abs().mul(5).floor().clamp(max=6))
    if missing:
        x.observed[0, 0, 4:7] = x.observed[1, 0, 0] = False
    return x


def test_strides_multiply_and_the_rest_is_that_of_its_parts():
    made = Embedded(embedder=waves(), encoder=PooledCNN(channels=8, hidden=4))
    assert (made.channels, made.dim, made.stride, made.causal) == (1, 16, 32, False)
    assert made.layer_shapes() == [LayerShape(4, 8), LayerShape(8, 16), LayerShape(16, 32)]
    assert len(made.blocks()) == 4
    assert Embedded(embedder=waves(), encoder=causal()).causal
    grid = GridEmbedder(channels=2, rows=3, columns=4, dim=8)
    assert Embedded(embedder=grid, encoder=causal()).columns == 4
    assert Embedded(embedder=grid, encoder=PooledCNN(channels=8)).columns is None
    whole = MiniRocket(channels=8, length=10, features=84)
    assert Embedded(embedder=waves(), encoder=whole).stride is None
    overlapping = PatchEmbedder(channels=1, length=40, patch=4, stride=2, dim=8)
    assert not Embedded(embedder=overlapping, encoder=causal()).causal
    symbols = SymbolEmbedder(symbols=7, length=12, dim=8)
    assert Embedded(embedder=symbols, encoder=causal()).symbols == 7


@torch.no_grad()
def test_its_tokens_are_those_of_a_network_of_tokens():
    embedder, network = waves(), GRU(channels=8, hidden=5)
    made, x = Embedded(embedder=embedder, encoder=network), full(noise(2, 1, 23))
    series = full(embedder(x).transpose(1, 2))
    assert torch.equal(made(x), network(series))
    assert torch.equal(made.embed(x), network.embed(series))
    assert torch.equal(made.pool(made(x), x), made.embed(x))


@torch.no_grad()
def test_a_missing_symbol_is_seen_as_such_and_padding_is_not():
    embedder = SymbolEmbedder(symbols=7, length=12, dim=8)
    made, x = Embedded(embedder=embedder, encoder=causal()), text()
    before = made.embed(x)
    embedder.table.data[7] += 1.0
    after = made.embed(x)
    assert not torch.isclose(before[:2], after[:2]).all() and torch.equal(before[2], after[2])
    longer = Batch(*(torch.cat([part, torch.zeros_like(part)], dim=2) for part in x))
    torch.testing.assert_close(made.embed(longer), after)


@torch.no_grad()
def test_symbols_and_frames_are_streamed_and_pieces_of_sound_are_not():
    frames = FrameEmbedder(height=2, width=2, colours=2, length=12, dim=8)
    film = full(noise(3, 8, 12))
    film.observed[0, :, 4:7] = False
    for embedder, x in ((SymbolEmbedder(symbols=7, length=12, dim=8), text()), (frames, film)):
        for network in (causal(), GRU(channels=8, hidden=5, causal=True)):
            made = Embedded(embedder=embedder, encoder=network)
            parts = [(0, 5), (5, 6), (6, 12)]
            steps, series = stream_steps(made, 3), stream_series(made, 3)
            cuts = [Batch(*(part[:, :, a:b] for part in x)) for a, b in parts]
            tokens = torch.cat(
                [steps.read(cut, a) for cut, (a, _) in zip(cuts, parts, strict=True)], 1
            )
            torch.testing.assert_close(tokens, made(x), rtol=1e-5, atol=1e-5)
            so_far = [series.read(cut, a) for cut, (a, _) in zip(cuts, parts, strict=True)]
            for t in range(12):
                wanted = made.embed(Batch(*(part[:, :, : t + 1] for part in x)))
                got = torch.cat(so_far, dim=1)[:, t]
                torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(StreamError, match="Embedded has one token for 4 steps"):
        stream_steps(Embedded(embedder=waves(), encoder=causal()), 1)
    with pytest.raises(StreamError, match="Dilated that is not causal"):
        stream_steps(Embedded(embedder=frames, encoder=Dilated(channels=8)), 1)


def test_a_recipe_with_another_width_of_tokens_is_refused():
    made = Embedded(embedder=waves(), encoder=causal())
    recipe, state = recipe_of(made), made.state_dict()
    again = rebuild(recipe, 1, state)
    assert torch.equal(again.embed(full(noise(2, 1, 9))), made.embed(full(noise(2, 1, 9))))
    with pytest.raises(ValueError, match="got an encoder of 9 channels, wanted 8"):
        rebuild(recipe | {"encoder": recipe["encoder"] | {"channels": 9}}, 1, state)
    with pytest.raises(ValueError, match="got an encoder of 1 channels, wanted 2"):
        rebuild(recipe, 2, state)
    dilated = recipe["encoder"] | {"channels": 1, "dim": 8}  # as wide, but no embedder
    with pytest.raises(ValueError, match="wanted Embedder"):
        rebuild(recipe | {"embedder": dilated}, 1, state)
    text_of_two = SymbolEmbedder(symbols=7, length=12, dim=8)
    with pytest.raises(ValueError, match="got an encoder of 1 channels, wanted 2"):
        rebuild(recipe_of(text_of_two), 2, text_of_two.state_dict())
    with pytest.raises(ValueError, match=re.escape("build it with channels=8")):
        Embedded(embedder=waves(), encoder=causal(channels=4))


@torch.no_grad()
def test_low_rank_changes_reach_attention_behind_tokens():
    patches = PatchEmbedder(channels=8, length=3, patch=1, stride=1, dim=8)
    made = Embedded(embedder=waves(), encoder=Transformer(embedder=patches, depth=1, heads=2))
    adapted = add_low_rank(made, rank=1, seed=0)
    assert sum(w.requires_grad for w in adapted.parameters()) == 8  # two each of four maps
    x = full(noise(2, 1, 12))
    torch.testing.assert_close(merged(adapted).embed(x), made.embed(x))
