"""``selftime inspect --views`` as people run it: table, JSON alone, a picture over nothing."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.signals import Measurements
from selftime.report.folder import views_for
from selftime.tasks.audit import views as invariance
from selftime.views.registry import VIEW_STRENGTHS, VIEWS


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Some of the views: what all of them do is asked in test_invariance.py."""
    some = {name: VIEW_STRENGTHS[name] for name in ("jitter", "flip", "channel_dropout")}
    monkeypatch.setattr(invariance, "strengths_for", lambda kind: some)


@pytest.fixture
def data(tmp_path):
    """Rising and falling lines in a file."""
    rng = np.random.default_rng(0)
    slope = np.repeat([-1.0, 1.0], 16)[:, None]
    x = slope * np.linspace(-1, 1, 24) + 0.05 * rng.normal(size=(32, 24))
    return str(st.write(st.SeriesSet.of(x, np.repeat(["falls", "rises"], 16)), tmp_path / "a.npz"))


def run(*words):
    return CliRunner().invoke(app, ["inspect", *map(str, words)])


def test_the_table_says_what_to_leave_out(data):
    result = run(data, "--views")
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert rows["series"].split()[1] == "32"  # what inspect says without --views
    assert rows["flip"].rstrip().endswith("destroys labels: leave out")
    assert rows["channel_dropout"].split()[2:5] == ["–", "–", "–"]
    assert "! flip destroys labels here (" in result.stdout
    assert "views" not in json.loads(run(data, "--json").stdout)
    assert "jitter: 0 of 3" in result.stderr and "done: 3 of 3" in result.stderr


@pytest.mark.late
def test_json_stands_alone_and_a_seed_fixes_it(data):
    first, second = (run(data, "--views", "--json", "--seed", 2) for _ in range(2))
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)["views"]
    by_name = {view["name"]: view for view in found["views"]}
    assert by_name["flip"]["verdict"] == "destroys labels: leave out"
    assert by_name["flip"]["suggested"] is None and by_name["flip"]["keyword"] == "chance"
    assert [effect["amount"] for effect in by_name["jitter"]["effects"]] == [0.0125, 0.05, 0.1]
    assert set(by_name["jitter"]["effects"][0]["probe"]) == {"points", "low", "high"}
    assert by_name["channel_dropout"]["effects"][0]["probe"] is None
    assert found["clean"] == {"nearest": 1.0, "probe": 1.0} and found["classes"] == 2


@pytest.mark.late
def test_a_picture_is_written_over_nothing_unless_told_to(data, tmp_path):
    target = tmp_path / "new" / "views.png"
    result = run(data, "--views", "--out", target)
    assert result.exit_code == 0, result.output
    assert f"Picture: {target}" in result.stdout
    assert target.read_bytes()[:4] == b"\x89PNG" and len(list(target.parent.iterdir())) == 1
    target.write_bytes(b"mine")
    result = run(data, "--views", "--out", target)
    assert result.exit_code == 2 and "or --force to replace it" in result.stderr
    assert target.read_bytes() == b"mine"
    result = run(data, "--views", "--out", target, "--force", "--json")
    assert json.loads(result.stdout)["views"]["picture"] == str(target)
    assert target.stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--out", "a.png"], "got --out, which is the picture of the views: add --views"),
        (["--views", "--out", "a.gif"], "a.gif: wanted a name ending in .png, .svg, .pdf"),
    ],
)
def test_errors_are_one_line(data, words, text):
    result = run(data, *words)
    assert result.exit_code == 2 and text in result.stderr and "Traceback" not in result.stderr


def test_one_series_is_refused_in_one_line(tmp_path):
    st.write(st.SeriesSet.of(np.zeros((1, 1, 9))), tmp_path / "one.npz")
    result = run(tmp_path / "one.npz", "--views")
    assert result.exit_code == 2 and "got 1 series, wanted at least 2" in result.stderr


def test_the_gallery_of_a_report_shows_every_view_that_can_do_something():
    assert views_for(Measurements(), 2) == VIEWS
    assert set(VIEWS) - set(views_for(Measurements(), 1)) == {"channel_dropout", "rotate"}
