"""What a report says before all else: one sentence, and one on what it rests on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selftime.report.page.charts import short_number
from selftime.report.page.content import Content
from selftime.report.page.progress import metric_names, metric_trace, state_of
from selftime.tasks.comparison.compare import UNTRAINED, Comparison, labels_in_words
from selftime.tasks.comparison.gain import Gain

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
        return Verdict(comparison_sentence(content.comparison), " ".join(said))
    return Verdict(_training_sentence(content), UNMEASURED)


def comparison_sentence(comparison: Comparison) -> str:
    """Where self-supervision helped, where it cost, and where it made no clear difference."""
    gains = {labels_in_words(b): comparison.gain(UNTRAINED, b) for b in comparison.labels_per_class}
    up = {name: gain for name, gain in gains.items() if gain.low > 0}
    down = {name: gain for name, gain in gains.items() if gain.high < 0}
    if not up and not down:
        return "Self-supervision made no clear difference at any number of labels."
    if not up:
        return f"Self-supervision did not help: it cost {_gains_in_words(down)}."
    if len(up) == len(gains):
        every = "every number of labels" if len(gains) > 1 else "the one number of labels tried"
        return f"Self-supervision helped at {every}: by {_gains_in_words(up)}."
    rest = (
        f"; it cost {_gains_in_words(down)}" if down else "; elsewhere it made no clear difference"
    )
    share = f"{len(up)} of {len(gains)} numbers of labels"
    return f"Self-supervision helped at {share}, by {_gains_in_words(up)}{rest}."


def _gains_in_words(gains: Mapping[str, Gain]) -> str:
    """The first and the last of these gains in words."""
    words = [
        f"{abs(gain.points):.1f}\u00a0±\u00a0{gain.margin:.1f}\u00a0points with {name}"
        for name, gain in gains.items()
    ]
    return words[0] if len(words) == 1 else f"{words[0]} and {words[-1]}"


def _accuracies(comparison: Comparison) -> str:
    own = comparison.names[0]
    right = [
        f"{100 * comparison.accuracy(own, b):.1f} % with {labels_in_words(b)}"
        for b in comparison.labels_per_class
    ]
    cases = comparison.hits[own][comparison.labels_per_class[0]].shape[1]
    return f"Of {cases:,} test series the model gets right {_word_list(right)}."


def _training_sentence(content: Content) -> str:
    """How learning went."""
    run = content.run
    count = run["data"].get("series", len(content.series) if content.series else 0)
    learned = f"Learned from {count:,} series without labels"
    if not content.metrics:
        took = (
            f" of {short_number(run['seconds'])} seconds" if run.get("seconds") is not None else ""
        )
        return f"{learned} in one pass{took}."
    if content.warnings:
        first = content.warnings[0]
        return f"{learned}, with a warning at step {first['step']}: {first['message']}"
    off = _unhealthy_gauges(content)
    ended = f"; outside its healthy range at the end: {_word_list(off)}" if off else ""
    steps = short_number(float(content.metrics[-1]["step"]))
    return f"{learned} in {steps} steps and {short_number(run['seconds'])} seconds{ended}."


def _unhealthy_gauges(content: Content) -> list[str]:
    """Monitors whose last reading lies outside their healthy range."""
    out = []
    for name in metric_names(content.metrics, "monitors"):
        low, high, _ = content.monitor_ranges.get(name, (float("-inf"), float("inf"), ""))
        if state_of(metric_trace(content.metrics, "monitors", name).end, low, high) != "healthy":
            out.append(name)
    return out


def _word_list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
