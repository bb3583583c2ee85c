"""Words that were retired stay retired, in names and in prose: the field's words are used."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAY = {
    "labels? a class": "labels per class",
    "numbers (?:per|a) series": "embedding size",
    "cohorts?": "reference bank",
    "gauges?": "monitor",
    "watchers?": "monitor, or callback",
    "outlets?": "head",
    "chances": "probabilities",
    "trunks?": "backbone",
    "thawed": "unfrozen; the verb is unfreeze",
    "set solid": "freeze",
    "taught": "fine-tuned, or trained",
    "lean": "cache frozen parts",
    "likeness(?:es)?": "cosine similarity",
    "seams?": "boundaries",
    "self join": "matrix profile",
    "lessons?": "TrainingSet",
    "vigils?": "callback",
    "hindsights?": "backtest",
    "outlooks?": "forecasts",
    "contests?": "race",
    "asides?": "holdout",
    "manners?": "options, or StreamConfig",
    "st[.]adapted|`adapted`|(?:def|import) adapted": "st.adapt",
    "told of": "called with, or reported",
}
"""Patterns of retired words, with what to say instead."""

ALLOWED = {
    "gauges?": (r"(?-i:\bGauge\b)", "a class of prometheus_client"),
    "asides?": (r"(?:set|put|left|leave|move|moved)[ _]aside\b", "English for keeping apart"),
    "watchers?": (r"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "a variable of Ray"),
    "trunks?": (r'"trunk"|thigh and trunk', "the place of a sensor in a bundled recording"),
    "manners?": (r"\bin the manner of\b", "English for 'like'"),
}
"""Where a retired word is ordinary English: what may stand there, and why."""

START = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
"""A word begins: in prose, after an underscore, or at a capital within a name."""

FILES = {
    "source and the page made of it": [
        *sorted((ROOT / "src").rglob("*.py")),
        *sorted((ROOT / "src").rglob("*.html")),
        ROOT / "docs" / "house.md",
    ],
    "docs": [
        *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "house.md"),
        *sorted((ROOT / "docs").rglob("*.svg")),
        ROOT / "docs" / "modules.py",
        ROOT / "benchmarks" / "README.md",
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ],
}


def spans(pattern: str, text: str) -> list[tuple[int, int]]:
    """Where a pattern stands as whole words; blanks, underscores and line ends part words alike."""
    loose = pattern.replace(" ", r"(?:[\s_#]+|(?<=[a-z])(?=[A-Z]))")
    return [found.span() for found in re.finditer(f"{START}(?i:{loose})(?![a-z])", text)]


def retired_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, word and what to say instead, for every retired word of a text."""
    for pattern, instead in SAY.items():
        allowed = [
            found.span()
            for found in re.finditer(ALLOWED.get(pattern, ("(?!)",))[0], text, re.IGNORECASE)
        ]
        for start, end in spans(pattern, text):
            if not any(first <= start and end <= last for first, last in allowed):
                yield text.count("\n", 0, start) + 1, text[start:end], instead


@pytest.mark.late
@pytest.mark.parametrize("place", FILES)
def test_retired_words_are_gone(place):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word!r}, say {instead}"
        for path in FILES[place]
        for line, word, instead in retired_words(path.read_text(encoding="utf8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "planted, line, word",
    [
        ("few\nlabels a\n    # class", 2, "labels a\n    # class"),
        ("Numbers per series: 320", 1, "Numbers per series"),
        ("cohort_size = 4", 1, "cohort"),
        ("class StreamManner:", 1, "Manner"),
        ("def set_solid(layer): ...", 1, "set_solid"),
        ("class SelfJoin:", 1, "SelfJoin"),
        ("CHANCES = ()", 1, "CHANCES"),
        ("call `st.adapted`", 1, "st.adapted"),
        ("the aside holds it", 1, "aside"),
    ],
)
def test_a_planted_word_is_found(planted, line, word):
    assert [(at, what) for at, what, _ in retired_words(planted)] == [(line, word)]


@pytest.mark.parametrize(
    "fine", ["set aside", "clean", "by chance", "in the manner of papers", "an adapted model"]
)
def test_ordinary_words_are_not(fine):
    assert not list(retired_words(fine))


def test_what_is_allowed_is_retired_elsewhere():
    assert set(ALLOWED) <= set(SAY)
