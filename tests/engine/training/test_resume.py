"""A run that is taken up from a state goes on as if it had never stopped, to the bit."""

import pytest
import torch
from training_material import advanced, assert_same_state, followed, training_of, waves

from selftime.data.windows import batch_of
from selftime.engine.training import checkpoint
from selftime.engine.training.checkpoint import CheckpointError, State

pytestmark = pytest.mark.again  # test_training.py advances the same runs with types checked
BOTH = pytest.mark.parametrize("name", ["ts2vec", "simclr"])


def through_disk(training, folder):
    checkpoint.save_checkpoint(folder, training.state())
    return checkpoint.newest_checkpoint(folder)


@pytest.mark.late
@pytest.mark.parametrize(
    "name, accumulate, averaging",
    [
        ("ts2vec", 1, "mean"),
        ("simclr", 1, "ema"),
        ("ts2vec", 2, "none"),
        ("simclr", 2, "mean"),
    ],
)
def test_a_run_that_is_taken_up_ends_in_the_same_bits(name, accumulate, averaging, tmp_path):
    settings = {"averaging": averaging, "accumulate": accumulate, "clip": 0.7}
    straight = training_of(name, "8 steps", **settings)
    losses = advanced(straight, 8)
    first = training_of(name, "8 steps", **settings)
    advanced(first, 3)
    state = through_disk(first, tmp_path)
    second = training_of(name, "8 steps", **settings)
    advanced(second, 1)  # whatever it was before, it is what the state says afterwards
    second.restore(state)
    assert second.step == 3
    assert second.seconds == first.seconds
    assert advanced(second, 5) == losses[3:]
    assert_same_state(second.state(), straight.state())
    straight.finish(), second.finish()
    whole, halves = straight.objective.encoder, second.objective.encoder
    x = batch_of(waves())
    assert torch.equal(whole.embed(x), halves.embed(x))


@pytest.mark.late
def test_teachers_are_part_of_the_state(tmp_path):
    straight, first, second = followed(), followed(), followed()
    losses = advanced(straight, 12)
    advanced(first, 5)
    second.restore(through_disk(first, tmp_path))
    assert advanced(second, 7) == losses[5:]
    assert_same_state(second.state(), straight.state())


@pytest.mark.late
@BOTH
def test_a_state_stays_what_it_was(name):
    training = training_of(name)
    advanced(training, 2)
    state = training.state()
    copy = State({k: t.clone() for k, t in state.tensors.items()}, dict(state.facts))
    advanced(training, 2)
    assert_same_state(state, copy)
    training.restore(state)
    advanced(training, 2)  # the optimiser writes into its moments, not into those of the state
    assert_same_state(state, copy)


def test_a_state_of_another_objective_is_turned_away():
    training, other = training_of("ts2vec"), training_of("simclr")
    advanced(other, 1)
    with pytest.raises(CheckpointError, match="the checkpoint is of another objective"):
        training.restore(other.state())
    wider = followed()
    with pytest.raises(CheckpointError, match="the checkpoint is of another objective"):
        wider.restore(training.state())
