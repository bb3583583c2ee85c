"""Tokens of hidden steps beside encoding each beginning anew, and the score made of them."""

import numpy as np
import pytest
import torch

import selftime as st
from selftime.data.batch import Batch
from selftime.data.scaling import Unscaled, per_series
from selftime.encoders.networks.dilated import Dilated, visible_and_masked_tokens
from selftime.encoders.networks.recurrent import GRU
from selftime.tasks.anomaly.detect import Scoring, score_recording
from selftime.tasks.anomaly.record import ChannelRecord
from selftime.tasks.anomaly.scores.learned import RECENT_SCORES, can_hide, hidden_step, less_recent


def network(*, channels: int = 1, causal: bool = True) -> Dilated:
    return Dilated(channels=channels, hidden=6, depth=4, dim=8, causal=causal, seed=1)


def model(encoder=None, scaling=None) -> st.Model:
    encoder = encoder or network()
    return st.Model(encoder, scaling or Unscaled(), tuple(map(str, range(encoder.channels))))


def wave(T: int = 600) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.sin(np.arange(T) * 2 * np.pi / 40) + 0.05 * rng.normal(size=T)
    x[500] += 3.0
    return x


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_hidden_tokens_are_those_of_series_in_which_one_step_is_missing(gaps):
    """Of a series that goes on: what comes after the step does not count, but that it does."""
    encoder, rng = network(channels=2).double(), torch.Generator().manual_seed(0)
    values = torch.randn(3, 2, 40, generator=rng, dtype=torch.float64)
    observed = torch.rand(3, 2, 40, generator=rng) >= gaps
    observed[..., -1] = True
    with torch.no_grad():
        seen, hidden = visible_and_masked_tokens(encoder, Batch(values, observed))
        torch.testing.assert_close(seen, encoder(Batch(values, observed)), rtol=1e-10, atol=1e-12)
        for t in range(39):
            valid = observed[..., : t + 2].clone()
            valid[..., t], valid[..., t + 1] = False, True
            alone = encoder(Batch(values[..., : t + 2], valid))[:, t]
            torch.testing.assert_close(hidden[:, t], alone, rtol=1e-10, atol=1e-12)


def test_a_network_that_looks_ahead_is_refused():
    x = Batch(torch.zeros(1, 1, 4), torch.ones(1, 1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="got Dilated with causal=False, wanted causal=True"):
        visible_and_masked_tokens(network(causal=False), x)
    for unfit in (
        model(network(causal=False)),
        model(GRU(channels=1, hidden=4, causal=True)),
        model(scaling=per_series()),
    ):
        assert not can_hide(unfit)
        with pytest.raises(ValueError, match="wanted one of a causal dilated network whose values"):
            hidden_step([ChannelRecord(wave(), 300, 40)], unfit)
    assert can_hide(model())


def score_by_loop(x: np.ndarray, encoder: Dilated) -> list[float]:
    """‖rₜ − r′ₜ‖₁ from two encodings a step, then less the mean of 21 before, by it."""
    apart = []
    for t in range(len(x)):
        values = torch.tensor(np.append(x[: t + 1], 0.0)[None, None], dtype=torch.float32)
        valid = torch.ones_like(values, dtype=torch.bool)
        seen = encoder(Batch(values, valid))[0, t]
        valid[..., t] = False
        apart.append(float((seen - encoder(Batch(values, valid))[0, t]).abs().sum()))
    out = [0.0]
    for t in range(1, len(x)):
        recent = apart[max(t - RECENT_SCORES, 0) : t]
        usual = sum(recent) / len(recent)
        out.append((apart[t] - usual) / usual)
    return out


@pytest.mark.late
def test_the_score_is_what_plain_loops_give():
    x, encoder = wave()[440:560], network()
    with torch.no_grad():
        wanted = score_by_loop(x, encoder)
    found = hidden_step([ChannelRecord(x, 60, 20, True)], model(encoder))
    np.testing.assert_allclose(found, wanted, atol=1e-4)  # single precision
    assert np.argmax(found) == 60  # the spike, at once


def test_each_recording_begins_anew():
    x = wave()
    whole = hidden_step([ChannelRecord(x, 300, 40, True, (250,))], model())
    rest = hidden_step([ChannelRecord(x[250:], 50, 40, True)], model())
    np.testing.assert_allclose(
        whole[250 + RECENT_SCORES + 1 :], rest[RECENT_SCORES + 1 :], atol=1e-4
    )


def test_a_score_of_nothing_but_equal_steps_is_0():
    np.testing.assert_array_equal(less_recent(np.zeros(50)), 0)
    np.testing.assert_allclose(less_recent(np.full(50, 3.0)), 0, atol=1e-12)


def test_a_detector_takes_it_from_its_model():
    x = wave()
    alone = Scoring(past_only=True, members=("energy",), model=model(), learned=("hidden step",))
    found = score_recording(x[None], 300, recipe=alone).scores
    assert np.argmax(found) == 500
    changed = np.where(np.arange(600) < 450, x, 7.0)
    again = score_recording(changed[None], 300, recipe=alone).scores
    np.testing.assert_allclose(again[:450], found[:450], atol=1e-4)
    both = st.AnomalyDetector(model(), learned=("embeddings", "hidden step")).fit(x[:300])
    assert 480 <= 300 + np.argmax(both.score(x[300:])) <= 540
    with pytest.raises(
        ValueError, match=r"got members \['guess'\], wanted some of embeddings, hid"
    ):
        st.AnomalyDetector(model(), learned=("guess",)).fit(x[:300]).score(x[300:])
