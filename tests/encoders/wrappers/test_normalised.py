"""Series without level and scale, and channels by themselves, beside plain loops."""

import math

import pytest
import torch
from toy_batches import ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.base import Joined
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised, normalised


def small(channels: int, *, causal: bool = False) -> Dilated:
    return Dilated(channels=channels, hidden=4, depth=2, dim=6, causal=causal, seed=1).double()


def test_values_are_normalised_as_equations_1_and_2_say() -> None:
    x = with_gap(ragged(), 4, 12)
    made = normalised(x)
    assert torch.equal(made.observed, x.observed)
    for b in range(len(x.values)):
        for c in range(2):
            places = [t for t in range(24) if x.observed[b, c, t]]
            values = [float(x.values[b, c, t]) for t in places]
            mean = sum(values) / len(values)
            variance = sum((value - mean) ** 2 for value in values) / len(values)
            for t in range(24):
                scaled = (float(x.values[b, c, t]) - mean) / math.sqrt(variance + 1e-5)
                wanted = scaled if t in places else 0.0
                assert made.values[b, c, t].item() == pytest.approx(wanted, abs=1e-9)


def test_level_and_scale_change_nothing() -> None:
    x, encoder = ragged((24, 17)), InstanceNormalised(encoder=small(2))
    other = Batch(x.values * torch.tensor([[3.0], [50.0]]) - 20, x.observed)
    torch.testing.assert_close(encoder.embed(other), encoder.embed(x), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(encoder.encoder.embed(other), encoder.encoder.embed(x), rtol=1e-2)


def test_a_constant_or_missing_channel_becomes_zeros() -> None:
    values = torch.stack([torch.full((1, 9), 7.0), torch.full((1, 9), 2.0)], dim=1)
    observed = torch.ones_like(values, dtype=torch.bool)
    observed[:, 1] = False
    made = normalised(Batch(values, observed))
    assert made.values.abs().max() == 0


def test_all_roads_lead_through_normalised_series() -> None:
    x, inner = ragged((24, 17)), small(2, causal=True)
    encoder, wanted = InstanceNormalised(encoder=inner), inner(normalised(x))
    places = torch.tensor([[3, 7], [0, 16]])
    torch.testing.assert_close(encoder(x), wanted)
    torch.testing.assert_close(encoder.span(x, 3, 9), wanted[:, 3:9])
    torch.testing.assert_close(encoder.tokens_at(x, places)[1], wanted[1, [0, 16]])
    torch.testing.assert_close(encoder.pool(wanted, x), encoder.embed(x))
    torch.testing.assert_close(encoder.embed(x), inner.embed(normalised(x)))
    assert not encoder.causal and encoder.channels == 2 and encoder.stride == 1
    whole = InstanceNormalised(encoder=Joined(encoders=[inner]))
    assert not hasattr(whole, "channels") and whole.stride is None


def test_every_channel_is_encoded_as_if_it_were_alone() -> None:
    x = with_gap(ragged((24, 17, 9), channels=3), 4, 7)
    inner = small(1)
    encoder = ByChannel(channels=3, encoder=inner)
    tokens, vectors = encoder(x), encoder.embed(x)
    places = torch.tensor([[3, 7], [0, 16], [8, 2]])
    chosen = encoder.tokens_at(x, places)
    assert encoder.by_channel and encoder.dim == 18 and tokens.shape == (3, 24, 18)
    for c in range(3):
        alone = Batch(x.values[:, c : c + 1], x.observed[:, c : c + 1])
        part = slice(6 * c, 6 * c + 6)
        torch.testing.assert_close(tokens[:, :, part], inner(alone))
        torch.testing.assert_close(vectors[:, part], inner.embed(alone))
        torch.testing.assert_close(chosen[:, :, part], inner.tokens_at(alone, places))
        torch.testing.assert_close(encoder.span(x, 2, 5)[:, :, part], inner(alone)[:, 2:5])
    torch.testing.assert_close(encoder.pool(tokens, x), vectors)


def test_an_encoder_of_several_channels_cannot_read_each() -> None:
    with pytest.raises(ValueError, match="got an encoder of 2 channels, wanted one"):
        ByChannel(channels=2, encoder=small(2))
    assert ByChannel(channels=2, encoder=small(1, causal=True)).causal


def test_parts_within_are_prepared_on_what_they_will_see() -> None:
    x = ragged((24, 24))
    single = Batch(x.values.float(), x.observed)
    encoder = ByChannel(channels=2, encoder=MiniRocket(channels=1, length=24, features=84))
    encoder.prepare(single, torch.Generator().manual_seed(0))
    assert encoder.embed(single).shape == (2, 168)
