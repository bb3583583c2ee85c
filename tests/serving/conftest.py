"""Saved folders that every test of serving shares, and clients of apps that serve them.

Clients are closed after each file: an app looks after its folders in a thread of its own, and what
that draws at random would disturb tests that watch randomness.
"""

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


@pytest.fixture(scope="module")
def client(app):
    """A client of the app that serves them all."""
    with TestClient(app) as found:
        yield found


@pytest.fixture(scope="module")
def speakers(folders):
    """A client of one classifier."""
    with TestClient(make_app([folders["speakers"]])) as found:
        yield found
