"""The app of the studio: who may ask, what is answered, and how long it learns."""

import csv
import io
import sqlite3
from base64 import b64decode

import numpy as np
import pytest
from studio_material import HEADS, HOSTILE, awkward, recording, speed_of, until, waves

import selftime as st
from selftime.studio import app as studio_app
from selftime.studio.collection import short_times
from selftime.studio.desk import Desk

pytestmark = pytest.mark.late


def act(client, kind, rows=(), label=None, key=None):
    client.count = getattr(client, "count", 0) + 1
    body = {"key": key or f"key-{client.count:05}", "kind": kind, "rows": list(rows)}
    return client.post("/api/acts", json=body | ({"label": label} if label else {}))


def label_waves(client, rows):
    for row in rows:
        assert act(client, "label", [row], speed_of(row)).status_code == 200


def numbers(reply, kind):
    return np.frombuffer(reply.content, kind)


STRANGE = [
    ({"Host": "evil.example"}, 403, "wanted localhost: no other site may ask"),
    ({"Host": "localhost.evil.example"}, 403, "no other site may ask"),
    ({"Host": "127.0.0.1.evil.example:80"}, 403, "no other site may ask"),
    ({"Host": ""}, 403, "no other site may ask"),
    ({"Origin": "http://evil.example"}, 403, "wanted http://localhost"),
    ({"Origin": "null"}, 403, "wanted http://localhost"),
    ({"Origin": "http://localhost:1"}, 403, "wanted http://localhost"),
    ({"Sec-Fetch-Site": "cross-site"}, 403, "another site asks"),
    ({"Sec-Fetch-Site": "same-site"}, 403, "another site asks"),
    ({"Authorization": "Bearer other"}, 401, "open the address that was printed"),
    ({"Authorization": "Bearer ünï".encode("latin1")}, 401, "open the address"),
    ({"Authorization": ""}, 401, "open the address that was printed"),
]


def test_other_sites_and_strangers_get_nothing(studio):
    client, _ = studio(wait=False)
    for heads, status, text in STRANGE:
        for ask in (client.get("/api/about", headers=heads), act_with(client, heads)):
            assert ask.status_code == status and text in ask.json()["error"], (heads, ask.text)
    assert client.get("/api/news").json()["labels"]["labelled"] == 0


def act_with(client, heads):
    body = {"key": "key-of-strangers", "kind": "label", "rows": [0], "label": "a"}
    return client.post("/api/acts", json=body, headers=heads)


def test_the_page_comes_without_a_token_and_holds_no_data(studio):
    client, _ = studio(wait=False)
    page = client.get("/", headers={"Authorization": ""})
    assert page.status_code == 200 and "wave-" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    names = [path.name for path in studio_app.PAGE.iterdir() if path.is_file()]
    for name in (*names, "palette.css"):
        found = client.get(f"/page/{name}", headers={"Authorization": ""})
        assert found.status_code == 200 and found.headers["X-Content-Type-Options"] == "nosniff"
        assert "http://" not in found.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in found.text
    assert client.get("/page/app.py").status_code == 404
    assert client.get("/page/..%2fapp.py").status_code == 404
    for host in ("127.0.0.1:9", "[::1]:8010", "localhost"):  # whatever the port: tunnels
        assert client.get("/api/about", headers={"Host": host}).status_code == 200


BAD = [
    ({}, '"key" is null, wanted 8 to 64 letters'),
    ({"key": "key-0001", "kind": "eat"}, '"kind" is "eat", wanted one of label, clear'),
    ({"key": "key-0001", "kind": "label", "rows": "1", "label": "a"}, '"rows" is "1"'),
    ({"key": "key-0001", "kind": "label", "rows": [True], "label": "a"}, '"rows" is [true]'),
    ({"key": "key-0001", "kind": "label", "rows": [0]}, '"label" is null, wanted a text'),
    ({"key": "key-0001", "kind": "skip", "rows": [0], "label": "a"}, '"label" is "a"'),
    ({"key": "key-0001", "kind": "label", "rows": [10**9], "label": "a"}, "wanted some of 0"),
    ({"key": "key-0001", "kind": "undo"}, "there is nothing to undo"),
    ({"more": 1}, 'the body has "more"'),
]


