"""TNC: its loss beside loops, and where its windows lie."""

import math

import pytest
import torch
from torch import Generator
from torch.autograd import gradcheck
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.tnc import TNC, Neighbourhoods, distant_starts, neighbourhood_loss


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def tnc(windows: Neighbourhoods = Neighbourhoods()) -> TNC:  # noqa: B008
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    return TNC(encoder=encoder, windows=windows, width=7, seed=2).double()


@pytest.mark.parametrize("w", [0.0, 0.05, 0.5, 1.0])
def test_loss_equals_equation_2(rng: Generator, w: float) -> None:
    near, far = torch.randn(2, 6, generator=rng, dtype=torch.float64)
    total = 0.0
    for a, b in zip(near.tolist(), far.tolist(), strict=True):
        d_near, d_far = (1 / (1 + math.exp(-logit)) for logit in (a, b))
        far_term = (math.log(1 - d_far) if w < 1 else 0) * (1 - w) + w * math.log(d_far)
        total -= math.log(d_near) + far_term
    wanted = torch.tensor(total / 6, dtype=torch.float64)
    torch.testing.assert_close(neighbourhood_loss(near, far, w), wanted)


def test_loss_has_the_gradient_of_finite_differences(rng: Generator) -> None:
    near, far = torch.randn(2, 6, generator=rng, dtype=torch.float64)
    assert gradcheck(
        lambda a, b: neighbourhood_loss(a, b, 0.1), (near.requires_grad_(), far.requires_grad_())
    )


def test_a_discriminator_that_cannot_tell_pays_two_coins_and_a_sure_one_only_for_the_alike() -> (
    None
):
    zero, sure = torch.zeros(3), torch.full((3,), 30.0)
    torch.testing.assert_close(neighbourhood_loss(zero, zero, 0.3), torch.tensor(2 * math.log(2)))
    torch.testing.assert_close(neighbourhood_loss(sure, -sure, 0.1), torch.tensor(3.0))  # 0.1 * 30
    w = torch.tensor(0.1)  # the best logit for what is far apart says w
    best = neighbourhood_loss(sure, w.logit().expand(3), 0.1)
    wanted = -(w * w.log() + (1 - w) * (1 - w).log())
    torch.testing.assert_close(best, wanted)


@pytest.mark.parametrize("L, size", [(1, 1), (2, 1), (3, 1), (7, 3), (10, 5), (10, 10), (12, 8)])
def test_distant_windows_lie_in_every_place_that_shares_no_step(L: int, size: int) -> None:
    last, draws = L - size, torch.linspace(0, 0.9999, 200)
    for begin in range(last + 1):
        sides = (torch.full((200,), number) for number in (begin, size, last))
        found = set(distant_starts(*sides, draws).tolist())
        wanted = {u for u in range(last + 1) if abs(u - begin) >= size}
        assert found == wanted or (not wanted and found == {last if last - begin > begin else 0})


@pytest.mark.parametrize("seed", range(3))
def test_windows_are_pieces_of_their_own_series(seed: int) -> None:
    """Values are series and step, so that every window says where it was cut."""
    lengths = torch.tensor([40, 23, 8, 2, 1])
    steps = torch.arange(40).double()
    values = (1000 * torch.arange(5)[:, None] + steps)[:, None]
    x = Batch(values, steps < lengths[:, None, None])
    windows = Neighbourhoods(anchors=6, window=0.25, std=0.5)
    anchor, near, far = windows(x, seeded(seed))
    for row in range(30):
        L = int(lengths[row // 6])
        size = max(L // 4, 1)
        begins = []
        for one in (anchor, near, far):
            assert one.lengths[row] == size
            inside = one.values[row, 0, :size] - 1000 * (row // 6)
            assert torch.equal(inside, inside[0] + steps[:size]) and 0 <= inside[0] <= L - size
            begins.append(int(inside[0]))
        assert abs(begins[2] - begins[0]) >= size or 3 * size > L
    moved = (near.values - anchor.values)[:6, 0, 0] / 10
    assert 0 < moved.abs().max() < 2  # in windows: a spread of a half


def test_no_spread_makes_neighbours_equal() -> None:
    anchor, near, far = Neighbourhoods(std=0.0)(ragged(), seeded())
    assert torch.equal(anchor.values, near.values)
    assert not torch.equal(anchor.values, far.values)


def test_pairs_are_judged_in_the_order_of_the_paper() -> None:
    x, objective = ragged(), tnc()
    step = objective(x, seeded(4))
    windows = objective.windows(x, seeded(4))
    anchor, near, far = (objective.encoder.embed(part) for part in windows)
    logits = [objective.discriminate(torch.cat([anchor, z], dim=1))[:, 0] for z in (near, far)]
    torch.testing.assert_close(step.loss, neighbourhood_loss(*logits, 0.05))
    torch.testing.assert_close(step.embeddings, anchor[::4].detach())


@pytest.mark.parametrize("seed", range(2))
def test_padding_and_what_stands_in_it_change_nothing(seed: int) -> None:
    x, objective = with_gap(ragged(), 4, 11), tnc()
    wanted = objective(x, seeded(seed)).loss
    for other in (Batch(x.values.where(x.observed, -7e4), x.observed), padded(x, 13)):
        torch.testing.assert_close(objective(other, seeded(seed)).loss, wanted)


def test_what_cannot_work_is_refused() -> None:
    for wrong in ({"anchors": 0}, {"window": 1.5}, {"std": -1.0}):
        with pytest.raises(ValueError, match=f"got {next(iter(wrong))}=.*, wanted"):
            Neighbourhoods(**wrong)
    encoder = Dilated(channels=1, hidden=4, depth=1, dim=4)
    for wrong in ({"similar": 1.5}, {"width": 0}):
        with pytest.raises(ValueError, match=f"got {next(iter(wrong))}=.*, wanted"):
            TNC(encoder=encoder, **wrong)
