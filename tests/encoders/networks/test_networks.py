"""Laws that convolutional and recurrent networks share."""

import pytest
import torch
from network_material import LENGTHS, SMALL, alone, dice, network, single, walks

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder, valid_tokens
from selftime.encoders.builders import BUILDERS
from selftime.encoders.registry import rebuild, recipe_of
from selftime.engine.training.config import TrainingConfig, parse_budget
from selftime.engine.training.trainer import Trainer
from selftime.objectives.simclr import SimCLR

NAMES = tuple(SMALL)
by_name = pytest.mark.parametrize("name", NAMES)


def ready(name: str) -> Encoder:
    encoder = network(name)
    encoder.prepare(single(walks((40, 30, 20), gaps=0.2)), dice())
    return encoder


@pytest.mark.late
@by_name
def test_a_ragged_batch_equals_each_series_alone(name):
    encoder, x = ready(name).double(), walks(LENGTHS, gaps=0.4)
    tokens, vectors = encoder(x), encoder.embed(x)
    for i in range(len(LENGTHS)):
        own = encoder(alone(x, i))
        torch.testing.assert_close(tokens[i : i + 1, : own.shape[1]], own)
        torch.testing.assert_close(vectors[i : i + 1], encoder.embed(alone(x, i)))


@by_name
def test_gradients_of_a_ragged_batch_are_those_of_each_series_alone(name):
    encoder, x = ready(name).double(), walks((1, 9, 16, 23), gaps=0.2)
    weights = list(encoder.parameters())
    got = torch.autograd.grad(encoder.embed(x).square().sum(), weights)
    vectors = torch.cat([encoder.embed(alone(x, i)) for i in range(4)])
    wanted = torch.autograd.grad(vectors.square().sum(), weights)
    for mine, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


@by_name
def test_there_are_as_many_tokens_as_the_stride_says(name):
    encoder = network(name)
    stride = 8 if name == "pooled cnn" else 1
    assert encoder.stride == stride
    for T in (*range(1, 18), 33) if stride > 1 else (1, 2, 5):
        x = single(walks((T, 1)))
        assert encoder(x).shape[:2] == valid_tokens(encoder, x).shape == (2, -(-T // stride))


@by_name
def test_the_future_is_seen_where_an_encoder_is_not_causal_and_only_there(name):
    encoder, x = ready(name).double(), walks((32, 32))
    values = x.values.clone()
    values[:, :, 20:] += 3
    change = (encoder(Batch(values, x.observed)) - encoder(x)).abs().amax(dim=(0, 2))
    before = 20 // encoder.stride
    assert (change[:before].max() == 0) == encoder.causal == ("causal" in name)
    assert change[before:].min() > 0
    if encoder.causal:
        shorter = Batch(x.values[:, :, :20], x.observed[:, :, :20])
        torch.testing.assert_close(encoder(shorter), encoder(x)[:, :20])


@by_name
def test_a_vector_of_nothing_is_finite(name):
    x = single(walks((9, 9)))
    x.observed[0] = False
    assert ready(name).embed(x).isfinite().all()


@by_name
def test_half_precision_is_near_full_or_refused(name):
    """On every machine: some compute a few shapes of convolutions wrongly in bfloat16."""
    series = SeriesSet.of([*walks((20,) * 9).values.float().numpy()])
    objective, config = SimCLR(encoder=ready(name)), TrainingConfig(precision="bf16")
    budget, scale = parse_budget("2 steps"), scaling.fit_channels(series)
    training = Trainer(objective, series, scale, budget, config, 3)
    if training.refused:
        assert training.config.precision == training.accelerator.mixed_precision == "no"
        assert training.refused.reason.startswith("bf16 was given, but on this machine embeddings")
    encoder, x = objective.encoder, single(walks((20, 9)))
    with training.accelerator.autocast():
        half = encoder.embed(x)
    half.float().square().sum().backward()
    full = encoder.embed(x)
    assert (half - full).abs().max() < 0.05 * full.abs().max()


@pytest.mark.late
@by_name
def test_three_steps_of_simclr_reach_every_weight_and_lower_the_loss(name):
    objective = SimCLR(encoder=network(name))
    x = single(walks((24,) * 8, gaps=0.1))
    objective.prepare(x, dice())
    optimiser = torch.optim.AdamW(objective.parameters(), 1e-2)
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        step = objective(x, dice(1))
        step.loss.backward()
        for key, weight in objective.named_parameters():
            assert weight.grad is not None and weight.grad.abs().max() > 0, key
            assert weight.grad.isfinite().all()
        optimiser.step()
        losses.append(float(step.loss.detach()))
    assert losses[2] < losses[0]


@by_name
def test_a_seed_means_the_same_weights_and_draws_from_nothing_else(name):
    kind, settings = type(network(name)), network(name)
    plain = {key: value for key, value in recipe_of(settings).items() if key != "class"}
    before = torch.get_rng_state()
    one, same, other = (dict(kind(**plain | {"seed": s}).named_parameters()) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for key, weight in one.items():
        drawn = not key.endswith(("scale", "shift"))
        assert torch.equal(weight, same[key]) and torch.equal(weight, other[key]) != drawn


@pytest.mark.parametrize("name", ["resnet", "inception", "lstm", "gru"])
def test_a_network_without_layers_is_refused(name):
    kind = type(network(name))
    with pytest.raises(ValueError, match="got depth 0, wanted at least 1"):
        kind(channels=1, depth=0)


@by_name
def test_sizes_that_tensors_do_not_have_are_refused(name):
    encoder = network(name)
    recipe, state = recipe_of(encoder), encoder.state_dict()
    rebuild(recipe, 2, state)
    with pytest.raises(ValueError, match="far more numbers than the tensors hold"):
        rebuild(recipe | {"hidden": 10**6}, 2, state)
    with pytest.raises(ValueError, match="settings say"):
        rebuild(recipe | {"hidden": recipe["hidden"] + 2}, 2, state)
    if "depth" in recipe:
        with pytest.raises(ValueError, match="got 1000000 layers, but"):
            rebuild(recipe | {"depth": 10**6}, 2, state)


@pytest.mark.parametrize("name", ["resnet", "inception", "tstcc_cnn", "lstm", "gru"])
def test_published_sizes_pass_the_check(name):
    encoder = BUILDERS[name](channels=3, length=50, seed=2)
    rebuild(recipe_of(encoder), 3, encoder.state_dict())
    assert (encoder.channels, encoder.seed) == (3, 2)
