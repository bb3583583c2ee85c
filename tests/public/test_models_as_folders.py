"""Every public door takes the folder of a model where it takes a model, and ``~`` for home."""

import inspect
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from kind_toys import series_of

import selftime as st
from selftime.encoders.networks.dilated import Dilated


def waves(seed: int, n: int = 12) -> st.SeriesSet:
    """Series of two kinds in one channel."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 2
    x = np.stack([np.sin(np.arange(40) * (0.2 + 0.3 * k) + rng.uniform(0, 6)) for k in kinds])
    return st.SeriesSet.of(x[:, None] + 0.1 * rng.normal(size=(n, 1, 40)), labels=kinds)


X, LONG = waves(0), st.SeriesSet.of(np.sin(np.arange(240) / 4)[None, None])


def last(found):
    """The embeddings of a model."""
    return found.embed(X)


def exported(model):
    """What a graph of a model is found to be, once it was written and run."""
    with TemporaryDirectory() as folder:
        made = st.export(model, Path(folder, "model.pt2"), to="torch")
        return made.output, made.error


DOORS = {
    "export": exported,
    "Classifier": lambda m: st.Classifier(m).fit(X).predict_proba(X),
    "Regressor": lambda m: st.Regressor(m).fit(X, np.arange(12.0)).predict(X),
    "Segmenter": lambda m: st.Segmenter(m).fit(X, [np.arange(40) > 20] * 12).predict_proba(X)[0],
    "Forecaster": lambda m: st.Forecaster(m, horizon=2).fit(LONG).predict(),
    "Imputer": lambda m: st.Imputer(m).fit(LONG).imputation(LONG).series.values,
    "AnomalyDetector": lambda m: st.AnomalyDetector(m).fit(LONG).score(LONG),
    "detect": lambda m: st.detect(LONG, model=m).scores,
    "StreamMonitor": lambda m: (
        st.StreamMonitor(m, normal=LONG, rate=0.1, window=20).update([0.5]).score
    ),
    "embed": lambda m: st.embed(m, X).vectors,
    "adapt": lambda m: last(st.adapt(m, X)),
    "compare": lambda m: list(st.compare(m, X, X, draws=1).hits["selftime"].values())[0],
    "evaluate": lambda m: st.evaluate(m, st.Classifier(m).fit(X), X, X).probabilities,
    "find_leaks": lambda m: st.find_leaks(m, X, X).seen,
    "pick": lambda m: last(st.pick(m, X).model),
    "suggest": lambda m: st.suggest(m, X[:8], n=2).rows,
    "cluster": lambda m: st.cluster(m, X, 2).distances,
    "states": lambda m: st.states(m, st.read(LONG, windows=40), 2).states,
    "advise": lambda m: len(st.advise(5_000, m).contenders),
}

TEXT_DOORS = {
    "perplexity": lambda m: st.perplexity(m, series_of("text")).symbol,
    "continue_text": lambda m: st.continue_text(m, "abc", length=9),
    "fill_text": lambda m: st.fill_text(m, "ab▁c"),
}


@pytest.fixture(scope="module")
def model():
    encoder = Dilated(channels=1, hidden=8, depth=2, dim=16, seed=0)
    return st.pretrain(X, objective="ts2vec", encoder=encoder, budget="1 step")


def test_every_door_with_a_model_is_tried():
    takes = set()
    for name in st.__all__:
        door = getattr(st, name)
        if inspect.isfunction(door) or hasattr(door, "fit") or name == "StreamMonitor":
            takes |= {name} if "model" in inspect.signature(door).parameters else set()
    assert takes == {*DOORS, *TEXT_DOORS, "open_studio"}  # a server: tests/studio opens folders


@pytest.mark.late
@pytest.mark.parametrize("name", TEXT_DOORS)
def test_a_folder_of_a_model_of_texts_is_as_good_as_it(tmp_path, name):
    objective = "bert" if name == "fill_text" else "next_step"
    model = st.pretrain(
        series_of("text"), objective=objective, encoder="dilated_causal", budget="1 step"
    )
    folder = model.save(tmp_path / "model")
    assert TEXT_DOORS[name](folder) == TEXT_DOORS[name](str(folder)) == TEXT_DOORS[name](model)


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("name", DOORS)
def test_a_folder_is_as_good_as_its_model(model, tmp_path, name, monkeypatch):
    monkeypatch.setattr("selftime.tasks.transfer.scratch.MAX_TRAINING_STEPS", 2)
    folder = model.save(tmp_path / "model")
    wanted = np.asarray(DOORS[name](model))
    np.testing.assert_array_equal(np.asarray(DOORS[name](folder)), wanted)
    np.testing.assert_array_equal(np.asarray(DOORS[name](str(folder))), wanted)


@pytest.mark.late
@pytest.mark.again
def test_several_folders_are_compared(model, tmp_path, monkeypatch):
    monkeypatch.setattr("selftime.tasks.transfer.scratch.MAX_TRAINING_STEPS", 2)
    other = st.pretrain(X, encoder="quantiles")
    one, two = model.save(tmp_path / "one"), other.save(tmp_path / "two")
    how = {"labels_per_class": 1, "draws": 2}
    wanted = st.compare({"a": model, "b": other}, X, X, **how)
    found = st.compare({"a": one, "b": str(two)}, X, X, **how)
    assert {"a", "b"} <= set(found.hits)
    for name in wanted.hits:
        np.testing.assert_array_equal(found.hits[name][1], wanted.hits[name][1])
    listed = st.compare([one, two], X, X, **how)
    np.testing.assert_array_equal(listed.hits["model 2"][1], wanted.hits["b"][1])


CONFIGS = {
    "Classifier": lambda given: st.Classifier(strategy="full", config=given).fit(X),
    "SelfSupervised": lambda given: st.SelfSupervised("ts2vec", config=given).fit(X),
    "pretrain": lambda given: st.pretrain(X, objective="ts2vec", config=given),
}


@pytest.mark.again
@pytest.mark.parametrize("name", CONFIGS)
def test_a_budget_is_no_config(name):
    with pytest.raises(ValueError, match=r"got config '5 steps'.*budget='5 steps'"):
        CONFIGS[name]("5 steps")


@pytest.mark.again
def test_a_number_is_no_budget():
    with pytest.raises(ValueError, match="got a budget of 5, wanted such as '200 steps'"):
        st.pretrain(X, objective="ts2vec", budget=5)


HOMES = {
    "save": lambda model: model.save("~/place"),
    "run": lambda _: st.pretrain(X, encoder="quantiles", run="~/place"),
    "steps": lambda _: st.pretrain(X, objective="ts2vec", budget="1 step", run="~/place"),
    "race": lambda _: st.race(X, objectives=["spectral"], run="~/place"),
    "write": lambda _: st.write(X, "~/place.npz"),
    "write_table": lambda _: st.write_table("~/place.csv", {"id": np.arange(2)}),
    "classifier": lambda model: st.Classifier(model).fit(X).save("~/place"),
}


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("name", HOMES)
def test_home_is_written_short(model, tmp_path, monkeypatch, name):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path / "here")
    HOMES[name](model)
    assert [path.stem for path in home.iterdir()] == ["place"]
    assert not list((tmp_path / "here").iterdir())
    if name not in ("write", "write_table"):
        st.load("~/place")
    if name == "write":
        assert len(st.read("~/place.npz")) == len(st.read(["~/place.npz"])) == 12
    if name == "run":
        assert st.read_run("~/place").write_report().exists()


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("objective", ["ts2vec", "masked_patches", "auto"])
def test_half_precision_agrees_to_a_thousandth(tmp_path, objective):
    x = st.sample("JapaneseVowels", "train")[:40]
    stepwise = objective != "auto"  # others have weights of 8 bits, whatever is asked for
    made = st.pretrain(x, objective=objective, budget="2 steps" if stepwise else None)
    whole, half = (made.save(tmp_path / p, precision=p) for p in ("full", "half"))
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (whole, half)]
    assert sizes[1] < 0.6 * sizes[0] if stepwise else sizes[1] <= sizes[0]
    same = st.load(half)
    assert {t.dtype for t in same.encoder.state_dict().values() if t.is_floating_point()} == {
        t.dtype for t in made.encoder.state_dict().values() if t.is_floating_point()
    }
    wanted = made.embed(x)
    np.testing.assert_allclose(same.embed(x), wanted, atol=1e-3)  # of vectors of length 1
    assert "16-bit" in (half / "README.md").read_text()
