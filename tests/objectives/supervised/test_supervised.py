"""Learning from labels: losses beside loops, frozen parts stay, and nothing but labels decides."""

import math

import numpy as np
import pytest
import torch
from torch import Generator, nn
from training_material import waves

from selftime.data.batch import Batch
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.supervised.heads import NETWORK_HEADS, AttentionPool
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import (
    IGNORED,
    Amount,
    AnyClasses,
    OneClass,
    StepClasses,
)

X = batch_of(waves(6))
TARGETS = torch.tensor([0, 1, 2, 0, 1, 1])
THREE = OneClass(np.array(["a", "b", "c"]))


def network(seed: int = 0, **changes) -> Supervised:
    encoder = Dilated(channels=2, hidden=4, depth=2, dim=5, seed=1)
    given = {"head": linear(5, 3, weights_from(seed)), "target_type": THREE} | changes
    return Supervised(encoder=encoder, **given)


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


def test_several_labels_cost_a_cross_entropy_each():
    y = np.array([[0, 1], [1, 1], [0, 0]])
    target_type, out = AnyClasses(2), np.array([[0.5, -1.0], [2.0, 0.0], [-3.0, 1.5]])
    total = 0.0
    for scores, labels in zip(out, y, strict=True):
        for score, label in zip(scores, labels, strict=True):
            chance = 1 / (1 + math.exp(-score))
            total -= math.log(chance if label else 1 - chance)
    got = target_type.loss(torch.from_numpy(out).float(), target_type.targets(y))
    assert got.item() == pytest.approx(total / 6, rel=1e-6)
    assert target_type.predictions(out).tolist() == [[1, 0], [1, 0], [0, 1]]
    assert target_type.probabilities(out)[1, 1] == 0.5


def test_values_cost_their_squared_error_in_units_of_their_spread():
    y = np.array([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]])
    target_type, out = Amount.of(y), np.array([[0.1, 0.2], [0.3, -0.1], [1.0, 0.0]])
    mean = sum(y[:, 0]) / 3
    spread = math.sqrt(sum((v - mean) ** 2 for v in y[:, 0]) / 3)
    total = sum((o - (v - mean) / spread) ** 2 for o, v in zip(out[:, 0], y[:, 0], strict=True))
    total += sum(o**2 for o in out[:, 1])  # a constant is its own mean
    got = target_type.loss(torch.from_numpy(out).float(), target_type.targets(y))
    assert got.item() == pytest.approx(total / 6, rel=1e-5)
    np.testing.assert_allclose(
        target_type.predictions(target_type.targets(y).double().numpy()), y, rtol=1e-6
    )


def test_steps_cost_the_mean_over_all_that_have_a_label():
    target_type = StepClasses(np.array(["off", "on"]))
    targets = target_type.targets([np.array(["on", "off", "on"]), np.array(["off"])])
    assert targets.tolist() == [[1, 0, 1], [0, IGNORED, IGNORED]]
    out = np.random.default_rng(0).normal(size=(2, 3, 2))
    total = 0.0
    for i, t in [(0, 0), (0, 1), (0, 2), (1, 0)]:
        scores = out[i, t]
        total -= scores[targets[i, t]] - math.log(sum(math.exp(s) for s in scores))
    got = target_type.loss(torch.from_numpy(out), targets)
    assert got.item() == pytest.approx(total / 4, rel=1e-6)
    assert target_type.predictions(np.array([[0.0, 1.0], [2.0, 1.0]])).tolist() == ["on", "off"]


