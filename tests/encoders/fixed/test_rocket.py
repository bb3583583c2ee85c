"""MiniRocket and MultiRocket equal plain float64 loops written from the papers."""

import itertools
import math

import numpy as np
import pytest
import torch

from selftime.data.batch import Batch
from selftime.encoders.builders import minirocket, multirocket, rocket
from selftime.encoders.fixed.rocket import (
    MiniRocket,
    low_discrepancy,
    plan_dilations,
    random_subsets,
)

POOLINGS = ("ppv", "mpv", "mipv", "lspv")
KERNELS = list(itertools.combinations(range(9), 3))


def ragged(rng, lengths, channels=1, missing=0.0):
    """Random walks of these lengths, some of their values missing."""
    B, T = len(lengths), max(lengths)
    values = torch.randn(B, channels, T, generator=rng).cumsum(2)
    within = torch.arange(T) < torch.tensor(lengths)[:, None]
    kept = torch.rand(B, channels, T, generator=rng) >= missing
    kept[:, 0] |= torch.arange(T) == torch.tensor(lengths)[:, None] - 1  # the length stays
    return Batch(values, within[:, None] & kept)


def plain_response(x, kernel, dilation):
    """Convolution of one series with one kernel: weight 2 at three places, −1 at the others."""
    out = []
    for t in range(len(x)):
        total = 0.0
        for place in range(9):
            s = t + (place - 4) * dilation
            if 0 <= s < len(x):
                total += (2.0 if place in KERNELS[kernel] else -1.0) * x[s]
        out.append(total)
    return out


def plain_poolings(z):
    """PPV, MPV, MIPV and LSPV (Tan et al. 2022, equations 2 to 5) of responses less a bias."""
    positive = [t for t, value in enumerate(z) if value > 0]
    longest = run = 0
    for value in z:
        run = run + 1 if value > 0 else 0
        longest = max(longest, run)
    m = max(len(positive), 1)
    where = sum(positive) / m if positive else -1
    n = len(z)
    return len(positive) / n, sum(z[t] for t in positive) / m, where / n, longest / n


def plain_bank(bank, series):
    """Features (P,F) of one series (C,T) by loops over everything."""
    found, first = [], 0
    for e, (dilation, count) in enumerate(zip(bank.dilations, bank.counts, strict=True)):
        for kernel in range(84):
            chosen = [c for c in bank.subsets[84 * e + kernel].tolist() if c >= 0]
            response = plain_response(series[chosen].sum(axis=0), kernel, dilation)
            if (e + kernel) % 2 == 1 and len(response) > 8 * dilation:
                response = response[4 * dilation : -4 * dilation]
            for bias in bank.biases[first : first + count].tolist():
                found.append(plain_poolings([value - bias for value in response]))
            first += count
    return np.array(found).T


def plain_minirocket(encoder, x):
    """All features of a batch (B,D)."""
    filled = x.filled().double().numpy()
    rows = []
    for series, length in zip(filled, x.lengths.tolist(), strict=True):
        own = series[:, :length]
        views = [own, np.diff(own) if length > 1 else np.zeros_like(own)]
        chosen = [POOLINGS.index(name) for name in encoder.poolings]
        parts = [
            plain_bank(bank, v)[chosen].ravel()
            for bank, v in zip(encoder.banks, views, strict=False)
        ]
        rows.append(np.concatenate(parts))
    return np.array(rows)


@pytest.mark.late
@pytest.mark.parametrize(
    ("lengths", "channels", "missing"),
    [([40, 40], 1, 0.0), ([40, 17, 33], 1, 0.2), ([24, 19], 4, 0.1), ([5, 1, 2], 1, 0.0)],
    ids=["equal", "ragged, missing", "several channels", "short"],
)
def test_features_equal_plain_loops(rng, lengths, channels, missing):
    encoder = MiniRocket(
        channels=channels, length=40, features=84 * 8 * 4, poolings=POOLINGS, differences=True
    )
    encoder.prepare(
        ragged(rng, [40, 37, 40], channels), rng
    )  # others: a quantile ties with its own
    x = ragged(rng, lengths, channels, missing)
    got = encoder(x)[:, 0].numpy()
    np.testing.assert_allclose(got, plain_minirocket(encoder, x), rtol=1e-5, atol=2e-5)


