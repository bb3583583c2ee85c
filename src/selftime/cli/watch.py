"""``selftime watch``: timepoints from stdin line by line, scores and alarms to stdout."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selftime.cli import options, terminal
from selftime.cli.app import app, stop

if TYPE_CHECKING:
    from selftime import Model, StreamMonitor

LONGEST = 1 << 16
"""Bytes of a line that are read; what comes after them is thrown away."""


@app.command()
def watch(  # noqa: PLR0913 - the signature is the command line
    model: options.ModelArgument,
    normal: Annotated[
        str | None, typer.Option("--normal", help="Normal series: file, folder or sample:NAME.")
    ] = None,
    learn: Annotated[
        int, typer.Option("--learn", min=2, help="Without --normal: first lines taken as normal.")
    ] = 500,
    rate: Annotated[
        float, typer.Option("--rate", help="Promised share of normal steps above 1.")
    ] = 0.01,
    distance: Annotated[
        Literal["mahalanobis", "nearest"],
        typer.Option("--distance", help="From the middle of normal steps, or the nearest."),
    ] = "mahalanobis",
    cool_down: Annotated[
        int, typer.Option("--cool-down", min=0, help="Steps without alarms after one.")
    ] = 0,
    window: Annotated[
        int | None, typer.Option("--window", min=1, help="Encode the last so many steps anew.")
    ] = None,
    every: Annotated[
        int, typer.Option("--every", min=1, help="With --window: steps between encodings.")
    ] = 1,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Write embeddings instead of scores.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object a line instead of commas.")
    ] = False,
) -> None:
    """Score every step that comes in on stdin: one line in, one line out, at once.

    A line holds one step: a number for each channel, with commas between; empty or nan is
    missing. A line of the answer is step,score,alarm: a score above 1 is novel, and alarm is 1
    where that sounds an alarm. While the first lines are learned from, scores are empty. So are
    those of lines without a value that can be read, which sound no alarm; if there is no other line
    the exit code is 1.

    Example: sensor | selftime watch run --normal normal.csv --cool-down 100
    """
    import selftime as st

    loaded = options.model_in(model)
    if vectors:
        answer_lines(embedder(loaded, window, every, as_json), loaded.channels)
        return
    monitor = st.StreamMonitor(
        loaded,
        normal=normal,
        rate=rate,
        distance=distance,
        cool_down=cool_down,
        learn=learn,
        window=window,
        every=every,
    )
    try:
        answer_lines(judge(monitor, as_json), loaded.channels)
    finally:
        if not monitor.is_ready:
            terminal.note(f"no scores: they begin after {learn:,} lines (--learn, --normal)")


Answer = Callable[[int, list[float]], str]
"""The line that is written for a step, by its number (the first is 1) and its values."""


def embedder(model: "Model", window: int | None, every: int, as_json: bool) -> Answer:
    """Return a function that writes embeddings."""
    stream = model.stream(window=window, every=every)

    def answer(step: int, values: list[float]) -> str:
        vector = stream.update(values).tolist()
        if as_json:
            return json.dumps({"step": step, "embedding": vector}, allow_nan=False)
        return ",".join(format(number, ".8g") for number in vector)

    return answer


def judge(monitor: "StreamMonitor", as_json: bool) -> Answer:
    """Return a function that writes scores and alarms."""

    def answer(step: int, values: list[float]) -> str:
        found = monitor.update(values)
        if as_json:
            return json.dumps({"step": step, **found._asdict()}, allow_nan=False)
        score = "" if found.score is None else format(found.score, ".6g")
        return f"{step},{score},{int(found.alarm)}"

    return answer


def answer_lines(answer: Answer, channels: Sequence[str]) -> None:
    """Answer every line of stdin until it ends; a first line of names is a header."""
    said, step, known, columns = Complaints(), 0, 0, None
    try:
        for line, raw in enumerate(read_lines(sys.stdin.buffer.readline)):
            if line == 0 and (columns := columns_named(raw, channels)) is not None:
                continue
            step += 1
            values, complaint = parse_step(raw, len(channels), columns)
            said.hear(step, complaint)
            known += any(math.isfinite(value) for value in values)
            sys.stdout.write(answer(step, values) + "\n")
            sys.stdout.flush()
    finally:
        said.sum_up(step)
    if step and not known:
        wanted = f"{len(channels)} number{'s with commas between' if len(channels) > 1 else ''}"
        stop(f"no value could be read from {step:,} lines, wanted {wanted} in each", code=1)


def read_lines(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines as they come, without their ends, cut where they are longer than :data:`LONGEST`."""
    while line := readline(LONGEST):
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) == LONGEST:
            rest = readline(LONGEST)
        yield line.rstrip(b"\r\n") if rest is line else line


