"""The picked layer and pooling, the reason, and that the usual ones stay where they are as good."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import scaling
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.registry import recipe_of
from selftime.encoders.wrappers.layered import POOLINGS, Layered
from selftime.encoders.wrappers.projected import backbone
from selftime.engine.model import Model
from selftime.engine.pretrain import with_standard_vectors
from selftime.tasks.comparison.rows import untrained_twin
from selftime.tasks.probing.probe import Probe
from selftime.tasks.selection.pick import Candidate, PickResult, as_good, pick, score_candidate
from selftime.tasks.transfer.scratch import network_like


def waves(n: int = 12, seed: int = 0) -> st.SeriesSet:
    """Two speeds at random phases, ``n`` of each, quite noisy."""
    rng = np.random.default_rng(seed)
    speeds = np.repeat([1, 4], n)
    x = np.sin(2 * np.pi * (speeds[:, None] * np.arange(32) / 32 + rng.random((2 * n, 1))))
    noisy = x + 0.3 * rng.standard_normal(x.shape)
    return st.SeriesSet.of(noisy[:, None].astype(np.float32), speeds)


def levels() -> st.SeriesSet:
    """Two classes that every layer tells apart."""
    x = waves()
    return st.SeriesSet.of(x.values + 5 * x.labels[:, None, None], x.labels)


def model_of(series: st.SeriesSet, *, deaf: bool) -> Model:
    """A network that was not trained; a deaf one's last block always says the same."""
    network = Dilated(channels=1, hidden=8, depth=3, dim=12)
    if deaf:
        with torch.no_grad():
            for weight in network.blocks()[-1].parameters():
                weight.zero_()
    scale = scaling.fit_channels(series)
    return Model(with_standard_vectors(network, series, scale, 0).eval(), scale, series.channels)


def test_another_layer_is_picked_where_the_last_one_says_nothing() -> None:
    x, new = waves(), waves(seed=1)
    model = model_of(x, deaf=True)
    made = pick(model, x)
    assert made.choice is made.candidates[0] and made.choice.layer < 4 == made.layers - 1
    assert made.usual.wrong >= 12 > made.choice.wrong
    assert made.judged == 24 and len(made.candidates) == 5 * len(POOLINGS) + 1
    assert made.verdict == (
        f"{made.choice.pooling} of layer {made.choice.layer} is picked: {made.choice.wrong} of 24 "
        f"labelled series are wrong when left out, {made.usual.wrong} as usual"
    )
    right = [
        (Probe().fit(m.embed(x), x.labels).predict(m.embed(new)) == new.labels).mean()
        for m in (model, made.model)
    ]
    assert right[0] == 0.5 and right[1] > 0.8
    assert made.model.card["settings"]["vector"]["reason"] == made.verdict
    assert "vector" not in model.card.get("settings", {})


def test_the_model_is_saved_with_its_pick(tmp_path) -> None:
    x = waves()
    made = pick(model_of(x, deaf=True), x).model
    again = st.load(made.save(tmp_path / "picked"))
    assert np.array_equal(again.embed(x), made.embed(x))
    assert np.array_equal(again.reference_bank, made.reference_bank)
    assert isinstance(backbone(again.encoder), Layered)
    assert "is picked" in (tmp_path / "picked" / "README.md").read_text()


def test_vectors_are_those_of_the_layer_standardised_over_all_and_of_length_1() -> None:
    x, others = waves(4), waves(30, seed=3)
    model = model_of(x, deaf=True)
    made = pick(model, x, unlabelled=others)
    picked = Layered(
        encoder=backbone(model.encoder), layer=made.choice.layer, pooling=made.choice.pooling
    )
    wanted = Model(
        with_standard_vectors(picked, others, model.scaling, 0), model.scaling, model.channels
    )
    assert np.array_equal(made.model.embed(x), wanted.embed(x))
    assert len(made.model.reference_bank) == len(others)


def test_the_usual_stays_where_it_is_as_good() -> None:
    x = levels()
    model = model_of(x, deaf=False)
    made = pick(model, x)
    assert made.choice is made.usual and made.model.encoder is model.encoder
    assert made.verdict.startswith(
        f"the usual pooling of the last layer stays: {made.usual.wrong} of 24 labelled series are "
        "wrong when left out; no other is better by more than two standard errors (the best, "
    )
    assert made.to_dict()["pooling"] == "usual"


def test_standard_errors_are_those_of_the_usual() -> None:
    def said(usual: int, best: int, n: int) -> bool:
        return as_good(Candidate(3, "usual", usual, 0.0), Candidate(1, "max", best, 0.0), n)

    assert said(2, 0, 10) and not said(5, 1, 10)  # 2 · sqrt(10 · 0.2 · 0.8) = 2.5, then 3.2
    assert said(20, 12, 100) and not said(20, 11, 100)  # 2 · sqrt(100 · 0.2 · 0.8) = 8
    assert said(0, 0, 10) and not said(10, 0, 10)


