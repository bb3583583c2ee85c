"""Streamed dilated convolutions are the network of the paper, in plain loops."""

import copy
import math

import numpy as np
import pytest
import torch
from stream_material import model_of, offline, series_of

import selftime
from selftime.data.scaling import none
from selftime.encoders.networks.dilated import Block, Convolution, Dilated
from selftime.encoders.streaming.dilated_numba import ROWS_AT_ONCE, affine
from selftime.encoders.streaming.dilated_numba import gelu as compiled_gelu


def model_with(encoder: Dilated) -> selftime.Model:
    return selftime.Model(encoder.eval(), none(), tuple(map(str, range(encoder.channels))))


def tap_sum(layer: Convolution, h: list[list[float]], t: int, dilation: int) -> list[float]:
    """A causal convolution at step t: its last tap reads t, each one before d steps earlier."""
    weight, total = layer.weight.detach().double(), layer.bias.detach().double().tolist()
    for tap, matrix in enumerate(weight.tolist()):
        earlier = t - (len(weight) - 1 - tap) * dilation
        for o, row in enumerate(matrix if earlier >= 0 else []):
            total[o] += sum(w * value for w, value in zip(row, h[earlier], strict=True))
    return total


def gelu(h: list[list[float]]) -> list[list[float]]:
    return [[x / 2 * (1 + math.erf(x / math.sqrt(2))) for x in row] for row in h]


def by_loops(encoder: Dilated, x: np.ndarray) -> list[list[float]]:
    """Tokens (T,D) of one series (C,T) with gaps, as section 3.1 of TS2Vec says, in float64."""
    steps, known = range(x.shape[1]), np.nan_to_num(x)
    h = [tap_sum(encoder.entry, known.T.tolist(), t, 1) for t in steps]
    h = [[0.0] * encoder.hidden if np.isnan(x[:, t]).all() else h[t] for t in steps]
    for k, block in enumerate(encoder.stack):
        assert isinstance(block, Block)
        inner = [tap_sum(block.first, gelu(h), t, 2**k) for t in steps]
        outer = [tap_sum(block.second, gelu(inner), t, 2**k) for t in steps]
        beside = h if block.beside is None else [tap_sum(block.beside, h, t, 1) for t in steps]
        h = (np.array(outer) + np.array(beside)).tolist()
    return h


@pytest.mark.parametrize("size", [1, 6])
@pytest.mark.parametrize("channels, hidden, depth, dim", [(1, 4, 2, 3), (2, 5, 1, 5), (3, 2, 0, 9)])
def test_every_step_is_what_plain_loops_say(channels, hidden, depth, dim, size):
    encoder = Dilated(channels=channels, hidden=hidden, depth=depth, dim=dim, causal=True, seed=3)
    x = series_of((2, channels, 18), 0.3)
    stream = model_with(encoder).stream(streams=2)
    got = np.concatenate([stream.update(x[:, :, t : t + size]) for t in range(0, 18, size)], axis=1)
    wanted = [by_loops(encoder, series.astype(np.float32)) for series in x]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6)  # rounding of 32-bit sums


def test_at_the_published_size_every_step_is_that_of_offline():
    model, x = model_with(Dilated(channels=1, causal=True)), series_of((2, 1, 150), 0.1)
    stream = model.stream(streams=2)
    got = np.concatenate([stream.update(x[:, :, t : t + 1]) for t in range(150)], axis=1)
    np.testing.assert_allclose(got, offline(model, x), rtol=0, atol=1e-5)


def test_later_changes_of_the_encoder_do_not_reach_a_stream():
    encoder = Dilated(channels=1, hidden=1, depth=2, dim=3, causal=True)
    model = model_with(encoder)
    stream, twin = model.stream(), model.stream()
    before = [twin.update(value) for value in (5.0, -3.0)]
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.mul_(3)
    np.testing.assert_array_equal([stream.update(value) for value in (5.0, -3.0)], before)
    assert not np.allclose(model.stream().update(5.0), before[0])


def test_gelu_is_x_times_the_normal_distribution():
    x = np.concatenate([np.linspace(-9, 9, 40_001), [0.0, -5.5, 5.5, 1e12, -1e12]])
    x = x.astype(np.float32)
    got = np.empty_like(x)
    compiled_gelu(x, got)
    wanted = np.array([gelu([[value]])[0][0] for value in x.astype(np.float64)])
    assert (np.abs(got - wanted) <= 2.5e-7 * np.maximum(1, np.abs(x))).all()  # two roundings
    assert got[0] == 0 and got[-1] == 0 and got[-2] == np.float32(1e12)


@pytest.mark.parametrize("rows, inner, outer", [(1, 1, 1), (2, 3, 4), (5, 17, 6), (3, 192, 9)])
def test_an_affine_map_of_every_row_whatever_does_not_come_out_even(rows, inner, outer, np_rng):
    before, rest = np_rng.normal(size=3), np_rng.normal(size=2)
    x, matrix, bias = (np_rng.normal(size=s) for s in ((rows, inner), (outer, inner), outer))
    weights = np.concatenate([before, matrix.ravel(), bias, rest]).astype(np.float32)
    y = np.full((rows, outer), np.nan, np.float32)
    assert affine(x.astype(np.float32), weights, 3, y) == len(weights) - 2
    wanted = [[sum(map(math.prod, zip(m, row, strict=True))) for m in matrix] for row in x]
    np.testing.assert_allclose(y, np.array(wanted) + bias, rtol=0, atol=1e-5)  # 192 products


def test_a_copy_of_a_stream_goes_its_own_way(tmp_path):
    model, x = model_of("dilated"), series_of((1, 1, 30))[0]
    stream = model.stream()
    stream.update(x[:, :10])
    twin = copy.deepcopy(stream)
    wanted = stream.update(x[:, 10:])
    again = model.stream().restore(twin.save(tmp_path / "twin"))
    np.testing.assert_array_equal(again.update(x[:, 10:]), wanted)
    np.testing.assert_array_equal(twin.update(x[:, 10:]), wanted)


@pytest.mark.parametrize("threads", [1, 2])
def test_streams_do_not_touch_each_other(threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    S = 9 * ROWS_AT_ONCE + 5
    model, x = model_of("dilated", 2), series_of((S, 2, 25), 0.2)
    stream = model.stream(streams=S)
    parts = [stream.update(x[:, :, a:b]) for a, b in ((0, 1), (1, 4), (4, 13), (13, 25))]
    together = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(together, offline(model, x), rtol=0, atol=1e-5)
    for s in (0, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, S - 1):
        alone = model.stream().update(x[s])
        np.testing.assert_allclose(together[s], alone, rtol=0, atol=1e-5)
