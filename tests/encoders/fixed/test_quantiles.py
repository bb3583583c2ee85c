"""The quantile encoder against plain loops written from the paper."""

import math

import numpy as np
import pytest
import torch

from selftime.data.batch import Batch
from selftime.encoders.fixed.quantiles import (
    Quantiles,
    magnitudes,
    plan_quantiles,
    quantiles_on_cpu,
    quantiles_on_device,
    representations,
)
from selftime.encoders.fixed.quantiles_numba import LANES


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def walks(series: int, channels: int, steps: int) -> Batch:
    values = torch.randn(series, channels, steps, generator=dice()).cumsum(2) + 2
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def loop_representations(x: list[float]) -> list[list[float]]:
    T = len(x)
    d = [x[t + 1] - x[t] for t in range(T - 1)]
    smooth = [sum(d[min(max(t + k, 0), T - 2)] for k in range(-2, 3)) / 5 for t in range(T - 1)]
    bend = [d[t + 1] - d[t] for t in range(T - 2)]
    spectrum = []
    for f in range(T // 2 + 1):
        re = sum(x[t] * math.cos(2 * math.pi * f * t / T) for t in range(T))
        im = sum(x[t] * math.sin(2 * math.pi * f * t / T) for t in range(T))
        spectrum.append(math.hypot(re, im))
    return [x, smooth, bend, spectrum]


def loop_quantiles(values: list[float], divisor: int) -> list[float]:
    m = len(values)
    ordered, mean = sorted(values), sum(values) / m
    count = 1 + (m - 1) // divisor
    found = []
    for j in range(count):
        rank = j * (m - 1) / (count - 1) if count > 1 else (m - 1) / 2
        below = min(int(rank), m - 1)
        above = min(below + 1, m - 1)
        quantile = ordered[below] + (rank - below) * (ordered[above] - ordered[below])
        found.append(quantile - mean if j % 2 else quantile)
    return found


def loop_features(x: list[float], depth: int, divisor: int) -> list[float]:
    """QUANT of one channel, written from the paper's text, one number at a time."""
    found = []
    for values in loop_representations(x):
        T = len(values)
        for level in range(depth):
            pieces = 2**level
            if pieces > T:
                break
            edges = [math.floor(edge) for edge in np.linspace(0, T, pieces + 1)]
            for j in range(pieces):
                found += loop_quantiles(values[edges[j] : edges[j + 1]], divisor)
            half = edges[1] // 2
            for j in range(pieces - 1):
                found += loop_quantiles(values[edges[j] + half : edges[j + 1] + half], divisor)
    return found


def reference(values: torch.Tensor, depth: int = 6, divisor: int = 4) -> np.ndarray:
    rows = [
        [f for channel in series for f in loop_features(channel, depth, divisor)]
        for series in values.double().tolist()
    ]
    return np.array(rows)


def rounding(wanted: np.ndarray) -> float:
    """Eight float32 units in the last place of the greatest number."""
    return 1e-6 * max(1.0, float(np.abs(wanted).max()))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 64, 77])
def test_features_equal_plain_loops(length: int) -> None:
    x = walks(3, 2, length)
    encoder = Quantiles(channels=2, length=length)
    wanted = reference(x.values)
    got = encoder(x)
    assert got.shape == (3, 1, encoder.dim) and got.dtype == torch.float32
    np.testing.assert_allclose(got[:, 0], wanted, rtol=1e-5, atol=rounding(wanted))


@pytest.mark.parametrize(("depth", "divisor"), [(1, 1), (2, 3), (9, 2), (3, 1000)])
def test_depth_and_divisor_reach_the_features(depth: int, divisor: int) -> None:
    x = walks(2, 1, 50)
    wanted = reference(x.values, depth, divisor)
    got = Quantiles(channels=1, length=50, depth=depth, divisor=divisor).embed(x)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=rounding(wanted))


@pytest.mark.parametrize("rows", [0, 1, LANES - 1, LANES, LANES + 1, 5 * LANES + 3])
def test_compiled_and_torch_paths_agree(rows: int) -> None:
    length = 101
    series = walks(rows, 1, length).values
    plan = plan_quantiles(length, 6, 4)
    flat = torch.cat(representations(series), 2).flatten(0, 1)
    torch.testing.assert_close(
        quantiles_on_cpu(flat, plan), quantiles_on_device(flat, plan), rtol=1e-5, atol=1e-4
    )


def test_torch_path_equals_plain_loops() -> None:
    x = walks(3, 1, 45)
    wanted = reference(x.values)
    flat = torch.cat(representations(x.values), 2).flatten(0, 1)
    got = quantiles_on_device(flat, plan_quantiles(45, 6, 4))
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=rounding(wanted))


def test_both_spectra_agree() -> None:
    values = walks(4, 2, 77).values
    torch.testing.assert_close(
        magnitudes(values), torch.fft.rfft(values).abs(), rtol=1e-5, atol=1e-3
    )
