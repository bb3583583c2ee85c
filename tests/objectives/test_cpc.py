"""CPC: its loss beside loops, where series are cut, and that contexts know no future."""

import math
import re

import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import gradcheck
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.cpc import CPC, NEGATIVES, Ahead, Predictor, info_nce


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def cpc(ahead: Ahead = Ahead()) -> CPC:  # noqa: B008
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    return CPC(encoder=encoder, ahead=ahead, seed=2).double()


def equation_4(
    predicted: Tensor, latents: Tensor, valid: Tensor, negatives: str = "series"
) -> float:
    """van den Oord et al. 2018: -log f(own future) / sum of f over all futures, f of equation 3."""
    p, z, exists = predicted.tolist(), latents.tolist(), valid.tolist()
    B, K = valid.shape
    losses = []
    for k in range(K):
        for i in (i for i in range(B) if exists[i][k]):
            candidates = {(i, k)}
            if negatives in ("series", "both"):
                candidates |= {(j, k) for j in range(B) if exists[j][k]}
            if negatives in ("own", "both"):
                candidates |= {(i, other) for other in range(K) if exists[i][other]}
            f = {
                (j, at): math.exp(sum(a * b for a, b in zip(z[j][at], p[i][k], strict=True)))
                for j, at in candidates
            }
            losses.append(-math.log(f[i, k] / sum(f.values())))
    return sum(losses) / max(len(losses), 1)


THERE = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 0]]).bool()


@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("valid", [THERE, THERE | True, THERE & False], ids=["some", "all", "none"])
def test_loss_equals_equation_4_over_the_segments_that_exist(
    rng: Generator, valid: Tensor, negatives: str
) -> None:
    predicted, latents = torch.randn(2, 4, 3, 5, generator=rng, dtype=torch.float64)
    wanted = torch.tensor(equation_4(predicted, latents, valid, negatives), dtype=torch.float64)
    torch.testing.assert_close(info_nce(predicted, latents, valid, negatives), wanted)
    latents[~valid] = 1e9
    torch.testing.assert_close(info_nce(predicted, latents, valid, negatives), wanted)


def test_loss_has_the_gradient_of_finite_differences(rng: Generator) -> None:
    predicted, latents = torch.randn(2, 4, 3, 2, generator=rng, dtype=torch.float64)
    for valid in (THERE, THERE & False):
        given = predicted.requires_grad_(), latents.requires_grad_()
        assert gradcheck(lambda p, z, valid=valid: info_nce(p, z, valid), given)
        assert gradcheck(lambda p, z, valid=valid: info_nce(p, z, valid, "both"), given)


def test_a_view_changes_what_is_seen_of_the_past_alone() -> None:
    def turned(x: Batch, rng: Generator) -> Batch:  # noqa: ARG001
        return Batch(-x.values, x.observed)

    plain, shown, x = cpc(), list[Batch](), ragged((24, 17))
    viewed = CPC(encoder=plain.encoder, view=turned, seed=2).double()
    embed = plain.encoder.embed
    plain.encoder.embed = lambda given: shown.append(given) or embed(given)
    for objective in (plain, viewed):
        objective(x, seeded())
    past, future, other_past, other_future = shown
    assert torch.equal(other_past.values, -past.values) and past.values.any()
    assert torch.equal(other_future.values, future.values)


def test_a_single_recording_has_negatives_of_its_own() -> None:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    alone = ragged((24,))
    assert CPC(encoder=encoder, negatives="own").double()(alone, seeded()).loss > 0
    for negatives in ("series", "both"):
        with pytest.raises(ValueError, match="got a batch of 1 series, wanted at least 2"):
            CPC(encoder=encoder, negatives=negatives)(alone, seeded())
    with pytest.raises(ValueError, match="got negatives='all', wanted one of series, own, both"):
        CPC(encoder=encoder, negatives="all")


def test_what_cannot_be_told_apart_costs_the_logarithm_of_the_candidates() -> None:
    """Collapse is penalised: all alike, 4 candidates of the first segment, then 3 and 1."""
    alike = torch.ones(4, 3, 2)
    wanted = (4 * math.log(4) + 3 * math.log(3) + 0) / 8
    torch.testing.assert_close(info_nce(alike, alike, THERE), torch.tensor(wanted))
    apart = 20 * torch.eye(4)[:, None].expand(4, 3, 4)
    assert info_nce(apart, apart, THERE) < 1e-6


