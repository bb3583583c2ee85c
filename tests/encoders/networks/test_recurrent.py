"""LSTM and GRU: their equations step by step, both ways, and their weights counted by hand."""

import pytest
import torch
from network_material import dice, network, single, walks
from torch import nn

from selftime.encoders.base import masked_mean
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.recurrent import (
    GRU,
    LSTM,
    build_rnn,
    last_states,
    reordered,
    reversal_order,
)


def lstm_states(x, layer: nn.LSTM):
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, (T,H) of (T,I)."""
    c = h = torch.zeros(layer.hidden_size, dtype=x.dtype)
    states = []
    for step in x:
        gates = layer.weight_ih_l0 @ step + layer.bias_ih_l0 + layer.weight_hh_l0 @ h
        i, f, g, o = (gates + layer.bias_hh_l0).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append(h)
    return torch.stack(states)


def gru_states(x, layer: nn.GRU):
    """Cho et al. 2014, equations 5 to 8, the reset gate behind the matrix, (T,H) of (T,I)."""
    h = torch.zeros(layer.hidden_size, dtype=x.dtype)
    states = []
    for step in x:
        r, z, n = (layer.weight_ih_l0 @ step + layer.bias_ih_l0).chunk(3)
        reset, update, new = (layer.weight_hh_l0 @ h + layer.bias_hh_l0).chunk(3)
        z = torch.sigmoid(z + update)
        candidate = torch.tanh(n + torch.sigmoid(r + reset) * new)
        h = z * h + (1 - z) * candidate
        states.append(h)
    return torch.stack(states)


EQUATIONS = {LSTM: lstm_states, GRU: gru_states}
both = pytest.mark.parametrize("kind", EQUATIONS)


@both
@pytest.mark.parametrize("causal", [False, True])
def test_tokens_follow_the_equations_step_by_step(kind, causal):
    encoder = kind(channels=2, hidden=4, depth=2, causal=causal, seed=3).double()
    x, states = walks((7, 7)), EQUATIONS[kind]
    h = x.values[0].T  # (T,C)
    for layer in encoder.stack:
        ahead = states(h, layer.ahead)
        h = ahead if causal else torch.cat([ahead, states(h.flip(0), layer.back).flip(0)], dim=1)
    torch.testing.assert_close(encoder(x)[0], h)
    torch.testing.assert_close(encoder.embed(x)[0], h.mean(dim=0))
    assert encoder.dim == h.shape[1] == (4 if causal else 8)


def test_a_missing_step_enters_as_0():
    encoder, x = network("gru"), single(walks((9, 9)))
    values, observed = x.values.clone(), x.observed.clone()
    values[:, :, 4] = 0
    observed[:, :, 4] = False
    zero, missing = x._replace(values=values), x._replace(observed=observed)
    assert torch.equal(encoder(zero), encoder(missing))
    assert not torch.allclose(encoder(zero), encoder(x))


def test_series_are_turned_around_within_their_own_length():
    x = walks((4, 2, 1))
    order = reversal_order(x)
    assert order.T.tolist() == [[3, 2, 1, 0], [1, 0, 2, 3], [0, 1, 2, 3]]
    h = torch.randn(4, 3, 5, generator=dice())
    for i, T in enumerate((4, 2, 1)):
        assert torch.equal(reordered(h, order)[:T, i], h[:T, i].flip(0))
    assert torch.equal(reordered(reordered(h, order), order), h)


def test_vectors_are_means_or_what_each_direction_knows_last():
    tokens = torch.randn(3, 6, 8, generator=dice())
    lengths = (6, 4, 1)
    valid = torch.arange(6) < torch.tensor(lengths)[:, None]
    mean, last = masked_mean(tokens, valid), last_states(tokens, valid, 5)
    for i, T in enumerate(lengths):
        torch.testing.assert_close(mean[i], tokens[i, :T].mean(dim=0))
        assert torch.equal(last[i], torch.cat([tokens[i, T - 1, :5], tokens[i, 0, 5:]]))
    assert torch.equal(last_states(tokens, valid, 8)[1], tokens[1, 3])
    with pytest.raises(ValueError, match="got pooling 'max', wanted one of mean, last"):
        GRU(channels=1, pooling="max")


def test_weights_are_spread_as_torch_spreads_them():
    layer, bound = build_rnn(nn.GRU, 64, 100, dice()), 0.1  # uniform within 1 / sqrt(hidden)
    for weight in layer.parameters():
        assert 0.97 * bound < weight.abs().max() <= bound
    assert abs(float(layer.weight_hh_l0.detach().std()) / bound - 3**-0.5) < 0.01


@pytest.mark.parametrize("name, gates, wanted", [("lstm", 4, 208_640), ("gru", 3, 156_480)])
def test_the_usual_size_has_as_many_weights_as_worked_out_by_hand(name, gates, wanted):
    one_way = gates * (160 * 1 + 160 * 160 + 160 + 160)
    encoder = BUILDERS[name](channels=1, length=10)
    assert sum(w.numel() for w in encoder.parameters()) == 2 * one_way == wanted
    assert (encoder.dim, encoder.causal) == (320, False)
