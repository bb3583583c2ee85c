"""ResNet: a block in plain loops, its weights counted by hand."""

import torch
from network_material import dice, network, normed, walks

from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.actnorm import step_masks
from selftime.encoders.networks.resnet import ResidualBlock, ResNet


def block(inner: int, outer: int) -> ResidualBlock:
    made = ResidualBlock(inner, outer, rng=dice()).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.rand(weight.shape, generator=dice(1)) - 0.5)
    return made


def looped(x, made: ResidualBlock):
    """Section 2.3 of Wang et al. 2017, equation 3, the last ReLU behind the sum."""
    first, second, third = made.convolutions
    h = normed(x, first).clamp(min=0)
    h = normed(h, second).clamp(min=0)
    beside = x if made.beside is None else normed(x, made.beside)
    return (normed(h, third) + beside).clamp(min=0)


def test_a_block_equals_plain_loops():
    for inner, outer in ((2, 3), (3, 3)):
        x, made = walks((11, 11), channels=inner), block(inner, outer)
        wanted = torch.stack([looped(series, made) for series in x.values])
        torch.testing.assert_close(made(x.values, step_masks(x)), wanted)


def test_blocks_follow_one_another_and_the_vector_is_their_mean():
    encoder, x = network("resnet").double(), walks((6, 6))
    h = x.values[0]
    for made in encoder.stack:
        h = looped(h, made)
    torch.testing.assert_close(encoder(x)[0], h.T)
    torch.testing.assert_close(encoder.embed(x)[0], h.mean(dim=1))


def test_a_token_reaches_as_far_as_three_blocks_do():
    x = walks((80, 80), channels=1)
    values = x.values.clone()
    values[:, :, 40] += 1
    encoder = ResNet(channels=1, hidden=4).double()
    change = (encoder(x._replace(values=values)) - encoder(x)).abs().amax(dim=(0, 2))
    back, ahead = 3 * (3 + 2 + 1), 3 * (4 + 2 + 1)  # of 8, 5 and 3 taps: 3, 2, 1 before
    assert change.nonzero().flatten().tolist() == list(range(40 - ahead, 40 + back + 1))


def test_the_published_size_has_as_many_weights_as_worked_out_by_hand():
    one = (8 * 1 * 64) + (5 * 64 * 64) + (3 * 64 * 64) + (1 * 64)
    two = (8 * 64 * 128) + (5 * 128 * 128) + (3 * 128 * 128) + (64 * 128)
    three = (8 + 5 + 3) * 128 * 128
    norms = 2 * (4 * 64 + 4 * 128 + 3 * 128)
    encoder = BUILDERS["resnet"](channels=1, length=10)
    assert sum(w.numel() for w in encoder.parameters()) == one + two + three + norms == 502_592
    assert (encoder.dim, len(encoder.stack)) == (128, 3)
