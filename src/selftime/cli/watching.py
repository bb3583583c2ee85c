"""``selftime watch``: steps from stdin line by line, what is said of each to stdout."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.cli import terminal
from selftime.cli.sources import Reader
from selftime.engine.model import Model, load
from selftime.engine.stream import Manner
from selftime.tasks.normal_steps import laid_end_to_end, run_in
from selftime.tasks.novelty import CoolDown, Distance, StepJudgement, Watchman, check_enough, fitted

Reading = Float[np.ndarray, " C"]
"""The values of a step, NaN where missing."""


class Vigil(NamedTuple):
    """What is to be watched, and how.

    Attributes:
        model: model folder or run folder.
        normal: where normal series are, or None.
        learn: first lines taken as normal where there are none.
        rate: promised share of normal steps above the threshold.
        distance: how far from normal a step is.
        cool_down: steps without alarms after one.
        vectors: whether embeddings are written instead of scores.
    """

    model: str
    normal: str | None
    learn: int
    rate: float
    distance: Distance
    cool_down: int
    vectors: bool


def watch(order: Vigil, manner: Manner, *, as_json: bool) -> None:
    """Answer every line of stdin until it ends."""
    model, said = load(order.model), Complaints()
    answer = Embedded(model, manner) if order.vectors else NoveltyAnswer(order, model, manner)
    step = 0
    try:
        for raw in lines_of(sys.stdin.buffer.readline):
            step += 1
            values, complaint = step_in(raw, len(model.channels))
            said.hear(step, complaint)
            sys.stdout.write(answer(step, values, as_json) + "\n")
            sys.stdout.flush()
    finally:
        said.sum_up(step)
        if isinstance(answer, NoveltyAnswer) and answer.watchman is None:
            terminal.note(f"no scores: they begin after {order.learn:,} lines (--learn, --normal)")


class Embedded:
    """Answers with embeddings."""

    def __init__(self, model: Model, manner: Manner) -> None:
        self.stream = model.stream(*manner)

    def __call__(self, step: int, values: Reading, as_json: bool) -> str:
        """The answer to one step."""
        vector = self.stream.update(values)
        if as_json:
            return json.dumps({"step": step, "embedding": vector.tolist()}, allow_nan=False)
        return ",".join(format(number, ".8g") for number in vector)


class NoveltyAnswer:
    """Answers with scores; without normal series, those of the first steps are empty."""

    def __init__(self, order: Vigil, model: Model, manner: Manner) -> None:
        self.order, self.model, self.manner = order, model, manner
        self.alarms, self.first = CoolDown(order.cool_down), list[Reading]()
        self.watchman: Watchman | None = None
        self.stream = model.stream(*manner)  # says at once what cannot be streamed
        if order.normal is None:
            check_enough(order.learn, order.rate)
        else:
            self.learn(laid_end_to_end(model, Reader()(order.normal)))

    def __call__(self, step: int, values: Reading, as_json: bool) -> str:
        """The answer to one step; the first has number 1."""
        if self.watchman is not None:
            found = self.watchman(self.stream.update(values))
            return shown(step, found, self.alarms(found.novel), as_json)
        self.first.append(values)
        if step >= self.order.learn:
            self.learn(np.stack(self.first, axis=1))
            self.first.clear()
        return shown(step, None, False, as_json)

    def learn(self, values: Float[np.ndarray, "C T"]) -> None:
        """What is normal, and a stream that has seen it."""
        self.stream, rows = run_in(self.model, self.manner, values)
        novelty = fitted(rows, rate=self.order.rate, distance=self.order.distance)
        self.watchman = Watchman(novelty, self.order.rate)


def shown(step: int, found: StepJudgement | None, alarm: bool, as_json: bool) -> str:
    """What is said of a step, as one line."""
    if as_json:
        numbers = {"score": None, "p": None} if found is None else found._asdict()
        told = {"step": step, "score": numbers["score"], "p": numbers["p"], "alarm": alarm}
        return json.dumps(told, allow_nan=False)
    return f"{step},{'' if found is None else format(found.score, '.6g')},{int(alarm)}"


LONGEST = 1 << 16
"""Bytes of a line that are read; what comes after them is thrown away."""


def lines_of(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines as they come, without their ends, cut where they are longer than :data:`LONGEST`."""
    while line := readline(LONGEST):
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) == LONGEST:
            rest = readline(LONGEST)
        yield line.rstrip(b"\r\n") if rest is line else line


def step_in(raw: bytes, channels: int) -> tuple[Reading, str | None]:
    """The values of a line (C,), NaN where missing, and what is wrong with it, if anything.

    A line that cannot be read, or holds another number of values, is a step that was missed.
    """
    cells = raw[:LONGEST].decode("utf8", errors="replace").split(",")
    missed = np.full(channels, np.nan)
    if not raw.strip():
        return missed, None
    if len(cells) != channels:
        return missed, f"got {len(cells)} values, wanted {channels}"
    try:
        values = np.array([number_in(cell) for cell in cells])
    except ValueError as error:
        return missed, str(error)
    return values, "got infinity, wanted a number" if np.isinf(values).any() else None


def number_in(cell: str) -> float:
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
    """Tells of lines that could not be read: the first ten of them, and how many there were."""

    most = 10

    def __init__(self) -> None:
        self.count = 0

    def hear(self, line: int, complaint: str | None) -> None:
        """Count a line, and tell of it if it is among the first."""
        if complaint is None:
            return
        self.count += 1
        if self.count <= self.most:
            more = "; of more of them only the number is told" if self.count == self.most else ""
            terminal.note(f"line {line}: {complaint}: taken as missing{more}")

    def sum_up(self, lines: int) -> None:
        """Say how it went."""
        bad = f", {self.count:,} of them malformed and taken as missing" if self.count else ""
        terminal.note(f"{lines:,} lines{bad}")
