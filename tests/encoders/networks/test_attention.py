"""Attention beside plain loops in float64; masks and positions by their laws."""

import math

import pytest
import torch

from selftime.encoders.networks.attention import (
    TransformerLayer,
    apply_rotary,
    attention_mask,
    check_heads,
    rotary_cos_sin,
    sinusoids,
)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_layer_equals_plain_loops():
    layer = TransformerLayer(8, 2, inner=12, rng=dice()).double()
    h = torch.randn(2, 5, 8, generator=dice(1)).double()
    valid = torch.tensor([[True] * 5, [True, True, False, True, False]])
    made = layer(h, attention_mask(valid, causal=True))
    for b in range(2):
        wanted = loop(layer, h[b], valid[b])
        torch.testing.assert_close(made[b], wanted)


def loop(layer: TransformerLayer, h: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    qkv = layer.queries_keys_values(layer.norm_attention(h))
    q, k, v = qkv[:, :8], qkv[:, 8:16], qkv[:, 16:]
    looked = torch.zeros_like(h)
    for n in range(len(h)):
        keys = [m for m in range(n + 1) if valid[m]] or [n]
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            weights = [math.exp(float((q[n, part] @ k[m, part]).detach()) / 2) for m in keys]
            for weight, m in zip(weights, keys, strict=True):
                looked[n, part] += weight / sum(weights) * v[m, part]
    h = h + layer.out(looked)
    return h + layer.narrow(torch.nn.functional.gelu(layer.widen(layer.norm_feed(h))))


def test_a_layer_has_the_gradient_of_its_function():
    layer = TransformerLayer(4, 1, inner=4, rng=dice()).double()
    h = torch.randn(1, 3, 4, generator=dice(1)).double().requires_grad_()
    assert torch.autograd.gradcheck(layer, (h, None, rotary_cos_sin(torch.arange(3.0), 4).double()))


def test_a_token_that_sees_nothing_sees_itself():
    seen = attention_mask(torch.tensor([[False, False], [True, False]]))
    assert seen.tolist() == [[[True, False], [False, True]], [[True, False], [True, False]]]
    assert attention_mask(torch.ones(2, 3, dtype=torch.bool)) is None


def test_positions_are_sines_of_the_published_wave_lengths():
    made = sinusoids(torch.tensor([0.0, 2.5]), 6)
    for row, place in enumerate((0.0, 2.5)):
        for i in range(3):
            angle = place / 10_000 ** (2 * i / 6)
            assert made[row, i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert made[row, 3 + i].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_products_of_turned_vectors_depend_on_the_distance_alone():
    q, k = torch.randn(2, 1, 1, 1, 8, generator=dice())

    def product(n: int, m: int) -> torch.Tensor:
        first, second = (rotary_cos_sin(torch.tensor([float(place)]), 8) for place in (n, m))
        return (apply_rotary(q, first) * apply_rotary(k, second)).sum()

    torch.testing.assert_close(product(3, 7), product(13, 17))
    assert not torch.isclose(product(3, 7), product(3, 8))


def test_heads_that_cannot_share_a_token_are_an_error():
    with pytest.raises(ValueError, match="wanted a multiple of 6"):
        check_heads(64, 3)
