"""Hydra equals a plain float64 loop written from the paper."""

import math

import numpy as np
import pytest
import torch
from test_rocket import ragged

from selftime.encoders.fixed.hydra import Hydra, random_kernels, random_members


def plain_group(x, weights, dilation, stride):
    """Credits of the greatest and counts of the least response, by kernel, at every nth step."""
    T, K = len(x), len(weights)
    soft, hard = [0.0] * K, [0.0] * K
    for t in range(0, T, stride):
        responses = []
        for k in range(K):
            total = 0.0
            for place in range(9):
                s = t + (place - 4) * dilation
                if 0 <= s < T:
                    total += weights[k][place] * x[s]
            responses.append(total)
        soft[responses.index(max(responses))] += max(responses)
        hard[responses.index(min(responses))] += 1
    return [soft, hard]


def plain_hydra(encoder, series):
    """Features (D,) of one series (C,T)."""
    T, found = series.shape[1], []
    changes = np.diff(series) if T > 1 else np.zeros_like(series)
    for i, own in enumerate((series, changes)):
        steps = max(T - i, 1)
        stride = max(steps // encoder.most_steps, 1) if encoder.most_steps else 1
        scale = max(encoder.length - i, 1) / len(range(0, steps, stride))
        for e, dilation in enumerate(encoder.dilations):
            for g in range(encoder.groups // 2):
                x = own[encoder.members[i, e, g].tolist()].sum(axis=0)
                counts = plain_group(
                    x, encoder.weights[i, e, g].double().tolist(), dilation, stride
                )
                found += [math.sqrt(max(v, 0.0) * scale) for half in counts for v in half]
    return found


@pytest.mark.parametrize(
    ("lengths", "channels", "missing", "settings"),
    [
        ([40, 40], 1, 0.0, {}),
        ([40, 17, 33], 1, 0.2, {"kernels": 5}),
        ([24, 19], 5, 0.1, {"kernels": 1}),
        ([5, 1, 2], 1, 0.0, {}),
        ([300, 270], 1, 0.0, {"groups": 2}),
        ([90, 45, 19], 1, 0.1, {"most_steps": 10}),
        ([90, 45, 19], 5, 0.1, {"most_steps": 10}),
    ],
    ids=["equal", "missing", "several channels", "short", "blocks", "long", "long, channels"],
)
def test_features_equal_plain_loops(rng, lengths, channels, missing, settings):
    encoder = Hydra(**{"channels": channels, "length": 40, "groups": 6, "kernels": 4} | settings)
    x = ragged(rng, lengths, channels, missing)
    filled = x.filled().double().numpy()
    wanted = [plain_hydra(encoder, s[:, :n]) for s, n in zip(filled, x.lengths, strict=True)]
    np.testing.assert_allclose(encoder(x)[:, 0].numpy(), wanted, rtol=1e-4, atol=2e-3)


def test_each_step_is_counted_once(rng):
    x = ragged(rng, [100, 61])
    encoder = Hydra(channels=1, length=100)
    halves = encoder(x)[:, 0].square().reshape(2, 2, len(encoder.dilations), 32, 2, 8)
    counted = halves[:, :, :, :, 1].sum(dim=-1)  # (B,2,E,G): steps at the reference length
    torch.testing.assert_close(counted[:, 0], torch.full_like(counted[:, 0], 100.0))
    torch.testing.assert_close(counted[:, 1], torch.full_like(counted[:, 1], 99.0))


def test_on_a_flat_stretch_the_first_kernel_is_least():
    """Ties have one winner: no response to a flat stretch depends on rounding."""
    flat = ragged(torch.Generator().manual_seed(0), [50])
    flat = flat._replace(values=torch.full_like(flat.values, 1234.567))
    counts = Hydra(channels=1, length=50)(flat).square().reshape(2, -1, 2, 8)[1, :, 1]
    # all 49 differences are 0, and so is what pads them
    torch.testing.assert_close(counts[:, 0], torch.full_like(counts[:, 0], 49.0))


def test_kernels_sum_to_zero_and_weigh_one(rng):
    weights = random_kernels((50, 8), rng).double()
    assert weights.sum(dim=-1).abs().max() < 1e-6
    torch.testing.assert_close(weights.abs().sum(dim=-1), torch.ones(50, 8).double())


@pytest.mark.parametrize(
    ("channels", "members"), [(1, 1), (2, 2), (3, 2), (4, 2), (10, 5), (16, 8), (99, 8)]
)
def test_groups_read_up_to_eight_channels(rng, channels, members):
    found = random_members((2, 3, 4), channels, rng)
    assert found.shape == (2, 3, 4, members)
    assert all(len(set(row.tolist())) == members for row in found.reshape(-1, members))


def test_dilations_are_powers_of_two_that_fit():
    assert Hydra(channels=1, length=128).dilations == (1, 2, 4, 8)
    assert Hydra(channels=1, length=129).dilations == (1, 2, 4, 8, 16)
    assert Hydra(channels=1, length=1).dilations == (1,)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"groups": 7}, "got groups=7, wanted an even number"),
        ({"groups": 0}, "got groups=0, wanted at least 2: raise it"),
        ({"kernels": 0}, "got kernels=0, wanted at least 1: raise it"),
        ({"channels": 0}, "got channels=0, wanted at least 1: raise it"),
        ({"length": 0}, "got length=0, wanted at least 1: raise it"),
        ({"most_steps": 0}, "got most_steps=0, wanted at least 1: raise it"),
    ],
)
def test_bad_settings_are_told(settings, text):
    with pytest.raises(ValueError) as error:
        Hydra(**{"channels": 1, "length": 50} | settings)
    assert text in str(error.value)


def test_other_channels_are_told(rng):
    with pytest.raises(ValueError) as error:
        Hydra(channels=2, length=20, groups=2)(ragged(rng, [20], channels=3))
    assert "got series with 3 channels, wanted 2: build Hydra with channels=3" in str(error.value)
