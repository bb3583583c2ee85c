"""The honest comparison: few-label accuracy beside the reference rows, and a verdict in words."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from sklearn.base import clone

from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.splits import draw_per_class, draw_share
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.progress import Progress, open_progress
from selftime.tasks.comparison.gain import Gain, Hits, Savings, gain, gain_in_words, savings
from selftime.tasks.comparison.leaks import Leaks, find_leaks
from selftime.tasks.comparison.rows import (
    Row,
    from_scratch,
    is_strategy,
    minirocket_ridge,
    model_row,
    raw_values_row,
    strategy_row,
    strategy_row_name,
    untrained_row,
)
from selftime.tasks.transfer.strategies import TransferConfig, check_transfer

Shots = int | float | None
"""Labels per class, or a share of all labels (below 1); None means all."""

"""Told what is being done, and how far it is: (what, done, of)."""


@dataclass(frozen=True)
class Comparison:
    """Which test series every row got right, for every number of labels per class.

    Attributes:
        labels_per_class: numbers, shares and None for all, in the order they were asked for.
        hits: by row name (the model first), then by labels per class.
        n_labels: how many labels these came to in all.
        leaks: what the test series have in common with pretraining and labels, if it was looked at.
        model: that was compared; None where the comparison was read from a file.
    """

    labels_per_class: tuple[Shots, ...]
    hits: dict[str, dict[Shots, Hits]]
    n_labels: dict[Shots, int]
    leaks: Leaks | None = None
    model: Model | None = field(default=None, repr=False, compare=False)

    @property
    def seen(self) -> int | None:
        """Test series that the model was pretrained on; None where that is not known."""
        return self.leaks.seen if self.leaks else None

    @property
    def names(self) -> tuple[str, ...]:
        """Rows, the model first."""
        return tuple(self.hits)

    def accuracy(self, name: str, shots: Shots) -> float:
        """Share of test series that were right, mean over draws."""
        return float(self.hits[name][shots].mean())

    def gain(self, name: str, shots: Shots) -> Gain:
        """How far the model is ahead of a row, in points with a 95 % interval."""
        return gain(self.hits[self.names[0]][shots], self.hits[name][shots])

    def verdict(self) -> list[str]:
        """One sentence for each number of labels, then labels saved, then one for each leak."""
        leaks = self.leaks.sentences() if self.leaks else []
        saved = [self._saved_in_words(name) for name in _SAVINGS_BESIDE if self.saved(name)]
        return [*(self._sentence(shots) for shots in self.labels_per_class), *saved, *leaks]

    def saved(self, name: str) -> list[Savings]:
        """What each number of labels is worth beside a row, from few labels to many.

        Empty where fewer than two numbers were tried, or none of them a number of labels per class.
        """
        exact = [b for b in self.labels_per_class if b is not None and b >= 1]
        by_count = {self.n_labels[b]: b for b in self.labels_per_class}
        if name not in self.hits or not exact or len(by_count) < 2:
            return []
        classes = self.n_labels[min(exact)] / min(exact)
        order = sorted(by_count)
        ours, theirs = (
            [self.accuracy(row, by_count[count]) for count in order]
            for row in (self.names[0], name)
        )
        counts = [count / classes for count in order]
        return savings(counts, ours, counts, theirs)

    def _saved_in_words(self, name: str) -> str:
        words = self.saved(name)[0].in_words(name)
        return f"{words[0].upper()}{words[1:]}."

    def _sentence(self, shots: Shots) -> str:
        rivals = [name for name in self.names[1:] if name != UNTRAINED and not is_strategy(name)]
        words = gain_in_words(self.gain(UNTRAINED, shots))
        best = max(rivals, key=lambda name: self.accuracy(name, shots))
        own = 100 * self.accuracy(self.names[0], shots)
        return (
            f"With {labels_in_words(shots)}: {own:.1f} % right; {words}; "
            f"{self.gain(best, shots)} points against {best}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "labels": {labels_in_words(b): self.n_labels[b] for b in self.labels_per_class},
            "draws": {
                labels_in_words(b): len(self.hits[self.names[0]][b]) for b in self.labels_per_class
            },
            "test_series": self.hits[self.names[0]][self.labels_per_class[0]].shape[1],
            "accuracy": {
                name: {labels_in_words(b): self.accuracy(name, b) for b in self.labels_per_class}
                for name in self.names
            },
            "gain": {
                name: {
                    labels_in_words(b): self.gain(name, b)._asdict() for b in self.labels_per_class
                }
                for name in self.names[1:]
            },
            "saved": {
                name: [own._asdict() for own in self.saved(name)] for name in _SAVINGS_BESIDE
            },
            "leaks": self.leaks.to_dict() if self.leaks else {},
            "verdict": self.verdict(),
        }


UNTRAINED = "untrained encoder"
_SAVINGS_BESIDE = ("supervised from scratch", "MiniRocket + ridge")
"""Rows beside which the labels that a model saves are told."""


def labels_in_words(shots: Shots) -> str:
    """Labels per class as printed."""
    if shots is None:
        return "all labels"
    if shots < 1:
        return f"{100 * shots:g} % of the labels"
    return f"{shots} label{'s' if shots > 1 else ''} per class"


def shots_in(labels: Shots | str | Sequence[Shots | str]) -> tuple[Shots, ...]:
    """Return labels per class as they were given, each once: numbers, shares, "10%" and "all".

    Raises:
        ValueError: neither a positive number, nor a share of up to 100 %, nor "all" or None.
    """
    if isinstance(labels, str):
        words: Sequence[Shots | str] = labels.split(",")
    else:
        words = labels if isinstance(labels, Sequence) else [labels]
    try:
        found = tuple(dict.fromkeys(_shots_of(word) for word in words))
    except ValueError:
        found = ()
    if not found:
        raise ValueError(
            f"got {labels!r} as labels per class, wanted numbers, shares or all, "
            "such as 1,2,5,10%,all"
        )
    return found


def _shots_of(word: Shots | str) -> Shots:
    if isinstance(word, str):
        word = word.strip()
        if not (word == "all" or word.endswith("%") or word.isdecimal()):
            raise ValueError(word)
        word = None if word in ("all", "100%") else number_in(word)
    if word is None or 0 < word < 1:
        return word
    if word < 1 or word != int(word):
        raise ValueError(word)
    return int(word)


def number_in(word: str) -> int | float:
    """Return a whole number, or the share that a percentage is, which is below 1.

    Raises:
        ValueError: another text.
    """
    if not word.endswith("%"):
        return int(word)
    share = float(word[:-1]) / 100
    if not 0 < share < 1:
        raise ValueError(word)
    return share


def compare(  # noqa: PLR0913 - a front door: each is one thing that people decide
    model: Model | None,
    train: Any,
    test: Any,
    *,
    labels_per_class: Shots | str | Sequence[Shots | str] = (1, 2, 5, "all"),
    draws: int = 5,
    strategies: Sequence[str] = (),
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Comparison:
    """Set a model beside the reference rows at several numbers of labels.

    All rows see the same draws of labelled training series and all test series. The unlabelled
    rest of ``train`` serves every row alike (statistics, biases); no row sees ``test`` before it
    is judged.

    Args:
        model: what is judged; None pretrains one on ``train``, without its labels.
        train: labelled series to draw from, whatever :func:`selftime.read` takes.
        test: labelled series to be judged on.
        labels_per_class: numbers, shares of all labels such as 0.05 or "5%", and "all", which
            means all of ``train`` with one draw; or all of these in one text, "1,2,5%,all".
        draws: how often labels are drawn, each with a seed of its own (0, 1, …).
        strategies: further ways to use the model, each a row: names in
            :data:`selftime.tasks.transfer.strategies.STRATEGIES`, or "auto". They take minutes.
        seed: of the pretraining, where there is no model.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: labels are missing, or test has classes that train lacks.
        ValueError: an unknown strategy, or something else than labels per class.
    """
    every, train, test = shots_in(labels_per_class), read(train), read(test)
    labels, truth = check_labels(train, test)
    makers = COMPARISON_ROWS | {
        strategy_row_name(name): strategy_maker(name) for name in strategies
    }
    rows: list[Row] = []
    hits: dict[str, dict[Shots, Hits]] = {}
    n_labels: dict[Shots, int] = {}
    with open_progress(progress) as tell:
        if model is None:
            model = pretrain(train, seed=seed, progress=tell)
        for done, (name, make) in enumerate(makers.items()):
            tell(f"comparing ({name})", done, len(makers) + len(every))
            rows.append(make(model, train, test))
            hits[name] = {}
        for done, shots in enumerate(every, start=len(makers)):
            tell(f"comparing ({labels_in_words(shots)})", done, len(makers) + len(every))
            picks = draw_labels(labels, shots, draws)
            n_labels[shots] = len(picks[0])
            for row in rows:
                hits[row.name][shots] = row_hits(row, labels, truth, picks)
    return Comparison(every, hits, n_labels, find_leaks(model, train, test), model)


COMPARISON_ROWS: dict[str, Callable[[Model, SeriesSet, SeriesSet], Row]] = {
    "selftime": model_row,
    UNTRAINED: untrained_row,
    "raw values": raw_values_row,
    "MiniRocket + ridge": minirocket_ridge,
    "supervised from scratch": from_scratch,
}
"""The rows of every comparison."""


def strategy_maker(name: str) -> Callable[[Model, SeriesSet, SeriesSet], Row]:
    """What makes the row of a strategy.

    Raises:
        ValueError: there is none of that name.
    """
    config = TransferConfig(strategy=name)
    check_transfer(config)
    return lambda model, train, test: strategy_row(model, train, test, config)


def draw_labels(labels: np.ndarray, shots: Shots, draws: int) -> list[np.ndarray]:
    """Rows of the labelled training series, for each draw."""
    if shots is None:
        return [np.arange(len(labels))]
    rngs = [np.random.default_rng(seed) for seed in range(draws)]
    if shots < 1:
        return [draw_share(labels, shots, rng) for rng in rngs]
    return [draw_per_class(labels, int(shots), rng) for rng in rngs]


def row_hits(row: Row, labels: np.ndarray, truth: np.ndarray, picks: list[np.ndarray]) -> Hits:
    """Which test series are right (R,M), the head fitted anew on each draw."""
    heads = [clone(row.head).fit(row.train[pick], labels[pick]) for pick in picks]
    return np.stack([head.predict(row.test) == truth for head in heads])


def check_labels(train: SeriesSet, test: SeriesSet) -> tuple[np.ndarray, np.ndarray]:
    """The labels of both parts.

    Raises:
        SeriesError: labels are missing, of one class only, or test has classes that train lacks.
    """
    if train.labels is None or test.labels is None:
        part = "train" if train.labels is None else "test"
        raise SeriesError(f"{part} has no labels, wanted one a series: name their column or file")
    known = np.unique(train.labels)
    if len(known) < 2:
        raise SeriesError(f"train has one class only ({known[0]}), wanted at least 2")
    if len(strange := np.setdiff1d(test.labels, known)):
        raise SeriesError(f"test has classes that train lacks: {', '.join(map(str, strange))}")
    return train.labels, test.labels


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """The figures, and beneath them which test series were right, a bit each."""
    return comparison.to_dict() | {
        "labels_per_class": list(comparison.labels_per_class),
        "hits": {
            name: [pack_hits(comparison.hits[name][shots]) for shots in comparison.labels_per_class]
            for name in comparison.names
        },
    }


def comparison_from_dict(content: Mapping[str, Any]) -> Comparison:
    """What :func:`comparison_to_dict` made.

    Raises:
        ValueError: something is missing or does not fit, as in files of older versions.
    """
    try:
        every, M = tuple(content["labels_per_class"]), int(content["test_series"])
        hits = {
            name: {b: hits_in(text, M) for b, text in zip(every, texts, strict=True)}
            for name, texts in content["hits"].items()
        }
        counts = dict(zip(every, content["labels"].values(), strict=True))
        leaks = leaks_in(content.get("leaks"))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"the comparison lacks or garbles {error}: compare again") from None
    return Comparison(every, hits, counts, leaks)


def leaks_in(content: Mapping[str, Any] | None) -> Leaks | None:
    """The leaks that a file tells of; None where none were looked for."""
    if not content:
        return None
    known = {field.name: content[field.name] for field in fields(Leaks)}
    return Leaks(**known | {"shared": tuple(known["shared"])})


def pack_hits(hits: Hits) -> list[str]:
    """A text a draw: its hits as bits, eight to a byte, in base64."""
    return [b64encode(np.packbits(row).tobytes()).decode("ascii") for row in hits]


def hits_in(texts: list[str], M: int) -> Hits:
    """The hits of M test series in every draw (R,M).

    Raises:
        ValueError: too few or too many bits.
    """
    rows = [np.frombuffer(b64decode(text, validate=True), np.uint8) for text in texts]
    if not rows or any(len(row) != -(-M // 8) for row in rows):
        raise ValueError(f"the comparison holds hits that are not of {M} series: compare again")
    return np.stack([np.unpackbits(row, count=M).astype(bool) for row in rows])
