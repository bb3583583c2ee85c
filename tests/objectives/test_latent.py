"""JEPA and data2vec: losses beside loops, hidden blocks, and the teacher."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from toy_batches import padded, ragged, sines, with_gap

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.transformer import Transformer
from selftime.objectives.base import Objective
from selftime.objectives.data2vec import Data2Vec
from selftime.objectives.jepa import JEPA, draw_blocks
from selftime.objectives.parts.teacher import patch_targets
from selftime.objectives.patches import (
    draw_patches,
    encode_visible,
    patch_steps,
    patches_of,
)
from selftime.views.masks import hidden

LENGTHS = (24, 17, 9, 2, 1)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def dilated() -> Encoder:
    return Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)


def transformer() -> Encoder:
    embedder = PatchEmbedder(channels=2, length=24, patch=4, stride=2, dim=8)
    return Transformer(embedder=embedder, depth=1, heads=2)


def moved(objective: Objective) -> Objective:
    """With a teacher that is not the student."""
    rng = seeded(8)
    with torch.no_grad():
        for weight in objective.teacher.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=rng, dtype=weight.dtype)
    return objective


def normal(z: list[float]) -> list[float]:
    """To mean 0 and variance 1, as layer normalisation does it."""
    mean = sum(z) / len(z)
    spread = (sum((v - mean) ** 2 for v in z) / len(z) + 1e-5) ** 0.5
    return [(v - mean) / spread for v in z]


def mean_of(rows: Tensor) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows.tolist(), strict=True)]


def free_of(x: Batch, size: int) -> Tensor:
    return patches_of(x, size).observed.flatten(2).any(dim=2)


def test_jepa_costs_what_a_loop_over_hidden_patches_says() -> None:
    x = with_gap(ragged(LENGTHS), 4, 9)
    objective = moved(JEPA(encoder=dilated(), patch=4).double())
    free = free_of(x, 4)
    masked = draw_blocks(free, 4, seeded(3))
    seen = hidden(x, ~patch_steps(masked, 4, 24))
    visible_tokens, embeddings = encode_visible(objective.encoder, seen, free & ~masked, 4)
    made = objective.predictor(visible_tokens, free & ~masked, masked).detach()
    latents, errors = objective.teacher.module(x), list[float]()
    for b, p in masked.nonzero().tolist():
        wanted = normal(mean_of(latents[b, 4 * p : min(4 * p + 4, LENGTHS[b])]))
        errors += [(a - w) ** 2 for a, w in zip(made[b, p].tolist(), wanted, strict=True)]
    step = objective(x, seeded(3))
    assert len(errors) > 30
    assert float(step.loss.detach()) == pytest.approx(sum(errors) / len(errors), rel=1e-9)
    torch.testing.assert_close(step.embeddings, embeddings.detach())


def test_data2vec_costs_what_a_loop_over_hidden_steps_says() -> None:
    x = with_gap(ragged(LENGTHS), 4, 9)
    objective = moved(Data2Vec(encoder=dilated(), patch=4).double())
    masked = draw_patches(free_of(x, 4), 0.5, seeded(3)).repeat_interleave(4, dim=1)
    seen = hidden(x, ~masked)
    tokens = objective.encoder(seen)
    made, latents, errors = objective.head(tokens), objective.teacher.module(x), list[float]()
    for b, t in masked.nonzero().tolist():
        if t < LENGTHS[b]:
            wanted = normal(latents[b, t].tolist())
            for d in (abs(a - w) for a, w in zip(made[b, t].tolist(), wanted, strict=True)):
                errors.append(d * d / 4 if d <= 2 else d - 1)  # beta = 2
    step = objective(x, seeded(3))
    assert len(errors) > 100
    assert float(step.loss.detach()) == pytest.approx(sum(errors) / len(errors), rel=1e-9)
    torch.testing.assert_close(step.embeddings, objective.encoder.pool(tokens, seen).detach())


@pytest.mark.parametrize("seed", range(5))
def test_blocks_hide_something_and_leave_something(seed: int) -> None:
    free = torch.rand(40, 30, generator=seeded(50 + seed)) < torch.linspace(0, 1, 40)[:, None]
    masked = draw_blocks(free, 4, seeded(seed))
    counts, gone = free.sum(dim=1), masked.sum(dim=1)
    assert not (masked & ~free).any()
    assert (gone[counts > 1] > 0).all() and (gone[counts <= 1] == 0).all()
    assert (gone[counts > 0] < counts[counts > 0]).all()


def test_a_block_is_15_to_20_percent_in_one_piece() -> None:
    free = torch.ones(200, 100, dtype=torch.bool)
    masked = draw_blocks(free, 1, seeded())
    widths = masked.sum(dim=1)
    assert widths.min() == 15 and widths.max() == 20
    assert (masked.long().diff(dim=1).abs().sum(dim=1) <= 2).all()
    several = draw_blocks(free, 4, seeded()).sum(dim=1)
    assert several.max() <= 80 and several.double().mean() > 40


def test_on_a_grid_a_block_is_a_rectangle_of_15_to_20_percent() -> None:
    free = torch.ones(200, 200, dtype=torch.bool)
    masked = draw_blocks(free, 1, seeded(), columns=20).view(200, 10, 20)
    tall, wide = masked.any(dim=2).sum(dim=1), masked.any(dim=1).sum(dim=1)
    assert torch.equal(tall * wide, masked.sum(dim=(1, 2)))
    for side, across in ((masked.any(dim=2), tall), (masked.any(dim=1), wide)):
        assert (side.long().diff(dim=1).abs().sum(dim=1) <= 2).all() and across.min() > 0
    share = masked.double().mean(dim=(1, 2))
    assert share.min() > 0.1 and share.max() < 0.25 and 0.16 < share.mean() < 0.19  # whole patches
    form = tall / wide
    assert form.min() > 0.6 and form.max() < 1.9 and form.min() < 0.9 < 1.2 < form.max()
    places = masked.float().mean(dim=0)
    assert places.min() > 0.0  # every patch is hidden in some
    few = free & (torch.arange(200) < 3)
    hides = draw_blocks(few, 4, seeded(1), columns=20)
    assert not (hides & ~few).any() and (hides.sum(dim=1) < 3).all()


@pytest.mark.parametrize("kind", [JEPA, Data2Vec])
def test_a_teacher_follows_without_a_gradient_and_stands_still_at_the_end(kind) -> None:
    objective = moved(kind(encoder=dilated(), momentum=0.9))
    teacher, student = (objective.teacher.module.entry.weight, objective.encoder.entry.weight)
    before = teacher.clone()
    objective.after_step(0.5)  # momentum 0.95
    torch.testing.assert_close(teacher, 0.95 * before + 0.05 * student.detach())
    before = teacher.clone()
    objective.after_step(1.0)
    assert torch.equal(teacher, before) and not teacher.requires_grad
    objective.prepare(sines(), seeded())
    assert torch.equal(teacher, student)


@pytest.mark.parametrize("kind", [JEPA, Data2Vec])
def test_collapse_costs_nothing(kind) -> None:
    """Solved by hand: constant tokens are normalised to 0, and 0 is predicted; monitors watch."""
    objective = kind(encoder=Dilated(channels=1, hidden=6, depth=3, dim=8))
    for weight in objective.parameters():
        weight.data.zero_()
    step = objective(sines(), seeded())
    assert float(step.loss.detach()) == 0 and not step.embeddings.any()


@pytest.mark.parametrize("kind", [JEPA, Data2Vec])
@pytest.mark.parametrize("make", [dilated, transformer])
def test_padding_draws_nothing_and_every_weight_learns(kind, make) -> None:
    x, objective = ragged(), kind(encoder=make(), patch=4).double()
    loss = objective(x, seeded(1)).loss
    torch.testing.assert_close(objective(padded(x, 13), seeded(1)).loss, loss)
    loss.backward()
    for name, weight in objective.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None and weight.grad.any(), name
        else:
            assert name.startswith("teacher") and weight.grad is None


@pytest.mark.parametrize("kind", [JEPA, Data2Vec])
def test_targets_are_normalised_tokens_of_the_whole_series(kind) -> None:
    x, objective = ragged((24,)), kind(encoder=dilated(), patch=1).double()
    wanted = F.layer_norm(objective.teacher.module(x), (8,))
    jepa = isinstance(objective, JEPA)
    found = patch_targets(objective.teacher, x, 1) if jepa else objective.targets(x)
    torch.testing.assert_close(found, wanted)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("got momentum=1.5, wanted a share")):
        JEPA(encoder=dilated(), momentum=1.5)
    with pytest.raises(ValueError, match=re.escape("got blocks=0, wanted at least 1")):
        JEPA(encoder=dilated(), blocks=0)
    with pytest.raises(
        ValueError, match=re.escape("got patch=3 for an encoder with a token every")
    ):
        Data2Vec(encoder=transformer(), patch=3)
