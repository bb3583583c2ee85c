"""SimMTM: aggregation and constraint beside loops, and what it refuses."""

import math
import re

import pytest
import torch
from strided_toy import Strided
from torch import Generator, Tensor
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.simmtm import (
    SimMTM,
    aggregate,
    manifold_constraint,
    similarities,
    uncertainty_weighting,
)
from selftime.views.masks import RandomMask, hidden

THERE = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.bool).repeat(2, 1)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(4), dtype=torch.float64)


def simmtm(*, versions: int = 2, temperature: float = 0.5) -> SimMTM:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    return SimMTM(
        encoder=encoder, mask=RandomMask(share=0.5), versions=versions, temperature=temperature
    ).double()


def cosine(a: list[float], b: list[float]) -> float:
    return sum(p * q for p, q in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


Rows = list[list[float]]


def loops(z: Rows, tokens: list[Rows], valid: Rows, count: int, tau: float):
    """Rebuilt tokens of the first ``count`` series, and the constraint; dict (i, n) to vector."""
    S = len(z)
    near, losses = {}, []
    for i in range(S):
        e = {j: math.exp(cosine(z[i], z[j]) / tau) for j in range(S) if j != i}
        for j in e:
            if j % count == i % count:
                losses.append(-math.log(e[j] / sum(e.values())))
        for n in range(len(tokens[0])):
            mine = [j for j in e if valid[j][n]]
            if i < count and valid[i][n]:
                below = sum(e[j] for j in mine)
                width = range(len(tokens[0][0]))
                near[i, n] = [sum(e[j] * tokens[j][n][d] for j in mine) / below for d in width]
    return near, sum(losses) / len(losses)


@pytest.mark.parametrize("tau", [0.1, 0.2, 1.0])
def test_aggregation_and_constraint_are_those_of_section_3_2(tau: float) -> None:
    z, tokens = numbers(6, 5), numbers(6, 3, 4)
    near, wanted = loops(z.tolist(), tokens.tolist(), THERE.tolist(), 3, tau)
    logits = similarities(z, tau)
    made = aggregate(tokens, THERE, logits[:3])
    for (i, n), vector in near.items():
        torch.testing.assert_close(made[i, n], torch.tensor(vector, dtype=torch.float64))
    torch.testing.assert_close(float(manifold_constraint(logits, 3)), wanted)


def test_a_series_does_not_rebuild_itself_and_its_tokens_beyond_the_end_do_not_count() -> None:
    z, tokens = numbers(6, 5), numbers(6, 3, 4)
    logits = similarities(z, 0.2)[:3]
    before = aggregate(tokens, THERE, logits)
    other = tokens.masked_fill(~THERE[:, :, None], 1e5)
    other[0] = 77.0
    after = aggregate(other, THERE, logits)
    torch.testing.assert_close(after[0], before[0])
    assert not torch.isclose(after[1, 0], before[1, 0]).any()


def test_collapse_is_penalised_and_groups_that_lie_apart_are_not() -> None:
    """All alike: log of all others. Groups alone: log of the other versions."""
    collapsed = similarities(torch.ones(8, 4, dtype=torch.float64), 0.2)
    assert math.isclose(float(manifold_constraint(collapsed, 2)), math.log(7))
    apart = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64).repeat(4, 1)
    assert math.isclose(
        float(manifold_constraint(similarities(apart, 0.02), 2)), math.log(3), rel_tol=1e-9
    )


def test_gradients_are_right() -> None:
    z, tokens = (numbers(*shape).requires_grad_() for shape in ((6, 3), (6, 3, 2)))
    check = torch.autograd.gradcheck
    assert check(lambda z, t: aggregate(t, THERE, similarities(z, 0.3)[:3])[0], (z, tokens))
    assert check(lambda z: manifold_constraint(similarities(z, 0.3), 3), z)
    assert check(uncertainty_weighting, (numbers(2).requires_grad_(), numbers(2).requires_grad_()))


def test_uncertain_losses_count_less() -> None:
    doubt = torch.tensor([math.log(2.0), 0.0])
    total = uncertainty_weighting(torch.tensor([6.0, 1.0]), doubt)
    torch.testing.assert_close(float(total), (3 + math.log(2) + 1) / 2)


def test_series_are_masked_encoded_compared_and_rebuilt() -> None:
    x, objective = ragged((24, 17, 9)), simmtm(versions=2)
    step = objective(x, seeded(3))
    twice = Batch(x.values.repeat(2, 1, 1), x.observed.repeat(2, 1, 1))
    masked = hidden(twice, objective.mask(twice, seeded(3)))
    whole = Batch(torch.cat([x.values, masked.values]), torch.cat([x.observed, masked.observed]))
    with torch.no_grad():
        tokens = objective.encoder(whole)
        z = objective.project(objective.encoder.pool(tokens, whole))
        valid = (torch.arange(24) < whole.lengths[:, None]).tolist()
        near, constraint = loops(z.tolist(), tokens.tolist(), valid, 3, 0.5)
        errors = []
        for (i, n), vector in near.items():
            made = objective.rebuild(torch.tensor(vector, dtype=torch.float64)[None, None])
            errors += ((made[0, 0, :, 0] - x.values[i, :, n]) ** 2).tolist()
    rebuilt = sum(errors) / len(errors)
    torch.testing.assert_close(float(step.parts["reconstruction"]), rebuilt)
    torch.testing.assert_close(float(step.parts["constraint"]), constraint)
    torch.testing.assert_close(float(step.loss.detach()), (rebuilt + constraint) / 2)


def test_padding_and_what_stands_in_it_change_nothing() -> None:
    x, objective = with_gap(ragged(), 4, 11), simmtm()
    wanted = objective(x, seeded()).loss
    garbage = Batch(x.values.where(x.observed, -7e4), x.observed)
    for other in (garbage, padded(x, 13)):
        torch.testing.assert_close(objective(other, seeded()).loss, wanted)


def test_an_encoder_of_eight_steps_a_token_works_and_one_of_whole_series_does_not() -> None:
    objective = SimMTM(encoder=Strided()).double()
    objective(ragged(), seeded()).loss.backward()
    assert all(weight.grad.any() for weight in objective.parameters())
    with pytest.raises(ValueError, match="sees a series only as a whole"):
        SimMTM(encoder=MiniRocket(channels=1, length=30, features=84))


def test_what_it_refuses() -> None:
    text = "wanted at least 2: it is rebuilt from its neighbours, which are its"
    with pytest.raises(ValueError, match=re.escape(text)):
        simmtm()(ragged((24,)), seeded())
    with pytest.raises(ValueError, match=re.escape("got temperature=0.0, wanted more than 0")):
        simmtm(temperature=0.0)
    with pytest.raises(ValueError, match=re.escape("got versions=0, wanted at least 1")):
        simmtm(versions=0)
