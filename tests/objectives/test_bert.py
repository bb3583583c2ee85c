"""BERT: segments, what becomes of chosen patches, and its losses, beside loops."""

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
from selftime.objectives.bert import BERT, corrupted, next_segment_loss, segments
from selftime.objectives.losses import masked_code_loss
from selftime.objectives.patches import patches_of


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(4), dtype=torch.float64)


def bert(*, patch: int = 4, share: float = 0.15) -> BERT:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    objective = BERT(encoder=encoder, patch=patch, codes=5, share=share, seed=2).double()
    objective.prepare(ragged(), seeded())
    return objective


def cross_entropy_loop(logits: list[float], code: int) -> float:
    return math.log(sum(math.exp(v) for v in logits)) - logits[code]


def test_chosen_codes_and_asked_segments_cost_what_the_paper_says() -> None:
    logits, codes = numbers(3, 4, 5), torch.arange(12).view(3, 4) % 5
    selected = torch.arange(12).view(3, 4) % 3 == 0
    each = [
        cross_entropy_loop(logits[b, p].tolist(), int(codes[b, p]))
        for b, p in selected.nonzero().tolist()
    ]
    torch.testing.assert_close(
        float(masked_code_loss(logits, codes, selected)), sum(each) / len(each)
    )
    follows, asked = torch.tensor([True, False, True]), torch.tensor([True, True, False])
    a, b, _ = numbers(3).tolist()
    wanted = (math.log(1 + math.exp(-a)) + math.log(1 + math.exp(b))) / 2
    torch.testing.assert_close(float(next_segment_loss(numbers(3), follows, asked)), wanted)
    assert masked_code_loss(logits, codes, selected & False) == 0
    assert next_segment_loss(numbers(3), follows, asked & False) == 0
    check = torch.autograd.gradcheck
    assert check(lambda z: masked_code_loss(z, codes, selected), logits.requires_grad_())
    assert check(lambda z: next_segment_loss(z, follows, asked), numbers(3).requires_grad_())


