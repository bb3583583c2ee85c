"""The laws that hold for every objective learned by gradient, as functions of a GradientCase."""

from copy import deepcopy

import numpy as np
import torch
from encoder_laws import assert_same_bits, dice, patchy
from kinds import LENGTH, GradientCase
from material import LENGTHS, copy_of, drawn, padded, waves, with_garbage
from ranks_in_threads import on_ranks
from torch import Tensor

from selftime.data.batch import Batch
from selftime.objectives.base import Objective
from selftime.settings import settings_of

ROUNDING = 1e-5
"""Matrix products may add up in an order that depends on how many rows there are."""


def gradients(objective: Objective) -> dict[str, Tensor]:
    """What the last backward pass left at each weight that has a gradient."""
    found = objective.named_parameters()
    return {name: weight.grad for name, weight in found if weight.grad is not None}


def learned_from(objective: Objective, x: Batch, seed: int = 7) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch and all gradients."""
    objective.zero_grad()
    loss = objective(x, torch.Generator().manual_seed(seed)).loss
    loss.backward()
    return loss.detach(), gradients(objective)


def assert_learns(objective: Objective, x: Batch) -> None:
    """The loss is finite, and so is every gradient."""
    loss, found = learned_from(objective, x)
    assert loss.isfinite()
    assert found and all(gradient.isfinite().all() for gradient in found.values())


def assert_close(got: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Gradients that differ by no more than rounding, measured by the largest of them."""
    assert got.keys() == wanted.keys()
    size = max(float(gradient.abs().max()) for gradient in wanted.values())
    for name, gradient in wanted.items():
        torch.testing.assert_close(got[name], gradient, rtol=ROUNDING, atol=ROUNDING * size)


DRAWS = 5
"""After so many steps views are drawn as before, so that losses differ by what was learned."""


def trained(case: GradientCase, objective: Objective, steps: int) -> list[float]:
    """Losses of some steps on sine waves of three speeds, the same waves in each."""
    weights = [weight for weight in objective.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, 3e-3)
    x = case.read(waves(dice(), channels=3))
    losses = []
    for step in range(steps):
        losses.append(float(learned_from(objective, x, seed=step % DRAWS)[0]))
        optimiser.step()
        objective.after_step((step + 1) / steps)
    return losses


def gives_a_finite_scalar_loss(case: GradientCase) -> None:
    for channels in (1, 3):
        objective = case.build(channels)
        for x in map(case.read, (drawn(dice(), channels=channels), patchy(channels))):
            loss = objective(x, dice()).loss
            assert loss.shape == () and loss.dtype == torch.float32 and loss.requires_grad
            assert loss.isfinite()


def what_it_reports_is_detached(case: GradientCase) -> None:
    objective = case.build()
    step = objective(case.read(patchy()), dice())
    assert step.embeddings.shape == (len(LENGTHS), objective.encoder.dim)
    assert step.embeddings.isfinite().all()
    assert not step.embeddings.requires_grad
    for part in step.parts.values():
        assert part.shape == () and not part.requires_grad


