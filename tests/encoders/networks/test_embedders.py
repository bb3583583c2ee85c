"""Embedders of symbols, waveforms, frames and grids beside plain loops; grids and positions."""

import math
import re

import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.networks.attention import grid_sinusoids
from selftime.encoders.networks.embedders import FrameEmbedder, SymbolEmbedder, WaveEmbedder
from selftime.encoders.networks.patching import GridEmbedder
from selftime.encoders.networks.transformer import Transformer


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def full(values: Tensor) -> Batch:
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(3), dtype=torch.float64)


def test_a_symbol_is_a_row_and_what_is_missing_has_its_own():
    embedder = SymbolEmbedder(symbols=5, length=4, dim=3)
    values = torch.tensor([[[0.0, 4.0, 2.0, 3.0]], [[1.0, 1e6, -7.0, 2.2]]])
    x = full(values)
    x.observed[0, 0, 2] = False
    assert embedder.symbols == 5 and embedder.is_stepwise
    rows = [[0, 4, 5, 3], [1, 4, 0, 2]]  # beyond the table its nearest row, halves of none
    for b, row in enumerate(rows):
        for t, place in enumerate(row):
            assert torch.equal(embedder(x)[b, t], embedder.table[place])
    places = torch.tensor([[3, 0], [1, 1]])
    at = embedder.tokens_at(x, places)
    assert torch.equal(at[0, 0], embedder.table[3]) and torch.equal(at[1, 1], embedder.table[4])


