"""No message of the command line names a Python object, whatever goes wrong."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app

PYTHON = re.compile(
    r"\b(st|selftime|np|pd|numpy|pandas)\.\w+\(|\bselftime\.\w+|Columns\(|SeriesSet|Traceback"
    r"|\b[a-z_]+=['\"\w.]|\b(Value|Type|Key|Index|Series|Attribute)Error\b|\bNone\b|\bself\b|``"
    r"|\b(True|False)\b|dtype|ndarray|\[None\]|fit_channels|\bhead\(|\bget_\w+|overwrite|pad="
)
"""Words that only someone who writes Python knows."""


def made(n: int = 8, channels: int = 1, length: int = 40, labels=None, **more) -> st.SeriesSet:
    x = np.random.default_rng(0).normal(size=(n, channels, length))
    return st.SeriesSet.of(x, labels, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Files of series that commands may choke on, and a model."""
    folder = tmp_path_factory.mktemp("words")
    kinds = ["a", "b"] * 4
    st.write(made(labels=kinds), folder / "good.csv")
    st.write(made(), folder / "bare.csv")
    st.write(made(n=1, labels=["a"]), folder / "one.csv")
    st.write(made(labels=["a"] * 8), folder / "same.csv")
    st.write(made(labels=["c", "d"] * 4), folder / "others.csv")
    st.write(made(labels=["a", *[None] * 7]), folder / "single.csv")
    st.write(made(channels=2, labels=kinds), folder / "wide.csv")
    st.write(made(length=3, labels=kinds), folder / "short.csv")
    named = st.SeriesSet.of(made(channels=2).values, kinds, channels=["temp", "press"])
    st.write(named, folder / "named.csv")
    (folder / "text.csv").write_text("a,b\nx,y\nz,w\n")
    (folder / "empty.csv").write_text("")
    (folder / "twice.csv").write_text("unique_id,ds,y\nA,1,2\nA,1,3\nA,2,4\nA,2,5\nA,3,1\nA,3,1\n")
    (folder / "labels.csv").write_text("id,label\nnobody,a\nno one,b\n")
    (folder / "two.csv").write_text("id,label\n0,a\n0,b\n")
    (folder / "column.csv").write_text("id\n0\n1\n")
    (folder / "spans.csv").write_text("id,start,end,label\n0,yesterday,today,a\n")
    (folder / "nothing").mkdir()
    (folder / "some.pickle").write_bytes(b"123")
    (folder / "normal.npz").write_bytes(b"123")
    model = st.pretrain(st.read(folder / "good.csv"), encoder="quantiles")
    model.save(folder / "model")
    st.pretrain(named, encoder="quantiles").save(folder / "pair")
    steps = st.pretrain(st.read(folder / "good.csv"), objective="simclr", budget="1 step")
    steps.save(folder / "steps")
    return folder


