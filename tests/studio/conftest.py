"""A small model that every test of the studio shares, and apps without a server."""

import pytest
from starlette.testclient import TestClient
from studio_material import HEADS, TOKEN, until, waves

import selftime as st
from selftime.studio.app import make_studio
from selftime.studio.collection import Collection
from selftime.studio.session import LabelSession


@pytest.fixture(scope="session")
def model():
    """A model of waves."""
    return st.pretrain(waves(), encoder="quantiles")


@pytest.fixture
def studio(model, tmp_path):
    """Opens the app of a studio on some series; all are closed in the end."""
    opened = []

    def open_app(x=None, *, wait=True, given=model, **how):
        cut = {name: how.pop(name) for name in ("windows", "stride") if name in how}
        collection = Collection(given, waves() if x is None else x, **cut)
        session = LabelSession(tmp_path / how.pop("session", "session"), collection.entries, **how)
        client = TestClient(make_studio(collection, session, TOKEN), base_url="http://localhost")
        client.headers.update(HEADS)
        client.__enter__()
        opened.append((client, session))
        if wait:
            until(client, lambda state: state["ready"] and state["stage"] is None)
        return client, session

    yield open_app
    for client, session in opened:
        client.__exit__(None, None, None)
        session.close()
