"""The laws of every legal pair of an objective and a kind of signal, and the number of each."""

import numpy as np
import torch
from cases_signals import SIGNAL_CASES
from encoder_laws import assert_same_bits, dice
from gradient_laws import DRAWS, learned_from
from material import with_gaps, with_garbage
from objective_laws import assert_same_moments

from selftime.data.batch import Batch
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.registry import OBJECTIVES


def patchy(signal: str) -> Batch:
    """The batch with gaps; of what follows in time some are shorter."""
    case = SIGNAL_CASES[signal]
    x = with_gaps(case.batch(), dice())
    if case.kind.in_time:
        T = x.values.shape[2]
        lengths = torch.full((len(x.values),), T)
        lengths[1], lengths[2] = T // 2, 3 * T // 4
        x = Batch(x.values, x.observed & (torch.arange(T) < lengths[:, None])[:, None])
    return x


def trainable(objective: Objective) -> set[str]:
    """Names of the weights that are to be trained."""
    return {name for name, weight in objective.named_parameters() if weight.requires_grad}


def a_finite_loss_reaches_every_weight(name: str, signal: str) -> None:
    case = SIGNAL_CASES[signal]
    objective = case.objective(name)
    loss, found = learned_from(objective, case.batch())
    assert loss.shape == () and loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in found.values())
    assert found.keys() == trainable(objective)
    assert not [weight for weight, gradient in found.items() if not gradient.abs().max() > 0]


def seed_state_and_what_was_observed_say_all(name: str, signal: str) -> None:
    """The same bits from the same seed, where other numbers fill gaps, and from another's state."""
    case, x = SIGNAL_CASES[signal], patchy(signal)
    first, again, other = (case.objective(name, seed=seed) for seed in (1, 1, 2))
    loss, wanted = learned_from(first, x)
    other.load_state_dict(first.state_dict())
    for same, given in ((again, with_garbage(x, dice())), (other, x)):
        got, found = learned_from(same, given)
        assert_same_bits(got, loss)
        for weight, gradient in wanted.items():
            assert_same_bits(found[weight], gradient)


def the_loss_falls(name: str, signal: str) -> None:
    case = SIGNAL_CASES[signal]
    objective, x = case.objective(name), case.batch()
    weights = [weight for weight in objective.parameters() if weight.requires_grad]
    optimiser, losses = torch.optim.AdamW(weights, 3e-3), []
    for step in range(2 * DRAWS):
        losses.append(float(learned_from(objective, x, seed=step % DRAWS)[0]))
        optimiser.step()
        objective.after_step((step + 1) / (2 * DRAWS))
    assert np.mean(losses[-DRAWS:]) < np.mean(losses[:DRAWS])


LAWS = (
    a_finite_loss_reaches_every_weight,
    seed_state_and_what_was_observed_say_all,
)
"""What must hold of every pair, beside the loss that falls."""


def sums_are_finite_and_masked(name: str, signal: str) -> None:
    case, x = SIGNAL_CASES[signal], patchy(signal)
    objective = case.closed_form(name)
    moments = objective.accumulate(x, dice())
    assert moments.outer.isfinite().all() and moments.within.isfinite().all()
    assert_same_moments(objective.accumulate(with_garbage(x, dice()), dice()), moments)
    assert_same_moments(case.closed_form(name).accumulate(x, dice()), moments)
    vectors = objective.solve(moments).embed(x)
    assert vectors.isfinite().all() and vectors.abs().max() > 0


def number_of(name: str, signal: str) -> float:
    """The loss of the first step; in closed form the mean square of all products of vectors."""
    case = SIGNAL_CASES[signal]
    if not issubclass(OBJECTIVES[name], ClosedForm):
        return float(case.objective(name)(case.batch(), dice()).loss.detach())
    objective, x = case.closed_form(name), case.batch()
    vectors = objective.solve(objective.accumulate(x, dice())).embed(x)
    return float((vectors @ vectors.T).square().mean())
