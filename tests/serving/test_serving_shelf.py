"""Folders by name: opened, replaced while they serve, and kept where the new one is no good."""

import json
import time

import pytest
from benchmarks.bad_bodies import GOOD
from kept_material import waves
from starlette.testclient import TestClient

import selftime as st
from selftime.serving.app import make_app
from selftime.serving.shelf import Shelf, name_and_folder
from selftime.web.replies import Refusal

pytestmark = pytest.mark.late


@pytest.fixture
def folder(tmp_path):
    """A model that is replaced by the test."""
    return st.pretrain(waves(0), encoder="quantiles").save(tmp_path / "model")


def test_names_are_those_of_folders_or_given(folders, tmp_path):
    shelf = Shelf([folders["speakers"], f"other={folders['speakers']}"])
    assert list(shelf.served) == ["speakers", "other"]
    with pytest.raises(ValueError, match="two folders named 'speakers': name them, such as b="):
        Shelf([folders["speakers"]] * 2)
    with pytest.raises(ValueError, match="at least one"):
        Shelf([])
    with pytest.raises(ValueError, match="wanted letters, digits"):
        name_and_folder("a/b=nowhere")
    with pytest.raises(st.ModelError, match="config.json is missing"):
        Shelf([str(tmp_path / "nowhere")])
    with pytest.raises(Refusal, match="wanted one of: speakers, other"):
        shelf.get("third")


def test_a_folder_with_a_sign_in_its_name_is_a_path(folder):
    again = folder.parent / "a=b"
    folder.rename(again)
    assert name_and_folder(str(again)) == ("a=b", again)


def test_a_replaced_folder_is_opened_anew_and_a_broken_one_is_not(folder):
    app = make_app([str(folder)])
    app.state.service.refresh = 0.05
    with TestClient(app) as client:
        first = client.post("/embed", json=GOOD).json()
        st.pretrain(waves(3), encoder="quantiles").save(folder, overwrite=True)
        second = wait_for(client, lambda found: found["version"] != first["version"])
        assert second["columns"]["vectors"] != first["columns"]["vectors"]
        assert client.get("/health").json()["status"] == "ok"
        good = (folder / "config.json").read_text()
        (folder / "config.json").write_text("{}")
        while client.get("/health").json()["status"] == "ok":
            time.sleep(0.02)
        health = client.get("/health").json()["models"]["model"]
        assert health["replaced"] == "the new folder cannot be opened, the old one serves"
        assert client.post("/embed", json=GOOD).json() == second
        assert "the new one is not open" in client.get("/models").json()["model"]["error"]
        (folder / "config.json").write_text(good + " ")
        while client.get("/health").json()["status"] != "ok":
            time.sleep(0.02)
        assert 'selftime_reloads_total{model="model"} 2.0' in client.get("/metrics").text


def wait_for(client, good):
    """The first answer that is good."""
    while not good(found := client.post("/embed", json=GOOD).json()):
        time.sleep(0.02)
    return found


def test_a_folder_that_vanishes_goes_on_serving(folder):
    shelf = Shelf([str(folder)])
    moved = folder.rename(folder.parent / "moved")
    assert shelf.refresh() == [] and "model" in shelf.errors
    assert shelf.get(None).class_name == "Model"
    moved.rename(folder)
    assert shelf.refresh() == ["model"] and not shelf.errors
    json.dumps(shelf.get("model").facts())
