"""``selftime watch``: a line in, a line out, whatever comes in, and a clean end."""

import io
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from stream_material import model_of, offline, per_series, series_of
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app, watch
from selftime.cli.watch import LONGEST, columns_named, parse_step, read_lines

TAKES_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""Tests that run in the background hand down that SIGINT is ignored; a terminal does not."""
PROGRAM = [sys.executable, "-c", TAKES_SIGINT + "from selftime.cli import main; main()", "watch"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(model_of("dilated", 2).save(tmp_path_factory.mktemp("model") / "two"))


@pytest.fixture(scope="module")
def normal(tmp_path_factory):
    path = tmp_path_factory.mktemp("normal") / "normal.csv"
    rows = calm(400)
    path.write_text("channel 1,channel 2\n" + "".join(f"{a:.4f},{b:.4f}\n" for a, b in rows))
    return str(path)


def calm(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2))


def text_of(rows: np.ndarray) -> str:
    return "".join(f"{a:.6f},{b:.6f}\n" for a, b in rows)


def run(*words: str, given: str | bytes, code: int = 0):
    result = CliRunner().invoke(app, ["watch", *words], input=given)
    assert result.exit_code == code, result.output
    return result.stdout.splitlines(), result.stderr.splitlines()


def test_scores_and_alarms_of_steps(folder, normal):
    rows = calm(60, seed=1)
    rows[40:44] += 50
    words = [folder, "--normal", normal, "--rate", "0.02"]
    out, told = run(*words, "--cool-down", "2", given=text_of(rows))
    steps, scores, alarms = zip(*(line.split(",") for line in out), strict=True)
    assert list(map(int, steps)) == list(range(1, 61)) and told[-1] == "60 lines"
    high = np.array(scores, float) > 1
    assert high[:40].mean() < 0.15 and high[40:44].all()
    assert alarms[40:44] == ("1", "0", "0", "1")
    found = [json.loads(line) for line in run(*words, "--json", given=text_of(rows))[0]]
    assert list(found[40]) == ["step", "score", "p", "alarm"] and found[40]["alarm"] is True
    assert found[40]["p"] == pytest.approx(1 / 134) and all(0 < line["p"] <= 1 for line in found)
    np.testing.assert_allclose([line["score"] for line in found], np.array(scores, float), 1e-5)


def test_without_normal_series_the_first_lines_are(folder):
    words = [folder, "--learn", "100", "--rate", "0.05"]
    out, told = run(*words, given=text_of(calm(130)))
    assert out[:100] == [f"{step},,0" for step in range(1, 101)]
    assert all(float(line.split(",")[1]) > 0 for line in out[100:])
    out, told = run(*words, "--json", given=text_of(calm(4)))
    assert json.loads(out[3]) == {"step": 4, "score": None, "p": None, "alarm": False}
    assert told == ["4 lines", "no scores: they begin after 100 lines (--learn, --normal)"]


def test_vectors_are_those_of_the_stream(folder):
    x = series_of((1, 2, 12))
    given = "".join(f"{a!r},{b!r}\n" for a, b in x[0].T.tolist())
    wanted = offline(model_of("dilated", 2), x)[0]
    out, _ = run(folder, "--vectors", given=given)
    np.testing.assert_allclose([list(map(float, line.split(","))) for line in out], wanted, 0, 1e-5)
    out, _ = run(folder, "--vectors", "--json", given=given)
    np.testing.assert_allclose([json.loads(line)["embedding"] for line in out], wanted, 0, 1e-5)


HOSTILE = [
    *("abc,1", "1", "1,2,3", "nan,nan", ",", "", "inf,-inf", "1e999,0", "1e300,-1e300", "1_0,2"),
    *("\x00,\x07", "é,1", "nan,0", "0x10,1", "1;2", '"1","2"', "-,-", "--help", "9" * 400 + ",1"),
]


def test_hostile_lines_are_told_and_taken_as_missing(folder, normal):
    given = text_of(calm(3)).encode() + b"\xff\xfe,1\n" + "\n".join(HOSTILE).encode()
    out, told = run(folder, "--normal", normal, given=given + b"\r\n1,1")
    assert len(out) == 5 + len(HOSTILE)
    rows = [line.split(",") for line in out]
    read = [k for k, (_, score, _) in enumerate(rows) if score]
    assert [int(rows[k][0]) for k in read] == [
        1,
        2,
        3,
        12,
        13,
        17,
        23,
        24,
    ]
    assert np.isfinite([float(rows[k][1]) for k in read]).all()
    assert all(alarm == "0" for _, score, alarm in rows if not score)
    assert told.pop(0).endswith("a series a row: --layout wide")  # of the normal file
    assert told[0] == "line 4: got '��', wanted a number: taken as missing"
    assert told[1] == "line 5: got 'abc', wanted a number: taken as missing"
    assert told[2] == "line 6: got 1 values, wanted 2: taken as missing"
    assert told[4] == "line 11: got infinity, wanted a number: taken as missing"
    assert told[9].endswith("taken as missing; further ones are only counted")
    assert told[10:] == ["24 lines, 15 of them malformed and taken as missing"]


def test_a_burst_of_nothing_never_makes_nan(folder, normal):
    out, _ = run(folder, "--normal", normal, given="\n" * 200 + text_of(calm(50)))
    assert out[:200] == [f"{step},,0" for step in range(1, 201)]
    assert np.isfinite([float(line.split(",")[1]) for line in out[200:]]).all()


def test_lines_that_are_not_read_leave_no_mark(folder, normal):
    """Scores and alarms of the others are those of a stream without blanks and broken lines."""
    rows, words = text_of(calm(300, seed=3)).splitlines(), [folder, "--normal", normal]
    lines, at = [], np.random.default_rng(0).random(300) < 0.16
    for k, row in enumerate(rows):
        lines += [["", "broken", "1,2,3", "nan,nan"][k % 4]] if at[k] else []
        lines.append(row)
    plain = [line.split(",")[1:] for line in run(*words, given="\n".join(rows))[0]]
    given = "time,value\n" + "\n".join(lines)
    found = [line.split(",")[1:] for line in run(*words, given=given)[0]]
    assert [row for row in found if row[0]] == plain
    assert all(row == ["", "0"] for row in found if not row[0])


@pytest.mark.parametrize("given", ["\n" * 30, "time;a;b\n1;2;3\n" * 9, "nan,nan\n"])
@pytest.mark.parametrize("more", [[], ["--vectors"], ["--json"]])
def test_a_stream_of_which_nothing_could_be_read_is_an_error(folder, given, more):
    _, told = run(folder, *more, given=given, code=1)
    wanted = f"no value could be read from {given.count(chr(10))} lines, wanted 2 numbers with com"
    assert any(line.startswith(f"selftime: {wanted}") for line in told)
    assert run(folder, *more, given="")[1][0] == "0 lines"


def test_what_a_line_says():
    assert parse_step(b" 1 , nan", 2)[0][0] == 1 and parse_step(b" 1 , nan", 2)[1] is None
    assert np.isnan(parse_step(b"", 3)[0]).all() and parse_step(b"", 3)[1] is None
    assert parse_step(b"x" * 90, 1)[1] == f"got '{'x' * 20}…', wanted a number"


def test_endless_lines_take_bounded_memory():
    class Endless(io.BytesIO):
        most = 0

        def readline(self, size=-1):
            self.most = max(self.most, size)
            assert size > 0
            return super().readline(size)

    source = Endless(b"1\n" + b"5" * (3 * LONGEST + 5) + b"\n2\r\n3")
    lines = list(read_lines(source.readline))
    assert [len(line) for line in lines] == [1, LONGEST, 1, 1] and source.most == LONGEST
    assert lines[0] == b"1" and lines[2:] == [b"2", b"3"]
    exact = io.BytesIO(b"7" * (LONGEST - 1) + b"\n" + b"8" * LONGEST + b"\n9")
    assert [len(line) for line in read_lines(exact.readline)] == [LONGEST - 1, LONGEST, 1]


def test_errors_in_one_line(folder, tmp_path):
    whole = str(per_series("dilated", 2).save(tmp_path / "whole"))
    rocket = str(model_of("rocket", 2).save(tmp_path / "rocket"))
    for words, said in (
        (
            [whole],
            "the model scales each series by all of its values, also those to come: use --wi",
        ),
        ([rocket], "MiniRocket sees a series only as a whole: use --window 512, whic"),
        (
            [folder, "--every", "3"],
            "got --every 3, wanted at least 1, and above 1 only with a window",
        ),
        ([folder, "--rate", "2"], "got rate 2.0, wanted a share between 0 and 1, such as 0.01"),
        (
            [folder, "--learn", "20"],
            "got 20 normal steps, wanted at least 297 to promise a rate of",
        ),
        ([folder, "--normal", "nowhere.csv"], "nowhere.csv: no such file or folder"),
        ([str(tmp_path)], f"{tmp_path} is not a model folder"),
    ):
        out, told = run(*words, given="1,2\n", code=2)
        assert out == [] and told[-1].startswith(f"selftime: {said}")
    assert len(run(rocket, "--window", "9", "--every", "2", given="1,2\n" * 5)[0]) == 5


def test_ctrl_c_sums_up(folder, monkeypatch):
    def interrupted(readline):
        yield b"1,2"
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "read_lines", interrupted)
    out, told = run(folder, given="", code=130)
    assert out == ["1,,0"] and told[0] == "1 lines"
    assert told[-1] == "selftime: interrupted, nothing half-written was left"


def started(*words: str) -> subprocess.Popen:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*PROGRAM, *words], **pipes, text=True, env={**os.environ})


@pytest.mark.slow
def test_every_line_is_answered_at_once_and_signals_end_it(folder):
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = started(folder, "--json")
        for step in (1, 2):
            process.stdin.write("0.5,0.5\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["step"] == step  # while stdin is open
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        assert process.returncode == code and "Traceback" not in told and "2 lines" in told


@pytest.mark.slow
def test_a_closed_reader_ends_it_quietly(folder):
    process = started(folder)
    process.stdin.write("1,2\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write("1,2\n" * 1000)
    process.stdin.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1 and "Traceback" not in told and "Error" not in told


def test_no_newline_is_lost_in_buffers(folder):
    stdout = io.StringIO()
    flushed = SimpleNamespace(write=stdout.write, flush=lambda: sizes.append(stdout.tell()))
    sizes: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", flushed)
        patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"1,2\n1,2\n1,2\n")))
        watch.watch(folder)
    assert sizes == [5, 10, 15]


def test_a_header_names_the_columns():
    assert columns_named(b"1.5,2", ["a", "b"]) is None and columns_named(b"", ["a"]) is None
    assert columns_named(b"b, a", ["a", "b"]) == [1, 0]
    assert columns_named(b'ds,"b",a', ["a", "b"]) == [None, 1, 0]
    assert columns_named(b"x,y", ["0", "1"]) == [0, 1]
    assert columns_named(b"nan,nan", ["0", "1"]) is None
    with pytest.raises(ValueError, match="the header names a, c and lacks b, wanted a column for"):
        columns_named(b"a,c", ["a", "b"])
    assert parse_step(b"9,2,1", 2, [None, 1, 0]) == ([1.0, 2.0], None)
    assert parse_step(b"9,2", 2, [None, 1, 0])[1] == "got 2 values, wanted 3"


@pytest.mark.late
def test_streams_with_a_header_go_by_name(tmp_path):
    x = st.SeriesSet.of(np.random.default_rng(0).normal(size=(20, 2, 30)), channels=["u", "v"])
    model = st.pretrain(x, objective="simclr", encoder="dilated_causal", budget="1 step")
    folder = str(model.save(tmp_path / "model"))
    rows = calm(5)
    straight, _ = run(folder, "--vectors", given="u,v\n" + text_of(rows))
    turned, told = run(folder, "--vectors", given="v,u\n" + text_of(rows[:, ::-1]))
    assert straight == turned and len(turned) == 5 and told[-1] == "5 lines"
