"""Checkpoints are there whole or not at all, whatever happens while they are written."""

import json
import os
import re

import pytest
import torch
from kill_points import killed_before
from safetensors.torch import load_file

from selftime.data.files import sweep
from selftime.engine.training import checkpoint
from selftime.engine.training.checkpoint import (
    CheckpointError,
    State,
    complete_checkpoints,
    newest_checkpoint,
    save_checkpoint,
)

FILES = {"state.json", "state.safetensors"}


def state_of(step):
    """A state that says in every number of which step it is."""
    tensors = {"objective.weight": torch.full((3, 2), float(step)), "average.0": torch.tensor(step)}
    return State(tensors, {"step": step, "seconds": step / 8, "averaged": step + 1})


def saved(folder, *steps):
    for step in steps:
        save_checkpoint(folder, state_of(step))
    return folder


def assert_is(state, step):
    wanted = state_of(step)
    assert state.facts == wanted.facts
    assert state.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        assert (
            torch.equal(state.tensors[name], tensor) and state.tensors[name].dtype == tensor.dtype
        )


def assert_all_are_whole(folder):
    """Whatever counts as finished can be read, and says the same in all its parts."""
    for path in complete_checkpoints(folder):
        assert {part.name for part in path.iterdir()} == FILES
        tensors = load_file(path / "state.safetensors")
        facts = json.loads((path / "state.json").read_text())
        assert len(facts.pop("crc32")) == 8
        assert_is(State(tensors, facts), facts["step"])


def test_what_is_saved_is_read_to_the_bit(tmp_path, rng):
    odd = torch.tensor([0.1, -0.0, float("inf"), 1e-45])
    turned = torch.randn(3, 4, generator=rng).T
    state = State(
        {"a": odd, "b": turned, "c": torch.tensor(7, dtype=torch.int64)},
        {"step": 12, "seconds": 0.1 + 0.2, "averaged": 13},
    )
    path = save_checkpoint(tmp_path / "new" / "folder", state)
    assert path.name == "step-000000012"
    again = newest_checkpoint(tmp_path / "new" / "folder")
    assert again.facts == state.facts
    for name, tensor in state.tensors.items():
        assert (
            torch.equal(again.tensors[name], tensor) and again.tensors[name].dtype == tensor.dtype
        )
    assert again.tensors["a"][1].signbit()


def test_no_checkpoint_is_no_state(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "not" / "there") is None
    assert complete_checkpoints(tmp_path / "not" / "there") == []


def test_the_newest_is_the_highest_step_and_two_are_kept(tmp_path):
    saved(tmp_path, 5, 40, 300, 1000)
    assert [path.name for path in complete_checkpoints(tmp_path)] == [
        "step-000000300",
        "step-000001000",
    ]
    assert sorted(os.listdir(tmp_path)) == ["step-000000300", "step-000001000"]
    assert_is(newest_checkpoint(tmp_path), 1000)


def test_a_checkpoint_is_arrays_and_plain_values(tmp_path):
    path = save_checkpoint(tmp_path, state_of(3))
    assert {part.name for part in path.iterdir()} == FILES
    data = (path / "state.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert set(header) - {"__metadata__"} == set(state_of(3).tensors)
    facts = json.loads((path / "state.json").read_text())
    assert facts == state_of(3).facts | {"crc32": facts["crc32"]}


def test_saving_a_step_again_replaces_it(tmp_path):
    save_checkpoint(tmp_path, State({"other": torch.zeros(1)}, {"step": 4}))
    saved(tmp_path, 4)
    assert_is(newest_checkpoint(tmp_path), 4)
    assert os.listdir(tmp_path) == ["step-000000004"]


SHORTER = [pytest.param(steps, marks=pytest.mark.slow) for steps in ((1,), (1, 2), (1, 2, 2))]


@pytest.mark.late
@pytest.mark.parametrize("steps", [*SHORTER, (1, 2, 3)], ids=str)
def test_killed_before_any_operation_it_leaves_whole_checkpoints(tmp_path, steps):
    *before, last = steps
    operation, killed = 0, True
    while killed:
        folder = saved(tmp_path / str(operation), *before)
        there = len(complete_checkpoints(folder))
        killed = killed_before(operation, lambda: saved(folder, last))  # noqa: B023
        assert_all_are_whole(folder)
        assert len(complete_checkpoints(folder)) >= there - (last in before)
        if before:
            assert newest_checkpoint(folder).facts["step"] in (before[0], before[-1], last)
        if len(before) == 2 and last not in before:
            assert newest_checkpoint(folder).facts["step"] in (before[-1], last)
        folder.mkdir(exist_ok=True)
        sweep(folder)
        assert set(os.listdir(folder)) == {path.name for path in complete_checkpoints(folder)}
        saved(folder, last, 9)  # what was left is no hindrance
        assert_is(newest_checkpoint(folder), 9)
        operation += 1
    assert operation > 8
    assert_is(newest_checkpoint(folder), 9)


@pytest.mark.parametrize("broken", ["save_file", "json.dumps", "os.fsync", "os.rename"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, broken):
    saved(tmp_path, 1, 2)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(broken if "os." in broken else f"{checkpoint.__name__}.{broken}", full)
    with pytest.raises(OSError, match="No space left"):
        saved(tmp_path, 3)
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path)) == ["step-000000001", "step-000000002"]
    assert_is(newest_checkpoint(tmp_path), 2)