UNREADABLE = ("text", "empty", "twice", "absent")
OPTIONS = (
    *(
        "--id x",
        "--time x",
        "--label x",
        "--group x",
        "--channels x",
        "--ignore x",
        "--layout wide",
    ),
    *("--layout series", "--time-zone Mars/Olympus", "--missing x", "--repeated refuse"),
    *("--windows 0", "--windows x", "--windows 99999", "--windows 10min", "--windows 5 --stride 0"),
    *("--labels labels.csv", "--labels two.csv", "--labels column.csv", "--labels spans.csv"),
    *("--labels absent.csv", "--labels some.pickle", "--label folder", "--group folder"),
    *("--id none", "--time none", "--channels y,z"),
)
COMMANDS = {
    "advise {d}": ("bare",),
    "inspect {d}": ("one", "same", "short"),
    "embed model {d} --out out.csv": ("wide", "named"),
    "classify model --train {d} --test good.csv --out out.csv": ("bare", "same", "single", "named"),
    "classify model --train good.csv --test {d} --out out.csv": ("wide", "named"),
    "compare --model model --train {d} --test bare.csv": ("bare", "one", "same", "single", "good"),
    "compare --model model --train good.csv --test {d}": ("bare", "others", "wide"),
    "pick steps {d} --out picked": ("bare", "one", "same", "single", "wide"),
    "suggest model {d} --n 99": ("good", "one", "wide", "single"),
    "suggest model good.csv --labelled {d} --n 99": ("bare", "wide"),
    "pretrain {d} --objective x --out run": ("one", "bare"),
    "race {d} --objectives x --out race": ("one", "bare"),
    "detect {d} --out scores.csv --normal 999999": ("good", "one"),
    "forecast {d} --horizon 9999 --out f.csv": ("one",),
    "backtest {d} --horizon 9999": ("one",),
    "report {d}": ("good",),
}
"""Commands, and data of which each is refused or warned of."""
WRONG = (
    *("classify absent --train good.csv --test good.csv --out out.csv",),
    *("classify model --train good.csv --test good.csv --out out.npz",),
    *("classify model --train good.csv --test good.csv --out out.csv --strategy x",),
    *("classify model --train good.csv --test good.csv --out out.csv --head x",),
    *("classify model --train good.csv --test good.csv --out out.csv --head knn --strategy full",),
    *("classify pair --train named.csv --test wide.csv --out out.csv --channels temp",),
    *("compare --train good.csv --test good.csv --labels-per-class x",),
    *("compare --train good.csv --test good.csv --strategies x",),
    *("compare --model model --model absent --train good.csv --test good.csv",),
    *("pick model good.csv --out picked", "pick steps single.csv --out picked"),
    *("pretrain good.csv --out run --budget x", "pretrain good.csv --out run --encoder spectral"),
    *("pretrain good.csv --out run --objective spectral --budget '5 steps'",),
    *("pretrain good.csv --out model", "pretrain good.csv --out good.csv --force"),
    *("pretrain one.csv --out run", "pretrain good.csv --out run --objective vicreg+spectral"),
    *("race good.csv --out race --objectives simclr,x", "race good.csv --out good.csv"),
    *("suggest model good.csv --n 99", "suggest model good.csv --labelled bare.csv"),
    *("suggest pair good.csv", "embed pair wide.csv --channels temp --out out.csv"),
    *("embed model good.csv --out out.xyz"),
    *("embed some.pickle good.csv --out out.csv", "embed model some.pickle --out out.csv"),
    *("inspect normal.npz", "inspect nothing", "inspect good.csv --out x.png"),
    *("inspect good.csv --views --out x.xyz", "inspect one.csv --views", "inspect sample:Iris"),
    *("inspect sample:PenDigits:dev", "methods x", "report nothing", "report absent"),
    *(
        "watch absent",
        "watch model",
        "watch pair --normal wide.csv",
        "watch steps --normal one.csv",
    ),
    *("watch model --window 5 --normal bare.csv --rate 5", "watch model --every 3"),
    *("watch model --window 5 --normal short.csv --rate 0.0001",),
    *("detect good.csv --out scores.csv --normal 2", "detect one.csv --out x.csv --model absent"),
    *("forecast good.csv --out f.csv --horizon 3 --covariates x",),
    *("forecast good.csv --out f.csv --horizon 3 --strategy x", "backtest one.csv --horizon 3"),
    *("backtest good.csv --horizon 3 --protocol x", "forecast good.csv --out f.xyz --horizon 3"),
)


def said(words: str, world, monkeypatch) -> tuple[int, str]:
    """The exit code of a command and all that it says on stderr."""
    monkeypatch.chdir(world)
    result = CliRunner().invoke(app, words.split(), input="")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr


def check(words: str, world, monkeypatch) -> int:
    code, text = said(words, world, monkeypatch)
    found = PYTHON.search(text)
    assert not found, f"selftime {words}\n{found[0]!r} in: {text}"
    return code


@pytest.mark.late
@pytest.mark.parametrize("command", COMMANDS)
def test_of_data_that_commands_cannot_use(command, world, monkeypatch):
    for name in (*COMMANDS[command], *UNREADABLE):
        check(command.format(d=f"{name}.csv"), world, monkeypatch)


@pytest.mark.parametrize("options", OPTIONS)
def test_of_options_that_do_not_fit(options, world, monkeypatch):
    check(f"inspect good.csv {options}", world, monkeypatch)


@pytest.mark.late
@pytest.mark.parametrize("words", WRONG)
def test_of_wrong_words(words, world, monkeypatch):
    assert check(words, world, monkeypatch) != 0
