"""The page on serving: its lines run, its limits are those of the program, its figures measured."""

import json
import re
import shlex
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.serving.app import make_app
from selftime.serving.limits import Limits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "serving.md").read_text(encoding="utf8")


def blocks(language: str) -> str:
    """All fenced blocks in a language, end to end."""
    found = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return "".join(found).replace("\\\n", "")


def curl(client, line: str, stream: str) -> httpx.Response:
    """The reply to a line of curl."""
    words = shlex.split(line)[1:]
    named = {words[i]: words[i + 1] for i in range(len(words) - 1) if words[i].startswith("-")}
    place = next(word for word in words if word.startswith("localhost:8000"))
    headers = dict([named["-H"].split(": ")]) if "-H" in named else {}
    method = named.get("-X", "POST" if "-d" in named else "GET")
    path = place.removeprefix("localhost:8000").replace("ID", stream)
    return client.request(method, path, content=named.get("-d"), headers=headers)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of what the page serves: pumps of two channels, and sales."""
    folder = tmp_path_factory.mktemp("docs")
    series = st.sample("JapaneseVowels", "train")[:40].values[:, :2]
    pumps = st.SeriesSet.of(series, ["worn", "fine"] * 20, channels=["heat", "force"])
    classifier = st.Classifier(st.pretrain(pumps, encoder="quantiles")).fit(pumps)
    taxi = st.SeriesSet.of(st.sample("NYCTaxi").values[..., -300:])
    forecaster = st.Forecaster(horizon=3, season=48).fit(taxi)
    names = [classifier.save(folder / "pumps"), forecaster.save(folder / "sales")]
    with TestClient(make_app([str(name) for name in names])) as found:
        yield found


@pytest.mark.late
def test_the_lines_of_curl_run(client):
    lines = [line for line in blocks("sh").splitlines() if line.startswith("curl")]
    stream = ""
    assert len(lines) == 6
    for line in lines:
        reply = curl(client, line, stream)
        assert reply.status_code in (200, 201), (line, reply.text)
        stream = reply.json().get("stream", stream)
        if "pump-7" in line:
            assert reply.json()["columns"]["unique_id"] == ["pump-7"]
            said = json.loads(blocks("json").replace(", …", ""))
            assert set(reply.json()) == set(said)
            assert list(reply.json()["columns"])[:3] == list(said["columns"])


@pytest.mark.late
def test_the_python_of_the_page_runs(client, monkeypatch):
    def post(address, content, headers):
        return client.post(
            address.removeprefix("http://localhost:8000"), content=content, headers=headers
        )

    monkeypatch.setattr(httpx, "post", post)
    names: dict[str, object] = {}
    exec(compile(blocks("python"), "serving.md", "exec"), names)
    assert names["vectors"].column("unique_id").to_pylist() == ["a", "b"]


def test_limits_and_options_are_those_of_the_program():
    limits = Limits()
    for name, words in (("max_body", "16 MB"), ("max_series", "1,000"), ("max_length", "100,000")):
        assert f"`--{name.replace('_', '-')}` ({words})" in TEXT
        shown = int(words.replace(",", "").replace(" MB", "000000"))
        assert getattr(limits, name) == shown
    assert f"More than {limits.max_waiting:,} requests" in TEXT and "`--timeout` (30 s)" in TEXT
    assert f"at most\n{limits.max_streams:,} streams" in TEXT and limits.stream_idle == 600
    assert "`--batch-wait`\n  milliseconds (0)" in TEXT and limits.batch_wait == 0
    said = CliRunner().invoke(app, ["serve", "--help"]).output
    words = set(re.findall(r"`(--(?:max|time|batch)[a-z-]*)", TEXT))
    assert len(words) == 5 and all(word in said for word in words)


def test_routes_of_the_page_are_those_of_the_program(client):
    routes = {path for path in client.get("/openapi.json").json()["paths"] if "{" not in path}
    assert routes | {"/docs", "/openapi.json"} == set(
        re.findall(r"`(?:POST |GET )?(/[a-z.]+)`", TEXT)
    )


def test_figures_of_the_page_are_those_that_were_measured():
    found = json.loads((ROOT / "benchmarks" / "results" / "serving.json").read_text("utf8"))
    fifths, memory = found["load_by_fifths"], found["memory_mb_before_and_after_each_fifth"]
    rates = [fifth["per_second"] for fifth in fifths]
    middle = [
        sorted(fifth[name] for fifth in fifths)[2]
        for name in ("p50_ms", "p99_ms", "server_cpu_ms_a_request")
    ]
    rows = [[f"{min(rates):.0f} to {max(rates):.0f}", *(f"{value:g}" for value in middle)]]
    for name in ("one_at_a_time", "lengths_that_differ", "streams"):
        own = found[name]
        cpu = own.get("server_cpu_ms_a_request", own.get("server_cpu_ms_an_update"))
        rows.append([f"{v:g}" for v in (own["per_second"], own["p50_ms"], own["p99_ms"], cpu)])
    for row in rows:
        assert f"| {' | '.join(row)} |" in TEXT
    assert f"{memory[0]:g} MB before" in TEXT and f"{memory[-1]:g} after all" in TEXT
    assert max(memory) < 1.01 * memory[0]
    differences = [own["largest_difference"] for own in found["beside_python"].values()]
    assert f"at most {differences[0]:.0e}, vectors by {differences[1]:.0e}" in TEXT
    assert found["streams"]["largest_difference"] == 0 and found["streams"]["streams"] == 1_000
    bad = found["bad_bodies"]
    assert bad["bodies"] == bad["refused_4xx"] == bad["say_why"] >= 200
    assert f"All {bad['bodies']} bad\nbodies" in TEXT
