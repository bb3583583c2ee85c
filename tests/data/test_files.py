"""Whatever is written is there whole or not at all, old or new, at every moment of a crash."""

import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from kill_points import DEAD, killed_before

import selftime as st
from selftime.data import files
from selftime.data.files import (
    remove_folder,
    restore,
    sweep,
    whole_folder,
    write_file,
    write_json,
    write_text,
)


@pytest.fixture(params=["exchange", "two renames"])
def swap(request, monkeypatch):
    """Both ways to replace a folder: the second is that of kernels that cannot exchange names."""
    if request.param == "two renames":
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    return request.param


def fill(target, word, *, overwrite=True):
    with whole_folder(target, overwrite=overwrite) as draft:
        for name in ("one", "two"):
            (draft / name).write_text(word)
        (draft / "deep").mkdir()
        (draft / "deep" / "three").write_text(word)


def words_in(folder):
    return [path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()]


def hidden(kind, name="", pid=DEAD, machine=None):
    mark = f".{kind}-{pid}-{machine or files._machine()}-0123abcd"
    return f"{mark}-{name}" if name else mark


def listed(folder):
    return sorted(os.listdir(folder))


def test_a_file_is_written_and_replaced(tmp_path):
    target = tmp_path / "new" / "folder" / "a.bin"
    assert write_file(target, b"old") == target and target.read_bytes() == b"old"
    assert write_file(str(target), b"new") == target and target.read_bytes() == b"new"
    write_text(target, "grün\n")
    assert target.read_bytes() == "grün\n".encode() and listed(target.parent) == ["a.bin"]


def test_json_is_for_people_and_refuses_what_is_not_json(tmp_path):
    content = {"a": 1, "é": [{"x": 1}, None], "empty": []}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text(encoding="utf8")
    assert text == json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_json(tmp_path / "a.json", content, rows=True)
    text = (tmp_path / "a.json").read_text(encoding="utf8")
    assert text == '{\n"a": 1,\n"\\u00e9": [\n{"x": 1},\nnull\n],\n"empty": []\n}\n'
    for rows in (False, True):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "a.json", {"a": float("nan")}, rows=rows)
    assert (tmp_path / "a.json").read_text(encoding="utf8") == text


def test_a_full_disk_leaves_the_file_before(tmp_path, monkeypatch):
    path = write_json(tmp_path / "x.json", {"a": 1})
    before = path.read_bytes()

    def full(handle):
        os.ftruncate(handle, 3)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"a": 2})
    assert path.read_bytes() == before and listed(tmp_path) == ["x.json"]


def test_a_file_is_old_or_new_whenever_its_writer_is_killed(tmp_path):
    operation, killed = 0, True
    while killed:
        target = write_file(tmp_path / str(operation) / "a", b"old" * 9)
        killed = killed_before(operation, lambda: write_file(target, b"new" * 9))  # noqa: B023
        assert target.read_bytes() in (b"old" * 9, b"new" * 9)
        write_file(target.parent / "b", b"")
        assert listed(target.parent) == ["a", "b"]
        operation += 1
    assert operation > 5 and target.read_bytes() == b"new" * 9


@pytest.mark.late
def test_a_folder_is_old_or_new_whenever_its_writer_is_killed(tmp_path, swap):
    operation, killed, lost = 0, True, 0
    while killed:
        target = tmp_path / str(operation) / "run"
        fill(target, "old")
        killed = killed_before(operation, lambda: fill(target, "new"))  # noqa: B023
        lost += not target.exists()
        restore(target)
        assert words_in(target) in (["old"] * 3, ["new"] * 3)
        sweep(target.parent)
        assert listed(target.parent) == ["run"]
        fill(target, "next")
        assert words_in(target) == ["next"] * 3 and listed(target.parent) == ["run"]
        operation += 1
    assert operation > 15
    assert lost == (1 if swap == "two renames" else 0)


def test_a_model_that_was_moved_aside_is_loaded(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 1, 30)).astype(np.float32)
    model = st.pretrain(x, encoder="quantiles")
    for place in (tmp_path / "mine", tmp_path / "run" / "model"):
        model.save(place).rename(place.with_name(hidden("old", place.name)))
    for place in (tmp_path / "mine", tmp_path / "run"):
        assert st.load(place).embed(x).tolist() == model.embed(x).tolist()


