"""A model on other series than those it learned from: other lengths, scales and channels."""

import numpy as np
import pytest
import torch

import selftime as st
from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.windows import batch_of
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import WaveEmbedder
from selftime.encoders.networks.patching import GridEmbedder, PatchEmbedder
from selftime.encoders.networks.recurrent import LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.wrappers.embedded import Embedded
from selftime.encoders.wrappers.layered import Layered
from selftime.encoders.wrappers.normalised import ByChannel
from selftime.encoders.wrappers.projected import Standardised, backbone
from selftime.engine.adaptation import adapt, channel_map, map_weight, rebuild_for_channels
from selftime.engine.model import Model
from selftime.engine.pretrain import with_standard_vectors

HALF = 0.5**0.5
NETWORKS = ("dilated", "resnet", "inception", "tstcc_cnn", "lstm", "gru", "transformer")


def walks(n: int, channels: int, steps: int, *, names: tuple[str, ...] | None = None, scale=1.0):
    rng = np.random.default_rng(n + channels + steps)
    values = scale * rng.standard_normal((n, channels, steps)).cumsum(axis=2)
    return st.SeriesSet.of(values.astype(np.float32), channels=names)


def model_on(series: st.SeriesSet, network: str = "dilated") -> Model:
    """Not trained, and ready otherwise."""
    length = int(series.lengths.max())
    body = BUILDERS[network](channels=series.n_channels, length=length)
    scale = scaling.fit_channels(series)
    return Model(with_standard_vectors(body, series, scale, 0).eval(), scale, series.channels)


def state_of(model: Model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.encoder.state_dict().items()}


def test_scaling_and_standardisation_are_those_of_the_new_series_and_weights_the_old_ones() -> None:
    source, target = walks(20, 2, 30), walks(16, 2, 47, scale=50.0)
    model = model_on(source)
    before = state_of(model)
    made = adapt(model, target)
    assert made.scaling == scaling.fit_channels(target)
    wanted = Model(
        with_standard_vectors(backbone(model.encoder), target, made.scaling, 0).eval(),
        made.scaling,
        target.channels,
    )
    np.testing.assert_array_equal(made.embed(target), wanted.embed(target))
    assert len(made.reference_bank) == 16
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert made.card["settings"]["adapted"]["value"] == "16 series of 2 channels"


QUICK = ("dilated", "gru", "patchtst_masked")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS if name not in QUICK]