def every_trainable_weight_gets_a_gradient_and_no_frozen_one(case: GradientCase) -> None:
    objective = case.build()
    weights = list(objective.encoder.parameters())
    for weight in weights[: len(weights) // 2]:
        weight.requires_grad_(False)
    trainable = {name for name, weight in objective.named_parameters() if weight.requires_grad}
    _, found = learned_from(objective, case.read(waves(dice(), channels=3)))
    assert found.keys() == trainable
    assert not [name for name, gradient in found.items() if not gradient.abs().max() > 0]


def the_loss_falls(case: GradientCase) -> None:
    losses = trained(case, case.build(), steps=4 * DRAWS)
    assert np.mean(losses[-DRAWS:]) < np.mean(losses[:DRAWS])


def same_seed_gives_the_same_bits(case: GradientCase) -> None:
    x = case.read(patchy())
    (first, there), (second, back) = (learned_from(case.build(seed=1), x) for _ in range(2))
    assert_same_bits(first, second)
    assert there.keys() == back.keys()
    for name, gradient in there.items():
        assert_same_bits(gradient, back[name])


def other_draws_give_another_loss(case: GradientCase) -> None:
    objective, x = case.build(), case.read(patchy())
    assert learned_from(objective, x, seed=7)[0] != learned_from(objective, x, seed=8)[0]


def settings_and_state_are_the_whole_objective(case: GradientCase) -> None:
    objective, x = case.build(seed=1), case.read(patchy())
    trained(case, objective, steps=2)  # teachers and their like have moved
    again = case.build(seed=2)
    again.load_state_dict(objective.state_dict())
    (first, there), (second, back) = (learned_from(one, x) for one in (objective, again))
    assert_same_bits(first, second)
    for name, gradient in there.items():
        assert_same_bits(gradient, back[name])


def numbers_where_nothing_was_observed_change_nothing(case: GradientCase) -> None:
    objective, x = case.build(), case.read(patchy())
    wanted, _ = learned_from(objective, x)
    assert_same_bits(learned_from(objective, with_garbage(x, dice()))[0], wanted)


def padding_changes_nothing(case: GradientCase) -> None:
    objective, x = case.build(), case.read(patchy())
    loss, wanted = learned_from(objective, x)
    more, found = learned_from(objective, padded(x, 37))
    torch.testing.assert_close(more, loss, rtol=ROUNDING, atol=ROUNDING)
    assert_close(found, wanted)


def the_input_stays_untouched(case: GradientCase) -> None:
    objective, x = case.build(), with_garbage(case.read(patchy()), dice())
    before = copy_of(x)
    objective.prepare(x, dice())
    learned_from(objective, x)
    assert_same_bits(x.values, before.values)
    assert torch.equal(x.observed, before.observed)


def the_shortest_series_work(case: GradientCase) -> None:
    objective = case.build()
    for T in (1, 2, 3):
        assert_learns(objective, case.read(drawn(dice(), lengths=(T,) * 4)))


def unequal_lengths_work(case: GradientCase) -> None:
    objective = case.build()
    for lengths in (LENGTHS, (40, 41, 42), (1, 3, 2), (3 * LENGTH + 1, 5)):
        assert_learns(objective, case.read(drawn(dice(), lengths=lengths)))


def constant_series_work(case: GradientCase) -> None:
    objective, x = case.build(), case.read(patchy())
    for value in (0.0, 3.0):
        assert_learns(objective, Batch(torch.full_like(x.values, value), x.observed))


def every_channel_counts_by_its_place(case: GradientCase) -> None:
    objective, x = case.build(), drawn(dice(), lengths=(LENGTH,) * 4)
    wanted, _ = learned_from(objective, case.read(x))
    for order in ([1, 0, 2], [0, 2, 1]):
        swapped = case.read(Batch(x.values[:, order], x.observed[:, order]))
        assert not torch.isclose(learned_from(objective, swapped)[0], wanted)
    for channel in range(3):
        values = x.values.clone()
        values[:, channel] = values[:, channel].flip(1) * 2
        moved = case.read(Batch(values, x.observed))
        assert not torch.isclose(learned_from(objective, moved)[0], wanted)


def global_randomness_stays_untouched(case: GradientCase) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    objective = case.build()
    assert torch.equal(torch.get_rng_state(), torch_before)
    trained(case, objective, steps=1)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


def a_batch_of_one_works_or_says_why_not(case: GradientCase) -> None:
    objective, alone = case.build(), case.read(drawn(dice(), lengths=(LENGTH,)))
    try:
        loss = objective(alone, dice()).loss
    except ValueError as error:
        assert "got a batch of 1 series, wanted" in str(error)
    else:
        assert loss.isfinite()


def several_ranks_learn_what_one_does(case: GradientCase) -> None:
    objective, x = case.build(), case.read(patchy())
    loss, wanted = learned_from(objective, x)
    for world in (2, 3):  # 5 series: neither divides them
        copies = [deepcopy(objective) for _ in range(world)]
        made = on_ranks(world, lambda rank, own=copies: learned_from(own[rank], x))
        for own, _ in made:
            torch.testing.assert_close(own, loss, rtol=ROUNDING, atol=ROUNDING)
        assert all(found.keys() == wanted.keys() for _, found in made)
        means = {name: sum(found[name] for _, found in made) / world for name in wanted}
        assert_close(means, wanted)


def repr_shows_the_settings(case: GradientCase) -> None:
    objective = case.build()
    for name in settings_of(objective):
        assert f"{name}=" in repr(objective), repr(objective)


LAWS = (
    gives_a_finite_scalar_loss,
    what_it_reports_is_detached,
    every_trainable_weight_gets_a_gradient_and_no_frozen_one,
    the_loss_falls,
    same_seed_gives_the_same_bits,
    other_draws_give_another_loss,
    settings_and_state_are_the_whole_objective,
    numbers_where_nothing_was_observed_change_nothing,
    padding_changes_nothing,
    the_input_stays_untouched,
    the_shortest_series_work,
    unequal_lengths_work,
    constant_series_work,
    every_channel_counts_by_its_place,
    global_randomness_stays_untouched,
    a_batch_of_one_works_or_says_why_not,
    several_ranks_learn_what_one_does,
    repr_shows_the_settings,
)
"""Everything that must hold of an objective learned by gradient."""
