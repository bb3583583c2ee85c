"""The app as people meet it: refusals with a reason, limits, the key, pages, examples that run."""

import asyncio
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest
from benchmarks.bad_bodies import ARROW, GOOD, JSON, arrow_of, bad_bodies
from examples import examples
from hypothesis import given, strategies
from kept_material import waves
from served_material import body_of
from starlette.testclient import TestClient

from selftime.serving.app import make_app
from selftime.serving.limits import Limits, limits_of
from selftime.web.replies import Refusal

pytestmark = pytest.mark.late


@pytest.mark.again
def test_more_than_200_bad_bodies_get_a_reason_in_words(speakers):
    bodies = bad_bodies()
    assert len(set(bodies)) == len(bodies) > 200
    for bad in bodies:
        reply = speakers.post(
            "/classify" + (f"?{bad.query}" if bad.query else ""),
            content=bad.body,
            headers={"Content-Type": bad.media},
        )
        assert 400 <= reply.status_code < 500, (bad, reply.text)
        said = reply.json()
        assert said["status"] == reply.status_code
        assert re.search("wanted|rescale|drop it|name those|check the name", said["error"]), (
            bad,
            said,
        )
        assert "Traceback" not in said["error"] and len(said["error"]) < 700
    assert speakers.post("/classify", json=GOOD).status_code == 200


SCALARS = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(max_size=4)
)
TREES = strategies.recursive(
    SCALARS,
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(["series", "ids", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@pytest.mark.again
@examples(60)
@given(TREES, TREES, TREES)
def test_any_json_is_answered_or_refused(speakers, series, channels, times):
    body = {"series": series, "channels": channels, "times": times}
    for one in (series, {k: v for k, v in body.items() if v is not None}):
        status = speakers.post(
            "/classify", content=json.dumps(one).encode(), headers={"Content-Type": JSON}
        ).status_code
        assert status == 200 or 400 <= status < 500


@pytest.mark.again
@examples(60)
@given(strategies.integers(0, 2_000), strategies.integers(0, 255), strategies.booleans())
def test_any_damage_of_an_arrow_stream_is_answered_or_refused(speakers, place, value, cut):
    whole = bytearray(arrow_of({"id": ["a", "a"], "heat": [1.0, 2.0], "force": [3.0, 4.0]}))
    whole[place % len(whole)] = value
    body = bytes(whole[:place] if cut else whole)
    reply = speakers.post("/classify", content=body, headers={"Content-Type": ARROW})
    assert reply.status_code == 200 or 400 <= reply.status_code < 500, reply.text


def test_limits_of_size_series_and_length_are_said(folders):
    limits = Limits(max_body=2_000, max_series=3, max_length=10)
    with TestClient(make_app([folders["speakers"]], limits)) as client:
        for body, text in (
            ({"series": [[[1], [2]]] * 4}, "got 4 series, wanted at most 3"),
            (
                {"series": [[[1] * 11, [2] * 11]]},
                "series 0, channel 0 has 11 steps, wanted at most",
            ),
            ({"series": [[[1.5] * 1_000] * 2]}, "got a body of 8,018 bytes or more"),
        ):
            reply = client.post("/classify", json=body)
            assert reply.status_code == 413 and text in reply.json()["error"], reply.text

        def parts():
            yield from [b"[" * 700] * 4

        reply = client.post("/classify", content=parts(), headers={"Content-Type": JSON})
        assert reply.status_code == 413 and "wanted at most 2,000" in reply.json()["error"]
        assert client.app.state.service.held == 0


def test_a_body_that_is_slow_and_an_answer_that_is_slow(folders, monkeypatch):
    app = make_app([folders["speakers"]], Limits(timeout=0.2))

    async def slowly():
        for part in (b'{"series"', b": [[[1], [2]]]}"):
            yield part
            await asyncio.sleep(0.4)

    async def ask(content) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://here") as client,
        ):
            return await client.post("/classify", content=content, headers={"Content-Type": JSON})

    reply = asyncio.run(ask(slowly()))
    assert reply.status_code == 408, reply.text
    assert "got 9 bytes in 0.2 seconds, wanted the whole body" in reply.json()["error"]
    answers = "selftime.serving.answers.answer_block"
    monkeypatch.setattr(answers, lambda *given: time.sleep(0.5))
    reply = asyncio.run(ask(json.dumps(GOOD).encode()))
    assert reply.status_code == 503 and reply.headers["retry-after"] == "1"
    assert "took longer than 0.2 seconds" in reply.json()["error"]


def test_a_full_queue_says_when_to_come_again(folders, monkeypatch):
    begun, go = Event(), Event()

    def wait(*given):
        begun.set()
        go.wait(10)
        raise ValueError("done")

    app = make_app([folders["speakers"]], Limits(max_waiting=2))
    with TestClient(app) as client, ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr("selftime.serving.answers.answer_block", wait)
        first = pool.submit(client.post, "/classify", json=GOOD)
        begun.wait(5)
        second = pool.submit(client.post, "/embed", json=GOOD)
        while app.state.service.waiting() < 2:
            time.sleep(0.01)
        reply = client.post("/embed", json=GOOD)
        assert client.get("/health").status_code == 200  # the loop is free all the while
        go.set()
        assert first.result().status_code == second.result().status_code == 422
    assert reply.status_code == 503 and reply.headers["retry-after"] == "1"
    assert "2 requests wait already: come again" in reply.json()["error"]


def test_one_request_at_fault_leaves_its_company_alone(folders, monkeypatch):
    from selftime.serving import answers

    ours = answers.answer_block

    def fail(served, task, block):
        if float(block.steps.max()) > 100:
            raise RuntimeError("secret details")
        return ours(served, task, block)

    monkeypatch.setattr(answers, "answer_block", fail)
    with TestClient(make_app([folders["speakers"]], Limits(batch_wait=0.1))) as client:
        bodies = [GOOD, {"series": [[[500, 1, 2], [1, 2, 3]]]}, GOOD]
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(client.post, "/classify", json=body) for body in bodies]
            replies = [one.result() for one in asked]
    assert [reply.status_code for reply in replies] == [200, 500, 200]
    assert replies[1].json()["error"] == "the server failed, which is noted in its log"


def test_the_key_is_asked_for_everywhere_but_at_health(folders):
    with TestClient(make_app([folders["speakers"]], key="top-secret")) as client:
        assert client.get("/health").status_code == 200
        for method, path in (
            ("GET", "/models"),
            ("GET", "/docs"),
            ("GET", "/metrics"),
            ("GET", "/openapi.json"),
            ("POST", "/embed"),
            ("GET", "/nowhere"),
        ):
            for key in (None, "Bearer", "Bearer wrong", "bearer top-secret", "top-secret"):
                headers = {} if key is None else {"Authorization": key}
                reply = client.request(method, path, headers=headers)
                assert reply.status_code == 401 and "Bearer KEY" in reply.json()["error"]
                assert reply.headers["www-authenticate"] == "Bearer"
        known = {"Authorization": "Bearer top-secret"}
        assert client.get("/models", headers=known).status_code == 200
        assert client.post("/classify", json=GOOD, headers=known).status_code == 200


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "schlüssel"])
def test_a_key_that_no_header_holds_is_refused(folders, key):
    with pytest.raises(ValueError, match="wanted letters and digits"):
        make_app([folders["speakers"]], key=key)


