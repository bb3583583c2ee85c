"""BYOL, SimSiam, Barlow Twins, VICReg and DINO: their steps beside their parts, and teachers."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Generator
from toy_batches import ragged, sines

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.registry import ENCODERS
from selftime.objectives.barlow_twins import BarlowTwins
from selftime.objectives.base import Objective
from selftime.objectives.byol import BYOL
from selftime.objectives.dino import DINO
from selftime.objectives.parts.teacher import Teacher
from selftime.objectives.simsiam import SimSiam
from selftime.objectives.vicreg import VICReg, Weights
from selftime.views.pairs import Independent, WeakStrong


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def same(x: Batch, rng: Generator) -> Batch:
    return x


def encoder(seed: int = 1) -> Dilated:
    return Dilated(channels=2, hidden=6, depth=3, dim=8, seed=seed)


SMALL = {
    BYOL: {"width": 12, "momentum": 0.9},
    SimSiam: {"width": 12},
    BarlowTwins: {"width": 12},
    VICReg: {"width": 12},
    DINO: {"outputs": 12, "momentum": 0.9},
}


def made(kind: type[Objective], **settings: object) -> Objective:
    return kind(encoder=encoder(), **SMALL[kind] | settings).double()


def unit(z: torch.Tensor) -> torch.Tensor:
    return z / z.norm(dim=1, keepdim=True)


def projections(objective: Objective, x: Batch) -> torch.Tensor:
    return objective.project(objective.encoder.embed(x))


def test_byol_is_the_squared_distance_to_the_teacher_both_ways():
    x, pair = ragged(), WeakStrong()
    objective = made(BYOL, pair=pair)
    teacher = objective.teacher.module
    with torch.no_grad():  # a teacher that is not the student
        teacher.encoder.entry.weight += 0.3
        teacher.project[0].weight += 0.1
        views = pair(x, seeded(3))
        said = [unit(objective.predict(projections(objective, view))) for view in views]
        heard = [unit(teacher.project(teacher.encoder.embed(view))) for view in views]
        away = (said[0] - heard[1]).square().sum(dim=1) + (said[1] - heard[0]).square().sum(dim=1)
    step = objective(x, seeded(3))
    torch.testing.assert_close(step.loss.detach(), away.mean())
    torch.testing.assert_close(step.embeddings, objective.encoder.embed(views[0]).detach())


def test_simsiam_stops_the_gradient_of_what_is_predicted():
    x, pair = ragged(), WeakStrong()
    objective = made(SimSiam, pair=pair)
    a, b = (projections(objective, view) for view in pair(x, seeded(3)))
    frozen = a.detach().clone(), b.detach().clone()
    cosines = [
        (unit(objective.predict(p)) * unit(z)).sum(dim=1).mean()
        for p, z in ((a, frozen[1]), (b, frozen[0]))
    ]
    wanted = torch.autograd.grad(-sum(cosines) / 2, objective.encoder.entry.weight)
    step = objective(x, seeded(3))
    torch.testing.assert_close(step.loss, -sum(cosines) / 2)
    found = torch.autograd.grad(step.loss, objective.encoder.entry.weight)
    torch.testing.assert_close(found, wanted)
    for z in frozen:  # normalised over the batch, without a learned scale
        torch.testing.assert_close(z.mean(dim=0), torch.zeros(12).double())
        assert float((z.var(dim=0, correction=0) - 1).abs().max()) < 0.05


def test_barlow_twins_weighs_redundancy():
    x, pair = ragged(), WeakStrong()
    objective = made(BarlowTwins, pair=pair, redundancy=0.25)
    with torch.no_grad():
        a, b = (projections(objective, view) for view in pair(x, seeded(3)))
    c = torch.corrcoef(torch.cat([a, b], dim=1).T)[:12, 12:]
    off = c.square().sum() - c.diag().square().sum()
    step = objective(x, seeded(3))
    torch.testing.assert_close(step.parts["agreement"], (c.diag() - 1).square().sum())
    torch.testing.assert_close(step.parts["redundancy"], 0.25 * off)
    torch.testing.assert_close(step.loss.detach(), sum(step.parts.values()))


def test_vicreg_weighs_its_three_terms():
    x, pair = ragged(), WeakStrong()
    objective = made(VICReg, pair=pair, weights=Weights(5.0, 3.0, 2.0))
    with torch.no_grad():
        a, b = (projections(objective, view) for view in pair(x, seeded(3)))
    spread = [(1 - (torch.cov(z.T).diag() + 1e-4).sqrt()).clamp(min=0).mean() for z in (a, b)]
    off = [torch.cov(z.T).fill_diagonal_(0).square().sum() / 12 for z in (a, b)]
    step = objective(x, seeded(3))
    torch.testing.assert_close(step.parts["invariance"], 5 * F.mse_loss(a, b))
    torch.testing.assert_close(step.parts["variance"], 3 * sum(spread))
    torch.testing.assert_close(step.parts["covariance"], 2 * sum(off))
    torch.testing.assert_close(step.loss.detach(), sum(step.parts.values()))


def test_equal_views_agree_and_only_collapse_is_left_to_cost():
    x, equal = ragged(), Independent(view=same)
    step = made(VICReg, pair=equal)(x, seeded())
    assert step.parts["invariance"] == 0 and step.parts["variance"] > 0
    agreement = made(BarlowTwins, pair=equal)(x, seeded()).parts["agreement"]
    assert float(agreement) < 1e-12


def test_dino_is_the_cross_entropy_with_the_centred_sharpened_teacher():
    x, pair = ragged(), WeakStrong()
    objective = made(DINO, pair=pair, temperature=0.05)
    teacher = objective.teacher.module
    with torch.no_grad():
        teacher.encoder.entry.weight += 0.3
        objective.centre += torch.randn(12, generator=seeded(5)).double() / 10
        views = pair(x, seeded(3))
        said = [(projections(objective, view) / 0.1).softmax(dim=1) for view in views]
        heard = [teacher.project(teacher.encoder.embed(view)) for view in views]
    targets = [((z - objective.centre) / 0.05).softmax(dim=1) for z in heard]
    wanted = [-(targets[i] * said[1 - i].log()).sum(dim=1).mean() for i in range(2)]
    step = objective(x, seeded(3))
    torch.testing.assert_close(step.loss.detach(), sum(wanted) / 2)
    before = objective.centre.clone()
    objective.after_step(0.5)
    torch.testing.assert_close(objective.centre, (before + torch.cat(heard).mean(dim=0)) / 2)
    settled = objective.centre.clone()
    objective.after_step(0.5)  # without a batch nothing was seen
    assert torch.equal(objective.centre, settled)


def test_dino_shows_further_views_to_the_student_alone():
    calls = []

    def views(x: Batch, rng: Generator) -> list[Batch]:
        return [*WeakStrong()(x, rng), Batch(x.values[:, :, :9], x.observed[:, :, :9])]

    x = ragged((24, 17, 9))
    objective = made(DINO, pair=views)
    objective.teacher.module.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        seen = views(x, seeded(3))
        said = [(projections(objective, view) / 0.1).log_softmax(dim=1) for view in seen]
        heard = [(projections(objective, view) / 0.04).softmax(dim=1) for view in seen]
    pairs = [(0, 1), (0, 2), (1, 0), (1, 2)]
    wanted = sum(-(heard[i] * said[j]).sum(dim=1).mean() for i, j in pairs) / 4
    torch.testing.assert_close(objective(x, seeded(3)).loss.detach(), wanted)
    assert len(calls) == 2


def test_dino_begins_centred_on_the_sample():
    x, objective = ragged(), made(DINO)
    objective.prepare(x, seeded())
    mean = projections(objective, x).mean(dim=0).detach()
    torch.testing.assert_close(objective.centre, mean)
    assert float(mean.abs().max()) > 0.01


@pytest.mark.parametrize("kind", [BYOL, DINO])
def test_the_teacher_follows_ever_more_slowly(kind):
    objective = made(kind)
    own, teacher = objective.encoder.entry.weight, objective.teacher.module.encoder.entry.weight
    for progress, momentum in ((0.0, 0.9), (0.5, 0.95), (1.0, 1.0)):
        with torch.no_grad():
            own += 1
        gap = own - teacher
        objective.after_step(progress)
        torch.testing.assert_close(own - teacher, momentum * gap)


@pytest.mark.parametrize("kind", [BYOL, DINO])
def test_the_teacher_begins_as_the_prepared_encoder(kind):
    x = sines()
    rocket = ENCODERS["MiniRocket"](channels=1, length=32, features=84)
    objective = kind(encoder=rocket)
    objective.prepare(x, seeded())
    assert not any(weight.requires_grad for weight in objective.teacher.parameters())
    torch.testing.assert_close(
        objective.teacher.module(x), projections(objective, x), rtol=0, atol=0
    )


def test_momentum_rises_as_section_3_3_of_grill_et_al_says():
    rising = Teacher(torch.nn.Linear(1, 1), momentum=0.9, schedule="cosine").momentum_at
    assert rising(0.0) == pytest.approx(0.9)
    assert rising(0.5) == pytest.approx(0.95)
    assert rising(1 / 3) == pytest.approx(0.925)  # cos(π/3) = 1/2
    assert rising(1.0) == 1.0


@pytest.mark.parametrize("kind", [BYOL, SimSiam, BarlowTwins, VICReg])
def test_a_series_alone_is_refused(kind):
    with pytest.raises(ValueError, match=r"got a batch of 1 series, wanted at least 2: .* batch"):
        made(kind)(ragged((24,)), seeded())


@pytest.mark.parametrize(
    "kind, setting, value, text",
    [
        (BYOL, "momentum", 1.5, "got momentum=1.5, wanted a share from 0 to 1: 0.99 is usual"),
        (DINO, "momentum", -0.1, "got momentum=-0.1, wanted a share from 0 to 1"),
        (DINO, "temperature", 0.0, "got temperature=0.0, wanted more than 0"),
        (SimSiam, "width", 3, "got width=3, wanted at least 4: use width=256"),
        (BarlowTwins, "redundancy", -1.0, "got redundancy=-1.0, wanted 0 or more: use 0.005"),
        (VICReg, "weights", Weights(1.0, -2.0, 1.0), "variance=-2.0, covariance=1.0), wanted"),
    ],
)
def test_settings_out_of_range_are_refused(kind, setting, value, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        made(kind, **{setting: value})