def test_bad_requests_get_a_reason_in_words(studio):
    client, session = studio(wait=False)
    for body, text in BAD:
        reply = client.post("/api/acts", json=body)
        assert reply.status_code == 422 and text in reply.json()["error"], reply.text
    assert client.post("/api/acts", content=b"{").status_code == 415
    heads = {"Content-Type": "application/json"}
    assert client.post("/api/acts", content=b"{", headers=heads).status_code == 400
    assert client.post("/api/acts", content=b"1" * 2_000_000, headers=heads).status_code == 413
    for path, status in {
        "thumbs?rows=": 422, "thumbs?rows=0,60": 422, "thumbs?rows=" + "0," * 300: 413,
        "entries/60": 422, "entries/-1": 422, "curve?recording=0": 422, "find?more=1": 422,
        "neighbours?recording=0&start=5&stop=5": 422, "alike?row=0&k=0": 422, "nothing": 404,
        "forecast?recording=0&horizon=0": 422, "forecast?recording=0&horizon=9999": 422,
    }.items():  # fmt: skip
        until(client, lambda state: state["ready"])
        reply = client.get(f"/api/{path}")
        assert reply.status_code == status and reply.json()["error"], (path, reply.text)
    assert client.get("/api/predictions").status_code == 404
    assert client.post("/api/export", json={}).status_code == 409
    assert session.version == 0


def test_a_full_disk_keeps_no_label_and_says_so(studio, monkeypatch):
    client, session = studio(wait=False)

    def fail(*rest):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(session, "_record", fail)
        reply = act(client, "label", [0], "a")
    assert reply.status_code == 507 and "disk is full: the label is not kept" in reply.text
    assert session.version == 0 and act(client, "label", [0], "a").status_code == 200


def test_the_probe_gets_better_as_labels_arrive(studio):
    client, session = studio()
    first = until(client, lambda state: state["queued"] == 0)
    assert len(first["queue"]) == 16 and first["probe"] == {"labels": 0, "classes": 0}
    assert "stands for" in first["queue"][0][1]
    label_waves(client, [row for row, _ in first["queue"][:2]])
    while (state := client.get("/api/news").json())["labels"]["labelled"] < 20:
        state = until(client, lambda s: s["queued"] == s["labels"]["version"])
        label_waves(client, [state["queue"][0][0]])
    state = until(client, lambda s: s["probe"].get("judged", {}).get("version") == 20)
    judged = state["probe"]["judged"]
    assert judged["labels"] == 20 and judged["accuracy"] >= 0.9
    assert judged["low"] <= judged["accuracy"] <= judged["high"] and judged["folds"] == 10
    assert len(judged["curve"]) >= 1 and judged["curve"][-1]["labels"] == 20
    both = numbers(client.get("/api/predictions"), "<i2").reshape(2, -1)
    names = [one["name"] for one in state["labels"]["classes"]]
    right = [names[code] == speed_of(row) for row, code in enumerate(both[0].tolist())]
    assert np.mean(right) > 0.9 and both[1].max() <= 255
    unsure = [one["row"] for one in state["probe"]["unsure"]]
    codes = numbers(client.get("/api/codes"), "<i2")
    assert len(unsure) == 12 and (codes[unsure] < 0).all() and (codes >= 0).sum() == 20
    table = list(csv.DictReader(io.StringIO(client.get("/api/labels.csv").text)))
    assert len(table) == 20 and all(r["label"] == speed_of(int(r["unique_id"][5:])) for r in table)
    path = client.post("/api/export", json={}).json()["path"]
    assert st.read(waves(), labels=path).labelled.sum() == 20


def test_wrong_labels_are_worth_a_second_look(studio):
    client, _ = studio()
    label_waves(client, range(24))
    act(client, "label", [4], speed_of(5))
    state = until(client, lambda s: s["probe"].get("judged", {}).get("version") == 25)
    doubts = state["probe"]["judged"]["doubts"]
    assert doubts[0]["row"] == 4 and "labelled fast, the others say middle" in doubts[0]["words"]
    reply = act(client, "undo").json()
    assert reply["touched"] == [4] and reply["undo"] == "label 1 series fast"


def test_one_class_alone_makes_no_probe(studio):
    client, _ = studio()
    label_waves(client, [0])
    act(client, "label", [1, 2], speed_of(0))
    state = until(client, lambda s: s["queued"] == 2)
    assert state["probe"] == {"labels": 3, "classes": 1} and state["learned"] == -1
    label_waves(client, [4])
    state = until(client, lambda s: s["learned"] == 3)
    act(client, "undo")
    state = until(client, lambda s: s["queued"] == 4)
    assert state["learned"] == -1 and client.get("/api/predictions").status_code == 404


