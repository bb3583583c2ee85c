"""The front doors are light: nothing heavy is imported before it is used."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from house_rules import imports
from typer.main import get_command

import selftime
from selftime.cli import app

CLI = sorted((Path(selftime.__file__).parent / "cli").glob("*.py"))

HEAVY = ("torch", "numpy", "numba", "scipy", "sklearn", "matplotlib", "pyarrow", "pandas")
MEDIA = ("PIL", "av", "soundfile", "soxr", "tokenizers")
"""Decoders of pictures, films, sounds and texts: series need none of them."""


def loaded_by(code: str) -> set[str]:
    """Heavy packages, and our own rooms, that a fresh process has imported after ``code``."""
    ask = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = json.loads(done.stdout.splitlines()[-1])
    return {n for n in names if n in (*HEAVY, *MEDIA) or n.startswith("selftime.")}


def test_import_selftime_imports_nothing_else():
    assert loaded_by("import selftime") == set()
    assert loaded_by("import selftime; selftime.__version__; dir(selftime)") == set()


@pytest.mark.late
def test_help_imports_nothing_heavy():
    code = (
        "from typer.testing import CliRunner; from selftime.cli import app\n"
        "for words in (['--help'], ['pretrain', '--help'], ['--version'], ['demo', '--bad']):\n"
        "    CliRunner().invoke(app, words)"
    )
    light = {f"selftime.cli.{path.stem}" for path in CLI if path.stem != "__init__"}
    assert loaded_by(code) == {"selftime.cli", "selftime.door", "selftime.texts"} | light


def test_each_command_has_a_file_of_its_name_over_the_public_door_and_the_report_alone():
    shared = {"__init__", "app", "files", "options", "terminal"}
    commands = {name for name in get_command(app).commands}
    assert {path.stem for path in CLI} == commands | shared
    for path in CLI:
        found = {name for _, name in imports(ast.parse(path.read_text(encoding="utf8")))}
        ours = {name for name in found if name.startswith(("selftime", "."))}
        strange = [
            n
            for n in ours
            if not re.fullmatch(r"selftime(\.(door|texts)|\.(cli|report)(\..+)?)?", n)
        ]
        assert not strange, (path.name, strange)
    assert sum(len(path.read_text(encoding="utf8").splitlines()) for path in CLI) < 2900


@pytest.mark.late
@pytest.mark.parametrize(
    "words, names", [("pre", {"pretrain", "predict"}), ("in", {"index", "inspect"}), ("zz", set())]
)
def test_names_of_commands_are_completed(words, names):
    told = {
        "COMP_WORDS": f"selftime {words}",
        "COMP_CWORD": "1",
        "_SELFTIME_COMPLETE": "complete_bash",
    }
    run = [sys.executable, "-X", "importtime", "-m", "selftime"]
    done = subprocess.run(run, capture_output=True, text=True, env=os.environ | told)
    assert set(done.stdout.split()) == names
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & set(HEAVY)


@pytest.mark.late
def test_inspect_does_not_wait_for_torch():
    code = (
        "from typer.testing import CliRunner; from selftime.cli import app\n"
        "assert CliRunner().invoke(app, ['inspect', 'sample:ECG']).exit_code == 0"
    )
    assert "torch" not in loaded_by(code) and "sklearn" not in loaded_by(code)


@pytest.mark.late
def test_series_and_bundled_media_need_no_decoder(tmp_path):
    (tmp_path / "a.csv").write_text("t,u\n1,2\n2,3\n")
    code = (
        f"import selftime as st; x = st.read({str(tmp_path)!r})\n"
        f"st.write(x, {str(tmp_path / 'b.npz')!r})\n"
        "for name in ('Digits', 'Speech', 'Text', 'Film'): st.inspect('sample:' + name)"
    )
    assert not loaded_by(code) & {"torch", *MEDIA}


@pytest.mark.parametrize("name", selftime.__all__)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(selftime, name)
    assert thing is getattr(selftime, name)
    assert name == "__version__" or (thing.__doc__ and thing.__name__ == name)


def test_public_names_are_listed_and_others_refused():
    assert dir(selftime) == sorted(selftime.__all__)
    assert {"read", "pretrain", "load", "compare", "Classifier", "methods"} <= set(dir(selftime))
    with pytest.raises(AttributeError, match="module 'selftime' has no attribute 'forecast'"):
        _ = selftime.forecast
