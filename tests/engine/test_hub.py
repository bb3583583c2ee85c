"""Models go to the hub and come back the same, pinned, also offline; nothing else is fetched."""

import numpy as np
import pytest
from hub_double import serve_hub
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.scaling import fit_channels
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.hub import HubError, address, hub_metadata

constants = pytest.importorskip("huggingface_hub.constants")
WAVES = np.sin(np.linspace(0, 9, 30) * np.arange(1, 13)[:, None])[:, None]


def model_drawn(seed: int) -> st.Model:
    """A model that was never trained."""
    encoder = Dilated(channels=1, hidden=4, depth=1, dim=8, seed=seed)
    return st.Model(encoder.eval(), fit_channels(st.SeriesSet.of(WAVES)), ("waves",))


@pytest.fixture(scope="module")
def model():
    """What goes to the hub."""
    return model_drawn(0)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub of this machine, and an empty cache of it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_machine_alone")
    with serve_hub() as (double, where):
        monkeypatch.setenv("HF_ENDPOINT", where)
        yield double


def test_a_model_comes_back_the_same_and_its_card_pins_the_commit(hub, model):
    pinned = model.push_to_hub("user/waves", license="apache-2.0")
    same = st.Model.from_pretrained("user/waves")
    assert np.array_equal(same.embed(WAVES), model.embed(WAVES))
    commit = hub.branches["user/waves", "main"]
    assert pinned == f"hf://user/waves@{commit}"
    assert same.card["source"] == {"repository": "user/waves", "revision": commit}
    assert commit in same.to_columns()["value"]
    card = hub.commits[commit]["README.md"].decode()
    assert card.startswith("---\nlibrary_name: selftime\nlicense: apache-2.0\ntags:\n")


def test_a_revision_is_kept_when_the_branch_goes_on(hub, model):
    first = model.push_to_hub("user/waves")
    other = model_drawn(1)
    second = other.push_to_hub("user/waves")
    assert first != second
    assert np.array_equal(st.load(first).embed(WAVES), model.embed(WAVES))
    assert np.array_equal(st.load("hf://user/waves").embed(WAVES), other.embed(WAVES))
    revision = first.partition("@")[2]
    again = st.Model.from_pretrained("user/waves", revision=revision)
    assert np.array_equal(again.embed(WAVES), model.embed(WAVES))


def test_offline_the_copy_is_used_and_nobody_is_asked(hub, model, monkeypatch):
    model.push_to_hub("user/waves")
    st.load("hf://user/waves")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.asked.clear()
    assert np.array_equal(st.load("hf://user/waves").embed(WAVES), model.embed(WAVES))
    assert hub.asked == []
    with pytest.raises(HubError, match="hf://user/other is not to be had: "):
        st.load("hf://user/other")


def test_only_files_of_a_folder_are_fetched(hub, model):
    model.push_to_hub("user/waves")
    hub.commit("user/waves", "main", {"weights.pkl": b"cos\nsystem\n", "run.py": b"1 / 0"})
    st.load("hf://user/waves")
    fetched = [line for line in hub.asked if "GET" in line and "/resolve/" in line]
    assert fetched and not any(".pkl" in line or ".py" in line for line in fetched)


def test_a_fitted_classifier_goes_the_same_way(hub, model):
    labels = np.repeat(["slow", "fast"], 6)
    classifier = st.Classifier(model, progress=False).fit(WAVES, labels)
    pinned = classifier.push_to_hub("user/kinds")
    same = st.load(pinned)
    assert np.array_equal(same.predict_proba(WAVES), classifier.predict_proba(WAVES))
    assert same.model_.card["source"]["repository"] == "user/kinds"


def test_commands_take_an_address(hub, model, tmp_path):
    model.push_to_hub("user/waves")
    st.write(st.SeriesSet.of(WAVES, channels=["waves"]), tmp_path / "x.npz")
    words = ["embed", "hf://user/waves", str(tmp_path / "x.npz"), "-o", str(tmp_path / "v.npy")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.load(tmp_path / "v.npy"), model.embed(WAVES))


@pytest.mark.parametrize("name", ["hf://user", "hf://a/b/c", "hf://user/name@", "hf://user/na me"])
def test_an_address_of_another_form_is_refused(name):
    with pytest.raises(HubError, match="wanted hf://user/name"):
        st.load(name)


def test_what_is_not_there_is_said(hub, model):
    with pytest.raises(HubError, match="hf://user/none is not to be had: "):
        st.load("hf://user/none")
    model.push_to_hub("user/waves")
    with pytest.raises(HubError, match="hf://user/waves@v9 is not to be had: "):
        st.load("hf://user/waves@v9")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"pip install 'selftime\[hub\]'"):
        st.load("hf://user/name")


def test_a_folder_that_is_here_is_no_address(model, tmp_path):
    folder = model.save_pretrained(tmp_path / "here", license="mit")
    assert address(folder) == str(folder)
    assert "source" not in st.Model.from_pretrained(folder).card
    assert (folder / "README.md").read_text().startswith(hub_metadata("mit"))
    with pytest.raises(HubError, match="got license"):
        model.save_pretrained(tmp_path / "there", license="mit\nx: 1")
    with pytest.raises(HubError, match="wanted 'user/name'"):
        model.push_to_hub("name")
