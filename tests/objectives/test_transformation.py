"""Which view, which direction: labels, views and losses of the tasks that classify."""

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import Generator
from toy_batches import before_and_after, padded, ragged

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.arrow_of_time import ArrowOfTime
from selftime.objectives.transformation import (
    VISIBLE,
    Transformation,
    accuracy,
    apply_views,
    balanced_labels,
    shrink,
)
from selftime.views.amplitude import flip
from selftime.views.pairs import Fixed, same
from selftime.views.timing import reverse

PLAIN = (Fixed(same), Fixed(flip, chance=1.0), Fixed(reverse, chance=1.0))


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def small(channels: int = 2) -> Dilated:
    return Dilated(channels=channels, hidden=6, depth=3, dim=8, seed=1)


def ramps() -> Batch:
    """Sixteen series that rise quickly and fall slowly."""
    once = torch.cat([torch.linspace(0, 1, 4), torch.linspace(1, 0, 12)]).repeat(3)
    values = once + 0.05 * torch.randn(16, 1, 48, generator=seeded(4))
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


@pytest.mark.parametrize("size, kinds", [(16, 8), (11, 4), (3, 8), (1, 2)])
def test_labels_are_balanced_and_drawn(size: int, kinds: int) -> None:
    x = ragged((5,) * size)
    drawn = [balanced_labels(x, kinds, seeded(seed)).tolist() for seed in range(120)]
    for labels in drawn:
        count = Counter(labels)
        assert max(count.values()) - min(count[k] for k in range(kinds)) <= 1
    assert len({tuple(labels) for labels in drawn}) > 1
    assert all({labels[i] for labels in drawn} == set(range(kinds)) for i in range(size))


def test_the_accuracy_is_the_share_of_hits() -> None:
    scores = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    assert float(accuracy(scores, torch.tensor([0, 0, 0]))) == pytest.approx(2 / 3)


def test_each_series_is_seen_as_its_label_says() -> None:
    x, labels = ragged((24, 17, 9, 5)), torch.tensor([2, 1, 0, 2])
    seen = apply_views(x, PLAIN, labels, seeded())
    for b, length in enumerate((24, 17, 9, 5)):
        own = x.values[b, :, :length]
        wanted = (own, -own, own.flip(1))[int(labels[b])]
        torch.testing.assert_close(seen.values[b, :, :length], wanted)
    assert torch.equal(seen.observed, x.observed)


def test_the_loss_is_the_cross_entropy_of_what_was_done() -> None:
    x, objective = ragged(), Transformation(encoder=small(), views=PLAIN).double()
    rng = seeded(3)
    labels = balanced_labels(x, 3, rng)
    z = objective.encoder.embed(apply_views(x, PLAIN, labels, rng))
    step = objective(x, seeded(3))
    torch.testing.assert_close(step.loss, F.cross_entropy(objective.classify(z), labels))
    torch.testing.assert_close(step.embeddings, z.detach())


@pytest.mark.parametrize("view", VISIBLE[1:], ids=repr)
def test_every_view_can_be_seen(view) -> None:
    """It changes each series by a tenth of its spread at least; save an order drawn as it was."""
    x = ramps()
    for seed in range(5):
        change = (view(x, seeded(seed)).values - x.values).square().mean(dim=(1, 2)).sqrt()
        unseen = int((change < 0.1 * x.values.std(dim=2)[:, 0]).sum())
        assert unseen <= 3 * (view.func.__name__ == "permute")


def test_sizes_never_come_near_that_of_the_series() -> None:
    x = ramps()
    factors = torch.cat([(shrink(x, seeded(s)).values / x.values)[:, 0, 5] for s in range(20)])
    assert 0.25 <= factors.min() < 0.28 and 0.47 < factors.max() <= 0.5


def test_views_show_their_settings_and_no_address() -> None:
    text = repr(Transformation(encoder=small(), views=VISIBLE))
    assert "jitter(strength=0.3)" in text and "same()" in text and " at 0x" not in text


def test_half_of_the_series_are_turned_round() -> None:
    x, objective = ragged((24, 17, 9, 2)), ArrowOfTime(encoder=small(), view=Fixed(same)).double()
    step, turned = objective(x, seeded(3)), balanced_labels(x, 2, seeded(3))
    assert int(turned.sum()) == 2
    losses = []
    for b, length in enumerate((24, 17, 9, 2)):
        own = x.values[b : b + 1, :, :length]
        own = own.flip(2) if turned[b] else own
        z = objective.encoder.embed(Batch(own, torch.ones_like(own, dtype=torch.bool)))
        losses.append(F.cross_entropy(objective.classify(z), turned[b : b + 1]))
    torch.testing.assert_close(step.loss, torch.stack(losses).mean())


def test_gaps_and_padding_are_turned_with_their_series() -> None:
    """A gap at the beginning is one at the end, save that the last step carries the length."""
    x = ragged((12, 8))
    x.observed[0, :, 2:5] = False
    seen = apply_views(x, PLAIN, torch.tensor([2, 2]), seeded())
    assert seen.observed[0, 0].tolist() == [True] * 7 + [False] * 3 + [True] * 2
    assert seen.lengths.tolist() == [12, 8]
    objective = ArrowOfTime(encoder=small()).double()
    wanted, got = (objective(y, seeded(1)).loss for y in (x, padded(x, 9)))
    torch.testing.assert_close(got, wanted)


def test_what_looks_the_same_both_ways_teaches_nothing() -> None:
    x = ramps()
    both = Batch(x.values + x.values.flip(2), x.observed)
    encoder = Dilated(channels=1, hidden=8, depth=3, dim=16)
    _, after = before_and_after(ArrowOfTime(encoder=encoder, view=Fixed(same)), both)
    assert after > 0.69


@pytest.mark.late
def test_the_losses_fall() -> None:
    for kind, views in ((ArrowOfTime, None), (Transformation, PLAIN)):
        encoder = Dilated(channels=1, hidden=8, depth=3, dim=16)
        objective = kind(encoder=encoder, views=views) if views else kind(encoder=encoder)
        before, after = before_and_after(objective, ramps(), steps=25)
        assert after < 0.6 * before, kind


def test_sign_direction_and_order_are_asked_for_where_nothing_else_is_said() -> None:
    views = [view.func.__name__ for view in Transformation(encoder=small()).views]
    assert views == ["same", "flip", "reverse", "permute"]


def test_one_view_is_not_a_question() -> None:
    with pytest.raises(ValueError, match="got 1 views, wanted at least 2"):
        Transformation(encoder=small(), views=[Fixed(same)])