def test_every_weight_is_reached():
    model = network()
    model(X, Generator(), TARGETS).loss.backward()
    assert all(w.grad is not None and bool(w.grad.any()) for w in model.parameters())


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("name", sorted(NETWORK_HEADS))
def test_outlets_give_an_output_a_class_and_learn(name):
    pool = AttentionPool(5, seed=0) if name == "attention" else None
    model = network(head=NETWORK_HEADS[name](5, 3, seed=0), pool=pool).train()
    rows = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    outputs = NETWORK_HEADS[name](5, 3, seed=0).eval()(rows)
    assert outputs.shape == (7, 3) and not outputs.any()  # all classes are equally likely at first
    rates = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = model(X, Generator(), TARGETS).loss
        rates.zero_grad()
        loss.backward()
        rates.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_attention_pools_the_tokens_that_are_there_beside_a_loop():
    rng = torch.Generator().manual_seed(0)
    pool = AttentionPool(4, seed=0).double().requires_grad_(False)
    pool.query.data = torch.randn(4, generator=rng, dtype=torch.float64)
    tokens = torch.randn(2, 3, 4, generator=rng, dtype=torch.float64)
    valid = torch.tensor([[True, True, True], [True, True, False]])
    for i, count in enumerate((3, 2)):
        look = [torch.tanh(pool.look.weight @ h + pool.look.bias) for h in tokens[i, :count]]
        raw = [math.exp(float(pool.query @ v)) for v in look]
        wanted = sum(r / sum(raw) * h for r, h in zip(raw, tokens[i, :count], strict=True))
        torch.testing.assert_close(pool(tokens, valid)[i], wanted)


def test_steps_of_a_token_have_its_outputs():
    encoder = PooledCNN(channels=2, hidden=3)
    steps = StepClasses(np.array([0, 1]))
    model = Supervised(
        encoder=encoder, head=linear(encoder.dim, 2, weights_from(0)), target_type=steps
    )
    outputs, tokens = model.outputs(X), encoder(X)
    assert outputs.shape == (6, X.values.shape[2], 2)
    for t in range(X.values.shape[2]):
        own = model.head(tokens[:, t // encoder.stride])
        torch.testing.assert_close(outputs[:, t], own)


class Moody(Encoder):
    """A frozen block with batch statistics and dropout, then one that is trained, with dropout."""

    def __init__(self):
        super().__init__()
        self.dim, self.stride = 2, None
        self.early = nn.Dropout(0.5)
        self.block = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
        self.last = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
        self.block.requires_grad_(False)

    def forward(self, x: Batch):
        return self.last(self.block(self.early(x.values.mean(dim=2))))[:, None]


def test_frozen_means_weights_statistics_and_dropout():
    encoder = Moody()
    model = Supervised(encoder=encoder, head=nn.Linear(2, 3), target_type=THREE, learned=True)
    model.train()
    before = {name: tensor.clone() for name, tensor in encoder.block.state_dict().items()}
    modes = {name: part.training for name, part in encoder.named_modules() if name}
    assert not any(on for name, on in modes.items() if name.startswith(("early", "block")))
    assert all(on for name, on in modes.items() if name.startswith("last"))
    optimiser = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], 0.1)
    for _ in range(3):
        model(X, Generator(), TARGETS).loss.backward()
        optimiser.step()
    for name, tensor in encoder.block.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    model.train(False)
    assert not any(part.training for part in model.modules())


def test_without_freezing_the_same_block_would_move():
    encoder = Moody()
    before = encoder.block[1].running_mean.clone()
    encoder.train()
    encoder(X)
    assert not torch.equal(encoder.block[1].running_mean, before)


def test_an_encoder_that_was_learned_is_not_prepared_anew():
    for learned in (False, True):
        encoder = PooledCNN(channels=2, hidden=3)
        before = [w.clone() for w in encoder.state_dict().values()]
        model = Supervised(
            encoder=encoder, head=nn.Linear(encoder.dim, 3), target_type=THREE, learned=learned
        )
        with torch.no_grad():
            model.prepare(X, Generator())
        same = map(torch.equal, before, encoder.state_dict().values())
        assert all(same) == learned


def test_repr_shows_the_settings():
    assert repr(network()).startswith("Supervised(encoder=Dilated(channels=2, hidden=4")
    assert repr(network(rates={"encoder.": 0.1})).endswith("rates={'encoder.': 0.1})")