def columns_named(raw: bytes, channels: Sequence[str]) -> list[int | None] | None:
    """Return, for each column of a header, the channel that it holds; None where it is a step.

    Channels that are numbered only are taken by their position.

    Raises:
        ValueError: a header that lacks channels of the model.
    """
    names = [cell.strip().strip('"') for cell in raw.decode("utf8", errors="replace").split(",")]
    if not all(any(letter.isalpha() for letter in name) for name in names):
        return None
    if all(name.lower() in ("nan", "inf", "-inf") for name in names):
        return None
    if all(channel.isdecimal() for channel in channels):
        return list(range(len(names))) if len(names) == len(channels) else None
    if not set(names) & set(channels):
        return None
    if missing := [name for name in channels if name not in names]:
        raise ValueError(
            f"the header names {', '.join(names)} and lacks {', '.join(missing)}, wanted a column "
            f"for each of the channels {', '.join(channels)}"
        )
    if others := [name for name in names if name not in channels]:
        terminal.note(f"columns left out: {', '.join(others)}")
    return [list(channels).index(name) if name in channels else None for name in names]


def parse_step(
    raw: bytes, channels: int, columns: Sequence[int | None] | None = None
) -> tuple[list[float], str | None]:
    """Parse the values of a line, NaN where missing, and a complaint, if there is one.

    A line that cannot be read, or holds another number of values, is a step that was missed.
    ``columns`` says which channel each cell is of, where a header did.
    """
    cells = raw[:LONGEST].decode("utf8", errors="replace").split(",")
    missed = [float("nan")] * channels
    if not raw.strip():
        return missed, None
    wanted = channels if columns is None else len(columns)
    if len(cells) != wanted:
        return missed, f"got {len(cells)} values, wanted {wanted}"
    if columns is not None:
        known = [(k, cell) for k, cell in zip(columns, cells, strict=True) if k is not None]
        cells = [cell for _, cell in sorted(known)]
    try:
        values = [parse_number(cell) for cell in cells]
    except ValueError as error:
        return missed, str(error)
    infinite = any(abs(value) == float("inf") for value in values)
    return values, "got infinity, wanted a number" if infinite else None


def parse_number(cell: str) -> float:
    """A number; NaN where nothing stands.

    Raises:
        ValueError: text.
    """
    word = cell.strip()
    try:
        return float(word.replace("_", "?")) if word else float("nan")
    except ValueError:
        short = word if len(word) <= 20 else word[:20] + "…"
        raise ValueError(f"got {short!r}, wanted a number") from None


class Complaints:
    """Warnings of lines that could not be read: the first ten of them, and their number."""

    most = 10

    def __init__(self) -> None:
        self.count = 0

    def hear(self, line: int, complaint: str | None) -> None:
        """Count a line, and warn of it if it is among the first."""
        if complaint is None:
            return
        self.count += 1
        if self.count <= self.most:
            more = "; further ones are only counted" if self.count == self.most else ""
            terminal.note(f"line {line}: {complaint}: taken as missing{more}")

    def sum_up(self, lines: int) -> None:
        """Print the number of lines."""
        bad = f", {self.count:,} of them malformed and taken as missing" if self.count else ""
        terminal.note(f"{lines:,} lines{bad}")
