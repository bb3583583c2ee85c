"""TF-C: its losses beside loops, spectra beside the plain transform, what stays after training."""

import cmath
import math
import re

import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import gradcheck
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.losses import nt_xent
from selftime.objectives.tf_c import TFC, consistency
from selftime.views.amplitude import magnitude_warp
from selftime.views.spectrum import Components, amplitudes


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def tf_c(*, balance: float = 0.5, temperature: float = 0.2) -> TFC:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    view = magnitude_warp
    made = TFC(
        encoder=encoder, view=view, perturb=view, balance=balance, temperature=temperature, seed=2
    )
    return made.double()


def equation_1(first: Tensor, second: Tensor, temperature: float) -> float:
    """Zhang et al. 2022: contrast of two views, mean over both, cosine similarity."""
    z = [*first.tolist(), *second.tolist()]
    B, losses = len(first), []

    def s(i: int, j: int) -> float:
        dot = sum(a * b for a, b in zip(z[i], z[j], strict=True))
        return math.exp(dot / math.hypot(*z[i]) / math.hypot(*z[j]) / temperature)

    for i in range(2 * B):
        below = sum(s(i, j) for j in range(2 * B) if j != i)
        losses.append(-math.log(s(i, (i + B) % (2 * B)) / below))
    return sum(losses) / len(losses)


def test_consistency_equals_equation_4(rng: Generator) -> None:
    t, u, f, g = torch.randn(4, 3, 5, generator=rng, dtype=torch.float64)
    plain = equation_1(t, f, 0.2)
    pairs = [(t, g), (u, f), (u, g)]
    wanted = sum(plain - equation_1(a, b, 0.2) + 0.7 for a, b in pairs)
    got = consistency((t, u), (f, g), 0.2, 0.7)
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=torch.float64))


def test_consistency_has_the_gradient_of_finite_differences(rng: Generator) -> None:
    given = torch.randn(4, 3, 2, generator=rng, dtype=torch.float64).requires_grad_()
    assert gradcheck(lambda z: consistency((z[0], z[1]), (z[2], z[3]), 0.5, 1.0), (given,))


def test_views_that_say_the_same_cost_three_margins(rng: Generator) -> None:
    """Collapse costs no more, which is why the contrasts within time and frequency are there."""
    t, f = torch.randn(2, 3, 5, generator=rng)
    torch.testing.assert_close(consistency((t, t), (f, f), 0.2, 1.0), torch.tensor(3.0))
    one = torch.ones(3, 5)
    torch.testing.assert_close(consistency((one, one), (one, one), 0.2, 1.0), torch.tensor(3.0))
    # Right angles: S is log(e² + 2) − 2 where both agree, and log(e² + 2) where time says of each
    # series what frequency says of the other; two of the three pairs are of that kind.
    a, b = torch.eye(2), torch.eye(2).flip(0)
    got = consistency((a, b), (a, a), 0.5, 1.0)
    torch.testing.assert_close(got, torch.tensor(3 - 2 * 2.0))


@pytest.mark.parametrize("lengths", [(16, 16), (24, 17, 9, 2, 1)])
def test_amplitudes_are_the_plain_transform_of_each_length(lengths: tuple[int, ...]) -> None:
    x = ragged(lengths)
    found = amplitudes(x)
    assert found.values.dtype == x.values.dtype
    assert found.lengths.tolist() == [L // 2 + 1 for L in lengths]
    for i, L in enumerate(lengths):
        for c in range(2):
            series = x.values[i, c, :L].tolist()
            for k in range(L // 2 + 1):
                turns = (v * cmath.exp(-2j * math.pi * k * t / L) for t, v in enumerate(series))
                wanted = abs(sum(turns)) / L**0.5
                assert float(found.values[i, c, k]) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_components_are_removed_and_raised_as_often_as_promised() -> None:
    sizes = torch.rand(20, 3, 400, generator=seeded(1)) * 0.2 + 0.1
    sizes[:, :, 7] = 1.0
    x = Batch(sizes, torch.arange(400).expand_as(sizes) < 300)
    y = Components(removed=0.2, raised=0.1, level=0.5)(x, seeded())
    valid = x.observed
    assert torch.equal(y.observed, valid) and not y.values[~valid].any()
    raised, removed = (y.values == 0.5) & valid, (y.values == 0.0) & valid
    assert (raised | removed | (y.values == sizes))[valid].all()
    assert float(raised[valid].float().mean()) == pytest.approx(0.1, abs=0.01)
    assert float(removed[valid].float().mean()) == pytest.approx(0.2 * 0.9, abs=0.01)
    untouched = Components(removed=0.0, raised=0.0)(x, seeded())
    assert torch.equal(untouched.values[valid], sizes[valid])


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_loss_equals_equations_1_to_5(balance: float) -> None:
    x, objective = ragged(), tf_c(balance=balance, temperature=0.3)
    step, rng = objective(x, seeded(3)), seeded(3)
    spectra = amplitudes(x)
    h, k = (objective.encoder.embed(view) for view in (x, magnitude_warp(x, rng)))
    g, l = (objective.frequency.embed(s) for s in (spectra, magnitude_warp(spectra, rng)))  # noqa: E741
    within = nt_xent(h, k, 0.3) + nt_xent(g, l, 0.3)
    time = objective.project_time(h), objective.project_time(k)
    frequency = objective.project_frequency(g), objective.project_frequency(l)
    across = consistency(time, frequency, 0.3, 1.0)
    torch.testing.assert_close(step.loss, balance * within + (1 - balance) * across)
    torch.testing.assert_close(step.embeddings, h.detach())


def test_encoders_begin_alike_and_part() -> None:
    objective = tf_c()
    pairs = list(zip(objective.encoder.parameters(), objective.frequency.parameters(), strict=True))
    assert all(torch.equal(a, b) and a is not b for a, b in pairs)
    objective(ragged((24, 17, 9)), seeded()).loss.backward()
    assert all(not torch.equal(a.grad, b.grad) for a, b in pairs)


@pytest.mark.parametrize("seed", range(2))
def test_padding_and_what_stands_in_it_change_nothing(seed: int) -> None:
    x, objective = with_gap(ragged(), 4, 11), tf_c()
    wanted = objective(x, seeded(seed)).loss
    for other in (Batch(x.values.where(x.observed, -7e4), x.observed), padded(x, 13)):
        torch.testing.assert_close(objective(other, seeded(seed)).loss, wanted)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("got temperature=0.0, wanted more than 0")):
        tf_c(temperature=0.0)
    with pytest.raises(ValueError, match="got balance=1.5, wanted a share"):
        tf_c(balance=1.5)
    with pytest.raises(ValueError, match="got level=2.0, wanted a share"):
        Components(level=2.0)
    with pytest.raises(ValueError, match="got a batch of 1 series, wanted at least 2"):
        tf_c()(ragged((24,)), seeded())
