"""What is developed with is locked by version and hash, and looked after where that can be."""

import re
import tomllib
from pathlib import Path

import audit
import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements-dev.lock").read_text(encoding="utf8")


def test_every_package_of_development_is_locked_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[>=\[<]", line)[0].lower() for line in wanted}
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    locked = {entry.split("==")[0] for entry in entries}
    assert names <= locked
    assert all(re.match(r"\S+==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", e) for e in entries)
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or f"\n{line} " in f"\n{LOCK}"


def test_the_lock_names_no_place():
    assert not re.search(r"://|index|find-links|^-|file:|^/", LOCK, re.MULTILINE)


def test_offline_nothing_is_looked_for(monkeypatch, capsys):
    def refuse(place, timeout):
        raise OSError("no network")

    monkeypatch.setattr(audit, "create_connection", refuse)
    assert audit.main() == 0
    assert capsys.readouterr().out == "vulnerability data not reachable: skipped\n"


@pytest.mark.parametrize("code", [0, 1])
def test_what_is_known_against_a_package_fails_the_check(monkeypatch, code):
    asked = []

    class Done:
        returncode = code

    monkeypatch.setattr(audit, "is_reachable", lambda: True)
    monkeypatch.setattr(audit, "find_spec", lambda name: name)
    monkeypatch.setattr(audit.subprocess, "run", lambda words: asked.append(words) or Done)
    assert audit.main() == code
    assert audit.LOCK in asked[0] and "--require-hashes" in asked[0]
