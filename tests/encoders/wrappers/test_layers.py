"""Blocks from input to output, the tokens after each, and what is pooled from them."""

import math
from functools import partial

import pytest
import torch
from network_material import SMALL, single, walks

from selftime.data.batch import Batch
from selftime.encoders.base import Joined, token_mask
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.wrappers.layered import POOLINGS, Layered
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised


def transformer(channels: int = 2) -> Transformer:
    embedder = PatchEmbedder(channels=channels, length=40, patch=4, stride=4, dim=8)
    return Transformer(embedder=embedder, positions="learned", depth=3, heads=2)


def by_channel() -> ByChannel:
    return ByChannel(channels=2, encoder=InstanceNormalised(encoder=transformer(channels=1)))


NETWORKS = SMALL | {
    "dilated": partial(Dilated, channels=2, hidden=4, depth=3, dim=6),
    "transformer": transformer,
    "by channel": by_channel,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_block_changes_its_own_layer_and_those_behind_it_alone(name: str) -> None:
    x = single(walks((40, 17, 9), gaps=0.2))
    encoder = NETWORKS[name]()
    before = encoder.layers(x)
    assert len(before) == len(encoder.blocks()) > 1 or name == "gru, causal"
    for k in reversed(range(len(before))):
        with torch.no_grad():
            for weight in encoder.blocks()[k].parameters():
                weight.mul_(1.5).add_(0.1)
        changed = [not torch.equal(a, b) for a, b in zip(before, encoder.layers(x), strict=True)]
        assert changed == [j >= k for j in range(len(before))]


def test_a_class_token_is_behind_all_layers_of_its_encoder() -> None:
    encoder, x = ClassToken(encoder=transformer(), heads=2), single(walks((40, 17)))
    own = encoder.blocks()[-1]
    assert len(encoder.layers(x)) == len(encoder.blocks()) - 1 == 4
    assert {id(w) for w in own.parameters()} >= {id(encoder.token)}


def test_blocks_of_encoders_side_by_side_are_one_where_they_are_equally_far_from_the_vectors():
    deep, flat = Dilated(channels=1, hidden=4, depth=2, dim=6), ResNet(channels=1, hidden=4)
    fixed = MiniRocket(channels=1, length=20, features=84)
    blocks = Joined(encoders=[deep, fixed, flat]).blocks()
    parts = [list(block.children()) for block in blocks]
    d, f = deep.blocks(), flat.blocks()
    assert parts == [[d[0]], [d[1], f[0]], [d[2], f[1]], [d[3], f[2]]]
    assert fixed.blocks() == []


def by_loops(series: list[list[float]], pooling: str) -> list[float]:
    """One series, its tokens one after another, feature by feature."""
    pooled: dict[str, list[float]] = {"first": series[0], "last": series[-1]}
    columns = list(zip(*series, strict=True))
    pooled["mean"] = [math.fsum(column) / len(column) for column in columns]
    pooled["max"] = [max(column) for column in columns]
    squares = [
        math.fsum((value - centre) ** 2 for value in column) / len(column)
        for column, centre in zip(columns, pooled["mean"], strict=True)
    ]
    pooled["deviation"] = [math.sqrt(square + 1e-8) for square in squares]
    return [value for part in pooling.split("+") for value in pooled[part]]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_poolings_equal_plain_loops_over_the_tokens_that_are_there(pooling: str) -> None:
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(3, 7, 4, generator=rng, dtype=torch.float64)
    counts = (7, 4, 1)
    valid = torch.arange(7) < torch.tensor(counts)[:, None]
    wanted = [by_loops(tokens[b, : counts[b]].tolist(), pooling) for b in range(3)]
    torch.testing.assert_close(POOLINGS[pooling](tokens, valid), tokens.new_tensor(wanted))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_poolings_have_gradients_also_of_a_single_token(pooling: str) -> None:
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, 3, 2, generator=rng, dtype=torch.float64, requires_grad=True)
    valid = torch.tensor([[True, True, True], [True, False, False]])
    (gradient,) = torch.autograd.grad(POOLINGS[pooling](tokens, valid).sum(), tokens)
    assert gradient.isfinite().all() and not gradient[1, 1:].any()


def test_tokens_of_a_layer_count_by_the_stride_of_that_layer() -> None:
    x = walks((9, 6))
    observed = x.observed
    valid = [token_mask(Batch(x.values, observed), stride).tolist() for stride in (2, 4, 8, None)]
    assert valid[0] == [[True] * 5, [True, True, True, False, False]]
    assert valid[1] == [[True] * 3, [True, True, False]]
    assert valid[2:] == [[[True, True], [True, False]], [[True], [True]]]


def test_a_picked_layer_is_pooled_as_it_says_and_no_layer_behind_it_is_run(monkeypatch) -> None:
    encoder, x = Dilated(channels=2, hidden=4, depth=3, dim=6), single(walks((40, 17)))
    picked = Layered(encoder=encoder, layer=2, pooling="mean+max")
    tokens = encoder.layers(x)[2]
    wanted = [by_loops(tokens[b, :T].tolist(), "mean+max") for b, T in enumerate((40, 17))]
    torch.testing.assert_close(picked.embed(x), torch.tensor(wanted))
    assert picked.dim == 8
    monkeypatch.setattr(encoder.stack[2], "forward", None)
    picked.embed(x)


def test_layers_and_poolings_that_there_are_not_are_named() -> None:
    encoder = Dilated(channels=1, hidden=4, depth=3, dim=6)
    with pytest.raises(ValueError, match="got layer 5 of Dilated, wanted 0 to 4: 0 is the first"):
        Layered(encoder=encoder, layer=5, pooling="mean")
    with pytest.raises(ValueError, match="got pooling 'median', wanted one of mean, max, last"):
        Layered(encoder=encoder, layer=0, pooling="median")
