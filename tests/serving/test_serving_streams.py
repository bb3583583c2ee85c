"""Streams of clients: each its own state, the scores and vectors of Python, bounded, and ended."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kept_material import waves
from starlette.testclient import TestClient

import selftime as st
from selftime.serving.app import make_app
from selftime.serving.limits import Limits

pytestmark = pytest.mark.late


def begin(client, name: str, **asked) -> str:
    """The id of a stream."""
    reply = client.post(f"/streams?model={name}", json=asked)
    assert reply.status_code == 201, reply.text
    return f"/streams/{reply.json()['stream']}"


def test_vectors_are_those_of_a_stream_in_python_and_states_are_apart(client, folders):
    steps = waves(3, 2, 40).values.astype(float)  # (2,C,T)
    names = [begin(client, "steps", vectors=True) for _ in steps]
    found: list[list] = [[], []]
    for t in range(0, 40, 8):
        for one, name, out in zip(steps, names, found, strict=True):
            reply = client.post(name, json={"values": one[:, t : t + 8].T.tolist()}).json()
            assert reply["steps"] == t + 8
            out += reply["vectors"]
    for one, out in zip(steps, found, strict=True):
        wanted = st.load(folders["steps"]).stream().update(one)
        np.testing.assert_allclose(out, wanted, atol=1e-6)
    assert client.delete(names[0]).json() == {"steps": 40}
    gone = client.post(names[0], json={"values": [[1, 2]]})
    assert gone.status_code == 404 and "it ended, or never was; POST /streams" in gone.text


def test_scores_and_alarms_are_those_of_a_monitor(client, folders):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2)).round(3)
    values[50] = 40
    given = [[None if t == 45 else x for x in row] for t, row in enumerate(values.tolist())]
    asked = {
        "rate": 0.1,
        "learn": 30,
        "window": 8,
        "every": 2,
        "cool_down": 3,
        "distance": "nearest",
    }
    found = client.post(begin(client, "speakers", **asked), json={"values": given}).json()
    monitor = st.StreamMonitor(st.load(folders["speakers"]).model_, **asked)
    values[45] = np.nan
    wanted = [monitor.update(row) for row in values]
    assert found["alarm"] == [one.alarm for one in wanted] and found["ready"] is True
    scores = [np.nan if one.score is None else one.score for one in wanted]
    np.testing.assert_allclose(np.array(found["score"], float), scores, rtol=1e-6)
    assert found["score"][45] is None and found["score"][:30] == [None] * 30


def test_normal_series_can_be_given(client):
    normal = [np.random.default_rng(1).normal(size=(2, 200)).tolist()]
    name = begin(client, "speakers", normal=normal, rate=0.1, window=8)
    reply = client.post(name, json={"values": [[0.1, 0.2], [90, -90]]}).json()
    assert reply["ready"] and reply["score"][1] > 1 and reply["alarm"][1]


@pytest.mark.parametrize(
    "asked, text",
    [
        ({"model": "x"}, 'the body has "model", wanted "vectors"'),
        ({"vectors": 1}, '"vectors" is 1, wanted bool'),
        ({"window": True}, '"window" is true, wanted int'),
        ({"window": 0}, "wanted 1 or more timepoints"),
        ({"window": 10**7}, "wanted 1 or more timepoints"),
        ({"every": -1, "window": 4}, "wanted 1 or more timepoints"),
        ({"vectors": True, "window": 4, "rate": 0.1}, "options of scores"),
        ({"distance": "far", "window": 4}, 'wanted "mahalanobis" or "nearest"'),
        ({"rate": 2, "window": 4}, "wanted a share between 0 and 1"),
        ({"learn": 10**9, "window": 4}, "out of range"),
        ({"learn": 3, "window": 4}, "wanted at least 297"),
        ({"normal": [], "window": 4}, "wanted a list of at least one series"),
        ({"normal": [[["a"]]], "window": 4}, "wanted a number or null"),
        ({}, "sees a series only as a whole: use window=512"),
        ([], "wanted an object"),
    ],
)
def test_streams_that_cannot_begin_say_why(client, asked, text):
    reply = client.post("/streams?model=speakers", json=asked)
    assert reply.status_code == 422 and text in reply.json()["error"], reply.text


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        "x",
        1,
        [1, 2],
        [[1]],
        [[1, 2, 3]],
        [[1, True]],
        [[1, "2"]],
        [[1, [2]]],
        [[1e300, 1]],
        [[10**400, 1]],
    ],
)
def test_values_that_are_none_leave_the_stream_as_it_was(client, values):
    name = begin(client, "steps", vectors=True)
    reply = client.post(name, json={"values": values})
    assert reply.status_code == 422 and "wanted" in reply.text or "rescale" in reply.text
    assert client.post(name, json={"values": [[1, 2]]}).json()["steps"] == 1


def test_a_detector_without_a_model_has_no_stream(client):
    reply = client.post("/streams?model=pumps", json={})
    assert "pumps is a AnomalyDetector without a model: no stream" in reply.json()["error"]


def test_there_are_as_many_as_the_limit_says_and_idle_ones_end(folders):
    limits = Limits(max_streams=2, stream_idle=0.3)
    with TestClient(make_app([folders["steps"]], limits)) as client:
        names = [begin(client, "steps", vectors=True) for _ in range(2)]
        reply = client.post("/streams", json={"vectors": True})
        assert reply.status_code == 429 and reply.headers["retry-after"] == "10"
        assert "2 streams are open, wanted fewer" in reply.json()["error"]
        time.sleep(0.4)
        assert client.post(names[0], json={"values": [[1, 2]]}).status_code == 404
        begin(client, "steps", vectors=True)


def test_a_hundred_streams_at_once_keep_their_order(client):
    names = [begin(client, "steps", vectors=True) for _ in range(100)]
    values = np.random.default_rng(0).normal(size=(3, 2)).tolist()
    with ThreadPoolExecutor(20) as pool:
        for step in values:
            body = {"values": [step]}
            last = list(pool.map(lambda name, own=body: client.post(name, json=own).json(), names))
    assert all(one == last[0] and one["steps"] == 3 for one in last)
    for name in names:
        client.delete(name)
