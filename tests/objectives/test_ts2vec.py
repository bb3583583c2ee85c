"""TS2Vec: its loss beside loops over crops that are encoded one by one, and what it refuses."""

import re

import pytest
import torch
from contrast_loops import Row, hierarchy_loop
from torch import Generator, Tensor
from toy_batches import before_and_after, padded, ragged, sines, with_gap

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.registry import ENCODERS
from selftime.objectives.base import Step
from selftime.objectives.parts.heads import dropout
from selftime.objectives.ts2vec import TS2Vec
from selftime.views.masks import Mask, RandomMask, SpanMask, hidden
from selftime.views.pairs import OverlappingCrops

NOTHING_HIDDEN = RandomMask(share=0.0)
WHOLE = OverlappingCrops(least=1000)
MATERIAL = {
    "ragged": ragged(),
    "equal": ragged((24, 24, 24)),
    "with a gap": with_gap(ragged(), 4, 11),
    "one step": ragged((1, 1)),
    "two": ragged((24, 2)),
}


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def ts2vec(
    *,
    crops: OverlappingCrops = WHOLE,
    mask: Mask = NOTHING_HIDDEN,
    dropout: float = 0.0,
) -> TS2Vec:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=5, seed=1).double()
    return TS2Vec(encoder=encoder, crops=crops, mask=mask, dropout=dropout)


def small_for(x: Batch) -> TS2Vec:
    """With the settings of the paper, in float32."""
    encoder = Dilated(channels=x.values.shape[1], hidden=8, depth=3, dim=16)
    return TS2Vec(encoder=encoder)


def assert_close(got: Tensor, wanted: float) -> None:
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=torch.float64))


def assert_parts(step: Step, r: list[Row], s: list[Row]) -> None:
    instance, temporal, _ = hierarchy_loop(r, s)
    assert_close(step.parts["instance"], instance)
    assert_close(step.parts["temporal"], temporal)
    assert_close(step.loss.detach(), instance + temporal)


@torch.no_grad()
def alone(encoder: Dilated, x: Batch, i: int) -> list[list[float]]:
    """Tokens of one series by itself."""
    T = int(x.lengths[i])
    return encoder(Batch(x.values[i : i + 1, :, :T], x.observed[i : i + 1, :, :T]))[0].tolist()


def filled(row: list[list[float]], most: int) -> Row:
    return row + [None] * (most - len(row))


@pytest.mark.parametrize("name", MATERIAL)
def test_whole_series_with_nothing_hidden_are_contrasted_with_themselves(name: str) -> None:
    x, objective = MATERIAL[name], ts2vec()
    most = int(x.lengths.max())
    rows = [filled(alone(objective.encoder, x, i), most) for i in range(len(x.values))]
    step = objective(x, seeded())
    assert_parts(step, rows, rows)
    own = [row[:T] for row, T in zip(rows, x.lengths.tolist(), strict=True)]
    wanted = [[max(numbers) for numbers in zip(*row, strict=True)] for row in own]
    torch.testing.assert_close(step.embeddings, torch.tensor(wanted, dtype=torch.float64))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["ragged", "equal", "two"])
def test_drawn_crops_equal_crops_that_are_encoded_one_by_one(name: str, seed: int) -> None:
    x, mask = MATERIAL[name], SpanMask(spans=2, share=0.3)
    objective = ts2vec(crops=OverlappingCrops(), mask=mask)
    rng = seeded(seed)
    crops = OverlappingCrops()(x, rng)
    most = int(crops.shared.max())
    views = []
    for crop, start in ((crops.first, crops.start), (crops.second, crops.start * 0)):
        seen = hidden(crop, mask(crop, rng))
        tokens = [alone(objective.encoder, seen, i) for i in range(len(x.values))]
        shared = zip(tokens, start.tolist(), crops.shared.tolist(), strict=True)
        views.append([filled(row[a : a + n], most) for row, a, n in shared])
    assert_parts(objective(x, seeded(seed)), *views)


