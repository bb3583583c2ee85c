"""Forecasting as a pretext beside plain loops."""

import pytest
import torch
from torch import Generator
from toy_batches import before_and_after, ragged, sines, with_gap

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.forecast import Forecast


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def small(*, horizon: int = 3, least: float = 0.25) -> Forecast:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    return Forecast(encoder=encoder, horizon=horizon, least=least, seed=2).double()


def test_the_past_alone_predicts_what_follows() -> None:
    lengths = (24, 17, 9, 2, 1)
    x, objective = with_gap(ragged(lengths), 4, 11), small()
    for seed in range(3):
        step, now = objective(x, seeded(seed)), objective.moments(x, seeded(seed)).tolist()
        errors, vectors = [], []
        for b, length in enumerate(lengths):
            past = Batch(x.values[b : b + 1, :, : now[b]], x.observed[b : b + 1, :, : now[b]])
            vectors.append(objective.encoder.embed(past))
            foretold = objective.head(vectors[-1][:, None])[0, 0]  # (C,L)
            for c in range(2):
                for ahead in range(min(3, length - now[b])):
                    if x.observed[b, c, now[b] + ahead]:
                        errors.append((foretold[c, ahead] - x.values[b, c, now[b] + ahead]) ** 2)
        torch.testing.assert_close(step.loss, torch.stack(errors).mean())
        torch.testing.assert_close(step.embeddings, torch.cat(vectors).detach())


def test_moments_leave_some_past_and_the_whole_horizon() -> None:
    x, objective = ragged((24, 12, 3, 2, 1)), small(horizon=4, least=0.5)
    found = [objective.moments(x, seeded(seed)).tolist() for seed in range(60)]
    for seen, wanted in zip(
        zip(*found, strict=True), (range(12, 21), range(6, 9), [1], [1], [1]), strict=True
    ):
        assert set(seen) == set(wanted)


def test_what_comes_changes_the_target_and_not_the_embedding() -> None:
    x, objective = ragged((24, 24)), small()
    now = objective.moments(x, seeded())
    later = torch.arange(24) >= now[:, None, None]
    step = objective(x, seeded())
    other = objective(Batch(x.values + 5 * later, x.observed), seeded())
    assert torch.equal(step.embeddings, other.embeddings)
    assert not torch.isclose(step.loss, other.loss)


def test_a_series_without_a_future_costs_nothing() -> None:
    assert float(small()(ragged((1, 1)), seeded()).loss.detach()) == 0


def test_the_loss_falls() -> None:
    encoder = Dilated(channels=1, hidden=8, depth=3, dim=16)
    before, after = before_and_after(Forecast(encoder=encoder, horizon=4, least=0.7), sines())
    assert after < 0.7 * before


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="got horizon=0, wanted at least 1"):
        small(horizon=0)
    with pytest.raises(ValueError, match=r"got least=1.0, wanted a share from 0 to below 1"):
        small(least=1.0)
