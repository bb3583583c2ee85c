"""What is known while a graph is made: nothing of values; and the latest step of a mask."""

import pytest
import torch
from torch import nn

from selftime.data.graph import is_traced, is_whole, latest


def test_a_mask_is_whole_where_it_is_looked_at():
    assert is_whole(torch.ones(2, 3, dtype=torch.bool))
    assert not is_whole(torch.tensor([True, False]))
    assert not is_traced()


@pytest.mark.parametrize("traced", [False, True])
def test_the_latest_step_of_a_mask(traced, monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: traced)
    mask = torch.rand(4, 3, 17, generator=torch.Generator().manual_seed(0)) < 0.3
    mask[0] = False
    wanted = torch.full(mask.shape, -1)
    for place in mask.nonzero().tolist():
        *row, step = place
        wanted[(*row, slice(step, None))] = step
    assert torch.equal(latest(mask), wanted)
    assert is_whole(torch.ones(1, dtype=torch.bool)) != traced


@pytest.mark.late
@pytest.mark.again
def test_nothing_is_known_while_a_graph_is_made():
    class Asks(nn.Module):
        def forward(self, x):
            return x + 1 if is_whole(x > 0) else x - int(is_traced())

    x = torch.ones(3)
    graph = torch.export.export(Asks(), (x,)).module()
    assert Asks()(x).tolist() == [2, 2, 2] and graph(x).tolist() == [0, 0, 0]
