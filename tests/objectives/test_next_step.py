"""Next steps beside plain loops: what a token may know, what it predicts, what counts."""

import re

import pytest
import torch
from torch import Generator
from toy_batches import before_and_after, ragged, sines, with_gap

from selftime.data.batch import Batch
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.next_step import NextStep, frames_after
from selftime.views.pairs import Fixed, RandomCrop, same


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def causal(channels: int = 2) -> Dilated:
    return Dilated(channels=channels, hidden=6, depth=3, dim=8, causal=True, seed=1)


@pytest.mark.parametrize("stride, size", [(1, 1), (1, 5), (4, 4), (4, 3), (5, 8), (24, 2)])
def test_a_frame_begins_where_its_token_ends(stride: int, size: int) -> None:
    x = with_gap(ragged(), 4, 11)
    frames = frames_after(x, stride, size)
    B, C, T = x.values.shape
    assert frames.values.shape == (B, -(-T // stride), C, size)
    for n in range(frames.values.shape[1]):
        for ahead in range(size):
            step = (n + 1) * stride + ahead
            valid = frames.observed[:, n, :, ahead]
            if step < T:
                assert torch.equal(valid, x.observed[:, :, step])
                assert torch.equal(frames.values[:, n, :, ahead], x.values[:, :, step])
            else:
                assert not valid.any()


def test_the_loss_is_the_mean_error_of_all_that_follows() -> None:
    x = with_gap(ragged((24, 17, 9)), 4, 11)
    objective = NextStep(encoder=causal(), frame=3, view=Fixed(same)).double()
    step = objective(x, seeded())
    tokens = objective.encoder(x)
    errors = []
    for b, length in enumerate((24, 17, 9)):
        for t in range(length):
            foretold = objective.head(tokens[b, t][None, None])[0, 0]  # (C,L)
            for ahead in range(3):
                at = t + 1 + ahead
                for c in range(2):
                    if at < length and x.observed[b, c, at]:
                        errors.append((foretold[c, ahead] - x.values[b, c, at]) ** 2)
    torch.testing.assert_close(step.loss, torch.stack(errors).mean())
    torch.testing.assert_close(step.embeddings, objective.encoder.embed(x).detach())


def test_no_prediction_knows_what_it_predicts() -> None:
    """The gradient of what is foretold at step t with respect to later steps is 0."""
    values = ragged((12,)).values.requires_grad_()
    objective = NextStep(encoder=causal(), frame=2).double()
    x = Batch(values, torch.ones_like(values, dtype=torch.bool))
    foretold = objective.head(objective.encoder(x))  # (1,T,C,2)
    for t in (0, 5, 10):
        (slope,) = torch.autograd.grad(foretold[0, t].sum(), values, retain_graph=True)
        assert slope[0, :, t].any() and not slope[0, :, t + 1 :].any()


def test_crops_are_pieces_of_series_and_equal_lengths_stay_equal() -> None:
    x = ragged((24, 24, 9))
    begins = set()
    for seed in range(20):
        crop = RandomCrop(least=0.5)(x, seeded(seed))
        lengths = crop.lengths.tolist()
        assert 12 <= lengths[0] <= 24 and lengths[0] == lengths[1] and 5 <= lengths[2] <= 9
        for b, length in enumerate(lengths):
            whole = x.values[b, :, : int(x.lengths[b])].unfold(1, length, 1).unbind(1)
            found = [i for i, w in enumerate(whole) if torch.equal(w, crop.values[b, :, :length])]
            assert len(found) == 1
            begins.add(found[0])
    assert len(begins) > 5
    assert torch.equal(RandomCrop(least=1.0)(x, seeded()).observed, x.observed)


def test_changes_are_counted_from_the_last_step_that_a_token_knows() -> None:
    x = ragged((24, 17))
    ahead = NextStep(encoder=causal(), frame=3).wanted(x)
    change = NextStep(encoder=causal(), frame=3, change=True).wanted(x)
    for b in range(2):
        for t in range(24):
            for k in range(3):
                both = ahead.observed[b, t, :, k] & x.observed[b, :, t]
                assert torch.equal(change.observed[b, t, :, k], both)
                moved = ahead.values[b, t, :, k] - x.values[b, :, t]
                assert torch.equal(change.values[b, t, :, k][both], moved[both])


def test_a_series_that_never_moves_asks_nothing_of_changes() -> None:
    still = Batch(torch.full((2, 1, 12), 3.0), torch.ones(2, 1, 12, dtype=torch.bool))
    wanted = NextStep(encoder=causal(), frame=2, change=True).wanted(still)
    assert not wanted.values[wanted.observed].any() and wanted.observed.any()


def test_the_loss_falls() -> None:
    encoder = Dilated(channels=1, hidden=8, depth=3, dim=16, causal=True)
    before, after = before_and_after(NextStep(encoder=encoder), sines())
    assert after < 0.6 * before


def test_who_sees_what_comes_is_refused() -> None:
    text = "got Dilated, which sees steps that come later: use encoder='dilated_causal', or"
    with pytest.raises(ValueError, match=re.escape(text)):
        NextStep(encoder=Dilated(channels=1))
    with pytest.raises(ValueError, match="got MiniRocket, which sees only whole series"):
        NextStep(encoder=MiniRocket(channels=1, length=30, features=84))
    with pytest.raises(ValueError, match="got frame=0, wanted at least 1"):
        NextStep(encoder=causal(), frame=0)
