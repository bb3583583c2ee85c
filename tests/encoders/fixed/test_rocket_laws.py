"""What must hold of random convolutions to the bit, and of their twins."""

import pytest
import torch
from test_rocket import POOLINGS, ragged

from selftime.data.batch import Batch
from selftime.encoders.fixed import rocket_torch
from selftime.encoders.fixed.hydra import Hydra, hydra_on_device
from selftime.encoders.fixed.rocket import MiniRocket

KINDS = {
    "MiniRocket": lambda channels: MiniRocket(channels=channels, length=60, features=840),
    "MultiRocket": lambda channels: MiniRocket(
        channels=channels, length=60, features=84 * 40, poolings=POOLINGS, differences=True
    ),
    "Hydra": lambda channels: Hydra(channels=channels, length=60, groups=8, kernels=8),
    "Hydra, long": lambda channels: Hydra(
        channels=channels, length=60, groups=8, kernels=8, most_steps=14
    ),
}
INPUTS = {
    "equal": ([60] * 5, 1, 0.0),
    "ragged": ([60, 9, 31, 1, 50], 1, 0.0),
    "several channels": ([60, 44, 60], 6, 0.0),
    "short": ([8, 3, 1, 2], 2, 0.0),
    "missing": ([70, 60, 41], 3, 0.3),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(params=INPUTS)
def prepared(request, kind, rng):
    """An encoder and the series it was prepared on."""
    lengths, channels, missing = INPUTS[request.param]
    x = ragged(rng, lengths, channels, missing)
    encoder = kind(channels)
    encoder.prepare(x, rng)
    return encoder, x


def minirocket_twin(encoder, x):
    series, lengths = x.filled(), x.lengths
    views = [(series, lengths), rocket_torch.differences(series, lengths)]
    return torch.cat(
        [
            rocket_torch.minirocket_on_device(
                *view, (bank.dilations, bank.counts, bank.subsets), bank.biases, encoder.poolings
            ).flatten(1)
            for bank, view in zip(encoder.banks, views, strict=False)
        ],
        dim=1,
    )


def hydra_twin(encoder, x):
    series, lengths = x.filled(), x.lengths
    parts = []
    for i, (values, steps) in enumerate(
        [(series, lengths), rocket_torch.differences(series, lengths)]
    ):
        strides = rocket_torch.strides_for(steps, encoder.most_steps)
        counts = hydra_on_device(
            values, steps, strides, encoder.dilations, encoder.weights[i], encoder.members[i]
        )
        seen = rocket_torch.steps_at(steps, strides)
        scaled = counts.flatten(1) * ((encoder.length - i) / seen)[:, None]
        parts.append(scaled.clamp(min=0).sqrt())
    return torch.cat(parts, dim=1)


def test_the_twin_in_tensor_operations_agrees(prepared):
    encoder, x = prepared
    twin = hydra_twin if isinstance(encoder, Hydra) else minirocket_twin
    torch.testing.assert_close(twin(encoder, x), encoder.embed(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("features", [84 * 119, 84 * 32, 84 * 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_shares_of_the_twin_agree_to_the_bit(rng, channels, features):
    """The same sums in the same order: no value falls on another side of a threshold."""
    x = ragged(rng, [200, 130, 64, 9, 1], channels=channels)
    encoder = MiniRocket(channels=channels, length=200, features=features)
    encoder.prepare(x, rng)
    assert torch.equal(minirocket_twin(encoder, x), encoder.embed(x))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("lengths", [[1], [9], [64], [150], [301], [150, 64, 9]])
def test_series_abreast_agree_with_the_twin_to_the_bit(rng, channels, lengths):
    """Sixteen of one length are counted together, the rest of them one by one."""
    x = ragged(rng, [steps for steps in lengths for _ in range(23)], channels=channels)
    encoder = MiniRocket(channels=channels, length=200, features=84 * 59)
    encoder.prepare(x, rng)
    assert torch.equal(minirocket_twin(encoder, x), encoder.embed(x))


def test_shares_alone_are_those_beside_other_poolings(rng):
    x = ragged(rng, [200, 133, 64, 9, 1])
    several = MiniRocket(channels=1, length=200, features=84 * 4 * 59, poolings=POOLINGS)
    several.prepare(x, rng)
    alone = MiniRocket(channels=1, length=200, features=84 * 59)
    alone.banks[0].biases = several.banks[0].biases
    assert torch.equal(alone.embed(x), several.embed(x)[:, : alone.dim])


def test_the_twin_in_pieces_agrees_to_the_bit(rng, monkeypatch):
    x = ragged(rng, [60] * 7)
    encoder = MiniRocket(channels=1, length=60, features=840, poolings=POOLINGS)
    whole = minirocket_twin(encoder, x)
    monkeypatch.setattr(rocket_torch, "CELLS", 84 * 60 * 9 * 2)  # two series at a time
    assert torch.equal(minirocket_twin(encoder, x), whole)


def test_padding_changes_no_bit(prepared):
    encoder, x = prepared
    junk = torch.full((*x.values.shape[:2], 37), 1e9)
    longer = Batch(
        torch.cat([x.values, junk], dim=2),
        torch.cat([x.observed, torch.zeros_like(junk, dtype=torch.bool)], dim=2),
    )
    assert torch.equal(encoder(longer), encoder(x))


def test_company_changes_no_bit(prepared):
    encoder, x = prepared
    together = encoder(x)
    for i in range(len(x.values)):
        alone = Batch(x.values[i : i + 1], x.observed[i : i + 1])
        assert torch.equal(encoder(alone)[0], together[i])


def test_threads_change_no_bit(prepared):
    encoder, x = prepared
    threads = torch.get_num_threads()
    found = []
    for count in {1, threads}:
        torch.set_num_threads(count)
        found.append(encoder(x))
    torch.set_num_threads(threads)
    assert all(torch.equal(part, found[0]) for part in found)


def test_values_not_observed_and_the_input_stay_out_of_it(prepared):
    encoder, x = prepared
    kept = x.values.clone()
    other = Batch(torch.where(x.observed, x.values, 77.0), x.observed)
    assert torch.equal(encoder(other), encoder(x))
    assert torch.equal(x.values, kept)


def test_rebuilt_from_settings_and_state_it_gives_the_same_bits(prepared, kind):
    encoder, x = prepared
    twin = kind(x.values.shape[1])
    twin.load_state_dict(encoder.state_dict())
    assert torch.equal(twin(x), encoder(x))


def test_the_seed_decides(kind):
    a, b = kind(5).state_dict(), kind(5).state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_another_seed_reads_other_channels():
    a, b = (MiniRocket(channels=9, length=60, features=840, seed=s) for s in (0, 1))
    assert not torch.equal(a.banks[0].subsets, b.banks[0].subsets)
    assert not torch.equal(
        Hydra(channels=1, length=60, seed=0).weights, Hydra(channels=1, length=60, seed=1).weights
    )


def test_each_channel_is_read(rng):
    """A change in any one channel is seen."""
    x = ragged(rng, [60, 60], channels=12)
    for build in KINDS.values():
        encoder = build(12)
        before = encoder(x)
        for channel in range(12):
            values = x.values.clone()
            values[:, channel] = values[:, channel].flip(1) * 3
            assert not torch.equal(encoder(Batch(values, x.observed)), before)