def layer_loop(h: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """A causal strided convolution, each step's features to mean 0 and variance 1, a ReLU."""
    outer, inner, taps = weight.shape
    made = torch.zeros(outer, h.shape[1] // stride, dtype=h.dtype)
    for n in range(made.shape[1]):
        for o in range(outer):
            total = float(bias[o])
            for k in range(taps):
                t = n * stride + stride - taps + k  # the last tap is at the last step of the stride
                total += sum(float(weight[o, i, k] * h[i, t]) for i in range(inner)) * (t >= 0)
            made[o, n] = total
    centred = made - made.mean(dim=0)
    return (centred / (centred.square().mean(dim=0) + 1e-5).sqrt()).clamp(min=0)


@torch.no_grad()
def test_a_waveform_goes_through_strided_layers_as_in_a_loop():
    embedder = WaveEmbedder(channels=2, length=9, dim=3, strides=(3, 2), kernels=(4, 3)).double()
    values = numbers(1, 2, 12)
    h = values[0]
    for layer, stride in zip(embedder.stack, (3, 2), strict=True):
        h = layer_loop(h, layer.weight, layer.bias, stride)
    torch.testing.assert_close(embedder(full(values))[0], h.T)


@torch.no_grad()
def test_published_strides_make_a_token_of_160_samples_that_knows_no_later_ones():
    embedder = WaveEmbedder(channels=1, length=800, dim=8, seed=1)
    assert embedder.stride == embedder.patch == 160
    values = torch.randn(1, 1, 801, generator=seeded())
    tokens = embedder(full(values))
    assert tokens.shape == (1, 6, 8)
    later = values.clone()
    later[:, :, 320:] = 0.0
    assert torch.equal(embedder(full(later))[:, :2], tokens[:, :2])
    assert not torch.isclose(embedder(full(later))[:, 2], tokens[:, 2]).all()
    places = torch.tensor([[4, 1]])
    assert torch.equal(embedder.tokens_at(full(values), places), tokens[:, [4, 1]])


@torch.no_grad()
def test_a_frame_is_convolved_by_itself_as_in_a_loop():
    embedder = FrameEmbedder(height=3, width=5, colours=2, length=2, dim=4, seed=1).double()
    values = numbers(1, 30, 2)
    tokens = embedder(full(values))
    h = values[0, :, 1].view(2, 3, 5)
    for layer in embedder.stack:
        inner, height, width = h.shape
        made = torch.zeros(len(layer.bias), -(-height // 2), -(-width // 2), dtype=h.dtype)
        padded = torch.zeros(inner, height + 2, width + 2, dtype=h.dtype)
        padded[:, 1:-1, 1:-1] = h
        for r in range(made.shape[1]):
            for c in range(made.shape[2]):
                window = padded[:, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3]
                for o in range(len(made)):
                    total = float((layer.weight[o] * window).sum() + layer.bias[o])
                    made[o, r, c] = total * (1 + math.erf(total / 2**0.5)) / 2  # GELU
        h = made
    torch.testing.assert_close(tokens[0, 1], embedder.map(h.flatten()))
    alone = embedder(full(values[:, :, 1:]))
    torch.testing.assert_close(tokens[:, 1:], alone)


def test_a_place_on_a_grid_is_waves_of_its_row_and_of_its_column():
    waves = grid_sinusoids(torch.arange(6.0), 8, 3)
    for place, got in enumerate(waves):
        row, column = divmod(place, 3)
        wanted = [
            wave(at / 10_000 ** (i / 2))
            for at in (row, column)
            for wave in (math.sin, math.cos)
            for i in range(2)
        ]
        torch.testing.assert_close(got, torch.tensor(wanted))


def picture(positions: str = "grid") -> Transformer:
    embedder = GridEmbedder(channels=4, rows=3, columns=5, dim=16)
    return Transformer(embedder=embedder, positions=positions, depth=2, heads=2).double()


@torch.no_grad()
@pytest.mark.parametrize("positions", ["grid", "learned", "sines", "rotary"])
def test_patches_shuffled_with_their_positions_change_no_vector(positions):
    x, encoder = full(numbers(2, 4, 15)), picture(positions)
    order = torch.stack([torch.randperm(15, generator=seeded(b)) for b in range(2)])
    tokens = encoder.tokens_at(x, order)
    torch.testing.assert_close(tokens.mean(dim=1), encoder.embed(x))
    torch.testing.assert_close(tokens, encoder(x).gather(1, order[:, :, None].expand(-1, -1, 16)))
    moved = Batch(x.values.gather(2, order[:, None].expand(-1, 4, -1)), x.observed)
    assert not torch.isclose(encoder.embed(moved), encoder.embed(x)).all()  # places alone do


@torch.no_grad()
def test_a_grid_knows_columns_where_time_knows_none():
    """Patches a column apart and a row apart are equally near on the grid, and not in time."""
    encoder = picture()
    assert encoder.columns == 5 and picture("rotary").columns == 5
    place = grid_sinusoids(torch.tensor([6.0, 7.0, 11.0]), 16, 5)  # the next of its row and column
    right, below = (place[1] - place[0]).norm(), (place[2] - place[0]).norm()
    torch.testing.assert_close(right, below)
    wider = full(numbers(1, 4, 40))
    assert encoder.embed(wider).isfinite().all()  # more rows than it was prepared for


@torch.no_grad()
def test_golden_numbers():
    """Of this implementation, torch 2.13, on 2026-11-30; stored models go on with them."""
    x = full(torch.linspace(-1, 1, 48).view(1, 4, 12))
    wave = WaveEmbedder(channels=4, length=12, dim=4, strides=(2, 2), kernels=(4, 3), seed=1)
    frame = FrameEmbedder(height=2, width=2, colours=1, length=12, dim=4, seed=1)
    grid = GridEmbedder(channels=4, rows=3, columns=4, dim=4, seed=1)
    text = SymbolEmbedder(symbols=2, length=12, dim=4, seed=1)
    sums = [float(made.embed(x).abs().sum()) for made in (wave, frame, grid)]
    sums.append(float(text.embed(full(x.values[:, :1])).abs().sum()))
    assert sums == pytest.approx(GOLDEN, rel=1e-5)


GOLDEN = [1.7495077, 0.1023522, 1.0690049, 1.6112709]


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: SymbolEmbedder(symbols=0, length=4), "got 0 symbols, wanted at least 1"),
        (
            lambda: WaveEmbedder(channels=1, length=4, strides=(2,), kernels=(4, 4)),
            "got strides (2,) and kernels (4, 4), wanted as many of each",
        ),
        (
            lambda: WaveEmbedder(channels=1, length=4, strides=(5,), kernels=(4,)),
            "use strides from 1 on that are no longer than the kernels",
        ),
        (
            lambda: WaveEmbedder(
                channels=1, length=4, dim=2, strides=(2000,) * 2, kernels=(2000,) * 2
            ),
            "a token for 4000000 steps, wanted at most 1000000",
        ),
        (
            lambda: FrameEmbedder(height=0, width=4, colours=1, length=4),
            "got frames of 0 x 4 pixels of 1 colours, wanted at least 1 of each",
        ),
        (
            lambda: GridEmbedder(channels=1, rows=0, columns=2),
            "got 0 rows of 2 steps, wanted at least 1 of 1",
        ),
        (
            lambda: Transformer(
                embedder=SymbolEmbedder(symbols=3, length=4), positions="grid", heads=2
            ),
            "got positions='grid' for tokens of 128 numbers in rows of None, wanted an embedder of",
        ),
        (
            lambda: SymbolEmbedder(symbols=3, length=4)(full(torch.zeros(1, 2, 4))),
            "got series with 2 channels, wanted 1",
        ),
        (
            lambda: FrameEmbedder(height=2, width=2, colours=1, length=4)(
                full(torch.zeros(1, 3, 4))
            ),
            "got series with 3 channels, wanted 4",
        ),
    ],
    ids=range(9),
)
def test_what_they_refuse(make, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make()
