"""What a report says before all else: one sentence, and one on what it rests on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selftime.report.charts import number
from selftime.report.content import Content
from selftime.report.progress import names_in, state_of, track
from selftime.tasks.compare import UNTRAINED, Comparison, label_of
from selftime.tasks.gain import Gain

UNMEASURED = "Whether it helps was not measured in this run; “selftime compare” measures it."


class Verdict(NamedTuple):
    """The first thing that is read.

    Attributes:
        sentence: what came out.
        note: what it rests on, or what to do next.
    """

    sentence: str
    note: str


def verdict_of(content: Content) -> Verdict:
    """The comparison's answer if there is one, else how learning went."""
    if content.comparison is not None and UNTRAINED in content.comparison.names:
        leaks = content.comparison.leaks
        said = [_accuracies(content.comparison), *(leaks.sentences() if leaks else [])]
        return Verdict(helped(content.comparison), " ".join(said))
    return Verdict(went(content), UNMEASURED)


def helped(comparison: Comparison) -> str:
    """Where self-supervision helped, where it cost, and where it made no clear difference."""
    gains = {label_of(b): comparison.gain(UNTRAINED, b) for b in comparison.labels_per_class}
    up = {name: gain for name, gain in gains.items() if gain.low > 0}
    down = {name: gain for name, gain in gains.items() if gain.high < 0}
    if not up and not down:
        return "Self-supervision made no clear difference at any number of labels."
    if not up:
        return f"Self-supervision did not help: it cost {_sized(down)}."
    if len(up) == len(gains):
        every = "every number of labels" if len(gains) > 1 else "the one number of labels tried"
        return f"Self-supervision helped at {every}: by {_sized(up)}."
    rest = f"; it cost {_sized(down)}" if down else "; elsewhere it made no clear difference"
    share = f"{len(up)} of {len(gains)} numbers of labels"
    return f"Self-supervision helped at {share}, by {_sized(up)}{rest}."


def _sized(gains: Mapping[str, Gain]) -> str:
    """The first and the last of these gains in words."""
    words = [
        f"{abs(gain.points):.1f}\u00a0±\u00a0{gain.margin:.1f}\u00a0points with {name}"
        for name, gain in gains.items()
    ]
    return words[0] if len(words) == 1 else f"{words[0]} and {words[-1]}"


def _accuracies(comparison: Comparison) -> str:
    own = comparison.names[0]
    right = [
        f"{100 * comparison.accuracy(own, b):.1f} % with {label_of(b)}"
        for b in comparison.labels_per_class
    ]
    cases = comparison.hits[own][comparison.labels_per_class[0]].shape[1]
    return f"Of {cases:,} test series the model gets right {_listed(right)}."


def went(content: Content) -> str:
    """How learning went."""
    run = content.run
    count = run["data"].get("series", len(content.series) if content.series else 0)
    learned = f"Learned from {count:,} series without labels"
    if not content.metrics:
        took = f" of {number(run['seconds'])} seconds" if run.get("seconds") is not None else ""
        return f"{learned} in one pass{took}."
    if content.warnings:
        first = content.warnings[0]
        return f"{learned}, with a warning at step {first['step']}: {first['message']}"
    off = unhealthy(content)
    ended = f"; outside its healthy range at the end: {_listed(off)}" if off else ""
    steps = number(float(content.metrics[-1]["step"]))
    return f"{learned} in {steps} steps and {number(run['seconds'])} seconds{ended}."


def unhealthy(content: Content) -> list[str]:
    """Monitors whose last reading lies outside their healthy range."""
    out = []
    for name in names_in(content.metrics, "monitors"):
        low, high, _ = content.monitor_ranges.get(name, (float("-inf"), float("inf"), ""))
        if state_of(track(content.metrics, "monitors", name).end, low, high) != "healthy":
            out.append(name)
    return out


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
