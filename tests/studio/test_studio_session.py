"""Labels on disk: each before it counts, with its time; undone, done again, replayed, given out."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studio_material import HOSTILE, awkward, recording, waves

import selftime as st
from selftime.data.recordings import cut_recordings
from selftime.studio.session import LOG, TABLE, Accuracy, LabelSession

KEYS = iter(f"key-{k:06}" for k in range(10**6))


@pytest.fixture
def session(tmp_path):
    found = LabelSession(tmp_path / "s", waves(3))
    yield found
    found.close()


def act(session, kind, rows=(), label=None):
    return session.act(next(KEYS), kind, rows, label)


def labels_of(session):
    return {session.ids[i]: session.names[c] for i, c in enumerate(session.codes) if c >= 0}


def test_labels_skips_and_what_is_undone(session):
    assert act(session, "label", [0, 3, 0], " slow  one ") == [0, 3]
    act(session, "label", [1], "fast")
    act(session, "skip", [2])
    act(session, "label", [3], "fast")
    assert labels_of(session) == {"wave-000": "slow one", "wave-001": "fast", "wave-003": "fast"}
    assert session.state()["undo"] == "label 1 series fast" and session.skips.sum() == 1
    assert act(session, "undo") == [3] and labels_of(session)["wave-003"] == "slow one"
    assert act(session, "undo") == [2] and not session.skips.any()
    assert act(session, "redo") == [2] and session.skips.sum() == 1
    act(session, "clear", [0, 1])
    assert labels_of(session) == {"wave-003": "slow one"} and session.state()["redo"] is None
    act(session, "undo")
    assert [one["count"] for one in session.state()["classes"]] == [2, 1]


def test_another_start_goes_on_where_the_last_one_ended(tmp_path):
    first = LabelSession(tmp_path / "s", waves(3))
    for row, label in ((0, "typo"), (0, "slow"), (1, "middle"), (4, "middle")):
        act(first, "label", [row], label)
    act(first, "undo")
    first.note_accuracy(Accuracy(3, 0.5, 0.1, 0.9))
    first.note_accuracy(Accuracy(3, 0.6, 0.2, 0.9))
    again = LabelSession(tmp_path / "s", waves(3))  # as after a kill: the first was not closed
    assert labels_of(again) == labels_of(first) == {"wave-000": "slow", "wave-001": "middle"}
    assert again.accuracies() == [Accuracy(3, 0.6, 0.2, 0.9)]
    assert act(again, "redo") == [4] and labels_of(again)["wave-004"] == "middle"
    for _ in range(3):
        act(again, "undo")
    assert labels_of(again) == {"wave-000": "typo"}
    again.close()
    log = sqlite3.connect(tmp_path / "s" / LOG)
    rows = log.execute("SELECT time, kind, label FROM acts ORDER BY number").fetchall()
    assert [kind for _, kind, _ in rows] == ["label"] * 4 + ["undo", "redo"] + ["undo"] * 3
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}\+00:00", time) for time, *_ in rows)
    log.close()


def test_an_act_that_comes_twice_is_done_once(session):
    session.act("the-same-key", "label", [0], "a")
    assert session.act("the-same-key", "label", [0], "a") == []
    assert session.version == 1 and len(session.done) == 1


@pytest.mark.parametrize(
    "kind, rows, label, text",
    [
        ("label", [99], "a", "got rows [99], wanted some of 0 to 8"),
        ("label", [-1], "a", "got rows [-1]"),
        ("label", [], "a", "got rows []"),
        ("label", [0], "  ", "got a label of 0 letters, wanted 1 to 80"),
        ("label", [0], "x" * 81, "got a label of 81 letters"),
        ("label", [0], "a\u202eb", "got a label of 3 letters"),
        ("label", [0], "NaN", "got the label 'NaN', which files take for none"),
        ("label", [0], "=1+1", "got the label '=1+1', which begins as a formula"),
        ("undo", [], None, "there is nothing to undo"),
        ("redo", [], None, "there is nothing to redo"),
    ],
)
def test_what_could_not_be_read_back_is_refused(session, kind, rows, label, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        act(session, kind, rows, label)
    assert session.version == 0 and not session.log.execute("SELECT * FROM acts").fetchall()


def test_a_session_belongs_to_its_data(tmp_path):
    LabelSession(tmp_path / "s", waves(3)).close()
    for other in (waves(3, seed=1), waves(4), waves(3)[[1, 0, *range(2, 9)]]):
        with pytest.raises(
            st.SeriesError, match=r"holds labels of other data: of 9 series from ar"
        ):
            LabelSession(tmp_path / "s", other)
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / LOG).write_bytes(b"not a log" * 100)
    with pytest.raises(st.SeriesError, match=r"is no log of labels .*: choose another folder"):
        LabelSession(tmp_path / "t", waves(3))


def test_given_labels_are_where_a_session_begins(tmp_path):
    given = st.SeriesSet.of(waves(2), labels=[1, 2, None, 1, None, None])
    session = LabelSession(tmp_path / "s", given)
    assert labels_of(session) == {"wave-000": "1", "wave-001": "2", "wave-003": "1"}
    assert session.state()["undo"] is None
    act(session, "label", [0], "2")
    session.close()
    more = st.SeriesSet.of(waves(2), labels=[1, 2, 2, 1, None, None])
    again = LabelSession(tmp_path / "s", more)
    assert labels_of(again) == labels_of(session) | {"wave-002": "2"}
    assert again.notes == ["3 series keep what this session says of them"]
    again.close()
    with_none = LabelSession(tmp_path / "t", given, empty=True)
    assert not labels_of(with_none)
    with_none.close()


def test_labels_of_all_series_or_of_steps_alone_are_noted(tmp_path):
    whole = LabelSession(tmp_path / "s", st.SeriesSet.of(waves(1), labels=[1, 2, 3]))
    assert whole.notes == ["every series has a label: empty=True begins with none"]
    steps = np.array(["on"] * 60 + ["off"] * 84, object)
    parts = LabelSession(tmp_path / "t", replace(waves(1), step_labels=steps))
    assert parts.notes == ["labels are of steps, so no series has one: cut it, windows=..."]
    for session in (whole, parts):
        session.close()


def test_the_table_is_read_by_every_reader(tmp_path):
    series = awkward()
    session = LabelSession(tmp_path / "s", series)
    assert not (tmp_path / "s" / TABLE).exists()
    for row in range(len(HOSTILE)):
        act(session, "label", [row], f"class {row % 2}")
    act(session, "clear", [2])
    session.close()
    found = st.read(series, labels=str(tmp_path / "s" / TABLE))
    assert found.labels.tolist() == [None if i == 2 else f"class {i % 2}" for i in range(7)]


@pytest.mark.parametrize("stamped", [False, True])
def test_windows_are_given_out_with_their_ends(tmp_path, stamped):
    whole = recording(300)
    if stamped:
        times = np.datetime64("2024-03-31T00:00", "ns") + np.arange(300) * np.timedelta64(60, "s")
        frame = {"ds": times, "heat": whole.series(0)[0], "unique_id": ["pump"] * 300}
        whole = st.read(pd.DataFrame(frame))
    cut = cut_recordings(whole, 50, 50)
    session = LabelSession(tmp_path / "s", cut)
    for row, label in enumerate(["a", "b", "a", "c"]):
        act(session, "label", [row], label)
    session.close()
    found = st.read(whole, labels=str(tmp_path / "s" / TABLE), windows=50)
    assert found.labels.tolist() == ["a", "b", "a", "c", None, None]


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from studio_material import waves
from selftime.studio.session import LabelSession
session = LabelSession(Path(sys.argv[1]), waves(40))
for k in range(10**6):
    session.act(f"{sys.argv[2]}-{k:06}", "label", [k % 120], f"class {k % 7}")
    print(k, flush=True)
"""


@pytest.mark.late
@pytest.mark.again
def test_no_label_that_was_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    rng, support = np.random.default_rng(0), Path(__file__).parents[1] / "support"
    path = os.pathsep.join([str(support), os.environ.get("PYTHONPATH", "")])
    said = 0
    for turn in range(3):
        words = [sys.executable, "-c", WRITER, str(tmp_path / "s"), f"turn-{turn}"]
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
        )
        for _ in range(int(rng.integers(5, 60))):
            last = process.stdout.readline()
            assert last
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split()
        said += int((rest or [last])[-1]) + 1
    log = sqlite3.connect(tmp_path / "s" / LOG)
    written = [key for (key,) in log.execute("SELECT key FROM acts ORDER BY number")]
    log.close()
    assert len(written) - 3 <= said <= len(written)  # one may be written and not acknowledged
    session = LabelSession(tmp_path / "s", waves(40))
    assert len(session.done) == len(written)
    session.close()
