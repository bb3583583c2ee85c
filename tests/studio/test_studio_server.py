"""The studio as people start it: in order, for its data alone, and ended by Ctrl-C."""

import re
import signal
import socket
import subprocess
import sys
import webbrowser
from pathlib import Path

import httpx
import pytest
import uvicorn
from studio_material import waves
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.places import only_writer
from selftime.studio import server


@pytest.fixture
def places(model, tmp_path, monkeypatch):
    """Folders of a model and of data, with the studio ended as soon as it is asked to run."""
    kept = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: kept.append(self.config.app))
    monkeypatch.chdir(tmp_path)
    model.save(tmp_path / "model")
    st.write(waves(), tmp_path / "waves.npz")
    return kept


def run(*words):
    return CliRunner().invoke(app, ["studio", "model", "waves.npz", "--no-open", *words])


@pytest.mark.late
def test_words_of_the_command_reach_the_studio(places, tmp_path):
    rows = "\n".join(f"wave-{i:03},{'slow' if i % 3 == 0 else 'fast'}" for i in range(4))
    Path("labels.csv").write_text(f"id,label\n{rows}\n", encoding="utf8")
    done = run("--port", "0", "--labels", "labels.csv", "--windows", "24", "--session", "kept")
    assert done.exit_code == 0, done.output
    assert re.search(r"the studio is at http://127\.0\.0\.1:\d+/\?token=[\w-]{32}\n", done.stderr)
    assert "8 of 120 series labelled, kept in kept; Ctrl-C ends" in done.stderr
    assert "8 labels are in kept/labels.csv" in done.stderr
    desk = places[0].state.desk
    assert len(desk.collection) == 120 and str(desk.collection.windows) == "24"
    found = st.read("waves.npz", labels="kept/labels.csv", windows=24)
    assert found.labelled.sum() == 8 and set(found.labels[:8]) == {"slow", "fast"}
    done = run("--port", "0", "--empty")
    assert "no labels were made; the session is in studio-waves" in done.stderr


@pytest.mark.late
def test_labels_of_the_studio_classify(places, tmp_path):
    st.open_studio("model", "waves.npz", port=0, session="kept", browser=False)
    session = places[0].state.desk.session
    reopened = server.LabelSession(session.folder, waves())
    for row in range(12):
        reopened.act(f"key-{row:05}", "label", [row], ("slow", "middle", "fast")[row % 3])
    reopened.close()
    words = ["classify", "model", "--train", "waves.npz", "--labels", "kept/labels.csv"]
    done = CliRunner().invoke(app, [*words, "--test", "waves.npz", "--out", "classes.csv"])
    assert done.exit_code == 0, done.output
    found = Path("classes.csv").read_text(encoding="utf8").splitlines()[1:]
    right = [f'"{("slow", "middle", "fast")[i % 3]}"' in line for i, line in enumerate(found)]
    assert len(right) == 60 and sum(right) > 54


@pytest.mark.late
def test_what_cannot_be_opened_is_one_line(places):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port))
        assert done.exit_code == 2 and f"cannot listen at 127.0.0.1:{port} (Address" in done.stderr
    assert run("--port", "0", "--session", "kept").exit_code == 0
    for words, text in (
        (("--session", "kept", "--windows", "24"), "kept holds labels of other data: of 60 series"),
        (("--stride", "3"), "got a stride without windows, wanted both"),
        (("--windows", "99"), "got windows of 99 steps and series of at most 48"),
        (("--session", "waves.npz/in"), "waves.npz"),
    ):
        done = run("--port", "0", *words)
        assert done.exit_code == 2 and done.output.count("\n") == 1, done.output
        assert text in done.output
    with only_writer(Path("kept")):
        handle = subprocess.run(
            [sys.executable, "-c", TAKEN], capture_output=True, text=True, check=False
        )
    assert "kept is written by process" in handle.stdout


TAKEN = """
from pathlib import Path
from selftime.data.places import only_writer
try:
    with only_writer(Path("kept")):
        print("free")
except BlockingIOError as error:
    print(error)
"""


@pytest.mark.late
def test_a_model_of_other_channels_is_refused(places, model):
    with pytest.raises(st.SeriesError, match="channel"):
        st.open_studio(model, waves(channels=2), port=0, browser=False)
    assert not list(Path().glob("studio-*"))


def test_the_browser_is_opened_where_there_is_one(monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    monkeypatch.setenv("DISPLAY", ":0")
    server.open_browser("here")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    server.open_browser("there")

    def fail():
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", fail)
    server.open_browser("nowhere")
    assert opened == (["here"] if sys.platform.startswith("linux") else ["here", "there"])


@pytest.mark.parametrize(
    "source, stem",
    [
        ("plant/", "plant"),
        ("a/b/machine 7.csv", "machine-7"),
        ("sample:ECG", "ECG"),
        ("s3://bucket/x.parquet", "x"),
        (None, "labels"),
    ],
)
def test_a_session_is_named_after_its_data(source, stem):
    series = waves(1)
    object.__setattr__(series, "source", source)
    assert server.stem_of(series) == stem


@pytest.fixture
def process(model, tmp_path):
    """Starts studios as processes of their own, which are all ended."""
    model.save(tmp_path / "model")
    st.write(waves(), tmp_path / "waves.npz")
    words = [sys.executable, "-m", "selftime", "studio", "model", "waves.npz", "--no-open"]
    kept = []

    def start():
        kept.append(
            subprocess.Popen(
                [*words, "--port", "0"], stderr=subprocess.PIPE, text=True, cwd=tmp_path
            )
        )
        return kept[-1]

    yield start
    for one in kept:
        one.kill()
        one.wait()
        one.stderr.close()


@pytest.mark.slow
def test_ctrl_c_ends_in_order_and_another_start_goes_on(process, tmp_path):
    for turn in range(2):
        one = process()
        where, token = re.search(r"(http://127[^/]+)/\?token=(\S+)", one.stderr.readline()).groups()
        assert f"{turn} of 60 series labelled" in one.stderr.readline()
        heads = {"Authorization": f"Bearer {token}"}
        body = {"key": f"key-{turn:05}", "kind": "label", "rows": [turn], "label": "a"}
        reply = httpx.post(f"{where}/api/acts", json=body, headers=heads, timeout=60)
        assert reply.status_code == 200
        one.send_signal(signal.SIGINT)
        assert one.wait(60) == 0
        rest = one.stderr.read()
        assert "Traceback" not in rest, rest
        assert f"{turn + 1} labels are in studio-waves/labels.csv" in rest
    found = st.read(waves(), labels=str(tmp_path / "studio-waves" / "labels.csv"))
    assert found.labelled.sum() == 2


def test_without_its_packages_the_line_to_install_them_is_said(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("selftime.studio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "uvi" in name else name)
    monkeypatch.delitem(vars(st), "open_studio", raising=False)
    with pytest.raises(ValueError, match=r"uvicorn: pip install 'selftime\[studio\]'"):
        _ = st.open_studio
