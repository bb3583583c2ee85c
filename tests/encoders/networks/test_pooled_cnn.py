"""PooledCNN: blocks in plain loops, where its tokens lie, its weights counted by hand."""

import pytest
import torch
from network_material import network, normed, walks

from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.actnorm import max_pool_pairs, step_masks
from selftime.encoders.networks.pooled_cnn import PooledCNN


def looped(x, layer):
    """Convolution, ReLU, the maximum of steps 2n and 2n + 1."""
    h = normed(x, layer).clamp(min=0)
    return torch.stack([h[:, n : n + 2].max(dim=1).values for n in range(0, h.shape[1], 2)], dim=1)


@pytest.mark.parametrize("T", [1, 2, 7, 8, 13])
def test_three_blocks_equal_plain_loops(T):
    encoder, x = network("pooled cnn").double(), walks((T, T))
    h = x.values[0]
    for layer in encoder.stack:
        h = looped(h, layer)
    torch.testing.assert_close(encoder(x)[0], h.T)
    torch.testing.assert_close(encoder.embed(x)[0], h.mean(dim=1))


def test_pairs_count_where_either_step_does():
    x = walks((5, 3))
    x.observed[0, :, :3] = False
    steps = step_masks(x).halved()
    assert steps.seen[:, 0].tolist() == [[False, True, True], [True, True, False]]
    assert steps.within[:, 0].tolist() == [[True, True, True], [True, True, False]]
    assert step_masks(walks((4, 4))).halved().within is None
    assert max_pool_pairs(-torch.arange(1.0, 4.0).view(1, 1, 3)).tolist() == [[[-1.0, -3.0]]]


def test_a_change_is_strongest_in_the_token_it_belongs_to():
    encoder, x = PooledCNN(channels=1, hidden=3).double(), walks((96, 96), channels=1)
    for step in (16, 23, 44, 95):
        values = x.values.clone()
        values[:, :, step] += 100
        change = (encoder(x._replace(values=values)) - encoder(x)).abs().amax(dim=(0, 2))
        token = step // 8
        assert change[token] > 0
        far = torch.tensor([abs(n - token) > 5 for n in range(12)])  # 8 taps on 1, 2, 4 steps
        assert change[far].sum() == 0


def test_the_published_size_has_as_many_weights_as_worked_out_by_hand():
    wanted = 8 * (1 * 32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128)
    encoder = BUILDERS["tstcc_cnn"](channels=1, length=10)
    assert sum(w.numel() for w in encoder.parameters()) == wanted == 82_624
    assert (encoder.dim, encoder.stride) == (128, 8)