def test_thresholds_are_quantiles_of_the_series_drawn(rng):
    x = ragged(rng, [30, 22, 9])
    encoder = MiniRocket(channels=1, length=30, features=84 * 3)
    state = rng.get_state()
    encoder.prepare(x, rng)
    (bank,) = encoder.banks
    drawn = torch.randint(3, (len(bank.dilations), 84), generator=rng.set_state(state))
    position = 0
    for e, (dilation, count) in enumerate(zip(bank.dilations, bank.counts, strict=True)):
        for kernel in range(84):
            i = int(drawn[e, kernel])
            own = x.filled()[i, 0, : x.lengths[i]].double().tolist()
            ranks = [
                (n + 1) * (math.sqrt(5) + 1) / 2 % 1 for n in range(position, position + count)
            ]
            wanted = np.quantile(plain_response(own, kernel, dilation), ranks)
            got = bank.biases[position : position + count].numpy()
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
            position += count


def test_thresholds_before_data_are_those_of_white_noise(rng):
    noise = Batch(torch.randn(64, 1, 512, generator=rng), torch.ones(64, 1, 512, dtype=torch.bool))
    shares = MiniRocket(channels=1, length=64, features=840)(noise).mean(dim=(0, 1))
    wanted = 1 - low_discrepancy(840)
    assert (shares - wanted).abs().max() < 0.03


def test_sizes_are_those_of_the_papers():
    assert minirocket(channels=1, length=100).dim == 9_996  # 2021, section 3.1
    assert multirocket(channels=1, length=100).dim == 49_728  # 2022, section 3
    assert rocket(channels=1, length=100).dim == 84 * 59 + 4 * 32 * 8 * 2


@pytest.mark.parametrize("length", [1, 2, 9, 10, 100, 5000])
@pytest.mark.parametrize("biases", [1, 7, 32, 119])
def test_plan_spends_all_biases_on_dilations_that_fit(length, biases):
    dilations, counts = plan_dilations(length, biases)
    assert sum(counts) == biases
    assert len(dilations) <= 32
    assert dilations[0] == 1
    assert all(b > a for a, b in itertools.pairwise(dilations))
    assert dilations[-1] <= max(1, (length - 1) / 8)


def test_plan_is_the_paper_s():
    # By hand: exponents 0, ½, …, 5/2 times log2(127 / 8) / 2.5 give 1, 1.74, 3.02, 5.25, 9.13, 15.9
    assert plan_dilations(128, 6) == ((1, 3, 5, 9, 15), (2, 1, 1, 1, 1))


def test_channels_are_drawn_in_sizes_of_powers(rng):
    subsets = random_subsets(4000, 20, rng)
    sizes = (subsets >= 0).sum(dim=1)
    assert subsets.shape == (4000, 9)
    for size in range(1, 10):  # P(⌊2^u⌋ = s) with u uniform in [0, log2 10)
        wanted = math.log2((size + 1) / size) / math.log2(10)
        assert abs((sizes == size).float().mean().item() - wanted) < 0.03
    assert all(len(set(row[row >= 0].tolist())) == (row >= 0).sum() for row in subsets[:200])


def test_an_offset_changes_no_bit_away_from_the_padding(rng):
    """Kernels sum to 0; so that rounding does not matter, values here are whole sixteenths."""
    x = ragged(rng, [64] * 4)
    near = Batch((x.values * 16).round() / 16, x.observed)
    far = Batch(near.values + 4096, x.observed)
    encoder = MiniRocket(channels=1, length=64)
    count = encoder.banks[0].counts[0]
    a, b = (encoder(batch)[:, 0, : 84 * count].reshape(4, 84, count) for batch in (near, far))
    assert torch.equal(a[:, 1::2], b[:, 1::2])  # at the first dilation odd kernels go unpadded


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"features": 83}, "got features=83, wanted at least 84: raise it"),
        ({"channels": 0}, "got channels=0, wanted at least 1: raise it"),
        ({"length": 0}, "got length=0, wanted at least 1: raise it"),
        ({"poolings": ("max",)}, "got poolings=('max',), wanted some of ppv, mpv, mipv, lspv"),
        ({"poolings": ()}, "got poolings=(), wanted some of"),
        ({"poolings": ("ppv", "ppv")}, "once each"),
    ],
)
def test_bad_settings_are_told(settings, text):
    with pytest.raises(ValueError) as error:
        MiniRocket(**{"channels": 1, "length": 50} | settings)
    assert text in str(error.value)


def test_other_channels_are_told(rng):
    x = ragged(rng, [20, 20], channels=3)
    with pytest.raises(ValueError) as error:
        MiniRocket(channels=2, length=20, features=84)(x)
    assert "got series with 3 channels, wanted 2: build MiniRocket with channels=3" in str(
        error.value
    )