def test_predictions_are_one_matrix_a_segment(rng: Generator) -> None:
    predict = Predictor(3, 2, 4, seed=0)
    context = torch.randn(5, 3, generator=rng)
    found = predict(context)
    for k in range(4):
        for b in range(5):
            torch.testing.assert_close(found[b, k], predict.weight[k] @ context[b])


def test_scores_begin_near_1_whatever_the_width(rng: Generator) -> None:
    for inner, outer in ((8, 8), (64, 256)):
        context, z = torch.randn(500, inner, generator=rng), torch.randn(500, outer, generator=rng)
        scores = (Predictor(inner, outer, 1, seed=0)(context)[:, 0] * z).sum(dim=1)
        assert 0.8 < float(scores.detach().std()) < 1.25


@pytest.mark.parametrize("seed", range(5))
def test_segments_follow_the_past_and_one_another(seed: int) -> None:
    x, ahead = ragged((40, 33, 17, 8, 5, 3, 2, 1)), Ahead(segments=4, share=0.125)
    cut = ahead(x, seeded(seed))
    past, future = cut.before(x), cut.after(x)
    valid = cut.valid(future)
    for i, L in enumerate((40, 33, 17, 8, 5, 3, 2, 1)):
        p, s = int(cut.past[i]), max(L // 8, 1)
        assert p >= 1 and (p + 4 * s <= L or p == 1) and (p >= s or L < 8)
        assert int(cut.size[i]) == s and past.lengths[i] == p
        assert torch.equal(past.values[i, :, :p], x.values[i, :, :p])
        for k in range(4):
            wanted = x.values[i, :, p + k * s : min(p + (k + 1) * s, L)]
            row = 4 * i + k
            assert future.lengths[row] == wanted.shape[1]
            assert torch.equal(future.values[row, :, : wanted.shape[1]], wanted)
            assert valid[i, k] == (wanted.shape[1] > 0)


def test_cuts_differ_between_draws_and_equal_lengths_stay_equal() -> None:
    x = ragged((40, 40, 40))
    cuts = {tuple(Ahead()(x, seeded(seed)).past.tolist()) for seed in range(50)}
    assert all(len(set(cut)) == 1 for cut in cuts)
    assert {cut[0] for cut in cuts} == set(range(5, 21))


def test_the_context_knows_nothing_of_the_future() -> None:
    x, objective = ragged((24, 24, 17)), cpc()
    past = objective.ahead(x, seeded(3)).past
    later = torch.arange(24) >= past[:, None, None]
    other = Batch(x.values.where(~later, x.values.flip(2)), x.observed)
    first, second = (objective(batch, seeded(3)) for batch in (x, other))
    assert torch.equal(first.embeddings, second.embeddings)
    assert not torch.isclose(first.loss, second.loss)


@pytest.mark.parametrize("seed", range(2))
def test_padding_and_what_stands_in_it_change_nothing(seed: int) -> None:
    x, objective = with_gap(ragged(), 4, 11), cpc()
    wanted = objective(x, seeded(seed)).loss
    for other in (Batch(x.values.where(x.observed, -7e4), x.observed), padded(x, 13)):
        torch.testing.assert_close(objective(other, seeded(seed)).loss, wanted)


def test_series_of_a_single_step_have_no_future_and_cost_nothing() -> None:
    loss = cpc()(ragged((1, 1, 1)), seeded()).loss
    assert loss == 0 and loss.requires_grad


@pytest.mark.parametrize("segments, share", [(4, 0.25), (4, 0.0), (2, -0.1), (1, float("nan"))])
def test_segments_leave_a_past(segments: int, share: float) -> None:
    with pytest.raises(ValueError, match="of a series each, wanted more than 0 and less than 1"):
        Ahead(segments=segments, share=share)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match="got segments=0, wanted at least 1"):
        Ahead(segments=0)
    with pytest.raises(ValueError, match=re.escape("got a batch of 1 series, wanted at least 2")):
        cpc()(ragged((24,)), seeded())
