"""Run folders: begun, taken up only by the same run, rewound, and never half written."""

import json
import re

import pytest
import torch

from selftime.engine.training import checkpoint
from selftime.engine.training import run_folder as runs
from selftime.engine.training.checkpoint import State
from selftime.engine.training.run_folder import Run, RunError, facts_in, metrics_in, only_run

FACTS = {
    "data": {"series": 8, "fingerprint": "abc"},
    "settings": {
        "objective": {"value": "ts2vec", "reason": "given"},
        "rate": {"value": 0.001, "reason": "recipe of TS2Vec"},
        "clip": {"value": None, "reason": "the usual"},
    },
}


def changed(name, value):
    """Facts with another value of one setting."""
    return FACTS | {"settings": FACTS["settings"] | {name: {"value": value, "reason": "given"}}}


def save(run, step):
    state = State({"w": torch.tensor([float(step)])}, {"step": step, "seconds": 0.0})
    checkpoint.save_checkpoint(run.checkpoints, state)


@pytest.fixture
def run(tmp_path):
    """A run that was stopped: steps 0 to 5 were measured, 3 is saved."""
    begun = Run(folder=tmp_path / "deep" / "run")
    assert begun.begin(FACTS) is None
    for step in range(6):
        begun.record({"step": step, "loss": step / 2})
    save(begun, 3)
    return begun


def test_a_new_run_writes_what_it_was_told(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "made" / "anew", tmp_path / "empty"):
        assert Run(folder=folder).begin(FACTS) is None
        assert facts_in(folder) == {"status": "running"} | FACTS


def test_the_same_run_goes_on_from_its_last_state_and_forgets_what_came_after(run):
    state = Run(folder=run.folder).begin(FACTS)
    assert state.facts["step"] == 3 and state.tensors["w"].item() == 3
    assert metrics_in(run.folder) == [{"step": s, "loss": s / 2} for s in range(4)]


def test_a_run_that_saved_nothing_begins_at_its_beginning(tmp_path):
    run = Run(folder=tmp_path)
    run.begin(FACTS)
    run.record({"step": 0})
    assert Run(folder=tmp_path).begin(FACTS) is None and metrics_in(tmp_path) == []


def test_drafts_of_a_killed_process_are_swept(run):
    (run.checkpoints / ".draft-0123abcd").mkdir()
    run.begin(FACTS)
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-000000003"]


@pytest.mark.parametrize(
    "facts, text",
    [
        (changed("rate", 0.01), "holds a run with rate 0.001, this one has 0.01: give the same"),
        (changed("clip", 1.0), "holds a run with clip None, this one has 1.0: give the same"),
        (changed("new", 2), "holds a run with new None, this one has 2: give the same settings"),
        (
            FACTS | {"data": {"fingerprint": "xyz"}},
            "holds a run with data abc, this one has xyz: .* or choose another folder",
        ),
    ],
)
def test_another_run_is_refused(run, facts, text):
    before = (run.folder / runs.METRICS).read_bytes()
    with pytest.raises(RunError, match=f"{re.escape(str(run.folder))} {text}"):
        run.begin(facts)
    assert (run.folder / runs.METRICS).read_bytes() == before


def test_other_reasons_are_the_same_run(run):
    facts = FACTS | {"settings": FACTS["settings"] | {"rate": {"value": 0.001, "reason": "given"}}}
    assert run.begin(facts).facts["step"] == 3


def test_a_finished_run_is_refused(run):
    runs.write_finished(run.folder, FACTS)
    assert facts_in(run.folder)["status"] == "finished"
    with pytest.raises(RunError, match="holds a finished run: load it, or choose another folder"):
        run.begin(FACTS)


def test_a_folder_of_others_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    for anew in (False, True):
        with pytest.raises(RunError, match="is not a run folder: run.json is missing"):
            Run(folder=tmp_path, overwrite=anew).begin(FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def finish(run):
    with run.finish(at_once=False) as folder:
        runs.write_finished(folder, FACTS)


def test_a_run_is_begun_anew_beside_the_old_one_which_stays_until_it_is_finished(run):
    before = sorted(run.folder.rglob("*"))
    (run.folder / "notes.txt").write_text("precious")
    anew = Run(folder=run.folder, overwrite=True)
    assert anew.begin(changed("rate", 0.5)) is None
    anew.record({"step": 0})
    assert set(before) < set(run.folder.rglob("*")) and len(metrics_in(run.folder)) == 6
    same = Run(folder=run.folder)  # goes on with the new one
    assert same.begin(changed("rate", 0.5)) is None and same.work == anew.work != run.folder
    with pytest.raises(RunError, match="holds a run with rate 0.5, this one has 0.001"):
        same.begin(FACTS)
    finish(same)
    assert names_in(run.folder) == ["metrics.jsonl", "notes.txt", "run.json"]
    assert facts_in(run.folder)["status"] == "finished" and names_in(run.folder.parent) == ["run"]
    assert same.work == run.folder and metrics_in(run.folder) == []


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_that_was_killed_before_it_took_its_place_takes_it(run):
    anew = Run(folder=run.folder, overwrite=True)
    anew.begin(FACTS)
    runs.write_finished(anew.work, FACTS)
    with only_run(run.folder):
        assert names_in(run.folder) == ["run.json"]
        assert facts_in(run.folder)["status"] == "finished"
    assert names_in(run.folder.parent) == ["run"]


def test_a_run_that_was_killed_before_it_said_what_it_was_begins(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".draft-0123abcd").write_text('{"stat')
    assert Run(folder=tmp_path / "run").begin(FACTS) is None
    assert names_in(tmp_path / "run") == ["run.json"]


def test_a_torn_last_line_is_passed_over(run):
    path = run.folder / runs.METRICS
    path.write_text(path.read_text()[:-9])
    assert [record["step"] for record in metrics_in(run.folder)] == [0, 1, 2, 3, 4]
    run.begin(FACTS)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [0, 1, 2, 3]


def test_a_run_file_that_cannot_be_read(run):
    (run.folder / runs.RUN_FILE).write_text('{"status": "runn')
    with pytest.raises(RunError, match=r"run.json cannot be read \(.*\): begin the run anew"):
        run.begin(FACTS)


def test_steps_are_written_down_before_they_are_passed_on(tmp_path):
    told = []
    run = Run(folder=tmp_path, log=lambda record: told.append((record, len(metrics_in(tmp_path)))))
    run.record({"step": 1})
    assert told == [({"step": 1}, 1)]