def test_fewest_errors_come_first_and_scores_decide_between_equals() -> None:
    made = pick(model_of(waves(), deaf=False), waves())
    order = [(one.wrong, one.squared) for one in made.candidates]
    assert order == sorted(order) and len(set(order)) > 5


def test_errors_are_those_of_a_ridge_fitted_on_all_others() -> None:
    rng = np.random.default_rng(0)
    z, index = rng.standard_normal((9, 4)), np.array([0, 0, 1, 1, 2, 2, 2, 3, 1])
    added = 0.05 * np.square(z - z.mean(axis=0)).sum() / 9
    wrong, squares = 0, []
    for i in (0, 1, 2, 3, 4, 5, 6, 8):  # the only series of class 3 has no company
        others = [j for j in range(9) if j != i]
        X, Y = z[others], np.where(index[others][:, None] == np.arange(4), 1.0, -1.0)
        centred = X - X.mean(axis=0)
        weights = np.linalg.solve(centred.T @ centred + added * np.eye(4), centred.T @ Y)
        scores = (z[i] - X.mean(axis=0)) @ weights + Y.mean(axis=0)
        wrong += int(scores.argmax() != index[i])
        squares.append(np.square(scores - np.where(np.arange(4) == index[i], 1.0, -1.0)).mean())
    got = score_candidate((2, "max"), z, index)
    assert got[:3] == (2, "max", wrong)
    assert got.squared == pytest.approx(np.mean(squares), rel=1e-9)


def test_the_network_runs_once_for_all_layers(monkeypatch) -> None:
    x, calls = levels(), []
    model = model_of(x, deaf=False)
    network, stages = backbone(model.encoder), Dilated.stages
    monkeypatch.setattr(Dilated, "stages", lambda own, x: calls.append(own) or stages(own, x))
    assert pick(model, x).choice.pooling == "usual"
    assert calls == [network]
    pick(model, x, unlabelled=x)
    assert calls == [network] * 3


def test_picking_again_starts_from_the_network() -> None:
    x = waves()
    once = pick(model_of(x, deaf=True), x)
    twice = pick(once.model, x)
    assert [c[:3] for c in twice.candidates] == [c[:3] for c in once.candidates]
    assert np.array_equal(twice.model.embed(x), once.model.embed(x))


@pytest.mark.parametrize("name", ["resnet", "tstcc_cnn", "gru", "transformer", "patchtst_masked"])
def test_every_network_can_be_picked_from(name: str) -> None:
    x = waves(4)
    network, scale = BUILDERS[name](channels=1, length=32), scaling.fit_channels(x)
    model = Model(with_standard_vectors(network, x, scale, 0).eval(), scale, x.channels)
    made = pick(model, x)
    assert len(made.candidates) == len(network.layer_shapes()) * len(POOLINGS) + 1
    assert made.model.embed(x).shape == (8, made.model.dim)


def test_what_cannot_be_picked_from_is_said() -> None:
    x = waves()
    closed = st.pretrain(x, objective="spectral", encoder="quantiles")
    with pytest.raises(ValueError, match="without layers of tokens to pick from: only networks"):
        pick(closed, x)
    model = model_of(x, deaf=False)
    with pytest.raises(st.SeriesError, match="the data has no labels, wanted one for some"):
        pick(model, st.SeriesSet.of(x.values))
    with pytest.raises(st.SeriesError, match="got 3 labels for 24 series: one each"):
        pick(model, x, [1, 2, 3])
    with pytest.raises(st.SeriesError, match="got 2 labels of 2 classes, wanted two classes and"):
        pick(model, x[[0, 12]])


def test_the_command_prints_the_table_and_writes_the_model(tmp_path) -> None:
    x = waves()
    st.write(x, tmp_path / "waves.npz")
    model_of(x, deaf=True).save(tmp_path / "model")
    words = ["pick", str(tmp_path / "model"), str(tmp_path / "waves.npz"), "--out"]
    shown = CliRunner().invoke(app, [*words, str(tmp_path / "picked")])
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert "mean+deviation" in text and "layer 4" in text and "is picked" in text
    printed = CliRunner().invoke(app, [*words, str(tmp_path / "picked"), "--force", "--json"])
    said = json.loads(printed.stdout)
    assert said["layers"] == 5 and said["layer"] < 4 and said["verdict"] in text
    assert st.load(tmp_path / "picked").card["settings"]["vector"]["reason"] == said["verdict"]
    again = CliRunner().invoke(app, [*words, str(tmp_path / "picked")])
    assert again.exit_code == 2 and "exists" in again.output


def test_references_of_a_picked_model_are_of_the_same_layer_and_network() -> None:
    x = waves()
    made = pick(model_of(x, deaf=True), x)
    assert isinstance(made, PickResult)
    twin = backbone(untrained_twin(made.model, x))
    assert isinstance(twin, Layered) and twin.layer == made.choice.layer
    fresh = Dilated(channels=1, hidden=8, depth=3, dim=12)
    assert torch.equal(twin.encoder.stack[-1].first.weight, fresh.stack[-1].first.weight)
    assert network_like(made.model.encoder, 1, 32) == recipe_of(fresh)
