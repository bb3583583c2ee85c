"""Models as files of ONNX and torch: they give the same, and are not kept where they do not."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import selftime as st
from selftime.data.scaling import PerChannel, PerSeries, fit_channels
from selftime.data.windows import batch_of
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.recurrent import GRU
from selftime.engine import graphs
from selftime.engine.graphs import GraphError, toy_values, trace, vectors_of, write_graph

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
RNG = np.random.default_rng(0)
SERIES = st.SeriesSet.of(
    5 + 3 * RNG.normal(size=(12, 2, 20)).cumsum(axis=2), channels=["heat", "load"]
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Seconds are measured in one run."""
    monkeypatch.setattr(graphs, "_MOST_RUNS", 1)


def model_of(encoder, scaling=None) -> st.Model:
    scaling = scaling or fit_channels(SERIES)
    encoder.prepare(scaling.apply(batch_of(SERIES)), torch.Generator().manual_seed(0))
    return st.Model(encoder.eval(), scaling, SERIES.channels)


def small(seed: int = 0) -> st.Model:
    return model_of(Dilated(channels=2, hidden=4, depth=1, dim=6, seed=seed))


def raw() -> np.ndarray:
    """Other series, of other lengths, with gaps."""
    rng = np.random.default_rng(1)
    x = (5 + 3 * rng.normal(size=(3, 2, 33)).cumsum(axis=2)).astype(np.float32)
    x[0, :, 11:], x[1, 1, 4:9], x[2, 0] = np.nan, np.nan, np.nan
    return x


@pytest.mark.slow
def test_a_file_of_onnx_gives_the_vectors_of_the_model(tmp_path):
    encoder = MiniRocket(
        channels=2,
        length=20,
        features=84 * 8,
        differences=True,
        poolings=("ppv", "mpv", "mipv", "lspv"),
    )
    model = model_of(encoder)
    made = write_graph(vectors_of(model), tmp_path / "m.onnx", to="onnx")
    assert made.length is None and made.error <= 1e-4
    session = onnxruntime.InferenceSession(made.path)
    (given,), (out,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("series", ["count", 2, "steps"])
    assert (out.name, out.shape) == ("vectors", ["count", model.dim])
    (got,) = session.run(None, {"series": raw()})
    np.testing.assert_allclose(got, model.embed(raw()), atol=1e-4 * np.abs(got).max())
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["channels"]) == ["heat", "load"] and said["length"] == "null"


@pytest.mark.late
@pytest.mark.again
def test_a_recurrent_network_takes_one_length(tmp_path):
    model = model_of(GRU(channels=2, hidden=4), PerSeries())
    made = write_graph(vectors_of(model), tmp_path / "m.pt2", to="torch", length=33)
    assert made.length == 33 and made.to_dict()["length"] == 33
    with torch.inference_mode():
        got = torch.export.load(made.path).module()(torch.from_numpy(raw())).numpy()
    np.testing.assert_allclose(got, model.embed(raw()), atol=1e-4 * np.abs(got).max())


@pytest.mark.late
@pytest.mark.again
def test_a_file_of_torch_gives_the_vectors_of_the_model(tmp_path):
    model = small()
    made = write_graph(vectors_of(model), tmp_path / "m.pt2", to="torch")
    files = {"selftime.json": ""}
    graph = torch.export.load(made.path, extra_files=files).module()
    with torch.inference_mode():
        got = [graph(torch.from_numpy(x)).numpy() for x in (raw(), raw()[:1, :, :6])]
    np.testing.assert_allclose(got[0], model.embed(raw()), atol=1e-5)
    np.testing.assert_allclose(got[1], model.embed(raw()[:1, :, :6]), atol=1e-5)
    assert json.loads(files["selftime.json"])["output"] == "vectors"
    assert {runtime for runtime, _, _ in made.latency} == {"torch", "selftime"}
    assert set(made.to_columns()["batch"]) == {1, 64}


@pytest.mark.late
@pytest.mark.again
def test_a_graph_that_differs_is_not_kept(tmp_path):
    class Other(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values.nan_to_num(0.0).mean(dim=2) @ torch.ones(2, 6)

    subject = vectors_of(small())._replace(graph=Other())
    with pytest.raises(GraphError, match="the graph differs from selftime by "):
        write_graph(subject, tmp_path / "m.pt2", to="torch")
    with pytest.raises(GraphError, match="the graph differs from selftime by inf"):
        write_graph(subject._replace(graph=nn.Identity()), tmp_path / "m.pt2", to="torch")
    assert not list(tmp_path.iterdir())


def test_names_are_checked_before_any_work(tmp_path):
    subject = vectors_of(small())
    with pytest.raises(GraphError, match="wanted a name that ends with .onnx: model.onnx"):
        write_graph(subject, tmp_path / "model.pt2", to="onnx")
    (tmp_path / "there.pt2").touch()
    with pytest.raises(FileExistsError, match="choose another name, or overwrite=True"):
        write_graph(subject, tmp_path / "there.pt2", to="torch")


def test_levels_that_32_bits_do_not_hold_are_refused(tmp_path):
    far = PerChannel((0.0, 0.0), (1.0, 1.0), (-5.0, -5.0), (5.0, 5.0), (1e12, 0.0))
    with pytest.raises(GraphError, match="levels that 32-bit numbers do not hold"):
        write_graph(vectors_of(model_of(small().encoder, far)), tmp_path / "m.pt2", to="torch")


def test_without_the_packages_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(GraphError, match=r"pip install 'selftime\[export\]'"):
        graphs.onnx_bytes(None, {"output": "vectors"})


def test_tried_series_have_gaps_ends_and_channels_that_are_missing():
    values = toy_values(small(), 4, 30)
    missing = np.isnan(values)
    assert not missing[0].any() and missing[1].any() and missing[2, :, 20:].all()
    assert missing[3, 0].all() and not missing[3, 1].any()


@pytest.mark.late
@pytest.mark.again
def test_numbers_of_series_and_steps_stay_open():
    model = small()
    program = trace(vectors_of(model).graph, toy_values(model, 4, 20), True)
    shape = program.graph_module.graph.find_nodes(op="placeholder")[-1].meta["val"].shape
    assert [isinstance(size, torch.SymInt) for size in shape] == [True, False, True]