def cut_tensors(path):
    data = (path / "state.safetensors").read_bytes()
    (path / "state.safetensors").write_bytes(data[: len(data) // 2])


def lose_tensors(path):
    (path / "state.safetensors").unlink()


def empty_facts(path):
    (path / "state.json").write_bytes(b"\0" * 40)


def flip_bit(path):
    """Damage that a disk does: the file is whole and its numbers are finite."""
    data = bytearray((path / "state.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "state.safetensors").write_bytes(data)


def change_fact(path):
    text = (path / "state.json").read_text()
    assert '"step": 2' in text
    (path / "state.json").write_text(text.replace('"step": 2', '"step": 3'))


def swap_facts(path):
    (path / "state.json").write_text("[1, 2]")


def another_step(path):
    path.rename(path.with_name("step-000000009"))


DAMAGES = [cut_tensors, lose_tensors, empty_facts, flip_bit, change_fact, swap_facts, another_step]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path, damage, caplog):
    saved(tmp_path, 1, 2)
    damage(tmp_path / "step-000000002")
    assert_is(newest_checkpoint(tmp_path), 1)
    assert re.search(r"step-00000000\d is damaged .*the checkpoint before", caplog.text)
    if damage is another_step:
        return
    saved(tmp_path, 2)  # the run goes on and comes by again
    assert_is(newest_checkpoint(tmp_path), 2)
    assert_all_are_whole(tmp_path)


def test_checkpoints_of_versions_without_checksums_are_read(tmp_path, caplog):
    saved(tmp_path, 1)
    path = tmp_path / "step-000000001" / "state.json"
    facts = json.loads(path.read_text())
    del facts["crc32"]
    path.write_text(json.dumps(facts))
    assert_is(newest_checkpoint(tmp_path), 1)
    assert not caplog.text


def test_where_none_can_be_read_it_says_so(tmp_path):
    saved(tmp_path, 1, 2)
    for path in complete_checkpoints(tmp_path):
        cut_tensors(path)
    with pytest.raises(CheckpointError) as caught:
        newest_checkpoint(tmp_path)
    assert str(caught.value) == f"{tmp_path}: none of 2 checkpoints can be read: begin anew"


def test_sweeping_removes_drafts_alone(tmp_path):
    saved(tmp_path, 1)
    draft = tmp_path / ".draft-0123abcd"
    draft.mkdir()
    (draft / "state.safetensors").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    assert [path.name for path in complete_checkpoints(tmp_path)] == ["step-000000001"]
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "step-000000001"]
    assert_is(newest_checkpoint(tmp_path), 1)


def test_what_was_read_does_not_hang_on_the_file(tmp_path):
    saved(tmp_path, 1)
    first = newest_checkpoint(tmp_path)
    first.tensors["objective.weight"].add_(1)
    assert_is(newest_checkpoint(tmp_path), 1)
    second = newest_checkpoint(tmp_path)
    save_checkpoint(tmp_path, State({"objective.weight": torch.zeros(3, 2)}, {"step": 1}))
    assert_is(second, 1)
