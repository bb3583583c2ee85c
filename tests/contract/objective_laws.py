"""The laws that hold for every closed-form objective, as functions of an ClosedFormCase."""

import numpy as np
import torch
from encoder_laws import assert_same_bits, dice, patchy
from kinds import LENGTH, ClosedFormCase
from material import LENGTHS, chosen, copy_of, drawn, with_garbage
from torch import Tensor

from selftime.data.batch import Batch
from selftime.objectives.base import ClosedForm, Moments


def assert_same_moments(got: Moments, wanted: Moments) -> None:
    assert (got.series, got.copies) == (wanted.series, wanted.copies)
    for name in ("total", "outer", "within"):
        assert_same_bits(getattr(got, name), getattr(wanted, name))


def assert_close_moments(got: Moments, wanted: Moments) -> None:
    """Within the rounding of float32 features."""
    assert (got.series, got.copies) == (wanted.series, wanted.copies)
    size = float(wanted.outer.diagonal().sum())
    for name in ("total", "outer", "within"):
        torch.testing.assert_close(
            getattr(got, name), getattr(wanted, name), rtol=1e-5, atol=1e-6 * size
        )


def smallest_eigenvalue(matrix: Tensor) -> float:
    return float(torch.linalg.eigvalsh(matrix)[0])


def products(objective: ClosedForm, moments: Moments, x: Batch) -> Tensor:
    """(B,B) inner products of what is learned: the same however directions are ordered."""
    vectors = objective.solve(moments).embed(x)
    return vectors @ vectors.T


def sums_are_finite_and_nested(case: ClosedFormCase) -> None:
    for channels in (1, 3):
        x = patchy(channels)
        m = case.build(channels).accumulate(x, dice())
        assert m.series == len(LENGTHS) and m.copies % m.series == 0
        assert m.within.isfinite().all() and m.outer.isfinite().all()
        slack = -1e-9 * float(m.outer.diagonal().sum())
        between = m.outer - m.within - torch.outer(m.total, m.total) / m.copies
        assert smallest_eigenvalue(m.within) >= slack
        assert smallest_eigenvalue(between) >= slack


def same_seed_gives_the_same_bits(case: ClosedFormCase) -> None:
    x = patchy()
    first, second = (case.build(seed=1).accumulate(x, dice()) for _ in range(2))
    assert_same_moments(first, second)


def the_seed_of_a_batch_matters(case: ClosedFormCase) -> None:
    objective, x = case.build(), patchy()
    other = objective.accumulate(x, torch.Generator().manual_seed(8))
    assert not torch.allclose(objective.accumulate(x, dice()).within, other.within)


def the_order_of_batches_changes_nothing(case: ClosedFormCase) -> None:
    x, there, back = patchy(), case.build(), case.build()
    a, b = chosen(x, [0, 1]), chosen(x, [2, 3, 4])
    first_a, then_b = there.accumulate(a, dice()), there.accumulate(b, dice())
    first_b, then_a = back.accumulate(b, dice()), back.accumulate(a, dice())
    assert_same_moments(first_a + then_b, first_b + then_a)


def two_parts_add_up_to_the_whole(case: ClosedFormCase) -> None:
    objective, x = case.build(strength=0.0), patchy()  # still copies: nothing is drawn
    parts = [objective.accumulate(chosen(x, part), dice()) for part in ([0, 1], [2, 3, 4])]
    assert_close_moments(parts[0] + parts[1], objective.accumulate(x, dice()))


def seeing_everything_twice_teaches_nothing_new(case: ClosedFormCase) -> None:
    objective, x = case.build(), drawn(dice(), lengths=(LENGTH,) * 8)
    once = objective.accumulate(x, dice())
    got, wanted = products(objective, once + once, x), products(objective, once, x)
    scale = float(wanted.abs().max())
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4 * scale)


def what_is_learned_is_finite(case: ClosedFormCase) -> None:
    constant = drawn(dice(), lengths=(LENGTH,) * 4)
    constant = Batch(torch.ones_like(constant.values), constant.observed)
    for x in (patchy(), drawn(dice(), lengths=(1, 2, 3)), drawn(dice(), lengths=(9,)), constant):
        objective = case.build()
        moments = objective.accumulate(x, dice())
        assert moments.outer.isfinite().all()
        learned = objective.solve(moments)
        vectors = learned.embed(patchy())
        assert vectors.shape == (len(LENGTHS), learned.dim)
        assert vectors.isfinite().all() and vectors.abs().max() > 0


def numbers_where_nothing_was_observed_change_nothing(case: ClosedFormCase) -> None:
    objective, x = case.build(), patchy()
    wanted = objective.accumulate(x, dice())
    assert_same_moments(objective.accumulate(with_garbage(x, dice()), dice()), wanted)


def the_input_stays_untouched(case: ClosedFormCase) -> None:
    objective, x = case.build(), with_garbage(patchy(), dice())
    before = copy_of(x)
    objective.prepare(x, dice())
    objective.accumulate(x, dice())
    assert_same_bits(x.values, before.values)
    assert torch.equal(x.observed, before.observed)


def global_randomness_stays_untouched(case: ClosedFormCase) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    objective = case.build()
    objective.solve(objective.accumulate(patchy(), dice()))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


LAWS = (
    sums_are_finite_and_nested,
    same_seed_gives_the_same_bits,
    the_seed_of_a_batch_matters,
    the_order_of_batches_changes_nothing,
    two_parts_add_up_to_the_whole,
    seeing_everything_twice_teaches_nothing_new,
    what_is_learned_is_finite,
    numbers_where_nothing_was_observed_change_nothing,
    the_input_stays_untouched,
    global_randomness_stays_untouched,
)
"""Everything that must hold of a closed-form objective."""
