"""The Transformer of patches beside plain loops, its laws, and its published sizes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from toy_batches import padded, ragged, sines, with_gap

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.attention import LearnedPositions, Size, TransformerLayer
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.patching import PatchEmbedder, extract_patches, observed_tokens
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.registry import build, rebuild, recipe_of
from selftime.encoders.wrappers.projected import UnitLength
from selftime.objectives.simclr import SimCLR
from selftime.tasks.transfer.scratch import network_like


def dice(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(
    *, patch: int = 4, stride: int = 4, positions: str = "rotary", causal: bool = False
) -> Transformer:
    embedder = PatchEmbedder(channels=2, length=16, patch=patch, stride=stride, dim=8, seed=1)
    made = Transformer(
        embedder=embedder, positions=positions, depth=2, heads=2, causal=causal, seed=2
    )
    return made.double()


def gappy() -> Batch:
    """Five ragged series; nothing observed in steps 4 to 11, more is missing in one channel."""
    x = with_gap(ragged(), 4, 12)
    observed = x.observed.clone()
    observed[0, 1, 13:20] = False
    observed[1, 1, 16] = False  # the last step of a channel
    return Batch(x.values, observed)


def patch_at(x: Batch, b: int, n: int, patch: int, stride: int) -> Tensor:
    """One patch (C·L,) by loops: what was not observed is 0, the end repeats the last value."""
    C, T = x.values.shape[1:]
    length = max((t + 1 for t in range(T) if x.observed[b, :, t].any()), default=1)
    numbers = []
    for c in range(C):
        for t in range(n * stride, n * stride + patch):
            s = length - 1 if length <= t < length + patch - stride else t
            valid = s < T and bool(x.observed[b, c, s])
            numbers.append(float(x.values[b, c, s]) if valid else 0.0)
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize("patch, stride", [(4, 4), (5, 3), (8, 4), (7, 1), (40, 40)])
def test_patches_and_what_they_hold_equal_loops(patch: int, stride: int) -> None:
    x = gappy()
    made, holds = extract_patches(x, patch, stride), observed_tokens(x, stride)
    assert made.shape[1] == holds.shape[1] == math.ceil(24 / stride)
    for b in range(len(made)):
        for n in range(made.shape[1]):
            assert torch.equal(made[b, n], patch_at(x, b, n, patch, stride)), (b, n)
            own = x.observed[b, :, n * stride : (n + 1) * stride]
            assert bool(holds[b, n]) == bool(own.any())


def test_the_published_padding_repeats_the_last_value_stride_times() -> None:
    x = torch.arange(336.0)[None, None]
    made = extract_patches(Batch(x, torch.ones_like(x, dtype=torch.bool)), 16, 8)
    wanted = F.pad(x, (0, 8), mode="replicate").unfold(2, 16, 8)[:, 0]  # section 3.1
    assert torch.equal(made, wanted) and made.shape[1] == (336 - 16) // 8 + 2 == 42


def attended(
    layer: TransformerLayer, h: Tensor, keys: list[list[int]], places: list[int]
) -> Tensor:
    """One layer by loops, head by head and number by number; ``places`` turn queries and keys."""
    D, d = h.shape[1], h.shape[1] // layer.heads
    q, k, v = layer.queries_keys_values(layer.norm_attention(h)).split(D, dim=1)
    looked = torch.zeros_like(h)
    for head in range(layer.heads):
        part = slice(head * d, (head + 1) * d)
        queries, asked = (
            [turned(z[n, part], place) for n, place in enumerate(places)] for z in (q, k)
        )
        for n, seen in enumerate(keys):
            scores = torch.stack([torch.exp(queries[n] @ asked[m] / math.sqrt(d)) for m in seen])
            looked[n, part] = scores / scores.sum() @ v[seen, part]
    h = h + layer.out(looked)
    return h + layer.narrow(F.gelu(layer.widen(layer.norm_feed(h))))


def turned(z: Tensor, place: int) -> Tensor:
    """Number i of the first half and of the second as a point, turned by place·10,000^(−2i/d)."""
    d, old, new = len(z), z.tolist(), z.tolist()
    for i in range(d // 2):
        angle = place * 10_000 ** (-2 * i / d)
        new[i] = old[i] * math.cos(angle) - old[i + d // 2] * math.sin(angle)
        new[i + d // 2] = old[i] * math.sin(angle) + old[i + d // 2] * math.cos(angle)
    return z.new_tensor(new)


@pytest.mark.parametrize("causal", [False, True])
def test_tokens_and_vectors_equal_loops(causal: bool) -> None:
    encoder, x = small(causal=causal), gappy()
    with torch.no_grad():
        tokens, vectors = encoder(x), encoder.embed(x)
        for b in (0, 1, 3):
            places = list(range(6))
            valid = [n for n in places if x.observed[b, :, 4 * n : 4 * n + 4].any()]
            keys = [[m for m in valid if not causal or m <= n] or [n] for n in places]
            patches = torch.stack([patch_at(x, b, n, 4, 4) for n in places])
            h = encoder.embedder.map(patches)
            for layer in encoder.stack:
                h = attended(layer, h, keys, places)
            h = encoder.norm(h)
            torch.testing.assert_close(tokens[b], h, rtol=1e-5, atol=1e-6)
            mean = sum(tokens[b, n] for n in valid) / len(valid)
            torch.testing.assert_close(vectors[b], mean)


@pytest.mark.parametrize("positions", ["rotary", "learned", "sines"])
@pytest.mark.parametrize("causal", [False, True])
def test_some_tokens_are_those_of_a_series_of_which_the_rest_is_hidden(
    causal: bool, positions: str
) -> None:
    encoder, x = small(causal=causal, positions=positions), ragged((24, 23, 21))
    places = torch.tensor([[0, 3, 5], [5, 1, 2], [4, 5, 0]])  # in any order
    keep = torch.zeros(3, 6, dtype=torch.bool).scatter(1, places, True)
    left = Batch(x.values, x.observed & keep.repeat_interleave(4, dim=1)[:, None])
    wanted = encoder(left).gather(1, places[:, :, None].expand(-1, -1, 8))
    for source in (left, x):
        torch.testing.assert_close(encoder.tokens_at(source, places), wanted)
    assert not torch.allclose(encoder(x)[0, 3], wanted[0, 1])


def test_a_hidden_patch_has_a_token_that_knows_its_place_and_the_others() -> None:
    encoder, x = small(), ragged((24, 24))
    left = with_gap(with_gap(x, 4, 8), 12, 16)
    tokens = encoder(left)
    assert not torch.allclose(tokens[:, 1], tokens[:, 3])
    later = Batch(left.values + F.one_hot(torch.tensor(20), 24), left.observed)
    assert (encoder(later) - tokens)[:, [1, 3]].abs().amax(dim=2).min() > 1e-4


@pytest.mark.parametrize("positions", ["rotary", "learned", "sines"])
def test_a_causal_token_knows_nothing_of_the_future(positions: str) -> None:
    x = ragged((24, 24))
    causal, around = (small(positions=positions, causal=c) for c in (True, False))
    changed = Batch(x.values + (torch.arange(24) >= 12), x.observed)
    for later in (changed, Batch(x.values[:, :, :12], x.observed[:, :, :12])):
        torch.testing.assert_close(causal(later)[:, :3], causal(x)[:, :3])
        assert not torch.allclose(around(later)[:, :3], around(x)[:, :3])
    assert not torch.allclose(causal(changed)[:, 3], causal(x)[:, 3])


@pytest.mark.parametrize("positions", ["rotary", "learned", "sines"])
def test_padding_changes_no_token(positions: str) -> None:
    encoder, x = small(positions=positions, patch=6), gappy()
    longer = encoder(padded(x, 13))
    for b, length in enumerate(x.lengths.tolist()):
        own = math.ceil(length / 4)
        torch.testing.assert_close(longer[b, :own], encoder(x)[b, :own])


def test_turned_tokens_know_distances_alone() -> None:
    x = ragged((24, 24))
    before = torch.zeros(2, 2, 8, dtype=torch.float64)
    later = Batch(
        torch.cat([before, x.values], dim=2), torch.cat([before.bool(), x.observed], dim=2)
    )
    alike = {
        name: torch.allclose(
            small(positions=name)(later)[:, 2:], small(positions=name)(x), atol=1e-5
        )
        for name in ("rotary", "sines", "learned")
    }
    assert alike == {"rotary": True, "sines": False, "learned": False}


@pytest.mark.parametrize("causal", [False, True])
def test_learned_positions_of_longer_series_lie_between_rows(causal: bool) -> None:
    learned = LearnedPositions(Size(4, 6, 1, causal), dice()).double()
    counts = torch.tensor([4, 2, 7, 0, 10])
    h, places = torch.zeros(5, 10, 6).double(), torch.arange(10).expand(5, -1)
    made, _ = learned(h, places, counts)
    for b, count in enumerate(counts.tolist()):
        for n in range(count):
            at = n * 3 / (count - 1) if count > 4 else n
            at = min(n, 3) if causal else at
            low, share = min(int(at + 1e-9), 2), at - min(int(at + 1e-9), 2)
            row = (1 - share) * learned.table[low] + share * learned.table[low + 1]
            torch.testing.assert_close(made[b, n], row)


def test_a_table_of_one_row_is_enough() -> None:
    learned = LearnedPositions(Size(1, 4, 1, False), dice())
    made, _ = learned(torch.zeros(1, 3, 4), torch.arange(3)[None], torch.tensor([3]))
    assert torch.equal(made, learned.table.expand(1, 3, 4))


def test_the_class_token_looks_once_at_what_says_something() -> None:
    encoder, x = ClassToken(encoder=small(), heads=2, seed=4).double(), gappy()
    with torch.no_grad():
        tokens, vectors = encoder(x), encoder.embed(x)
        assert torch.equal(tokens, encoder.encoder(x))
        assert torch.equal(vectors, encoder.pool(tokens, x))
        for b in range(len(tokens)):
            valid = [n for n in range(6) if x.observed[b, :, 4 * n : 4 * n + 4].any()]
            h = torch.cat([encoder.token[None], tokens[b, valid]])
            keys = [list(range(len(h)))] * len(h)
            made = attended(encoder.layer, h, keys, [0] * len(h))[0]
            torch.testing.assert_close(vectors[b], encoder.norm(made), rtol=1e-6, atol=1e-6)


def test_a_series_without_anything_observed_has_a_vector_that_depends_on_nothing() -> None:
    x = ragged((9, 20))
    for encoder in (small(), ClassToken(encoder=small(), heads=2).double()):
        gone = Batch(x.values, x.observed & torch.tensor([False, True])[:, None, None])
        vectors = encoder.embed(gone)
        assert vectors.isfinite().all()
        torch.testing.assert_close(vectors[1], encoder.embed(x)[1])
        short = Batch(-x.values[:1, :, :3], torch.zeros(1, 2, 3, dtype=torch.bool))
        torch.testing.assert_close(encoder.embed(short), vectors[:1])


LAYER = (128 * 384 + 384) + (128 * 128 + 128) + (128 * 256 + 256) + (256 * 128 + 128) + 4 * 128
WEIGHTS = {  # patches, positions, three layers, the last norm; however many channels
    "patchtst_42": (16 * 128 + 128) + 42 * 128 + 3 * LAYER + 2 * 128,
    "patchtst_64": (16 * 128 + 128) + 64 * 128 + 3 * LAYER + 2 * 128,
    "patchtst_masked": (12 * 128 + 128) + 43 * 128 + 3 * LAYER + 2 * 128,
    "transformer": (2 * 8 * 128 + 128) + 3 * LAYER + 2 * 128,  # of patches of 8 steps
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_published_sizes_have_as_many_weights_as_worked_out_by_hand(name: str) -> None:
    encoder = BUILDERS[name](channels=2, length=96)
    assert sum(weight.numel() for weight in encoder.parameters()) == WEIGHTS[name]
    assert WEIGHTS["patchtst_42"] == 405_248 and WEIGHTS["patchtst_64"] == 408_064
    short = Batch(torch.ones(3, 2, 5), torch.ones(3, 2, 5, dtype=torch.bool))
    assert encoder.embed(short).shape == (3, encoder.dim)


@pytest.mark.parametrize("length, patch", [(5, 1), (24, 2), (95, 7), (96, 8), (1000, 8)])
def test_short_series_have_shorter_patches(length: int, patch: int) -> None:
    assert BUILDERS["transformer"](channels=1, length=length).stride == patch


@pytest.mark.late
@pytest.mark.parametrize("kind", ["patchtst_42", "transformer", "class token"])
def test_learning_by_contrast_reaches_every_weight(kind: str) -> None:
    x = Batch(*(part[:8] for part in sines()))
    if kind in BUILDERS:
        encoder: Encoder = BUILDERS[kind](channels=1, length=32)
    else:
        encoder = ClassToken(encoder=BUILDERS["transformer"](channels=1, length=32))
    learner, losses = SimCLR(encoder=encoder), []
    optimiser = torch.optim.AdamW(learner.parameters(), lr=1e-3)
    for _ in range(3):
        optimiser.zero_grad()
        losses.append(learner(x, dice()).loss)
        losses[-1].backward()
        for name, weight in learner.named_parameters():
            assert weight.grad is not None and weight.grad.abs().max() > 0, name
        optimiser.step()
    assert losses[2] < losses[0]


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: small(patch=4, stride=5), "got patches of 4 steps every 5 of 16 steps"),
        (lambda: small(patch=8, causal=True), "got causal with patches of 8 steps every 4"),
        (lambda: small(positions="angles"), "got positions='angles', wanted one of learned, "),
        (lambda: ClassToken(encoder=UnitLength(encoder=small())), "got UnitLength, which sees"),
    ],
)
def test_what_does_not_fit_is_an_error(make, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


FOREIGN: list[tuple[dict[str, int], dict[str, int]]] = [  # of the network, of its embedder
    ({}, {"length": 10_000_000, "stride": 1}),
    ({"depth": -10_000_000}, {"length": 10_000_000, "stride": 1}),
    ({}, {"patch": 10_000_000}),
    ({}, {"patch": 9_000_000, "stride": 9_000_000}),
    ({}, {"dim": 100_000}),
    ({"depth": 10_000_000}, {}),
]


@pytest.mark.parametrize("network, embedder", FOREIGN)
def test_recipes_larger_than_their_tensors_are_refused(
    network: dict[str, int], embedder: dict[str, int]
) -> None:
    encoder = BUILDERS["patchtst_42"](channels=3, length=1)
    recipe, state = recipe_of(encoder), encoder.state_dict()
    rebuild(recipe, 3, state)
    recipe["encoder"]["encoder"].update(network)
    recipe["encoder"]["encoder"]["embedder"].update(embedder)
    with pytest.raises(ValueError, match="numbers than the tensors hold|settings say|layers, but"):
        rebuild(recipe, 3, state | {"wide": torch.zeros(100_000)})


def test_an_encoder_of_each_channel_reads_one() -> None:
    encoder = BUILDERS["patchtst_42"](channels=3, length=1)
    recipe, state = recipe_of(encoder), encoder.state_dict()
    with pytest.raises(ValueError, match="got an encoder of 3 channels, wanted 2"):
        rebuild(recipe, 2, state)
    recipe["encoder"]["encoder"]["embedder"]["channels"] = 3
    with pytest.raises(ValueError, match="got an encoder of 3 channels, wanted 1"):
        rebuild(recipe, 3, state)


def test_the_network_that_learns_from_labels_is_whole() -> None:
    for name in WEIGHTS:
        encoder = BUILDERS[name](channels=2, length=20)
        assert network_like(UnitLength(encoder=encoder), 2, 20) == recipe_of(encoder)
        assert repr(build(recipe_of(encoder))) == repr(encoder)
    bare = Dilated(channels=2, hidden=4, depth=1, dim=4)
    assert network_like(UnitLength(encoder=bare), 2, 20) == recipe_of(bare)
