"""The server as a process and as a command: it listens, ends in order, and its image is plain."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from benchmarks.bad_bodies import GOOD
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.serving import server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def process(folders):
    """A server of its own process, its port, and what it says."""
    words = [folders["speakers"], "--port", "0", "--batch-wait", "300"]
    run = [sys.executable, "-m", "selftime", "serve", *words]
    environment = os.environ | {"SELFTIME_API_KEY": "a-key"}
    found = subprocess.Popen(run, stderr=subprocess.PIPE, text=True, env=environment)
    said = found.stderr.readline()
    yield found, said
    found.kill()
    found.wait()
    found.stderr.close()


@pytest.mark.slow
def test_sigterm_finishes_what_runs_and_refuses_what_comes(process):
    found, said = process
    where = re.search(r"serving speakers at (http://127\.0\.0\.1:\d+), see", said)[1]
    replies = []
    headers = {"Authorization": "Bearer a-key"}

    def ask():
        replies.append(httpx.post(f"{where}/classify", json=GOOD, headers=headers, timeout=60))

    assert httpx.get(f"{where}/health", timeout=60).json()["status"] == "ok"
    assert httpx.post(f"{where}/classify", json=GOOD, timeout=60).status_code == 401
    asked = threading.Thread(target=ask)
    asked.start()
    time.sleep(0.15)  # it waits for others
    found.send_signal(signal.SIGTERM)
    asked.join(60)
    assert found.wait(60) == 143
    assert [reply.status_code for reply in replies] == [200]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{where}/health")


@pytest.mark.late
def test_words_of_the_command_reach_the_server(folders, monkeypatch):
    kept = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: kept.append(self))
    monkeypatch.delenv(server.KEY_VARIABLE, raising=False)
    words = ["serve", f"who={folders['speakers']}", "--port", "0", "--host", "127.0.0.1"]
    words += ["--max-body", "1 MB", "--max-length", "9", "--max-series", "8", "--timeout", "7"]
    done = CliRunner().invoke(app, [*words, "--batch-wait", "6"])
    assert done.exit_code == 0, done.output
    assert re.match(r"serving who at http://127\.0\.0\.1:\d+, see http://.*/docs\n", done.stderr)
    limits = kept[0].config.app.state.service.limits
    assert limits[:5] == (1_000_000, 8, 9, 7.0, 0.006)
    assert kept[0].config.timeout_graceful_shutdown == 8


@pytest.mark.late
def test_what_cannot_be_served_is_one_line(folders, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, text in (
            ([folders["speakers"], "--port", port], f"cannot listen at 127.0.0.1:{port} (Address"),
            ([folders["speakers"], "--max-body", "much"], "got the limit 'much', wanted memory"),
            ([str(tmp_path)], "is not a model folder: config.json is missing"),
            ([folders["speakers"], "--timeout", "-1"], "got timeout=-1.0, wanted seconds above 0"),
        ):
            done = CliRunner().invoke(app, ["serve", *words])
            assert done.exit_code == 2 and done.output.count("\n") == 1, done.output
            assert text in done.output


@pytest.mark.late
def test_an_address_for_everybody_without_a_key_is_noted(folders, monkeypatch):
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    monkeypatch.delenv(server.KEY_VARIABLE, raising=False)
    words = ["serve", folders["speakers"], "--port", "0", "--host", "0.0.0.0"]
    assert "set SELFTIME_API_KEY to ask for a key" in CliRunner().invoke(app, words).stderr
    monkeypatch.setenv(server.KEY_VARIABLE, "k")
    assert "SELFTIME_API_KEY" not in CliRunner().invoke(app, words).stderr
    assert [server.is_local(host) for host in ("localhost", "::1", "0.0.0.0", "here")] == [
        True,
        True,
        False,
        False,
    ]


def test_without_its_packages_the_line_to_install_them_is_said(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("selftime.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "uvi" in name else name)
    monkeypatch.delitem(vars(st), "serve", raising=False)
    with pytest.raises(ValueError, match=r"uvicorn: pip install 'selftime\[serve\]'"):
        _ = st.serve


def test_the_image_runs_as_nobody_from_a_folder_that_is_only_read():
    text = (ROOT / "Dockerfile").read_text(encoding="utf8")
    lines = [
        line.split(maxsplit=1)
        for line in re.sub(r"\\\n\s*", "", text).splitlines()
        if line and not line.startswith("#")
    ]
    words = [word for word, _ in lines]
    assert set(words) <= {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "EXPOSE",
        "ENTRYPOINT",
        "CMD",
        "HEALTHCHECK",
    }
    images = [rest for word, rest in lines if word == "FROM"]
    assert images and all(re.fullmatch(r"python:3\.\d+-slim( AS \w+)?", image) for image in images)
    user = next(rest for word, rest in reversed(lines) if word == "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in ("COPY", "RUN"))
    entry = json.loads(next(rest for word, rest in lines if word == "ENTRYPOINT"))
    assert entry[:2] == ["selftime", "serve"] and "0.0.0.0" in entry
    said = CliRunner().invoke(app, ["serve", "--help"]).output
    assert all(word in said for word in entry if word.startswith("--"))
    assert "PYTHONDONTWRITEBYTECODE=1" in text and "NUMBA_CACHE_DIR=/tmp" in text
    assert not re.search(r"//(?!127)|curl|wget|ADD |sudo|API_KEY=", text)
