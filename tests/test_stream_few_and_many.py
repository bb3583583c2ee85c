"""Few streams in a compiled loop, many by tensor operations: both are the network of the paper."""

import math

import numpy as np
import pytest
import torch

import selftime
from selftime.data.scaling import none
from selftime.encoders import streamed_dilated
from selftime.encoders.dilated import Block, Convolution, Dilated
from stream_material import model_of, offline, series_of

ALL = 10**9
"""Steps of streams that all count as few."""


@pytest.fixture(params=[ALL, 0], ids=["compiled", "by tensors"])
def way(request, monkeypatch) -> int:
    """One way for whatever comes, however much it is."""
    monkeypatch.setattr(streamed_dilated, "FEW", request.param)
    return request.param


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
def test_every_step_is_what_plain_loops_say(way, channels, hidden, depth, dim, size):
    encoder = Dilated(channels=channels, hidden=hidden, depth=depth, dim=dim, causal=True, seed=3)
    x = series_of((2, channels, 18), 0.3)
    stream = model_with(encoder).stream(streams=2)
    got = np.concatenate([stream.update(x[:, :, t : t + size]) for t in range(0, 18, size)], axis=1)
    wanted = [by_loops(encoder, series.astype(np.float32)) for series in x]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6)  # rounding of 32-bit sums


def test_at_the_published_size_every_step_is_that_of_offline(way):
    model, x = model_with(Dilated(channels=1, causal=True)), series_of((2, 1, 150), 0.1)
    stream = model.stream(streams=2)
    got = np.concatenate([stream.update(x[:, :, t : t + 1]) for t in range(150)], axis=1)
    np.testing.assert_allclose(got, offline(model, x), rtol=0, atol=1e-5)


def test_both_ways_go_on_where_the_other_stopped(monkeypatch):
    model, x = model_of("dilated", 2), series_of((3, 2, 60), 0.2)
    stream, parts = model.stream(streams=3), []
    for turn, (start, stop) in enumerate([(0, 1), (1, 2), (2, 20), (20, 21), (21, 50), (50, 60)]):
        monkeypatch.setattr(streamed_dilated, "FEW", (0, ALL)[turn % 2])
        parts.append(stream.update(x[:, :, start:stop]))
    got = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(got, offline(model, x), rtol=0, atol=1e-5)


def test_later_changes_of_the_encoder_do_not_reach_a_stream(way):
    encoder = Dilated(channels=1, hidden=1, depth=2, dim=3, causal=True)
    model = model_with(encoder)
    stream, twin = model.stream(), model.stream()
    before = [twin.update(value) for value in (5.0, -3.0)]
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.mul_(3)
    np.testing.assert_array_equal([stream.update(value) for value in (5.0, -3.0)], before)
    assert not np.allclose(model.stream().update(5.0), before[0])


def test_few_are_compiled_and_many_are_not(monkeypatch):
    asked = []
    monkeypatch.setattr(streamed_dilated, "advance", lambda *given: asked.append(given[0].shape))
    for streams, k in ((1, 1), (64, 1), (2, 32), (65, 1), (1, 65)):
        stream = model_of("dilated").stream(streams=streams)
        asked.append(f"{streams} x {k}")
        stream.update(np.zeros((streams, 1, k)))
    none = [(1, 1, 0), (64, 1, 0), (2, 1, 0)]  # compiled before the first step
    assert asked == [
        *(none[0], "1 x 1", (1, 1, 1)),
        *(none[1], "64 x 1", (64, 1, 1)),
        *(none[2], "2 x 32", (2, 1, 32)),
        *("65 x 1", none[0], "1 x 65"),
    ]
