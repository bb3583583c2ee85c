"""The front doors are light: nothing heavy is imported before it is used."""

import json
import subprocess
import sys

import pytest

import selftime

HEAVY = ("torch", "numpy", "numba", "scipy", "sklearn", "matplotlib", "pyarrow", "pandas")


def loaded_by(code: str) -> set[str]:
    """Heavy packages, and our own rooms, that a fresh process has imported after ``code``."""
    ask = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = json.loads(done.stdout.splitlines()[-1])
    return {name for name in names if name in HEAVY or name.startswith("selftime.")}


def test_import_selftime_imports_nothing_else():
    assert loaded_by("import selftime") == set()
    assert loaded_by("import selftime; selftime.__version__; dir(selftime)") == set()


def test_help_imports_nothing_heavy():
    code = (
        "from typer.testing import CliRunner; from selftime.cli import app\n"
        "for words in (['--help'], ['pretrain', '--help'], ['--version'], ['demo', '--bad']):\n"
        "    CliRunner().invoke(app, words)"
    )
    light = (
        "detecting",
        "door",
        "forecasting",
        "learn",
        "options",
        "picking",
        "recall",
        "suggesting",
        "terminal",
        "use",
        "watch",
    )
    ours = {"selftime.cli", "selftime.progress"} | {f"selftime.cli.{name}" for name in light}
    assert loaded_by(code) == ours


def test_inspect_does_not_wait_for_torch():
    code = (
        "from typer.testing import CliRunner; from selftime.cli import app\n"
        "assert CliRunner().invoke(app, ['inspect', 'sample:ECG']).exit_code == 0"
    )
    assert "torch" not in loaded_by(code) and "sklearn" not in loaded_by(code)


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
