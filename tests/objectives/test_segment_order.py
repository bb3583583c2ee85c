"""Pieces of series, their place and their order, beside plain loops; what must not give it away."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from toy_batches import before_and_after, ragged

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.right_order import RightOrder
from selftime.objectives.segment_order import SegmentOrder, mean_of_pairs, pieces_of, valid_pieces


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def numbered(lengths: tuple[int, ...]) -> Batch:
    """Every value says its step; the second channel is the first plus 1000."""
    T = max(lengths)
    values = torch.stack([torch.arange(T), torch.arange(T) + 1000]).double()
    within = (torch.arange(T) < torch.tensor(lengths)[:, None])[:, None]
    shape = (len(lengths), 2, T)
    return Batch(values.expand(shape).clone(), within.expand(shape).clone())


def stages() -> Batch:
    """Twelve noisy series that rise, stand and fall."""
    shape = torch.cat([torch.linspace(-1, 1, 16), torch.ones(16), torch.linspace(1, 0, 16)])
    values = shape + 0.1 * torch.randn(12, 1, 48, generator=seeded(3))
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def small(channels: int = 2) -> Dilated:
    return Dilated(channels=channels, hidden=6, depth=3, dim=8, seed=1)


@pytest.mark.parametrize("count, gap", [(2, 0.0), (4, 0.15), (5, 0.5)])
def test_pieces_lie_in_their_own_part_of_their_own_series(count: int, gap: float) -> None:
    lengths = (64, 40, 23, 11)
    x = numbered(lengths)
    begins = set()
    for seed in range(20):
        pieces = pieces_of(x, count, gap, seeded(seed))
        for b, length in enumerate(lengths):
            part = length / count
            for s in range(count):
                row = b * count + s
                steps = pieces.values[row, 0][pieces.observed[row, 0]].tolist()
                assert len(steps) == max(math.floor((1 - gap) * part), 1)
                assert steps == [steps[0] + i for i in range(len(steps))]
                assert s * part - 1 < steps[0] and steps[-1] < (s + 1) * part
                assert torch.equal(pieces.values[row, 1, : len(steps)] - 1000, torch.tensor(steps))
                begins.add((b, s, steps[0]))
    if gap:
        assert len(begins) > len(lengths) * count  # at another place each time


def test_nothing_goes_on_across_a_seam() -> None:
    """With a gap some steps between neighbours are left out, in the mean as many as it says."""
    x = numbered((100,))
    skipped = []
    for seed in range(50):
        pieces = pieces_of(x, 5, 0.3, seeded(seed))
        first, last = pieces.values[:, 0, 0], pieces.values[:, 0, -1]
        skipped.extend((first[1:] - last[:-1] - 1).tolist())
    assert sum(skipped) / len(skipped) == pytest.approx(6, abs=0.5)
    assert sum(gap == 0 for gap in skipped) < 0.1 * len(skipped)


def test_what_is_not_there_does_not_count() -> None:
    x = numbered((20, 3, 20))
    observed = x.observed.clone()
    observed[2, :, 5:10] = False
    x = Batch(x.values, observed)
    valid = valid_pieces(x, pieces_of(x, 4, 0.0, seeded()), 4)
    assert valid.tolist() == [[True] * 4, [False] * 4, [True, False, True, True]]


@pytest.mark.parametrize("differences", [False, True])
def test_each_segment_is_told_its_place_and_shuffling_changes_nothing(differences: bool) -> None:
    x = ragged((24, 17, 9))
    objective = SegmentOrder(encoder=small(), differences=differences, seed=2).double()
    step = objective(x, seeded(3))
    pieces = pieces_of(x, 4, 0.15, seeded(3))
    z = objective.encoder.embed(pieces).view(3, 4, 8)
    valid = torch.ones(3, 4, dtype=torch.bool)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = objective.head(z[:, order], valid)  # (B,S,S)
    wanted = F.cross_entropy(shuffled.flatten(0, 1), order.repeat(3))
    torch.testing.assert_close(step.loss, wanted)
    torch.testing.assert_close(step.embeddings, z.mean(dim=1).detach())


def test_of_pairs_the_mean_over_all_others_counts() -> None:
    pair = torch.nn.Linear(9, 2, dtype=torch.float64)
    z = torch.randn(2, 4, 3, generator=seeded(), dtype=torch.float64)
    valid = torch.tensor([[True] * 4, [True, False, True, False]])
    made = mean_of_pairs(pair, z, valid)
    for b in range(2):
        for s in range(4):
            others = [o for o in range(4) if o != s and valid[b, o]]
            said = [pair(torch.cat([z[b, s], z[b, o], (z[b, s] - z[b, o]).abs()])) for o in others]
            torch.testing.assert_close(made[b, s], torch.stack(said).mean(dim=0))


@pytest.mark.parametrize("differences", [False, True])
def test_segments_do_not_look_at_what_is_not_there(differences: bool) -> None:
    head = SegmentOrder(encoder=small(), differences=differences).head
    z, valid = torch.randn(2, 4, 8, generator=seeded()), torch.ones(2, 4, dtype=torch.bool)
    valid[0, 1] = False
    other = z.clone()
    other[0, 1] = 9.0
    kept = valid[:, :, None]
    torch.testing.assert_close(head(z, valid) * kept, head(other, valid) * kept)
    assert not torch.allclose(head(z, valid | True)[0, 0], head(other, valid | True)[0, 0])


@pytest.mark.parametrize("differences", [False, True])
def test_the_middle_alone_tells_right_from_wrong(differences: bool) -> None:
    x = ragged((24, 17, 9))
    objective = RightOrder(encoder=small(), differences=differences, seed=2).double()
    for seed in range(4):
        rng = seeded(seed)
        step = objective(x, seeded(seed))
        z = objective.encoder.embed(pieces_of(x, 5, 0.15, rng)).view(3, 5, 8)
        late = torch.rand(3, generator=rng) < 0.5
        losses: list[Tensor] = []
        for a_to_e, is_late in zip(z, late.tolist(), strict=True):
            a, b, c, d, e = a_to_e
            for middle, sign in ((c, 1), (e if is_late else a, -1)):
                apart = [abs(b - middle), abs(middle - d)] if differences else []
                score = objective.judge(torch.cat([b, middle, d, *apart])[None])
                losses.append(-F.logsigmoid(sign * score))
        torch.testing.assert_close(step.loss, torch.cat(losses).mean())


@pytest.mark.parametrize("kind", [SegmentOrder, RightOrder])
def test_pieces_are_cut_from_the_view(kind: type[SegmentOrder] | type[RightOrder]) -> None:
    def louder(x: Batch, rng: Generator) -> Batch:
        return Batch(x.values * (1 + torch.rand(1, generator=rng)), x.observed)

    x, rng = ragged((24, 17, 9)), seeded()
    seen = louder(x, rng)
    plain = kind(encoder=small(), seed=2).double()
    viewed = kind(encoder=small(), view=louder, seed=2).double()
    assert torch.equal(viewed(x, seeded()).loss, plain(seen, rng).loss)


def test_series_that_are_too_short_cost_nothing() -> None:
    for objective in (SegmentOrder(encoder=small()), RightOrder(encoder=small())):
        loss = objective.double()(ragged((3, 2, 1)), seeded()).loss
        loss.backward()
        assert float(loss.detach()) == 0


@pytest.mark.late
@pytest.mark.parametrize("kind", [SegmentOrder, RightOrder])
def test_stages_are_put_in_order(kind: type[SegmentOrder] | type[RightOrder]) -> None:
    encoder = Dilated(channels=1, hidden=8, depth=3, dim=16)
    before, after = before_and_after(kind(encoder=encoder), stages(), steps=20)
    assert after < 0.6 * before


@pytest.mark.late
@pytest.mark.parametrize("kind", [SegmentOrder, RightOrder])
def test_constant_series_cost_what_chance_costs_at_best(
    kind: type[SegmentOrder] | type[RightOrder],
) -> None:
    x = stages()
    objective = kind(encoder=Dilated(channels=1, hidden=8, depth=3, dim=16))
    flat = Batch(torch.full_like(x.values, 2.0), x.observed)
    _, after = before_and_after(objective, flat, steps=20)
    chance = math.log(4 if kind is SegmentOrder else 2)
    assert chance - 1e-4 < after < chance + 0.1


def test_settings_out_of_range_are_refused() -> None:
    text = "got gap=1.0, wanted a share from 0 to below 1: 0.15 leaves out about a seventh"
    with pytest.raises(ValueError, match=re.escape(text)):
        SegmentOrder(encoder=small(), gap=1.0)
    with pytest.raises(ValueError, match="got segments=1, wanted at least 2"):
        SegmentOrder(encoder=small(), segments=1)
    with pytest.raises(ValueError, match="got gap=-0.1"):
        RightOrder(encoder=small(), gap=-0.1)
