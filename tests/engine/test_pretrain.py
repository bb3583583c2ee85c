"""Pretraining: every choice explained and recorded, wrong questions refused, any input read."""

import json

import numpy as np
import pytest

from selftime.data.arrays import SeriesError
from selftime.data.series import SeriesSet
from selftime.encoders.builders import BUILDERS
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.engine.choices import copies_for
from selftime.engine.pretrain import pretrain
from selftime.objectives.spectral import Spectral


def walks(n=8, channels=1, T=24, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels, T)).cumsum(axis=2)


@pytest.mark.late
def test_every_choice_has_a_reason():
    model = pretrain(walks())
    settings = model.card["settings"]
    assert {"objective", "encoder", "copies", "seed"} <= set(settings)
    assert all(set(choice) == {"value", "reason"} for choice in settings.values())
    assert all(len(choice["reason"]) >= 5 for choice in settings.values())
    assert settings["objective"]["value"] == "spectral" and settings["encoder"]["value"] == "rocket"
    assert "given" not in (settings["objective"]["reason"], settings["encoder"]["reason"])


def test_what_was_given_is_said_to_be_given():
    settings = pretrain(walks(), objective="spectral", encoder="quantiles", seed=3).card["settings"]
    for name, value in {"objective": "spectral", "encoder": "quantiles", "seed": 3}.items():
        assert settings[name] == {"value": value, "reason": "given"}


def test_the_card_says_what_it_was_learned_from():
    x = walks(channels=2)
    x[0, 1, :6] = np.nan
    card = pretrain(x, encoder="quantiles").card
    data = card["data"]
    assert data["fingerprint"] == SeriesSet.of(x).fingerprint()
    assert (data["series"], data["channels"], data["shortest"], data["longest"]) == (8, 2, 24, 24)
    assert data["missing"] == pytest.approx(6 / x.size, abs=1e-6)
    assert {"selftime", "torch", "numpy", "python"} <= set(card["versions"])
    assert card["figures"]["seconds to learn"] >= 0
    assert json.loads(json.dumps(card)) == card


def test_labels_are_not_read():
    x = walks()
    plain = pretrain(x, encoder="quantiles")
    labelled = pretrain(SeriesSet.of(x, np.arange(8) % 2), encoder="quantiles")
    np.testing.assert_array_equal(labelled.embed(x), plain.embed(x))
    assert labelled.card["data"] == plain.card["data"]


QUICK = ("rocket", "quantiles", "dilated", "gru", "patchtst_42")
"""One of each kind before each commit; the contract suite builds every class twice there."""


@pytest.mark.late
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in BUILDERS],
)
def test_every_named_encoder_learns_and_repeats_to_the_bit(name):
    x = walks(6)
    first, again = (pretrain(x, encoder=name, seed=2).embed(x) for _ in range(2))
    assert first.shape[0] == 6 and np.isfinite(first).all() and first.std() > 0
    np.testing.assert_array_equal(first, again)


def test_the_seed_decides():
    x = walks()
    one, other = (pretrain(x, encoder="quantiles", seed=seed).embed(x) for seed in (0, 1))
    assert one.shape != other.shape or not np.allclose(one, other, atol=1e-4)


def test_ragged_missing_and_many_channels():
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(3, t)).cumsum(axis=1) for t in (1, 2, 9, 30, 30, 17)]
    x[3][1] = np.nan  # a channel that was never observed
    x[4][:, 10:20] = np.nan
    Z = pretrain(x, encoder="quantiles").embed(x)
    assert np.isfinite(Z).all() and len(np.unique(Z.round(5), axis=0)) == 6


def test_a_ready_objective_is_used_as_it_is():
    x = walks()
    objective = Spectral(encoder=Quantiles(channels=1, length=24), copies=2, dim=3)
    model = pretrain(x, objective=objective)
    assert model.dim == 3
    choice = model.card["settings"]["objective"]
    assert choice["reason"] == "given" and choice["value"].startswith("Spectral(encoder=Quantiles(")


def test_a_ready_encoder_is_used_as_it_is():
    x = walks()
    settings = pretrain(x, encoder=Quantiles(channels=1, length=24, depth=2)).card["settings"]
    value = repr(Quantiles(channels=1, length=24, depth=2))
    assert settings["encoder"] == {"value": value, "reason": "given"}


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"encoder": "rockets"}, "got encoder 'rockets', wanted one of rocket, minirocket"),
        ({"objective": "magic"}, "got objective 'magic', wanted one of spectral"),
        (
            {
                "objective": Spectral(encoder=Quantiles(channels=1, length=8)),
                "encoder": "quantiles",
            },
            "got an objective and an encoder: give the encoder to the objective",
        ),
        (
            {"objective": "spectral", "budget": "6 steps"},
            "got a budget for Spectral, .* leave it out, give a time .*, or choose .* 'ts2vec'",
        ),
    ],
)
def test_wrong_questions_are_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        pretrain(walks(), **settings)


def test_one_series_is_refused():
    with pytest.raises(
        SeriesError, match="got 1 series, wanted at least 2: .* cut a long recording"
    ):
        pretrain(walks(1))


def test_progress_is_told_to_the_end():
    told = []
    pretrain(walks(70), encoder="quantiles", progress=lambda *at: told.append(at))
    assert told[-1] == ("learning", 70, 70)
    assert [at[1] for at in told] == sorted(at[1] for at in told)


def test_fewer_and_shorter_series_get_more_copies():
    counts = [copies_for(n, 50 * n) for n in (2, 100, 500, 1000, 10**6)]
    assert counts == sorted(counts, reverse=True) and counts[0] == 20 and counts[-1] == 3
    assert copies_for(100, 100 * 1200) == 5 < copies_for(100, 100 * 50)
