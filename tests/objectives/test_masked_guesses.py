"""Masked objectives fill in what they hid: of every kind, without looking, and as they learn to."""

import pytest
import torch
from sight_material import KINDS, series_of_kind

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.windows import batch_of
from selftime.encoders.builders import embedder_for
from selftime.encoders.networks.transformer import Transformer
from selftime.objectives.base import Guess, Objective
from selftime.objectives.formula import build_objective
from selftime.objectives.mae import MAE
from selftime.objectives.registry import OBJECTIVES

HIDING = ("masked_values", "masked_patches", "mae", "bert")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def objective_for(name: str, kind_name: str) -> tuple[Objective, Batch]:
    """A small objective, prepared, and a batch of its kind with a gap."""
    series = series_of_kind(kind_name, gap=True)
    x = scaling.fit(series).apply(batch_of(series))
    channels, length = x.values.shape[1:]
    tokens = embedder_for(series.kind, channels=channels, length=length, dim=8)
    network = Transformer(embedder=tokens, depth=1, heads=2)
    made = build_objective(name, network, kind=series.kind, length=length)
    made.prepare(x, seeded())
    return made.eval(), x


def guess_by(objective: Objective, x: Batch) -> Guess:
    with torch.no_grad():
        found = objective.guess(x, seeded(1))
    assert found is not None
    return found


LEGAL = [(name, kind) for name in HIDING for kind in KINDS if kind in OBJECTIVES[name].signals]


@pytest.mark.parametrize("name, kind_name", LEGAL)
def test_every_kind_is_filled_in(name, kind_name):
    objective, x = objective_for(name, kind_name)
    found = guess_by(objective, x)
    T = found.whole.values.shape[2]
    assert found.made.shape == found.hidden.shape == found.whole.values.shape
    torch.testing.assert_close(found.whole.values, x.values[:, :, :T], rtol=0, atol=0)
    some = found.hidden.flatten(1).any(dim=1)  # a last step that carries the length stays
    assert some.sum() >= 4 and not (found.hidden & ~x.observed).any()
    assert found.made.isfinite().all()
    if (V := KINDS[kind_name].symbols) is not None:
        made = found.made[found.hidden]
        assert (made == made.round()).all() and 0 <= made.min() <= made.max() < V


@pytest.mark.parametrize("kind_name", ["series", "text"])
@pytest.mark.parametrize("name", HIDING)
def test_what_is_hidden_is_not_looked_at(name, kind_name):
    objective, x = objective_for(name, kind_name)
    found = guess_by(objective, x)
    other = torch.where(found.hidden, x.values.flip(0), x.values)
    assert (other != x.values).any()
    again = guess_by(objective, Batch(other, x.observed))
    assert torch.equal(again.hidden, found.hidden) and torch.equal(again.made, found.made)


@pytest.mark.parametrize("name", ["masked_values", "masked_patches", "mae"])
def test_guesses_are_what_the_loss_is_of(name):
    objective, x = objective_for(name, "series")
    found = guess_by(objective, x)
    error = (found.made - found.whole.values)[found.hidden].square().mean()
    with torch.no_grad():
        torch.testing.assert_close(objective(x, seeded(1)).loss, error)


def test_codes_are_shown_as_their_centres():
    objective, x = objective_for("bert", "images")
    made = guess_by(objective, x).made.transpose(1, 2).flatten(0, 1)  # (B·P,C)
    same = (made[:, None] == objective.codebook.centres).all(dim=2)
    assert same.any(dim=1).all()


@pytest.mark.late
@pytest.mark.parametrize("name", HIDING)
def test_a_text_that_says_one_thing_is_soon_guessed(name):
    objective, x = objective_for(name, "text")
    one = Batch(torch.full_like(x.values, 3.0), x.observed)
    optimiser = torch.optim.AdamW(objective.parameters(), lr=0.05)
    for step in range(15):
        optimiser.zero_grad()
        objective(one, seeded(step)).loss.backward()
        optimiser.step()
    found = guess_by(objective, one)
    assert (found.made == 3)[found.hidden].all()


def test_others_hide_nothing():
    objective, x = objective_for("simclr", "series")
    assert objective.guess(x, seeded()) is None
    both, x = objective_for("simclr + 0.5*mae", "series")
    assert torch.equal(guess_by(both, x).made, guess_by(both.objectives[1], x).made)
    mean_left_out = MAE(encoder=objective.encoder, patch=6, normalise=True)
    assert mean_left_out.guess(x, seeded()) is None
