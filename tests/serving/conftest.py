"""Saved folders that every test of serving shares, and a client of an app that serves them."""

import pytest
from served_material import save_folders
from starlette.testclient import TestClient

from selftime.serving.app import make_app


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Saved folders of every kind, by name."""
    return save_folders(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def app(folders):
    """The app that serves them all."""
    return make_app(list(folders.values()))


@pytest.fixture(scope="session")
def client(app):
    """A client of the app that serves them all."""
    with TestClient(app) as found:
        yield found


@pytest.fixture(scope="session")
def speakers(folders):
    """A client of one classifier."""
    with TestClient(make_app([folders["speakers"]])) as found:
        yield found