def test_skipped_series_come_last(studio):
    client, _ = studio(waves(2))
    for row in (0, 1):
        act(client, "skip", [row])
    state = until(client, lambda s: s["queued"] == 2)
    assert {row for row, _ in state["queue"]} == {2, 3, 4, 5}
    assert numbers(client.get("/api/codes"), "<i2").tolist() == [-2, -2, -1, -1, -1, -1]
    label_waves(client, range(2, 6))
    state = until(client, lambda s: s["queued"] == 6)
    assert {row for row, _ in state["queue"]} == {0, 1}
    label_waves(client, (0, 1))
    assert until(client, lambda s: s["queued"] == 8)["queue"] == []


def test_series_are_shown_as_they_are(studio):
    client, _ = studio()
    x = waves()
    about = client.get("/api/about").json()
    assert about["entries"] == 60 and about["curves"] and about["windows"] is None
    look = client.get("/api/thumbs", params={"rows": "5"}).json()[0]
    levels = np.frombuffer(b64decode(look["levels"]), np.uint8)
    low, high = look["ends"][0]
    np.testing.assert_allclose(low + levels / 254 * (high - low), x.series(5)[0], atol=5e-3)
    part = client.get("/api/curve", params={"recording": 5, "start": 10, "stop": 500}).json()
    assert (part["start"], part["stop"]) == (10, 48) and part["ticks"][0] == [10, "10"]
    near = client.get("/api/alike", params={"row": 5, "k": 6}).json()
    assert 5 not in [hit["row"] for hit in near] and len(near) == 6
    assert np.mean([speed_of(hit["row"]) == speed_of(5) for hit in near]) > 0.8
    assert client.get("/api/find", params={"text": "WAVE-01"}).json()[0]["name"] == "wave-010"
    places = numbers(client.get("/api/map"), "<u2").reshape(-1, 2)
    assert len(places) == 60 and places.max() == 65535 and places.min() == 0


def test_awkward_series_under_hostile_names(studio, tmp_path):
    series = awkward()
    given = st.pretrain(series, encoder="quantiles")
    client, _ = studio(series, given=given)
    looks = client.get("/api/thumbs", params={"rows": "0,1,2,3,4,5,6"}).json()
    shown = [name.replace("\n", "\\u000a") for name in HOSTILE]
    assert [look["name"] for look in looks] == shown
    assert client.get("/api/about").json()["channels"] == ["<b>heat</b>", "force"]
    for row in range(7):
        assert client.get(f"/api/entries/{row}").json()["name"] == shown[row]
        act(client, "label", [row], f"<i>{row % 2}</i>")
    state = until(client, lambda s: s["learned"] == 7)
    assert [one["name"] for one in state["labels"]["classes"]] == ["<i>0</i>", "<i>1</i>"]
    assert len(client.get("/api/alike", params={"row": 1, "k": 9}).json()) == 6
    path = client.post("/api/export", json={}).json()["path"]
    assert st.read(series, labels=path).labels.tolist() == [f"<i>{i % 2}</i>" for i in range(7)]


def test_two_series_are_enough(studio):
    client, _ = studio(waves(1)[:2])
    label_waves(client, [0, 1])
    state = until(client, lambda s: s["learned"] == 2)
    assert state["queue"] == [] and state["probe"]["unsure"] == []
    assert len(client.get("/api/alike", params={"row": 0}).json()) == 1


@pytest.mark.parametrize("windows", [None, 60])
def test_a_span_finds_its_neighbours_everywhere(studio, windows):
    x = recording()
    given = st.pretrain(st.read(x, windows=60), encoder="quantiles")
    client, _ = studio(x, given=given, windows=windows)
    asked = {"recording": 0, "start": 300, "stop": 363, "k": 5}
    hits = client.get("/api/neighbours", params=asked).json()
    assert len(hits) == 5 and all(hit["stop"] <= 300 or hit["start"] >= 363 for hit in hits)
    assert [hit["similarity"] for hit in hits] == sorted(h["similarity"] for h in hits)[::-1]
    long = [hit["stop"] - hit["start"] for hit in hits]
    assert long == [60 if windows else 63] * 5
    again = client.get("/api/neighbours", params=asked).json()
    assert again == hits
    out = client.get("/api/neighbours", params=asked | {"stop": 5000})
    assert "wanted one within 0 to 1200" in out.json()["error"]


