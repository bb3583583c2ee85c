"""MoCo: its loss beside loops, and a queue that holds what was seen and nothing else."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from contrast_loops import dot
from torch import Generator, Tensor
from torch.autograd import gradcheck
from toy_batches import ragged

from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.moco import MoCo, queue_contrast
from selftime.views.pairs import WeakStrong


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def drawn(rng: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def moco(*, length: int = 12, momentum: float = 0.9, temperature: float = 0.2) -> MoCo:
    return MoCo(
        encoder=Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1),
        pair=WeakStrong(),
        length=length,
        momentum=momentum,
        temperature=temperature,
    ).double()


def keys_of(objective: MoCo, seed: int) -> Tensor:
    _, second = objective.pair(ragged(), seeded(seed))
    return F.normalize(objective.teacher.module(second), dim=1).detach()


@pytest.mark.parametrize("earlier", [0, 1, 7])
def test_the_loss_equals_equation_1_of_he_et_al(rng: Generator, earlier: int):
    queries, temperature = drawn(rng, 4, 3), 0.3
    keys, queue = (F.normalize(drawn(rng, n, 3), dim=1) for n in (4, earlier))
    losses = []
    for i, q in enumerate(queries.tolist()):
        q = [x / math.hypot(*q) for x in q]
        weights = [math.exp(dot(q, k) / temperature) for k in keys.tolist() + queue.tolist()]
        losses.append(-math.log(weights[i] / sum(weights)))
    wanted = torch.tensor(sum(losses) / 4, dtype=torch.float64)
    torch.testing.assert_close(queue_contrast(queries, keys, queue, temperature), wanted)


def test_the_loss_has_the_gradient_of_finite_differences(rng: Generator):
    queries, keys, queue = (drawn(rng, n, 3).requires_grad_() for n in (4, 4, 5))
    assert gradcheck(lambda *z: queue_contrast(*z, 0.3), (queries, keys, queue))


def test_golden_numbers():
    """By hand: a positive at 1, negatives at right angles: log(e + n) − 1."""
    axes = torch.eye(4)
    for n in (1, 2):
        loss = queue_contrast(3 * axes[:2], axes[:2], axes[2 : 1 + n], 1.0)
        torch.testing.assert_close(loss, torch.tensor(math.log(math.e + n) - 1))
    equal = axes[:1].expand(2, 4)
    torch.testing.assert_close(queue_contrast(equal, equal, equal, 0.1), torch.tensor(math.log(4)))


def test_queries_are_contrasted_with_the_keys_of_the_teacher():
    x, objective = ragged(), moco(temperature=0.5)
    with torch.no_grad():
        objective.teacher.module.encoder.entry.weight += 0.3
    first, _ = objective.pair(x, seeded(3))
    vectors = objective.encoder.embed(first)
    step = objective(x, seeded(3))
    none = torch.zeros(0, 128).double()
    wanted = queue_contrast(objective.project(vectors), keys_of(objective, 3), none, 0.5)
    torch.testing.assert_close(step.loss, wanted)
    torch.testing.assert_close(step.embeddings, vectors.detach())
    step.loss.backward()
    assert all(weight.grad is None for weight in objective.teacher.parameters())


def test_the_queue_takes_the_newest_keys_and_drops_the_oldest():
    x, objective = ragged(), moco(length=12, momentum=1.0)  # 5 series a batch
    assert objective.filled == 0
    keys = [keys_of(objective, seed) for seed in range(3)]
    for seed, filled in ((0, 5), (1, 10), (2, 12)):
        objective(x, seeded(seed))
        objective.after_step(0.1)
        assert objective.filled == filled
        assert not objective.queue[filled:].any()
    torch.testing.assert_close(objective.queue, torch.cat(keys[::-1])[:12])


def test_a_full_queue_makes_the_task_harder():
    x, objective = ragged(), moco(momentum=1.0)
    alone = objective(x, seeded(3)).loss.detach()
    objective.after_step(0.1)
    beside = objective(x, seeded(3)).loss.detach()
    assert beside > alone + 0.1  # five more negatives, each a copy of a key
    queue = objective.queue[:5]
    first, _ = objective.pair(x, seeded(3))
    queries = objective.project(objective.encoder.embed(first))
    wanted = queue_contrast(queries, queue, queue, 0.2)
    torch.testing.assert_close(beside, wanted.detach())


def test_a_batch_is_pushed_once_its_step_is_taken_and_not_before():
    x, objective = ragged(), moco(momentum=1.0)
    first, again = (objective(x, seeded(3)).loss for _ in range(2))
    assert torch.equal(first, again) and objective.filled == 0
    objective.after_step(0.1)  # both were parts of one step
    assert objective.filled == 10
    objective.after_step(0.2)
    assert objective.filled == 10


def test_a_batch_larger_than_the_queue_and_no_queue_at_all():
    for length in (3, 0):
        objective = moco(length=length)
        for seed in range(2):
            assert objective(ragged(), seeded(seed)).loss.isfinite()
            objective.after_step(0.1)
        assert objective.filled == length and objective.queue.shape == (length, 128)


def test_the_encoder_of_the_keys_follows_at_one_pace():
    objective = moco(momentum=0.9)
    own, teacher = objective.encoder.entry.weight, objective.teacher.module.encoder.entry.weight
    for progress in (0.0, 1.0):
        with torch.no_grad():
            own += 1
        gap = own - teacher
        objective.after_step(progress)
        torch.testing.assert_close(own - teacher, 0.9 * gap)


@pytest.mark.parametrize(
    "setting, text",
    [
        ({"length": -1}, "got length=-1, wanted 0 or more: use 256"),
        ({"momentum": 2.0}, "got momentum=2.0, wanted a share from 0 to 1"),
        ({"temperature": 0.0}, "got temperature=0.0, wanted more than 0: use 0.2"),
    ],
)
def test_settings_out_of_range_are_refused(setting, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        moco(**setting)


def test_a_series_alone_is_refused():
    with pytest.raises(ValueError, match="got a batch of 1 series, wanted at least 2"):
        moco()(ragged((24,)), seeded())