@pytest.mark.slow  # two dozen processes, each of which loads and saves
def test_a_model_is_old_or_new_whenever_its_writer_is_killed(tmp_path, swap):
    x = np.random.default_rng(0).normal(size=(8, 1, 30)).astype(np.float32)
    old, new = (st.pretrain(x, encoder="quantiles", seed=seed) for seed in (0, 1))
    vectors = [model.embed(x[:2]).tolist() for model in (old, new)]
    assert vectors[0] != vectors[1]
    operation, killed, seen = 0, True, set()
    while killed:
        target = old.save(tmp_path / str(operation) / "mine")
        killed = killed_before(operation, lambda: new.save(target, overwrite=True))  # noqa: B023
        found = st.load(target).embed(x[:2]).tolist()
        seen.add(vectors.index(found))
        assert len(listed(target)) == 4
        sweep(target.parent)
        assert listed(target.parent) == ["mine"]
        operation += 1
    assert operation > 14 and seen == {0, 1} and found == vectors[1]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("broken", ["rename", "fsync", "walk"])
def test_a_failure_leaves_the_old_folder(tmp_path, monkeypatch, swap, broken, error):
    fill(tmp_path / "run", "old")
    call, left = getattr(os, broken), [1 if swap == "two renames" and broken == "rename" else 0]

    def full(*given, **options):
        left[0] -= 1
        if left[0] == -1:
            raise error("No space left")
        return call(*given, **options)

    monkeypatch.setattr(os, broken, full)
    if (swap, broken) == ("exchange", "rename"):
        fill(tmp_path / "run", "new")  # renames nothing
        assert words_in(tmp_path / "run") == ["new"] * 3
    else:
        with pytest.raises(error, match="No space left"):
            fill(tmp_path / "run", "new")
        assert words_in(tmp_path / "run") == ["old"] * 3
    assert listed(tmp_path) == ["run"]


def test_nothing_is_replaced_unless_asked(tmp_path):
    fill(tmp_path / "run", "old")
    with pytest.raises(FileExistsError, match="run exists: choose another path, or overwrite=True"):
        fill(tmp_path / "run", "new", overwrite=False)
    assert words_in(tmp_path / "run") == ["old"] * 3 and listed(tmp_path) == ["run"]


def test_what_came_in_the_meantime_is_not_replaced(tmp_path):
    with pytest.raises(OSError, match="not empty"), whole_folder(tmp_path / "run", overwrite=False):
        fill(tmp_path / "run", "other")
    assert words_in(tmp_path / "run") == ["other"] * 3 and listed(tmp_path) == ["run"]


def test_a_link_is_followed(tmp_path):
    fill(tmp_path / "real" / "run", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "run")
    fill(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and words_in(tmp_path / "real" / "run") == ["new"] * 3


def test_drafts_of_dead_processes_alone_are_swept(tmp_path):
    swept = [hidden("draft"), hidden("old", "run")]
    stay = [hidden("draft", pid=os.getpid()), hidden("draft", machine="elsewhere"), ".draft-mine"]
    for name in (*swept, *stay, "run"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_text("half")
    (tmp_path / hidden("draft").replace("0123", "9999")).write_text("half a file")
    write_file(tmp_path / "a", b"")
    assert listed(tmp_path) == sorted([*stay, "run", "a"])


def test_drafts_say_who_writes(tmp_path):
    with whole_folder(tmp_path / "run", overwrite=False) as draft:
        machine = re.sub(r"\W", "_", os.uname().nodename)[:32]
        assert re.fullmatch(rf"\.draft-{os.getpid()}-{machine}-[0-9a-f]{{8}}", draft.name)
        sweep(tmp_path)
        assert draft.is_dir()  # its process is not dead


def test_a_reader_waits_for_a_living_writer(tmp_path, monkeypatch):
    aside = tmp_path / hidden("old", "run", pid=os.getpid())
    aside.mkdir()
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        (tmp_path / "run").mkdir()

    monkeypatch.setattr(time, "sleep", sleep)
    restore(tmp_path / "run")
    assert slept == [0.01] and aside.is_dir()
    monkeypatch.setattr(files, "PATIENCE", 0.0)  # a writer that hangs
    (tmp_path / "run").rmdir()
    restore(tmp_path / "run")
    assert listed(tmp_path) == ["run"]


def test_nothing_to_restore_is_no_error(tmp_path):
    restore(tmp_path / "nowhere" / "run")
    sweep(tmp_path / "nowhere")
    remove_folder(tmp_path / "nowhere")
    assert listed(tmp_path) == []


def test_one_module_alone_renames():
    source = Path(files.__file__).parents[1]
    words = re.compile(r"os\.re(name|place)|\.rename\(|mkdtemp|mkstemp|NamedTemporaryFile|rmtree")
    found = {p.name for p in source.rglob("*.py") if words.search(p.read_text(encoding="utf8"))}
    assert found == {"files.py"}