@pytest.mark.parametrize("seed", range(4))
def test_a_series_goes_on_as_it_does_or_as_another_at_its_mean_and_spread(seed: int) -> None:
    x, patch = ragged((24, 17, 9, 2, 13)), 4
    both = segments(x, patch, seeded(seed))
    lengths, starts = x.lengths.tolist(), [3, 2, 1, 1, 2]
    assert both.start.tolist() == starts
    for i in range(5):
        a, made = starts[i] * patch, int(both.joined.lengths[i])
        got = both.joined.values[i, :, :made]
        torch.testing.assert_close(got[:, :a], x.values[i, :, : min(a, lengths[i])])
        if both.follows[i]:
            assert made == lengths[i] and torch.equal(got, x.values[i, :, :made])
            continue
        own, found = x.values[i, :, a : lengths[i]], []
        for j in range(5):
            other = x.values[j, :, starts[j] * patch : lengths[j]]
            if j != i and other.shape[1] == made - a:
                mean, spread = (
                    (part.mean(1, keepdim=True) + 0 * other for part in (own, other)),
                    (own.std(1, correction=0) / other.std(1, correction=0))[:, None],
                )
                to, at = mean
                found.append(torch.allclose((other - at) * spread + to, got[:, a:]))
        assert any(found)
    assert both.follows[3] and not both.asked[3]  # a series of one patch has no continuation
    counts = [-(-int(n) // patch) for n in both.joined.lengths]
    for i, row in enumerate(both.apart.tolist()):
        assert row == [p == starts[i] and counts[i] - starts[i] > 1 for p in range(len(row))]


def test_half_of_the_series_go_on_as_others_and_never_as_themselves() -> None:
    values = torch.arange(400.0)[:, None, None] * 100 + torch.arange(8.0)
    x = Batch(values, torch.ones_like(values, dtype=torch.bool))
    both = segments(x, 4, seeded())
    assert both.asked.all() and 160 < both.follows.sum() < 240
    assert torch.allclose(both.joined.values, values)  # by mean and spread alone all are alike


def test_of_the_chosen_some_are_hidden_some_replaced_some_left() -> None:
    values = torch.randn(200, 1, 40, generator=seeded(1))
    x = Batch(values, torch.ones_like(values, dtype=torch.bool))
    selected = (torch.arange(10) < 5).expand(200, 10)
    made = corrupted(x, selected, 4, seeded())
    before, after = patches_of(x, 4), patches_of(made, 4)
    gone = ~after.observed.flatten(2).any(dim=2)
    same = (before.values == after.values).flatten(2).all(dim=2)
    swapped = ~same & ~gone
    assert not (gone | swapped)[:, 5:].any()
    for part, share in ((gone, 0.8), (swapped, 0.1), (same & ~gone & selected, 0.1)):
        assert abs(float(part.sum()) / 1000 - share) < 0.03
    words = {tuple(word) for word in before.values[:, :, 0].reshape(-1, 4).tolist()}
    assert all(tuple(word) in words for word in after.values[swapped][:, 0].tolist())


def test_a_replaced_patch_keeps_its_gaps_and_takes_nothing_that_was_not_observed() -> None:
    x = with_gap(ragged(), 5, 11)
    selected = patches_of(x, 4).observed.flatten(2).any(dim=2)
    for seed in range(20):
        made = corrupted(x, selected, 4, seeded(seed))
        assert not (made.observed & ~x.observed).any()
        assert torch.equal(made.lengths, x.lengths)
        assert made.values.where(made.observed, 0.0).abs().max() < 1e3  # 1e6 stands in padding


def test_without_a_clue_a_code_costs_log_k_and_a_segment_log_2() -> None:
    objective = bert()
    for layer in (objective.word, objective.follows):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    step = objective(ragged(), seeded())
    assert math.isclose(float(step.parts["codes"]), math.log(5))
    assert math.isclose(float(step.parts["next"]), math.log(2))
    assert math.isclose(float(step.loss.detach()), math.log(10))


def test_the_patch_after_a_is_never_seen() -> None:
    """With all patches of A and B known, what B begins with changes nothing but its code."""
    x, objective, given = ragged((24, 24)), bert(), []
    objective.encoder.register_forward_pre_hook(lambda module, args: given.append(args[0]))
    objective(x, seeded())
    assert not given[0].observed[:, :, 12:16].any() and given[0].observed[:, :, 20:].any()


@torch.no_grad()
def test_the_second_task_reads_the_whole_or_what_is_hidden_between() -> None:
    x = ragged((24, 17, 13, 9))
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    for between in (False, True):
        objective = BERT(encoder=encoder, patch=4, codes=5, between=between, seed=2).double()
        given: list[Tensor] = []
        objective.follows.register_forward_pre_hook(lambda part, args, to=given: to.append(args[0]))
        seen: list[Batch] = []
        encoder.register_forward_pre_hook(lambda part, args, to=seen: to.append(args[0]))
        objective(x, seeded())
        tokens = encoder(seen[0])
        for b, (place, got) in enumerate(zip((3, 2, 2, 1), given[0], strict=True)):
            wanted = tokens[b, 4 * place : 4 * place + 4]
            begins = int(seen[0].lengths[b]) - 4 * place
            alone = wanted[:begins].mean(dim=0)
            whole = encoder.pool(tokens[b : b + 1], Batch(*(part[b : b + 1] for part in seen[0])))
            torch.testing.assert_close(got, alone if between else whole[0])


def test_a_series_without_a_second_patch_is_asked_for_no_continuation() -> None:
    objective = bert()
    step = objective(ragged((3, 2, 1)), seeded())
    assert step.parts["next"] == 0 and step.loss.isfinite()


def test_padding_and_what_stands_in_it_change_nothing() -> None:
    x, objective = with_gap(ragged(), 4, 11), bert()
    wanted = objective(x, seeded()).loss
    garbage = Batch(x.values.where(x.observed, -7e4), x.observed)
    for other in (garbage, padded(x, 13)):
        torch.testing.assert_close(objective(other, seeded()).loss, wanted)


def test_an_encoder_of_eight_steps_a_token_works_and_one_of_whole_series_does_not() -> None:
    objective = BERT(encoder=Strided(), codes=4).double()
    objective.prepare(ragged(), seeded())
    objective(ragged(), seeded()).loss.backward()
    assert all(weight.grad.any() for weight in objective.parameters())
    with pytest.raises(ValueError, match="use a multiple of 8"):
        BERT(encoder=Strided(), patch=4)
    with pytest.raises(ValueError, match="sees a series only as a whole"):
        BERT(encoder=MiniRocket(channels=1, length=30, features=84))


def test_what_it_refuses() -> None:
    text = "wanted at least 2: half of all series are continued by another series of the batch"
    with pytest.raises(ValueError, match=re.escape(text)):
        bert()(ragged((24,)), seeded())
    with pytest.raises(ValueError, match=re.escape("got share=1.5, wanted a share from 0 to 1")):
        bert(share=1.5)