def test_tokens_of_both_views_are_dropped_out_each_by_itself() -> None:
    x, objective, rng = MATERIAL["equal"], ts2vec(dropout=0.3), seeded(4)
    WHOLE(x, rng)
    views = []
    for _ in range(2):
        NOTHING_HIDDEN(x, rng)
        views.append(dropout(objective.encoder(x).detach(), 0.3, rng).tolist())
    assert views[0] != views[1]
    assert_parts(objective(x, seeded(4)), *views)


@pytest.mark.parametrize("name", MATERIAL)
def test_a_step_is_finite_and_its_parts_add_up_to_the_loss(name: str) -> None:
    x = Batch(MATERIAL[name].values.float(), MATERIAL[name].observed)
    objective, rng = small_for(x), seeded()
    for _ in range(5):
        step = objective(x, rng)
        assert step.loss.isfinite() and step.loss.requires_grad
        assert list(step.parts) == ["instance", "temporal"]
        torch.testing.assert_close(sum(step.parts.values()), step.loss.detach())
        assert not any(part.requires_grad for part in step.parts.values())
        assert step.embeddings.shape == (len(x.values), 16) and step.embeddings.isfinite().all()
        assert not step.embeddings.requires_grad


@pytest.mark.parametrize("seed", range(4))
def test_padding_and_what_stands_in_it_change_nothing(seed: int) -> None:
    x = with_gap(ragged(), 4, 11)
    objective = TS2Vec(encoder=ts2vec().encoder)
    garbage = torch.full_like(x.values, -7e4)
    wanted = objective(x, seeded(seed))
    for other in (Batch(x.values.where(x.observed, garbage), x.observed), padded(x, 13)):
        got = objective(other, seeded(seed))
        torch.testing.assert_close(got.loss, wanted.loss)
        torch.testing.assert_close(got.embeddings, wanted.embeddings)


def test_a_seed_means_the_same_step_and_nothing_else_is_touched() -> None:
    x = ragged()
    objective, world = TS2Vec(encoder=ts2vec().encoder), torch.get_rng_state()
    values, observed = x.values.clone(), x.observed.clone()
    losses = [objective(x, seeded(seed)).loss for seed in (3, 3, 4)]
    assert torch.equal(losses[0], losses[1]) and not torch.isclose(losses[0], losses[2])
    assert torch.equal(x.values, values) and torch.equal(x.observed, observed)
    assert torch.equal(torch.get_rng_state(), world)


def test_every_trainable_weight_gets_a_gradient_and_no_frozen_one() -> None:
    x = sines()
    objective = small_for(x)
    objective.encoder.entry.requires_grad_(False)
    objective(x, seeded()).loss.backward()
    for name, weight in objective.named_parameters():
        if name.startswith("encoder.entry"):
            assert weight.grad is None, name
        else:
            assert weight.grad is not None and weight.grad.isfinite().all(), name
            assert weight.grad.any(), name


@pytest.mark.late
def test_the_loss_falls() -> None:
    before, after = before_and_after(small_for(sines()), sines())
    assert after < 0.95 * before  # 9 % measured


def test_a_series_alone_is_refused() -> None:
    text = "got a batch of 1 series, wanted at least 2: the other series of the batch"
    with pytest.raises(ValueError, match=re.escape(text)):
        ts2vec()(ragged((24,)), seeded())


def test_an_encoder_of_whole_series_is_refused() -> None:
    encoder = ENCODERS["MiniRocket"](channels=1, length=32, features=84)
    text = "ts2vec needs an encoder with one token per step, got MiniRocket: use encoder='dilated'"
    with pytest.raises(ValueError, match=re.escape(text)):
        TS2Vec(encoder=encoder)


@pytest.mark.parametrize("dropout", [1.0, -0.1, float("nan")])
def test_dropout_leaves_something(dropout: float) -> None:
    with pytest.raises(ValueError, match=f"got dropout={dropout}, wanted a share from 0 to below"):
        ts2vec(dropout=dropout)