@pytest.mark.parametrize("network", [*QUICK, *SLOW])
def test_a_network_of_one_channel_reads_each_by_itself(network: str) -> None:
    source, target = walks(12, 1, 24), walks(10, 3, 40)
    model = model_on(source, network)
    made = adapt(model, target)
    body = backbone(made.encoder)
    assert isinstance(body, ByChannel) and made.dim == 3 * model.dim
    x = made.scaling.apply(batch_of(target))
    alone = [
        backbone(model.encoder).embed(Batch(x.values[:, c : c + 1], x.observed[:, c : c + 1]))
        for c in range(3)
    ]
    torch.testing.assert_close(body.embed(x), torch.cat(alone, dim=1), rtol=1e-4, atol=1e-5)
    lengths = np.linalg.norm(made.embed(target), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


@pytest.mark.late
def test_a_closed_form_of_one_channel_is_measured_anew_and_run_on_each() -> None:
    source, target = walks(30, 1, 24), walks(20, 3, 40, scale=9.0)
    model = st.pretrain(source, objective="spectral")
    before = state_of(model)
    made = adapt(model, target)
    assert made.dim == 3 * model.dim and made.embed(target).shape == (20, made.dim)
    state = made.encoder.state_dict()
    kept = {name for name in before if torch.equal(before[name], state[f"encoder.encoder.{name}"])}
    changed = set(before) - kept
    assert changed and {name.rsplit(".", 1)[1] for name in changed} == {"mean", "scale"}
    assert len(changed) == 2 * sum(isinstance(p, Standardised) for p in model.encoder.modules())


@pytest.mark.late
def test_kernels_drawn_for_several_channels_cannot_follow() -> None:
    model = st.pretrain(walks(12, 2, 24, names=("x", "y")), objective="spectral")
    said = (
        r"got an encoder drawn for 2 channels \(x, y\) and series with 3 \(0, 1, 2\): its kernels"
    )
    with pytest.raises(ValueError, match=said):
        adapt(model, walks(9, 3, 24))
    assert adapt(model, walks(9, 2, 50)).embed(walks(9, 2, 50)).shape == (9, model.dim)


LINEAR = ("dilated", "tstcc_cnn", "gru")
"""What they read of the input is linear; of Inception a maximum of sums is not that of maxima."""


@pytest.mark.late
@pytest.mark.parametrize(
    "network, channels", [*((name, 2) for name in NETWORKS), *((name, 5) for name in LINEAR)]
)
def test_the_network_sees_its_own_channels_as_sums_of_the_new_ones(network, channels) -> None:
    model = model_on(walks(12, 3, 24), network)
    made = adapt(model, walks(12, channels, 24))
    x = torch.randn(4, channels, 24, generator=torch.Generator().manual_seed(0)).cumsum(dim=2)
    seen = torch.zeros(4, 3, 24)
    for c in range(channels):  # in turn; the first two of five are taken twice
        seen[:, c % 3] += x[:, c] / (2**0.5 if channels == 5 and c % 3 < 2 else 1)

    def tokens(of: Model, values: torch.Tensor) -> torch.Tensor:
        return backbone(of.encoder)(Batch(values, torch.ones_like(values, dtype=torch.bool)))

    torch.testing.assert_close(tokens(made, x), tokens(model, seen), rtol=1e-3, atol=1e-4)


def test_channels_find_their_namesakes() -> None:
    source, target = walks(12, 3, 24, names=("x", "y", "z")), walks(12, 2, 24, names=("z", "x"))
    model = model_on(source)
    made = adapt(model, target)
    x = batch_of(target)
    silent = torch.zeros_like(x.values[:, :1])  # a channel at its mean
    whole = torch.cat([x.values[:, 1:], silent, x.values[:, :1]], dim=1)
    valid = torch.ones_like(whole, dtype=torch.bool)
    wanted = backbone(model.encoder)(Batch(whole, valid))
    torch.testing.assert_close(backbone(made.encoder)(x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "old, new, wanted",
    [
        ("01", "01", [[1, 0], [0, 1]]),
        ("ab", "ba", [[0, 1], [1, 0]]),
        ("ab", "cd", [[1, 0], [0, 1]]),  # none in common: by place
        ("abc", "cd", [[0, 0, 1], [1, 0, 0]]),
        ("abc", "de", [[1, 0, 0], [0, 1, 0]]),
        ("ab", "abc", [[1, 0], [0, 1], [0, 0]]),
        ("ab", "cde", [[HALF, 0], [0, 1], [HALF, 0]]),
        ("ab", "bcd", [[0, 1], [HALF, 0], [HALF, 0]]),
        ("012", "10", [[1, 0, 0], [0, 1, 0]]),  # numbers are no names
    ],
)
def test_who_takes_whose_weights(old: str, new: str, wanted: list[list[float]]) -> None:
    got = channel_map(tuple(old), tuple(new))
    torch.testing.assert_close(got, torch.tensor(wanted).float())


def test_weights_are_mapped_along_the_axis_of_channels_alone() -> None:
    matrix = torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    weight = torch.arange(24.0).view(2, 6, 2)  # three channels of two numbers each, on axis 1
    got = map_weight(weight, torch.Size((2, 8, 2)), matrix)
    assert got.shape == (2, 4, 2)
    assert torch.equal(got[:, :2], weight[:, :2])
    assert torch.equal(got[:, 2:], weight[:, 2:4] + weight[:, 4:])
    assert map_weight(weight, weight.shape, matrix) is weight


def test_a_picked_layer_and_weights_that_train_follow() -> None:
    waves = WaveEmbedder(channels=2, length=20, dim=6, strides=(2, 2), kernels=(4, 2))
    for body in (
        Dilated(channels=2, hidden=4, depth=2, dim=6),
        Layered(encoder=Dilated(channels=2, hidden=4), layer=2, pooling="mean+max"),
        ResNet(channels=2, hidden=4),
        LSTM(channels=2, hidden=4),
        PatchEmbedder(channels=2, length=20, patch=4, stride=2, dim=8),
        GridEmbedder(channels=2, rows=4, columns=5, dim=8),
        Embedded(embedder=waves, encoder=LSTM(channels=6, hidden=4)),
    ):
        made = rebuild_for_channels(body, channel_map("ab", "abc"))
        assert made.channels == 3
        assert all(weight.requires_grad for weight in made.parameters())
        x = torch.randn(3, 3, 20, generator=torch.Generator().manual_seed(0))
        valid = torch.ones_like(x, dtype=torch.bool)
        wanted = body(Batch(x[:, :2], valid[:, :2]))
        torch.testing.assert_close(made(Batch(x, valid)), wanted)


def test_a_network_that_is_made_of_other_parts_says_so() -> None:
    model = model_on(walks(12, 3, 24), "inception")
    with pytest.raises(ValueError, match="got InceptionTime of 3 channels, which for 1 is made"):
        adapt(model, walks(12, 1, 24))


def test_an_adapted_model_is_saved(tmp_path) -> None:
    model, target = model_on(walks(12, 1, 24)), walks(10, 3, 40)
    made = adapt(model, target)
    again = st.load(made.save(tmp_path / "adapted"))
    np.testing.assert_array_equal(again.embed(target), made.embed(target))
    assert "each channel is read by itself" in (tmp_path / "adapted" / "README.md").read_text()
