"""ActNorm: set once on a sample, over the steps that were observed, then learned."""

from copy import deepcopy

import pytest
import torch
from network_material import LENGTHS, convolution, dice, network, normed, single, walks
from torch import nn

from selftime.data.batch import Batch
from selftime.encoders.base import network_input
from selftime.encoders.networks import actnorm
from selftime.encoders.networks.actnorm import (
    NormedConvolution,
    convolve_same,
    he_uniform,
    prepare_norms,
    step_masks,
)

NORMED = ("resnet", "inception", "pooled cnn")


def layer(inner: int = 2, outer: int = 3, taps: int = 4) -> NormedConvolution:
    made = NormedConvolution(inner, outer, taps, rng=dice()).double()
    with torch.no_grad():
        made.scale.copy_(torch.linspace(0.5, 2, outer))
        made.shift.copy_(torch.linspace(-1, 1, outer))
    return made


def norms_of(encoder: nn.Module) -> list[NormedConvolution]:
    return [part for part in encoder.modules() if isinstance(part, NormedConvolution)]


@pytest.mark.parametrize("taps", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("T", [1, 2, 3, 4, 9])
def test_it_is_a_convolution_then_scale_and_shift_in_plain_loops(T, taps):
    x, made = walks((T, T)), layer(taps=taps)
    wanted = torch.stack([normed(series, made) for series in x.values])
    torch.testing.assert_close(made(x.values, step_masks(x)), wanted)


@pytest.mark.parametrize("channels, taps, is_full", [(8, 8, 1), (2, 8, 1), (16, 8, 0), (8, 7, 0)])
def test_a_shape_that_some_machines_get_wrong_in_half_precision_is_in_full(channels, taps, is_full):
    h, weight = (torch.randn(3, channels, n, generator=dice()) for n in (20, taps))
    full = convolve_same(h, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, of_half = convolve_same(h, weight), convolve_same(h.bfloat16(), weight)
    assert mixed.dtype == of_half.dtype == (torch.float32 if is_full else torch.bfloat16)
    assert torch.equal(mixed, full) == is_full
    torch.testing.assert_close(of_half.float(), full, atol=0.3, rtol=0.01)  # of inputs in half


@pytest.mark.parametrize("name", NORMED)
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_on_its_sample_each_feature_has_mean_0_and_deviation_1(name, gaps):
    encoder, x = network(name).double(), walks((40, 33, 40, 25, 17, 8), gaps=gaps)
    encoder.prepare(x, dice())
    made = {}

    def keep(norm, arguments, output):
        made[norm] = output.transpose(1, 2)[arguments[1].seen[:, 0]]  # (steps seen, O)

    for norm in norms_of(encoder):
        norm.register_forward_hook(keep)
    encoder(x)
    assert made.keys() == set(norms_of(encoder)) and all(norm.prepared for norm in made)
    for features in made.values():
        torch.testing.assert_close(
            features.mean(0), torch.zeros_like(features[0]), atol=1e-6, rtol=0
        )
        deviation = features.std(0, correction=0)
        torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-6, rtol=0)


def test_a_case_worked_out_by_hand():
    values = torch.tensor([[[1.0, 9.0, 5.0, 7.0]], [[3.0, 8.0, 0.0, 0.0]]])
    seen = torch.tensor([[[True, False, True, False]], [[True, False, False, False]]])
    x = Batch(values, seen)  # 1, 5 and 3: mean 3, variance 8/3; twice that with the weight
    norm = NormedConvolution(1, 1, 1, rng=dice())
    nn.init.constant_(norm.weight, 2.0)
    norm.measure(network_input(x), step_masks(x))
    scale = (3 / 8) ** 0.5 / 2
    torch.testing.assert_close(norm.scale.detach(), torch.tensor([scale]))
    torch.testing.assert_close(norm.shift.detach(), torch.tensor([-6 * scale]))
    made = norm(network_input(x), step_masks(x))
    torch.testing.assert_close(made[0, 0, ::2], torch.tensor([-4 * scale, 4 * scale]))


@pytest.mark.parametrize("name", NORMED)
def test_it_is_set_once(name):
    encoder, x, other = network(name), single(walks((40, 20))), single(walks((9, 30, 30)))
    encoder.prepare(x, dice())
    before = deepcopy(encoder.state_dict())
    encoder.prepare(other, dice())
    for key, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, before[key])
    again = network(name)
    again.load_state_dict(before)  # a model that was saved stays as it was
    again.prepare(other, dice())
    assert torch.equal(again.embed(x), encoder.embed(x))


@pytest.mark.parametrize("name", NORMED)
def test_unprepared_it_scales_by_1_and_still_works(name):
    encoder, x = network(name), single(walks(LENGTHS))
    for norm in norms_of(encoder):
        assert not norm.prepared and torch.equal(norm.scale, torch.ones_like(norm.scale))
        assert not norm.shift.any()
    vectors = encoder.embed(x)
    assert vectors.isfinite().all() and 0.01 < vectors.square().mean().sqrt() < 100


@pytest.mark.parametrize("name", NORMED)
@pytest.mark.parametrize("value", [0.0, 3.0, 1e-20, 1e12])
def test_a_constant_sample_leaves_finite_tensors_and_sane_scales(name, value):
    encoder, x = network(name), single(walks((40, 23)))
    encoder.prepare(Batch(torch.full_like(x.values, value), x.observed), dice())
    assert all(tensor.isfinite().all() for tensor in encoder.state_dict().values())
    assert encoder.embed(x).isfinite().all()


def test_a_feature_that_stays_the_same_is_shifted_alone():
    norm = NormedConvolution(1, 2, 1, rng=dice())
    x = Batch(torch.full((3, 1, 50), 0.1), torch.ones(3, 1, 50, dtype=torch.bool))
    norm.measure(x.values, step_masks(x))
    assert norm.prepared and torch.equal(norm.scale, torch.ones(2))
    assert norm(x.values, step_masks(x)).abs().max() < 1e-6


@pytest.mark.parametrize("name", NORMED)
def test_a_sample_with_nothing_in_it_sets_nothing(name):
    encoder, x = network(name), single(walks((40, 23)))
    encoder.prepare(Batch(x.values, torch.zeros_like(x.observed)), dice())
    assert not any(norm.prepared for norm in norms_of(encoder))
    encoder.prepare(x, dice())
    assert all(norm.prepared for norm in norms_of(encoder))


def test_of_a_large_sample_the_first_series_are_taken(monkeypatch):
    x, few, whole = single(walks((20,) * 6)), network("resnet"), network("resnet")
    monkeypatch.setattr(actnorm, "_MAX_STEPS", 65)  # three series of 20 steps
    few.prepare(x, dice())
    whole.prepare(Batch(x.values[:3], x.observed[:3]), dice())
    assert torch.equal(few.embed(x), whole.embed(x))


def test_preparing_leaves_no_hook_behind_even_where_it_fails():
    encoder = network("resnet")
    with pytest.raises(RuntimeError):
        prepare_norms(encoder, walks((9, 9)))  # float64 into float32 weights
    prepare_norms(encoder, single(walks((9, 9))))
    assert not any(norm._forward_pre_hooks for norm in norms_of(encoder))


def test_weights_keep_the_mean_square_through_a_relu():
    weight, h = he_uniform(400, 50, 4, rng=dice()), torch.randn(8, 50, 60, generator=dice())
    made = convolve_same(h, weight)[:, :, 4:-4].relu()
    assert 0.95 < made.square().mean() < 1.05
    assert convolution(h[0].double(), weight[:1].double()).shape == (1, 60)
