"""Soft contrast: equations 2 to 7 of Lee et al. 2024 beside loops; hard contrast is its limit."""

import math
from functools import partial

import pytest
import torch
from contrast_loops import Row, dot, pooled, rows_of
from torch import Generator, Tensor
from torch.autograd import gradcheck
from toy_batches import padded, ragged, with_gap

from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.losses import nt_xent
from selftime.objectives.parts.soft import (
    Soft,
    pairwise_distances,
    resample_evenly,
    soft_contrast,
    step_similarity,
)
from selftime.objectives.simclr import SimCLR
from selftime.objectives.ts2vec import TS2Vec, hierarchical_contrast
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def drawn(rng: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def assigned(rng: Generator, n: int) -> Tensor:
    """Soft assignments as between series: symmetric, 1 to itself."""
    draw = torch.rand(n, n, generator=rng, dtype=torch.float64) / 2
    return (draw + draw.T).fill_diagonal_(1.0)


def soft_loss(views: list[list[float] | None], w: list[list[float]], i: int) -> float:
    """Equation 4: -log p(i,i+n) - sum of w log p(i,j) over all others; both views one list."""
    n = len(views) // 2
    others = [j for j in range(2 * n) if j != i and views[j] is not None]
    below = sum(math.exp(dot(views[i], views[s])) for s in others)
    total = 0.0
    for j in others:
        weight = 1.0 if j % n == i % n else w[i % n][j % n]
        total -= weight * math.log(math.exp(dot(views[i], views[j])) / below)
    return total


def mean_loss(groups: list[list[list[float] | None]], w: list[list[float]]) -> float:
    losses = [
        soft_loss(group, w, i) for group in groups for i, z in enumerate(group) if z is not None
    ]
    return sum(losses) / len(losses)


def hierarchy_loop(
    r: list[Row], s: list[Row], w: list[list[float]], decay: float
) -> tuple[float, float]:
    """Both parts, halved, mean over resolutions; steps are weighed by equation 5."""
    instance = temporal = 0.0
    level = 0
    while True:
        T = len(r[0])
        instance += mean_loss([[row[t] for row in r + s] for t in range(T)], w)
        if T > 1:
            close = [
                [2 / (1 + math.exp(2**level * decay * abs(t - u))) for u in range(T)]
                for t in range(T)
            ]
            temporal += mean_loss([a + b for a, b in zip(r, s, strict=True)], close)
        level += 1
        if T == 1:
            return instance / (2 * level), temporal / (2 * level)
        r, s = [pooled(row) for row in r], [pooled(row) for row in s]


@pytest.mark.parametrize("lengths", [(7, 7, 7), (7, 3, 1), (4, 1, 1), (2, 2), (1, 1)])
def test_hierarchy_equals_equations_3_to_7(rng: Generator, lengths: tuple[int, ...]) -> None:
    valid = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    first, second = drawn(rng, 2, *valid.shape, 3)
    similarity = assigned(rng, len(lengths))
    wanted = hierarchy_loop(rows_of(first, valid), rows_of(second, valid), similarity.tolist(), 0.8)
    got = hierarchical_contrast(first, second, valid, similarity, 0.8)
    assert list(got) == ["instance", "temporal"]
    torch.testing.assert_close(torch.stack([*got.values()]), torch.tensor(wanted).double())
    if len(set(lengths)) == 1:
        plain = hierarchical_contrast(first, second, None, similarity, 0.8)
        torch.testing.assert_close(torch.stack([*plain.values()]), torch.tensor(wanted).double())


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_soft_nt_xent_equals_equation_4(rng: Generator, temperature: float) -> None:
    first, second = drawn(rng, 2, 4, 3)
    similarity = assigned(rng, 4)
    z = torch.cat([first, second])
    views = (z / z.norm(dim=1, keepdim=True) / temperature**0.5).tolist()
    wanted = torch.tensor(mean_loss([views], similarity.tolist()), dtype=torch.float64)
    torch.testing.assert_close(
        nt_xent(first, second, temperature, partial(soft_contrast, similarity)), wanted
    )


def test_without_soft_assignments_it_is_the_hard_contrast(rng: Generator) -> None:
    first, second = drawn(rng, 2, 3, 6, 2)
    valid = torch.arange(6) < torch.tensor([6, 4, 1])[:, None]
    hard = hierarchical_contrast(first, second, valid)
    soft = hierarchical_contrast(first, second, valid, torch.eye(3).double(), 1e3)
    for name, part in hard.items():
        torch.testing.assert_close(soft[name], part)
    a, b = first[:, 0], second[:, 0]
    itself_alone = partial(soft_contrast, torch.eye(3).double())
    torch.testing.assert_close(nt_xent(a, b, 0.2, itself_alone), nt_xent(a, b, 0.2))


def test_losses_have_the_gradient_of_finite_differences(rng: Generator) -> None:
    z, similarity, weight = drawn(rng, 2, 6, 2).requires_grad_(), assigned(rng, 3), drawn(rng, 2, 6)
    valid = torch.tensor([[1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]]).bool()
    for given in (None, valid):
        assert gradcheck(lambda z, given=given: soft_contrast(similarity, z, given) * weight, (z,))
    first, second = (z.requires_grad_() for z in drawn(rng, 2, 3, 5, 2))
    steps = torch.arange(5) < torch.tensor([5, 4, 1])[:, None]
    assert gradcheck(
        lambda a, b: tuple(hierarchical_contrast(a, b, steps, similarity, 0.5).values()),
        (first, second),
    )


def test_golden_numbers() -> None:
    """Worked out by hand.

    Tokens 1 and -1 in both views, half alike: of the three others one is at e and two at 1/e, so
    log p are -0.239545 and -2.239545; 0.239545 + 2 * 0.5 * 2.239545. Wholly alike series that say
    the same: three others, each at log 3. Steps one apart at τ = ln 3 are alike by 2 / (1 + 3).
    """
    z = torch.tensor([[[1.0], [-1.0], [1.0], [-1.0]]])
    half, whole = torch.tensor([[1.0, 0.5], [0.5, 1.0]]), torch.ones(2, 2)
    torch.testing.assert_close(soft_contrast(half, z), torch.full((1, 4), 2.479090))
    same = soft_contrast(whole, torch.ones(1, 4, 1))
    torch.testing.assert_close(same, torch.full((1, 4), 3 * math.log(3)))
    wanted = torch.tensor([[1.0, 0.5, 0.2], [0.5, 1.0, 0.5], [0.2, 0.5, 1.0]]).double()
    torch.testing.assert_close(step_similarity(3, math.log(3)), wanted)


def test_series_are_alike_by_equation_2() -> None:
    x, soft = ragged((9, 9, 9)), Soft(most=0.4, sharpness=3.0, steps=9)
    flat = [row.flatten().tolist() for row in x.values]
    D = [[math.dist(a, b) for b in flat] for a in flat]
    most = max(map(max, D))
    similarity = soft.between_series(x)
    for i in range(3):
        for j in range(3):
            wanted = 1.0 if i == j else 2 * 0.4 / (1 + math.exp(3.0 * D[i][j] / most))
            assert float(similarity[i, j]) == pytest.approx(wanted, rel=1e-5)


def test_series_of_any_length_are_compared_over_their_own_course() -> None:
    line = torch.linspace(0, 1, 9).expand(2, 1, 9).clone().double()
    x = ragged((9, 5), channels=1)
    x = x._replace(values=line.where(x.observed, 1e6))
    x.values[1, 0, :5] = torch.linspace(0, 1, 5)
    found = resample_evenly(x, 4)
    torch.testing.assert_close(found, torch.linspace(0, 1, 4).expand(2, 1, 4).double())
    assert float(pairwise_distances(found).max()) < 1e-6
    assert resample_evenly(ragged((1, 1)), 4).isfinite().all()


def test_equal_series_are_as_alike_as_can_be_and_finite() -> None:
    x = ragged((9, 9))
    same = x._replace(values=x.values[:1].expand(2, -1, -1).clone())
    similarity = Soft(most=0.3).between_series(same)
    torch.testing.assert_close(similarity, torch.tensor([[1.0, 0.3], [0.3, 1.0]]).double())


@pytest.mark.parametrize("seed", range(2))
def test_methods_take_it(seed: int) -> None:
    x, soft = with_gap(ragged(), 4, 11), Soft(sharpness=2.0, steps=8)
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    simclr = SimCLR(encoder=encoder, pair=Independent(view=magnitude_warp), soft=soft).double()
    a, b = (simclr.project(encoder.embed(view)) for view in simclr.pair(x, seeded(seed)))
    wanted = nt_xent(a, b, 0.2, partial(soft_contrast, soft.between_series(x)))
    torch.testing.assert_close(simclr(x, seeded(seed)).loss, wanted)
    torch.testing.assert_close(simclr(padded(x, 5), seeded(seed)).loss, wanted)
    ts2vec = TS2Vec(encoder=encoder, dropout=0.0, soft=soft).double()
    rng = seeded(seed)
    crops = ts2vec.crops(x, rng)
    tokens = [
        ts2vec.tokens(crop, start, crops.shared, rng)
        for crop, start in ((crops.first, crops.start), (crops.second, crops.start * 0))
    ]
    similarity = soft.between_series(x)
    parts = hierarchical_contrast(*tokens, crops.valid, similarity, soft.decay)
    torch.testing.assert_close(ts2vec(x, seeded(seed)).loss, sum(parts.values()))


@pytest.mark.parametrize(
    "wrong", [{"most": 1.5}, {"sharpness": -1.0}, {"decay": -1.0}, {"steps": 0}], ids=str
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"got {next(iter(wrong))}=.*, wanted"):
        Soft(**wrong)
