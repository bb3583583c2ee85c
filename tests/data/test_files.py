"""Whatever is written is there whole or not at all, old or new, at every moment of a crash."""

import errno
import json
import os
import re
import resource
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from kill_points import killed_before
from safetensors.numpy import save_file

import selftime as st
from selftime.data import files, places
from selftime.data.files import (
    append_line,
    begin_successor,
    clear_successor,
    has_successor,
    install_successor,
    remove_folder,
    restore,
    successor_of,
    sweep,
    sweep_below,
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


DRAFT, OLD = ".draft-0123abcd", ".old-0123abcd"
"""Names that a process might have given which has ended: nobody holds them."""


def move_aside(folder):
    """Leave a folder as a process does that is killed between two renames."""
    aside = folder.with_name(OLD)
    aside.mkdir()
    return folder.rename(aside / folder.name).parent


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
        move_aside(model.save(place))
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
    fill(tmp_path / "run", "old")
    move_aside(tmp_path / "run")
    (tmp_path / DRAFT / "deep").mkdir(parents=True)
    (tmp_path / DRAFT / "deep" / "half").write_text("half")
    for name in (".draft-89abcdef", ".lock-0123abcd", ".draft-mine", ".next-0123abcd"):
        (tmp_path / name).write_text("half a file")
    with whole_folder(tmp_path / "more", overwrite=False) as living:
        write_file(tmp_path / "a", b"")
        stay = [".draft-mine", ".next-0123abcd", living.name, "run", "a"]
        assert listed(tmp_path) == sorted(stay)
    assert words_in(tmp_path / "run") == ["old"] * 3


def test_a_draft_of_a_file_system_without_locks_is_dead_after_a_day(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(places.fcntl, "flock", unsupported)
    for name in (DRAFT, ".draft-89abcdef"):
        (tmp_path / name).write_text("half a file")
    os.utime(tmp_path / DRAFT, (0, 0))
    write_file(tmp_path / "a", b"")
    fill(tmp_path / "run", "new")
    assert listed(tmp_path) == [".draft-89abcdef", "a", "run"]


def test_a_reader_waits_for_a_living_writer(tmp_path, monkeypatch):
    fill(tmp_path / "run", "old")
    aside = move_aside(tmp_path / "run")
    handle = places.hold(aside)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        fill(tmp_path / "run", "new")

    monkeypatch.setattr(time, "sleep", sleep)
    restore(tmp_path / "run")
    assert slept == [0.01] and words_in(tmp_path / "run") == ["new"] * 3 and aside.is_dir()
    monkeypatch.setattr(files, "PATIENCE", 0.0)  # a writer that hangs
    remove_folder(tmp_path / "run")
    restore(tmp_path / "run")
    assert words_in(tmp_path / "run") == ["old"] * 3
    os.close(handle)


OWN = re.compile("one|two|deep/three")


def test_files_of_others_go_over_into_the_new_folder(tmp_path, swap):
    run = tmp_path / "run"
    fill(run, "old")
    (run / "deep" / "mine").mkdir()
    (run / "deep" / "mine" / "notes.txt").write_text("precious")
    (run / "link").symlink_to("deep")
    (run / "nowhere").symlink_to("gone")
    (run / DRAFT).write_text("half a file")
    with whole_folder(run, overwrite=True, own=OWN) as draft:
        (draft / "one").write_text("new")
    assert listed(run) == ["deep", "link", "nowhere", "one"]
    assert (run / "one").read_text() == "new" and not (run / "two").exists()
    assert (run / "deep" / "mine" / "notes.txt").read_text() == "precious"
    assert (run / "link").is_symlink() and os.readlink(run / "nowhere") == "gone"


def test_they_are_copied_where_there_are_no_links(tmp_path, monkeypatch):
    fill(tmp_path / "run", "old")
    (tmp_path / "run" / "notes.txt").write_text("precious")

    def refuse(*_, **__):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    with whole_folder(tmp_path / "run", overwrite=True, own=OWN):
        pass
    assert (tmp_path / "run" / "notes.txt").read_text() == "precious"


def test_a_folder_stays_until_what_is_made_beside_it_call_by_call_is_whole(tmp_path, swap):
    run = tmp_path / "run"
    fill(run, "old")
    (run / "notes.txt").write_text("precious")
    beside = begin_successor(run)
    (beside / "one").write_text("half")
    assert has_successor(run) and beside == successor_of(run)
    assert sorted(words_in(run)) == ["old", "old", "old", "precious"]
    beside = begin_successor(run)
    assert not (beside / "one").exists()
    (beside / "one").write_text("new")
    install_successor(run, OWN)
    assert listed(tmp_path) == ["run"] and listed(run) == ["notes.txt", "one"]
    assert not has_successor(run) and (run / "one").read_text() == "new"


@pytest.mark.late
def test_either_is_there_whenever_the_exchange_is_killed(tmp_path, swap):
    def renew():
        (begin_successor(run) / "one").write_text("new")
        install_successor(run, OWN)

    operation, killed = 0, True
    while killed:
        run = tmp_path / str(operation) / "run"
        fill(run, "old")
        (run / "notes").write_text("mine")
        killed = killed_before(operation, renew)
        restore(run)
        clear_successor(run)
        assert words_in(run) in (["old", "mine", "old", "old"], ["mine", "new"])
        sweep_below(run.parent)
        assert listed(run.parent) in (["run"], [successor_of(run).name, "run"])
        if has_successor(run):
            assert (run / "one").read_text() == "old"
        operation += 1
    assert operation > 15 and listed(run.parent) == ["run"] and words_in(run) == ["mine", "new"]


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_modes_follow_the_mask_of_the_user(tmp_path, mask):
    before = os.umask(mask)
    try:
        with whole_folder(tmp_path / "run", overwrite=False) as draft:
            save_file({"a": np.ones(3)}, draft / "tensors")
            (draft / "deep").mkdir()
            (draft / "deep" / "text").write_text("x")
        write_file(tmp_path / "a", b"")
    finally:
        os.umask(before)
    for path in ("run/tensors", "run/deep/text", "a"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o666 & ~mask


def test_a_full_disk_is_one_error_that_names_the_target(tmp_path):
    fill(tmp_path / "run", "old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        whole = whole_folder(tmp_path / "run", overwrite=True)
        with pytest.raises(OSError) as by_tensors, whole as draft:
            save_file({"a": np.ones(1000)}, draft / "tensors")
        with pytest.raises(OSError) as by_bytes:
            write_file(tmp_path / "a", bytes(2000))
        with pytest.raises(OSError) as by_line:
            append_line(tmp_path / "b", "x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    for found, name in ((by_tensors, "run"), (by_bytes, "a"), (by_line, "b")):
        assert found.value.errno == errno.EFBIG and found.value.filename == str(tmp_path / name)
        assert found.value.strerror.endswith(
            ": make room and call again; what stood there before still does"
        )
    assert words_in(tmp_path / "run") == ["old"] * 3 and listed(tmp_path) == ["b", "run"]


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
