"""TimeMAE: what encoder, teacher and queries see, and its losses."""

import math
import re

import pytest
import torch
from strided_toy import Strided
from torch import Generator, Tensor, nn
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.patches import draw_patches, patch_steps, patches_of
from selftime.objectives.timemae import Queries, TimeMAE, masked_vector_loss
from selftime.views.masks import hidden


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(4), dtype=torch.float64)


def timemae(*, share: float = 0.6, momentum: float = 0.9) -> TimeMAE:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    objective = TimeMAE(encoder=encoder, patch=4, codes=5, share=share, momentum=momentum, seed=2)
    objective = objective.double()
    objective.prepare(ragged(), seeded())
    return objective


def test_vectors_cost_their_squared_distance() -> None:
    made, wanted = numbers(2, 3, 4), numbers(2, 3, 4).flip(0)
    selected = torch.tensor([[1, 0, 1], [0, 0, 1]], dtype=torch.bool)
    each = [
        (made[b, p, d] - wanted[b, p, d]) ** 2
        for b, p in selected.nonzero().tolist()
        for d in range(4)
    ]
    torch.testing.assert_close(masked_vector_loss(made, wanted, selected), sum(each) / len(each))
    assert masked_vector_loss(made, wanted, selected & False) == 0
    assert torch.autograd.gradcheck(
        lambda z: masked_vector_loss(z, wanted, selected), made.requires_grad_()
    )


def test_queries_look_at_visible_patches_only_and_do_not_change_them() -> None:
    queries = Queries(6, seeded()).double()
    tokens, visible = numbers(2, 5, 6), torch.tensor([[1, 0, 1, 0, 1], [1, 1, 0, 0, 0]]).bool()
    made = queries(tokens, visible)
    hid = torch.where(visible[:, :, None], tokens, 99.0)
    torch.testing.assert_close(queries(hid, visible), made)
    other = tokens.clone()
    other[0, 0] += 1
    moved = (queries(other, visible) - made).abs().amax(dim=2) > 1e-9
    assert moved.tolist() == [[True, True, False, True, False], [False] * 5]
    assert not torch.isclose(made[1, 2], made[1, 3]).all()  # they know where they are
    shorter = queries(tokens[:, :4], visible[:, :4])
    torch.testing.assert_close(shorter[1], made[1, :4])


def test_the_encoder_sees_what_is_visible_and_the_teacher_what_is_hidden() -> None:
    x, objective, given = ragged((24, 17, 9)), timemae(), []
    for part in (objective.encoder, objective.teacher.module):
        part.register_forward_pre_hook(lambda module, args: given.append(args[0]))
    objective(x, seeded(3))
    selected = draw_patches(patches_of(x, 4).valid, 0.6, seeded(3))
    masked = patch_steps(selected, 4, 24)
    for got, wanted in zip(given, (hidden(x, ~masked), hidden(x, masked)), strict=True):
        assert torch.equal(got.observed, wanted.observed)
    last = torch.arange(24) == x.lengths[:, None] - 1
    assert not (given[0].observed & given[1].observed & ~last[:, None]).any()


def test_without_a_clue_a_code_costs_log_k_and_a_vector_its_variance() -> None:
    objective = timemae()
    for layer in (objective.word, objective.token):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    step = objective(ragged((24, 24, 24)), seeded())
    assert math.isclose(float(step.parts["codes"]), math.log(5))
    assert 0.9 < float(step.parts["vectors"]) <= 1
    torch.testing.assert_close(step.loss.detach(), sum(step.parts.values()))


def test_the_teacher_begins_as_the_encoder_and_follows_more_and_more_slowly() -> None:
    objective = timemae(momentum=0.9)
    weight, kept = objective.encoder.entry.weight, objective.teacher.module.entry.weight
    assert torch.equal(weight, kept)
    with torch.no_grad():
        weight += 1
    objective.after_step(1.0)
    torch.testing.assert_close(kept, weight - 1)
    objective.after_step(0.5)
    torch.testing.assert_close(kept, weight - 0.95)
    objective.after_step(0.0)
    torch.testing.assert_close(kept, weight - 0.95 * 0.9)
    objective.prepare(ragged(), seeded())
    assert torch.equal(weight, kept)


def test_only_the_student_learns() -> None:
    objective = timemae()
    objective(ragged((24, 24, 17)), seeded()).loss.backward()
    for name, weight in objective.named_parameters():
        if name.startswith("teacher"):
            assert weight.grad is None, name
        else:
            assert weight.grad.any(), name


def test_padding_and_what_stands_in_it_change_nothing() -> None:
    x, objective = with_gap(ragged(), 4, 11), timemae()
    wanted = objective(x, seeded()).loss
    garbage = Batch(x.values.where(x.observed, -7e4), x.observed)
    for other in (garbage, padded(x, 13)):
        torch.testing.assert_close(objective(other, seeded()).loss, wanted)


def test_series_of_one_patch_or_of_nothing_work() -> None:
    objective, x = timemae(), ragged((3, 2, 1))
    assert objective(x, seeded()).loss.isfinite()
    nothing = Batch(x.values, torch.zeros_like(x.observed))
    step = objective(nothing, seeded())
    assert step.loss == 0 and step.embeddings.isfinite().all()


def test_an_encoder_of_eight_steps_a_token_works_and_one_of_whole_series_does_not() -> None:
    objective = TimeMAE(encoder=Strided(), codes=4).double()
    objective.prepare(ragged(), seeded())
    objective(ragged((60, 40, 24)), seeded()).loss.backward()
    trained = [weight for weight in objective.parameters() if weight.requires_grad]
    assert all(weight.grad.any() for weight in trained)
    with pytest.raises(ValueError, match="use a multiple of 8"):
        TimeMAE(encoder=Strided(), patch=12)
    with pytest.raises(ValueError, match="sees a series only as a whole"):
        TimeMAE(encoder=MiniRocket(channels=1, length=30, features=84))


@pytest.mark.parametrize("name", ["share", "momentum"])
def test_shares_lie_between_0_and_1(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"got {name}=1.5, wanted a share from 0 to 1")):
        timemae(**{name: 1.5})
