"""InceptionTime: a module in plain loops, its weights counted by hand."""

import torch
from network_material import convolution, dice, network, normed, single, walks

from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.actnorm import step_masks
from selftime.encoders.networks.inception import InceptionModule, highest_nearby


def looped(x, made: InceptionModule):
    """Figure 1 of Fawaz et al. 2020: bottleneck, three lengths, the highest of three steps."""
    narrow = x if made.bottleneck is None else convolution(x, made.bottleneck.detach())
    T = x.shape[1]
    highest = torch.stack(
        [x[:, max(t - 1, 0) : min(t + 2, T)].max(dim=1).values for t in range(T)], dim=1
    )
    parts = [normed(narrow, branch) for branch in made.branches] + [normed(highest, made.highest)]
    return torch.cat(parts).clamp(min=0)


def test_a_module_equals_plain_loops():
    for channels in (1, 3):
        x = walks((23, 23), channels=channels)
        made = InceptionModule(channels, 2, rng=dice()).double()
        wanted = torch.stack([looped(series, made) for series in x.values])
        torch.testing.assert_close(made(x.values, step_masks(x)), wanted)
        assert (made.bottleneck is None) == (channels == 1)


def test_every_third_module_adds_what_was_before_the_first():
    encoder, x = network("inception").double(), walks((5, 5))
    first, second, third, fourth = encoder.stack
    h = looped(looped(looped(x.values[0], first), second), third)
    h = (h + normed(x.values[0], encoder.beside[0])).clamp(min=0)
    h = looped(h, fourth)
    assert len(encoder.beside) == 1
    torch.testing.assert_close(encoder(x)[0], h.T)
    torch.testing.assert_close(encoder.embed(x)[0], h.mean(dim=1))


def test_the_maximum_stays_within_its_series_also_below_zero():
    x = single(walks((6, 3, 1), channels=1))
    x = x._replace(values=torch.where(x.observed, -x.values.abs() - 1, 0.0))
    made = highest_nearby(x.values, step_masks(x))
    for i, T in enumerate((6, 3, 1)):
        own = x.values[i, 0, :T]
        wanted = [float(own[max(t - 1, 0) : t + 2].max()) for t in range(T)]
        assert made[i, 0, :T].tolist() == wanted and not made[i, 0, T:].any()


def test_the_published_size_has_as_many_weights_as_worked_out_by_hand():
    branches = 32 * 32 * (40 + 20 + 10)
    first = 1 * 32 * (40 + 20 + 10) + 1 * 32  # no bottleneck for a single channel
    other = 128 * 32 + branches + 128 * 32
    beside = 1 * 128 + 128 * 128
    norms = 2 * 128 * (6 + 2)
    wanted = first + 5 * other + beside + norms
    encoder = BUILDERS["inception"](channels=1, length=10)
    assert sum(w.numel() for w in encoder.parameters()) == wanted == 420_192
    assert (encoder.dim, len(encoder.stack), len(encoder.beside)) == (128, 6, 2)
