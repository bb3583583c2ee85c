"""``make near FILE=src/selftime/…``: the tests of a room and of whatever imports it, for a minute.

Nearest first: tests that import the file, tests of its room, tests of the files that import it.
After a minute the rest is left to ``make check``, and said.
"""

import ast
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from house_package import customers, imported_modules, module_of

ROOT = Path(__file__).parents[2]
SOURCE, TESTS = ROOT / "src" / "selftime", ROOT / "tests"
SECONDS = 40


class Deadline:
    """Stops between two tests once the time is over."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Ask for a stop before a test, if it is late."""
        if time.monotonic() > self.end:
            item.session.shouldstop = "a minute is over: make check runs the rest"


def test_folder(path: Path) -> Path:
    """The folder of tests that mirrors a source file's."""
    return TESTS / path.relative_to(SOURCE).parent


def near_tests(path: Path) -> list[Path]:
    """Test files for a source file, nearest first."""
    trees = {file: ast.parse(file.read_text(encoding="utf8")) for file in SOURCE.rglob("*.py")}
    tests = {file: ast.parse(file.read_text(encoding="utf8")) for file in TESTS.rglob("test_*.py")}
    users = customers(trees, SOURCE)[path]
    return list(dict.fromkeys(_ordered(path, users, tests)))


def _ordered(path: Path, users: set[Path], tests: dict[Path, ast.Module]) -> Iterator[Path]:
    asked = {test: imported_modules(tree) for test, tree in tests.items()}
    for files in ([path], sorted(users)):
        names = {module_of(file, SOURCE) for file in files}
        yield from (test for test in tests if asked[test] & names)
        for file in files:
            yield from sorted(test_folder(file).glob("test_*.py"))


if __name__ == "__main__":
    source = Path(sys.argv[1]).resolve()
    if not source.is_relative_to(SOURCE) or not source.is_file():
        sys.exit(f"got {sys.argv[1]}, wanted a file of the package: make near FILE=src/selftime/…")
    found = near_tests(source)
    print(f"{len(found)} test files near {source.relative_to(ROOT)}", flush=True)
    options = [
        "-q",
        "-m",
        "not slow and not late and not again",
        "--hypothesis-profile=quick",
        "-p",
        "no:xdist",
    ]
    sys.exit(pytest.main([*options, *map(str, found)], plugins=[Deadline(SECONDS)]))
