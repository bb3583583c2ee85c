"""The laws that hold for every encoder, as functions of an :class:`EncoderCase`."""

import json

import numpy as np
import pytest
import torch
from kinds import LENGTH, EncoderCase
from material import LENGTHS, chosen, copy_of, drawn, padded, with_gaps, with_garbage
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.registry import build, recipe_of
from selftime.settings import settings_of


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def patchy(channels: int = 3) -> Batch:
    """Ragged series with gaps."""
    rng = dice()
    return with_gaps(drawn(rng, channels=channels), rng)


def assert_same(got: Tensor, wanted: Tensor, case: EncoderCase) -> None:
    torch.testing.assert_close(got, wanted, rtol=case.rounding, atol=case.rounding)


def assert_same_bits(got: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def gives_finite_float32_vectors(case: EncoderCase) -> None:
    for channels in (1, 3):
        encoder = case.build(channels)
        for x in map(case.read, (drawn(dice(), channels=channels), patchy(channels))):
            tokens, vectors = encoder(x), encoder.embed(x)
            assert tokens.ndim == 3 and tokens.shape[::2] == (len(LENGTHS), encoder.dim)
            assert vectors.shape == (len(LENGTHS), encoder.dim)
            assert vectors.dtype == torch.float32
            assert tokens.isfinite().all() and vectors.isfinite().all()


def same_seed_gives_the_same_bits(case: EncoderCase) -> None:
    x = case.read(patchy())
    assert_same_bits(case.build(seed=1).embed(x), case.build(seed=1).embed(x))


def the_seed_matters_where_something_is_random(case: EncoderCase) -> None:
    x = case.read(patchy())
    alike = torch.allclose(case.build(seed=1).embed(x), case.build(seed=2).embed(x))
    assert alike != case.random


def settings_and_state_are_the_whole_encoder(case: EncoderCase) -> None:
    encoder, x = case.build(), case.read(patchy())
    again = build(json.loads(json.dumps(recipe_of(encoder))))  # as a model folder holds it
    again.load_state_dict(encoder.state_dict())
    assert_same_bits(again.embed(x), encoder.embed(x))


def numbers_where_nothing_was_observed_change_nothing(case: EncoderCase) -> None:
    encoder, x = case.build(), case.read(patchy())
    assert_same_bits(encoder.embed(with_garbage(x, dice())), encoder.embed(x))


def padding_changes_nothing(case: EncoderCase) -> None:
    encoder, x = case.build(), case.read(patchy())
    assert_same(encoder.embed(padded(x, 37)), encoder.embed(x), case)


def each_series_is_encoded_by_itself(case: EncoderCase) -> None:
    encoder, x = case.build(), case.read(patchy())
    together = encoder.embed(x)
    alone = torch.cat([encoder.embed(chosen(x, [i])) for i in range(len(LENGTHS))])
    assert_same(alone, together, case)
    order = [3, 0, 4]
    assert_same(encoder.embed(chosen(x, order)), together[order], case)


def the_input_stays_untouched(case: EncoderCase) -> None:
    encoder, x = case.build(), with_garbage(case.read(patchy()), dice())
    before = copy_of(x)
    encoder.prepare(x, dice())
    encoder.embed(x)
    assert_same_bits(x.values, before.values)
    assert torch.equal(x.observed, before.observed)


def one_step_is_enough(case: EncoderCase) -> None:
    encoder = case.build()
    for T in (1, 2, 3, 8, 9, 10):
        vectors = encoder.embed(case.read(drawn(dice(), lengths=(T,))))
        assert vectors.shape == (1, encoder.dim) and vectors.isfinite().all()


def series_may_be_longer_than_those_prepared_for(case: EncoderCase) -> None:
    encoder = case.build()
    vectors = encoder.embed(case.read(drawn(dice(), lengths=(3 * LENGTH + 1, LENGTH))))
    assert vectors.shape == (2, encoder.dim) and vectors.isfinite().all()


def constant_series_work(case: EncoderCase) -> None:
    encoder, x = case.build(), case.read(patchy())
    for value in (0.0, 3.0):
        assert encoder.embed(Batch(torch.full_like(x.values, value), x.observed)).isfinite().all()


def every_channel_counts_by_its_place(case: EncoderCase) -> None:
    encoder, x = case.build(), drawn(dice(), lengths=(LENGTH,) * 4)
    vectors = encoder.embed(case.read(x))
    for order in ([1, 0, 2], [0, 2, 1]):
        swapped = case.read(Batch(x.values[:, order], x.observed[:, order]))
        assert not torch.allclose(encoder.embed(swapped), vectors, rtol=1e-3)
    for channel in range(3):
        values = x.values.clone()
        values[:, channel] = values[:, channel].flip(1) * 2
        moved = case.read(Batch(values, x.observed))
        assert not torch.allclose(encoder.embed(moved), vectors, rtol=1e-3)


def the_order_in_memory_changes_nothing(case: EncoderCase) -> None:
    encoder, x = case.build(), case.read(patchy())
    turned = Batch(*(part.permute(2, 0, 1).contiguous().permute(1, 2, 0) for part in x))
    assert not turned.values.is_contiguous()
    assert_same(encoder.embed(turned), encoder.embed(x), case)


def global_randomness_stays_untouched(case: EncoderCase) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    case.build().embed(case.read(patchy()))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


def repr_shows_the_settings(case: EncoderCase) -> None:
    encoder = case.build()
    for name in settings_of(encoder):
        assert f"{name}=" in repr(encoder), repr(encoder)


def the_last_layer_is_what_comes_out(case: EncoderCase) -> None:
    encoder, x = case.build(), case.read(patchy())
    layers, shapes = encoder.layers(x), encoder.layer_shapes()
    T = x.values.shape[2]
    wanted = [(len(LENGTHS), -(-T // (stride or T)), width) for width, stride in shapes]
    assert [tuple(tokens.shape) for tokens in layers] == wanted
    assert_same_bits(layers[-1], encoder(x))


def every_weight_is_in_exactly_one_block(case: EncoderCase) -> None:
    encoder = case.build()
    held = [id(weight) for block in encoder.blocks() for weight in block.parameters()]
    assert sorted(held) == sorted(id(weight) for weight in encoder.parameters())


def a_graph_gives_the_same(case: EncoderCase) -> None:
    """Ways that look at no value, as they are taken while a graph is made."""
    encoder, few = case.build(), max(case.rounding, 1e-5)
    for x in map(
        case.read, (patchy(), drawn(dice(), lengths=(1, 3)), drawn(dice(), lengths=(70,)))
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.compiler, "is_compiling", lambda: True)
            got = encoder.embed(x)
        torch.testing.assert_close(got, encoder.embed(x), rtol=10 * few, atol=10 * few)


LAWS = (
    gives_finite_float32_vectors,
    same_seed_gives_the_same_bits,
    the_seed_matters_where_something_is_random,
    settings_and_state_are_the_whole_encoder,
    numbers_where_nothing_was_observed_change_nothing,
    padding_changes_nothing,
    each_series_is_encoded_by_itself,
    the_input_stays_untouched,
    one_step_is_enough,
    series_may_be_longer_than_those_prepared_for,
    constant_series_work,
    every_channel_counts_by_its_place,
    the_order_in_memory_changes_nothing,
    global_randomness_stays_untouched,
    repr_shows_the_settings,
    the_last_layer_is_what_comes_out,
    every_weight_is_in_exactly_one_block,
    a_graph_gives_the_same,
)
"""Everything that must hold of an encoder."""
