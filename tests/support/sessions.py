"""Recorded sessions of a page: run as they stand there, and recorded anew.

A console block has commands after ``$`` with their output below, a python block has ``>>>``. In
the output "…" stands for anything in a line, and for any lines where it stands alone.
``python tests/support/sessions.py [PAGE] [NUMBER …]`` writes docs/your-data.md, docs/signals.md,
docs/store.md and docs/ray.md with the output of today.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from session_material import make_files
from signal_material import make_signals
from typer.testing import CliRunner

from selftime.cli import app

DOCS = Path(__file__).parents[2] / "docs"
PAGE, SIGNALS, STORE, CLUSTERS = (
    DOCS / f"{name}.md" for name in ("your-data", "signals", "store", "ray")
)
MAKERS = {PAGE: make_files, SIGNALS: make_signals, STORE: make_files, CLUSTERS: make_files}
"""What makes the files of the sessions of a page."""
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRESS = re.compile(r"^\w+: ([\d,]+ of [\d,]+|about [\w ]+ in all)\n", re.MULTILINE)
SECONDS = re.compile(r"\bin [\d.]+ s\b")


def sections(text: str) -> dict[str, str]:
    """The text of each numbered section, by its heading."""
    parts = re.split(r"^## (\d+\. .*)$", text, flags=re.MULTILINE)
    bodies = (re.split(r"^## ", body, flags=re.MULTILINE)[0] for body in parts[2::2])
    return dict(zip(parts[1::2], bodies, strict=True))


def exchanges(language: str, block: str) -> Iterator[tuple[str, str, str]]:
    """What was typed in a block, as it stands there and as it is run, and the output below."""
    if language == "python":
        for example in doctest.DocTestParser().get_examples(block):
            first, *more = example.source.splitlines()
            typed = "\n".join([f">>> {first}", *(f"... {line}".rstrip() for line in more)])
            yield typed, example.source, example.want
        return
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        found = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", part, re.DOTALL)
        assert found, part
        yield f"$ {found[1].rstrip()}", found[1].replace("\\\n", " "), found[2]


def answer_of(command: str) -> str:
    """What a command prints in the current folder; a pipe may lead into selftime and out of it."""
    given, ours = "", re.compile(r"((?:^|(?<= \| ))selftime [^|]*)")
    parts = [part.strip(" |\n") for part in ours.split(command.strip()) if part.strip(" |\n")]
    for part in parts:
        if part.startswith("selftime "):
            result = CliRunner().invoke(app, shlex.split(part)[1:], input=given)
            if result.exception and not isinstance(result.exception, SystemExit):
                raise result.exception
            given = PROGRESS.sub("", result.stdout if part != parts[-1] else result.output)
        else:
            run = subprocess.run(part, shell=True, input=given, capture_output=True, text=True)
            assert run.returncode == 0, f"{part}: {run.stderr}"
            given = run.stdout
    return given


def replies(language: str, block: str, names: dict) -> Iterator[tuple[str, str, str]]:
    """What was typed, what the page says came, and what comes now."""
    for typed, source, wanted in exchanges(language, block):
        if language == "console":
            came = answer_of(source)
        else:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(source, "page", "single"), names)
            came = out.getvalue()
        yield typed, wanted, "\n".join(line.rstrip() for line in came.strip("\n").split("\n"))


def agrees(wanted: str, came: str) -> bool:
    """Whether output is what the page says, where "…" stands for anything."""
    lines = []
    for line in wanted.strip("\n").split("\n"):
        alone = line.strip() == "…"
        cells = re.escape(line).replace(r"\…", "…").replace("…", "[^\n]*")
        lines.append("(?:[^\n]*\n)*?" if alone else cells + "\n")
    return bool(re.fullmatch("".join(lines), came + "\n"))


def assert_goes_as_recorded(section: str) -> None:
    """Type what a section of a page has typed, here, and compare what comes."""
    names: dict = {}
    for found in BLOCK.finditer(section):
        for typed, wanted, came in replies(found[1], found[2], names):
            assert agrees(wanted, came), f"{typed}\nwanted:\n{wanted}\ncame:\n{came}"


def record(text: str) -> str:
    """A section with the output of today; what agrees stays as it is."""
    names: dict = {}

    def anew(found: re.Match) -> str:
        lines = []
        for typed, wanted, came in replies(found[1], found[2], names):
            kept = wanted.strip("\n") if agrees(wanted, came) else SECONDS.sub("in … s", came)
            lines += [typed, *([kept] if kept else [])]
        return "\n".join([f"```{found[1]}", *lines, "```"])

    return BLOCK.sub(anew, text)


def record_page(path: Path, numbers: list[str]) -> str:
    """A page with its sessions of these numbers, or all, recorded anew."""
    page = path.read_text(encoding="utf8")
    for heading, section in sections(page).items():
        if not numbers or heading.partition(".")[0] in numbers:
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                MAKERS[path](Path(folder))
                page = page.replace(section, record(section))
    return page


if __name__ == "__main__":
    numbers = [word for word in sys.argv[1:] if word.isdigit()]
    for path in MAKERS:
        if path.stem in sys.argv or not {page.stem for page in MAKERS} & set(sys.argv):
            old = path.read_text(encoding="utf8")
            page = record_page(path, numbers)
            path.write_text(page, encoding="utf8")
            sys.stderr.write(f"{path}: {'as it was' if page == old else 'written anew'}\n")