def test_examples_of_the_page_run(client, folders):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/embed",
        "/classify",
        "/regress",
        "/forecast",
        "/detect",
        "/search",
        "/impute",
        "/streams",
        "/streams/{stream}",
        "/health",
        "/models",
        "/metrics",
    }
    for path in sorted(paths):
        for method, route in paths[path].items():
            body = route.get("requestBody", {}).get("content", {}).get(JSON, {}).get("example")
            query = {p["name"]: p["example"] for p in route.get("parameters", ()) if "example" in p}
            if path == "/search":
                assert body is None  # there is no index
                continue
            if "{stream}" in path:
                name = client.post("/streams?model=speakers", json={"vectors": True, "window": 8})
                path = f"/streams/{name.json()['stream']}"
            reply = client.request(method, path, params=query, json=body)
            assert reply.status_code in (200, 201), (path, reply.text)
    page = client.get("/docs").text
    assert "testserver/embed?model=model" in page and "nothing that is served" in page
    assert all(path in page for path in paths) and not re.search(r"src=|https?://", page)


def test_what_is_not_there_and_what_is_not_asked_so(client):
    reply = client.get("/nowhere")
    assert reply.status_code == 404 and "got GET /nowhere: Not Found, see /docs" in reply.text
    reply = client.get("/embed")
    assert reply.status_code == 405 and "wanted POST" in reply.json()["error"]
    reply = client.post("/embed", json=GOOD)
    assert reply.status_code == 422
    assert "got no model and several are here, wanted ?model= of: model, steps" in reply.text
    reply = client.post(
        "/embed?model=model",
        content=b"{}",
        headers={"Content-Type": JSON, "Content-Encoding": "gzip"},
    )
    assert reply.status_code == 415 and "wanted the body as it is" in reply.json()["error"]


def test_models_and_metrics(client):
    client.post("/classify?model=speakers", json=body_of(waves(1, 2, 30)))
    client.post("/classify?model=speakers", json={})
    models = client.get("/models").json()
    assert models["speakers"]["kind"] == "Classifier" and models["pumps"]["tasks"] == ["detect"]
    assert models["speakers"]["channels"] == ["heat", "force"] and models["wear"]["error"] is None
    text = client.get("/metrics").text
    for name in (
        'selftime_requests_total{route="/classify",status="200"}',
        'selftime_requests_total{route="/classify",status="422"}',
        "selftime_waiting_requests 0.0",
        "selftime_open_streams",
        "process_resident_memory",
    ):
        assert name in text


def test_letters_of_every_alphabet_come_back(speakers):
    ids = ["ポンプ", "насос", "مضخة", "🐍", "a\u202eb", "=1+1", "<b>"]
    body = {"series": GOOD["series"] * len(ids), "ids": ids}
    found = speakers.post("/classify", json=body).json()
    assert found["columns"]["unique_id"] == ids


@pytest.mark.parametrize(
    "given, text",
    [
        (("16 XB", 1, 1, 1.0, 1.0), "wanted memory"),
        ((100, 0, 1, 1.0, 1.0), "max_series=0"),
        ((100, 1, -1, 1.0, 1.0), "max_length=-1"),
        ((100, 1, 1, 0.0, 1.0), "timeout=0.0"),
        ((100, 1, 1, float("nan"), 1.0), "timeout=nan"),
        ((100, 1, 1, 1.0, -1.0), "batch_wait=-1"),
    ],
)
def test_limits_out_of_range_are_refused(given, text):
    with pytest.raises(ValueError, match=text):
        limits_of(*given)
    assert limits_of("1 MB", 2, 3, 4.0, 5.0)[:5] == (1_000_000, 2, 3, 4.0, 0.005)
    assert Refusal(404, "no").retry is None
