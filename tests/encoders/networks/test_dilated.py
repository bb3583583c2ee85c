"""The dilated encoder beside a padded convolution written from the paper, and its own laws."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Block, Convolution, Dilated, max_over_time

LENGTHS = (1, 2, 3, 7, 8, 9, 16, 17, 40)  # dilations of small() are 1, 2, 4 and 8 steps


def dice(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(*, channels: int = 2, causal: bool = False, seed: int = 0) -> Dilated:
    return Dilated(channels=channels, hidden=5, depth=3, dim=6, causal=causal, seed=seed)


def walks(lengths: tuple[int, ...], *, channels: int = 2, gaps: float = 0.0) -> Batch:
    """Float64 random walks, ragged, with a share of the numbers missing but the last."""
    rng, T = dice(), max(lengths)
    values = torch.randn(len(lengths), channels, T, generator=rng, dtype=torch.float64).cumsum(2)
    own, steps = torch.tensor(lengths)[:, None, None], torch.arange(T)
    valid = torch.rand(values.shape, generator=rng) >= gaps
    observed = (valid | (steps == own - 1)) & (steps < own)
    return Batch(values, observed)


def alone(x: Batch, i: int) -> Batch:
    T = int(x.lengths[i])
    return Batch(x.values[i : i + 1, :, :T], x.observed[i : i + 1, :, :T])


def published(x: Batch, encoder: Dilated) -> Tensor:
    """Tokens (1,T,D) of one series, by torch's convolutions, from section 3.1 of Yue et al. 2022.

    A linear map of each step; missing steps are 0 behind it; residual blocks of two convolutions,
    each after a GELU, with three taps 2 ** k steps apart; the last block is beside a linear map.
    """

    def convolved(h: Tensor, layer: Convolution, dilation: int = 1) -> Tensor:
        kernel = layer.weight.permute(1, 2, 0)  # (O,I,K)
        reach = dilation * (kernel.shape[2] - 1)
        around = (reach, 0) if encoder.causal else (reach // 2, reach // 2)
        return F.conv1d(F.pad(h, around), kernel, layer.bias, dilation=dilation)

    h = convolved(x.values * x.observed, encoder.entry) * x.observed.any(dim=1, keepdim=True)
    for k, block in enumerate(encoder.stack):
        assert isinstance(block, Block)
        inner = convolved(F.gelu(h), block.first, 2**k)
        beside = h if block.beside is None else convolved(h, block.beside)
        h = beside + convolved(F.gelu(inner), block.second, 2**k)
    return h.transpose(1, 2)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("T", LENGTHS)
def test_tokens_equal_padded_convolutions(T: int, channels: int, causal: bool) -> None:
    encoder = small(channels=channels, causal=causal).double()
    x = walks((T, T, T), channels=channels, gaps=0.3)
    wanted = torch.cat([published(alone(x, i), encoder) for i in range(3)])
    torch.testing.assert_close(encoder(x), wanted)
    torch.testing.assert_close(encoder.embed(x), wanted.amax(dim=1))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_a_ragged_batch_equals_each_series_alone(gaps: float, causal: bool) -> None:
    encoder, x = small(causal=causal).double(), walks(LENGTHS, gaps=gaps)
    tokens, vectors = encoder(x), encoder.embed(x)
    for i, T in enumerate(LENGTHS):
        wanted = published(alone(x, i), encoder)
        torch.testing.assert_close(tokens[i : i + 1, :T], wanted)
        torch.testing.assert_close(vectors[i : i + 1], wanted.amax(dim=1))


def test_gradients_of_a_ragged_batch_are_those_of_each_series_alone() -> None:
    encoder, x = small().double(), walks(LENGTHS, gaps=0.2)
    parameters = list(encoder.parameters())
    got = torch.autograd.grad(encoder.embed(x).square().sum(), parameters)
    vectors = [published(alone(x, i), encoder).amax(dim=1) for i in range(len(LENGTHS))]
    wanted = torch.autograd.grad(torch.cat(vectors).square().sum(), parameters)
    for mine, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "lengths", [(40, 40), (40, 23, 9), (9, 9), (8, 8), (5, 7, 1), (2, 2), (1, 1)]
)
def test_span_is_a_part_of_the_tokens(lengths: tuple[int, ...], causal: bool) -> None:
    encoder, x, T = small(causal=causal), walks(lengths, gaps=0.2), max(lengths)
    x = Batch(x.values.float(), x.observed)
    tokens = encoder(x)
    for start, stop in ((0, T), (0, 1), (T - 1, T), (T // 3, T // 2 + 1)):
        part = encoder.span(x, start, stop)
        torch.testing.assert_close(part, tokens[:, start:stop], rtol=1e-6, atol=1e-6)


def test_a_causal_token_knows_nothing_of_the_future() -> None:
    x = walks((32, 32))
    values, observed = x.values.clone(), x.observed.clone()
    values[:, :, 20:] += 3
    observed[:, 0, 25:28] = False
    causal, around = small(causal=True).double(), small().double()
    for later in (Batch(values, x.observed), Batch(values, observed)):
        change = (causal(later) - causal(x)).abs().amax(dim=(0, 2))
        assert change[:20].max() == 0 < change[20:].min()
        assert (around(later) - around(x))[:, 19].abs().min() > 0
    shorter = Batch(x.values[:, :, :20], x.observed[:, :, :20])
    torch.testing.assert_close(causal(x)[:, :20], causal(shorter))


def test_a_token_reaches_as_far_as_its_dilations_say() -> None:
    x = walks((64, 64), channels=1)
    values = x.values.clone()
    values[:, :, 32] += 1
    reach = 2 * (1 + 2 + 4 + 8)  # two convolutions a block
    for causal, first, last in ((False, 32 - reach, 32 + reach), (True, 32, 32 + 2 * reach)):
        encoder = small(channels=1, causal=causal).double()
        change = (encoder(Batch(values, x.observed)) - encoder(x)).abs().amax(dim=(0, 2))
        assert change.nonzero().flatten().tolist() == list(range(first, min(last, 63) + 1))


def test_a_missing_step_is_not_a_0_and_a_missing_channel_is() -> None:
    encoder, x = small().double(), walks((12, 12))
    values, observed = x.values.clone(), x.observed.clone()
    values[:, :, 5] = 0
    observed[:, 1, 5] = False
    one = encoder(Batch(values, observed))
    torch.testing.assert_close(one, encoder(Batch(values, x.observed)))
    observed[:, 0, 5] = False
    assert (encoder(Batch(values, observed)) - one).abs().max() > 1e-3


def test_gradients_reach_every_weight() -> None:
    encoder, x = small(), walks((40, 23))
    encoder(Batch(x.values.float(), x.observed)).square().sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None and weight.grad.abs().amax(dim=-1).min() > 0, name


def test_the_published_size_has_as_many_weights_as_worked_out_by_hand() -> None:
    entry = 1 * 64 + 64
    ten_blocks = 10 * 2 * (3 * 64 * 64 + 64)
    last = (3 * 64 * 320 + 320) + (3 * 320 * 320 + 320) + (64 * 320 + 320)
    encoder = Dilated(channels=1)
    assert sum(weight.numel() for weight in encoder.parameters()) == entry + ten_blocks + last
    assert entry + ten_blocks + last == 637_248
    assert (len(encoder.stack), encoder.dim) == (11, 320)
    assert encoder.shifts(10, 3) == (-3 * 1024, 0, 3 * 1024)


def test_a_seed_means_the_same_weights_and_draws_from_nothing_else() -> None:
    before = torch.get_rng_state()
    one, same, other = (dict(small(seed=s).named_parameters()) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in one.items():
        assert torch.equal(weight, same[name])
        assert not torch.isclose(weight, other[name]).all()


def test_weights_are_spread_as_torch_spreads_them() -> None:
    layer = Convolution(64, 64, 3, dice())
    bound = (3 * 64) ** -0.5  # torch.nn.Conv1d: uniform within 1 / sqrt(inputs * taps)
    assert layer.weight.abs().max() <= bound and layer.bias.abs().max() <= bound
    assert layer.weight.abs().max() > 0.999 * bound
    assert abs(float(layer.weight.detach().std()) / bound - 3**-0.5) < 0.01


def test_the_vector_is_the_maximum_over_the_steps_that_exist() -> None:
    tokens = -torch.rand(3, 4, 2, generator=dice()) - 1  # 0 would be the highest
    lengths = torch.tensor([4, 2, 1])
    got = max_over_time(tokens, lengths)
    for i, T in enumerate(lengths.tolist()):
        assert torch.equal(got[i], tokens[i, :T].amax(dim=0))
    assert torch.equal(max_over_time(tokens, torch.tensor([4, 4, 9])), tokens.amax(dim=1))


def test_a_series_without_anything_observed_has_a_vector_that_depends_on_nothing() -> None:
    encoder, x = small().double(), walks((9, 20, 5), gaps=0.2)
    gone = Batch(x.values, x.observed & torch.tensor([True, False, True])[:, None, None])
    vectors = encoder.embed(gone)
    assert vectors.isfinite().all()
    torch.testing.assert_close(vectors[[0, 2]], encoder.embed(x)[[0, 2]])
    short = Batch(-gone.values[1:2, :, :1], gone.observed[1:2, :, :1])
    torch.testing.assert_close(encoder.embed(short), vectors[1:2])