@pytest.mark.slow
def test_forecasts_and_anomalies_on_demand(studio):
    x = recording()
    given = st.pretrain(st.read(x, windows=60), encoder="quantiles")
    client, _ = studio(x, given=given, windows=60)
    found = client.get("/api/forecast", params={"recording": 0, "horizon": 12}).json()
    wanted = st.Forecaster(horizon=12).fit(x).predict()[0]
    np.testing.assert_allclose(found["mean"], wanted, rtol=1e-3, atol=1e-4)
    assert np.shape(found["quantiles"]) == (5, 1, 12)
    assert found["about"] == "learned from this recording alone"
    odd = client.get("/api/anomalies", params={"recording": 0}).json()
    assert any(680 < alarm["peak"] < 760 for alarm in odd["alarms"]) and odd["normal"] == 180
    marks = client.get("/api/curve", params={"recording": 0, "start": 100, "stop": 200}).json()
    assert [row for row, *_ in marks["entries"]] == [1, 2, 3]
    short, _ = studio(waves(), session="other")
    text = short.get("/api/anomalies", params={"recording": 0}).json()["error"]
    assert "got a recording of 48 steps, wanted 64 to 200,000" in text
    more = short.get("/api/forecast", params={"recording": 0}).json()
    assert more["horizon"] == 8 and more["about"] == "learned from 60 series"


def test_vectors_are_computed_once_and_for_their_model_alone(studio, model, monkeypatch, tmp_path):
    studio(waves())
    folder = tmp_path / "session"
    stamp = (folder / "vectors.npy").stat().st_mtime_ns
    client, session = studio(waves(), session="session")
    assert (folder / "vectors.npy").stat().st_mtime_ns == stamp
    (folder / "vectors.npy").unlink()  # others have it mapped
    (folder / "vectors.npy").write_bytes(b"damaged")
    studio(waves(), session="session")
    other = st.pretrain(waves(), encoder="quantiles", seed=1, objective="spectral")
    studio(waves(seed=0), given=other, session="session")
    np.testing.assert_allclose(
        np.load(folder / "vectors.npy"), other.embed(waves()), rtol=1e-5, atol=1e-6
    )


def test_series_are_looked_at_where_no_vectors_can_be(studio, monkeypatch):
    def fail(*rest):
        raise ValueError("weights are damaged")

    monkeypatch.setattr("selftime.studio.collection.map_places", fail)
    client, _ = studio(wait=False)
    state = until(client, lambda s: s["failure"])
    assert state["failure"] == "weights are damaged" and not state["ready"]
    assert client.get("/api/thumbs", params={"rows": "0"}).status_code == 200
    assert client.get("/api/map").status_code == 503
    assert client.get("/api/alike", params={"row": 0}).status_code == 503
    assert act(client, "label", [0], "a").status_code == 200


def test_faults_of_ours_say_nothing_outside(studio, monkeypatch, caplog):
    client, _ = studio(wait=False)

    def fail(*rest):
        raise RuntimeError("a secret place")

    monkeypatch.setattr(client.app.state.desk.collection, "entry", fail)
    reply = client.get("/api/entries/0", headers=HEADS)
    assert reply.status_code == 500 and "secret" not in reply.text
    assert "a request failed" in caplog.text


def test_times_are_no_longer_than_they_must_be():
    day = ["2024-03-01T05:00:00", "2024-03-01T06:30:00"]
    assert short_times(day) == ["2024-03-01 05:00", "06:30"]
    assert short_times(["2024-03-01T00:00:00", "2024-03-02T00:00:00"]) == [
        "2024-03-01",
        "2024-03-02",
    ]
    seconds = ["2024-03-01T05:00:01", "2024-03-02T05:00:02"]
    assert short_times(seconds) == ["2024-03-01 05:00:01", "2024-03-02 05:00:02"]
    assert short_times(["1", "2"]) == ["1", "2"]


def test_questions_for_news_are_let_go_at_the_end(studio):
    client, _ = studio()
    desk: Desk = client.app.state.desk
    state = until(client, lambda s: "classes" in s["probe"])  # all that it finds without labels
    desk.end()
    assert client.get("/api/news", params={"since": state["news"]}).json() == state
