"""Learning from labels alone: cross entropy beside a loop, and nothing but the labels decides."""

import math

import numpy as np
import pytest
import torch
from torch import Generator

from selftime.data.windows import batch_of
from selftime.encoders.dilated import Dilated
from selftime.objectives.supervised import Supervised
from training_material import waves

X = batch_of(waves(6))
TARGETS = torch.tensor([0, 1, 2, 0, 1, 1])


def network(seed: int = 0) -> Supervised:
    encoder = Dilated(channels=2, hidden=4, depth=2, dim=5, seed=1)
    return Supervised(encoder=encoder, classes=3, seed=seed)


def test_the_loss_is_the_mean_of_minus_log_softmax():
    model = network()
    step = model(X, Generator(), TARGETS)
    weight = model.head.weight.detach().double().numpy()
    bias = model.head.bias.detach().double().numpy()
    total = 0.0
    for vector, target in zip(step.embeddings.double().numpy(), TARGETS.tolist(), strict=True):
        scores = [float(np.dot(w, vector) + b) for w, b in zip(weight, bias, strict=True)]
        total -= scores[target] - math.log(sum(math.exp(score) for score in scores))
    assert step.loss.item() == pytest.approx(total / 6, rel=1e-5)
    assert step.parts == {} and not step.embeddings.requires_grad
    torch.testing.assert_close(step.embeddings, model.encoder.embed(X).detach())


def test_gradients_are_those_of_differences():
    model = network().double()
    batch = X._replace(values=X.values.double())

    def loss(weight, entry):
        held = {"head.weight": weight, "encoder.entry.weight": entry}
        made = torch.func.functional_call(model, held, (batch, Generator(), TARGETS))
        return made.loss

    inputs = model.head.weight, model.encoder.entry.weight
    given = [weight.detach().clone().requires_grad_() for weight in inputs]
    assert torch.autograd.gradcheck(loss, given)


def test_every_weight_is_reached():
    model = network()
    model(X, Generator(), TARGETS).loss.backward()
    assert all(w.grad is not None and bool(w.grad.any()) for w in model.parameters())


def test_scores_are_the_linear_map_of_the_vectors():
    model = network().eval()
    scores = model.scores(X)
    wanted = model.encoder.embed(X) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(scores, wanted)
    assert scores.shape == (6, 3)


def test_the_seed_draws_the_linear_map_and_no_global_state_is_read():
    one, again, other = network(3), network(3), network(4)
    assert torch.equal(one.head.weight, again.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert torch.equal(one.encoder.entry.weight, other.encoder.entry.weight)


def test_repr_shows_the_settings():
    assert repr(network(3)).endswith("classes=3, seed=3)")
    assert repr(network()).startswith("Supervised(encoder=Dilated(channels=2, hidden=4")
