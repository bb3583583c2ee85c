"""The comparison: few-label accuracy of a model beside reference rows, and a verdict in words."""

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone

from selftime.data.channels import match_channels
from selftime.data.frames import Tabular
from selftime.data.labels import labelled_part, share_in_words
from selftime.data.matching import match_kind
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.signals import Measurements, Signal
from selftime.data.splits import draw_per_class, draw_share, hold_out
from selftime.door import tell
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.engine.pretrain import pretrain
from selftime.progress import Progress, open_progress
from selftime.tasks.comparison.gain import Gain, Hits, Savings, gain, gain_in_words, savings
from selftime.tasks.comparison.leaks import Leaks, find_leaks
from selftime.tasks.comparison.rows import (
    MORE_ROWS,
    OWN,
    Maker,
    Row,
    from_scratch,
    is_strategy,
    makers_of,
    minirocket_ridge,
    model_row,
    raw_values_row,
    untrained_row,
)
from selftime.tasks.probing.reference_bank import keep_neighbours

Shots = int | float | None
"""Labels per class, or a share of all labels (below 1); None means all."""
Models = ModelOrFolder | None | Sequence[ModelOrFolder] | Mapping[str, ModelOrFolder]


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """Accuracy of a model and of reference rows at several numbers of labels per class.

    Hits (R,M) are by row, the model first, and by labels per class. There is no model where the
    comparison was read from a file.
    """

    labels_per_class: tuple[Shots, ...]
    hits: dict[str, dict[Shots, Hits]]
    n_labels: dict[Shots, int]  # number of all labels
    leaks: Leaks | None = None
    model: Model | None = field(default=None, repr=False, compare=False)
    _gains: dict[tuple[str, Shots], Gain] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def seen(self) -> int | None:
        """Test series that the model was pretrained on; None where that is not known."""
        return self.leaks.seen if self.leaks else None

    @property
    def names(self) -> tuple[str, ...]:
        """Rows, the model first."""
        return tuple(self.hits)

    def accuracy(self, name: str, shots: Shots) -> float:
        """Return the share of test series that were right, mean over draws."""
        return float(self.hits[name][shots].mean())

    def gain(self, name: str, shots: Shots) -> Gain:
        """Return the lead of the model over a row, in points with a 95 % interval."""
        at = name, shots
        if at not in self._gains:  # a report asks again and again
            self._gains[at] = gain(self.hits[self.names[0]][shots], self.hits[name][shots])
        return self._gains[at]

    def verdict(self) -> list[str]:
        """Return a sentence for each number of labels, then on labels saved, then on each leak."""
        by_shots = [self._sentence(shots) for shots in self.labels_per_class]
        compared = {name: self.labels_saved(name) for name in _SAVINGS_BESIDE}
        words = [saved[0].in_words(name) for name, saved in compared.items() if saved]
        leaks = self.leaks.sentences() if self.leaks else []
        return [*by_shots, *(f"{text[0].upper()}{text[1:]}." for text in words), *leaks]

    def labels_saved(self, name: str) -> list[Savings]:
        """Return the worth of each number of labels beside a row; empty if too few were tried."""
        exact = [shots for shots in self.labels_per_class if shots is not None and shots >= 1]
        by_count = {self.n_labels[shots]: shots for shots in self.labels_per_class}
        if name not in self.hits or not exact or len(by_count) < 2:
            return []
        classes = self.n_labels[min(exact)] / min(exact)
        order = sorted(by_count)
        ours = [self.accuracy(self.names[0], by_count[count]) for count in order]
        theirs = [self.accuracy(name, by_count[count]) for count in order]
        counts = [count / classes for count in order]
        return savings(counts, ours, counts, theirs)

    def _sentence(self, shots: Shots) -> str:
        rivals = [name for name in self.names[1:] if name != UNTRAINED and not is_strategy(name)]
        words = gain_in_words(self.gain(UNTRAINED, shots))
        best = max(rivals, key=lambda name: self.accuracy(name, shots))
        own = 100 * self.accuracy(self.names[0], shots)
        return (
            f"With {labels_in_words(shots)}: {own:.1f} % right; {words}; "
            f"{self.gain(best, shots)} points against {best}."
        )

    def to_columns(self) -> dict[str, Any]:
        """Return accuracies by row and labels per class, and how far ahead the model is of each.

        That is in points, with a 95 % interval from ``low`` to ``high``.
        """
        rows = [
            (
                name,
                labels_in_words(shots),
                self.n_labels[shots],
                self.accuracy(name, shots),
                *(self.gain(name, shots) if name != self.names[0] else (None,) * 3),
            )
            for name in self.names
            for shots in self.labels_per_class
        ]
        names = ("row", "labels", "n_labels", "accuracy", "ahead", "low", "high")
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))

    def __repr__(self) -> str:
        labels = ", ".join(map(labels_in_words, self.labels_per_class))
        return f"Comparison({', '.join(self.names)}; {labels})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        words = {shots: labels_in_words(shots) for shots in self.labels_per_class}
        ours = self.hits[self.names[0]]
        return {
            "labels": {text: self.n_labels[shots] for shots, text in words.items()},
            "draws": {text: len(ours[shots]) for shots, text in words.items()},
            "test_series": ours[self.labels_per_class[0]].shape[1],
            "accuracy": {
                name: {text: self.accuracy(name, shots) for shots, text in words.items()}
                for name in self.names
            },
            "gain": {
                name: {text: self.gain(name, shots)._asdict() for shots, text in words.items()}
                for name in self.names[1:]
            },
            "saved": {
                name: [own._asdict() for own in self.labels_saved(name)] for name in _SAVINGS_BESIDE
            },
            "leaks": self.leaks.to_dict() if self.leaks else {},
            "verdict": self.verdict(),
        }


UNTRAINED = "untrained encoder"
_SAVINGS_BESIDE = ("supervised from scratch", "MiniRocket + ridge")
"""Rows beside which a verdict counts the labels that a model saves."""


def labels_in_words(shots: Shots) -> str:
    """Return labels per class as printed."""
    if shots is None:
        return "all labels"
    if shots < 1:
        return f"{100 * shots:g} % of the labels"
    return f"{shots} label{'s' if shots > 1 else ''} per class"


def parse_shots(labels: Shots | str | Sequence[Shots | str]) -> tuple[Shots, ...]:
    """Return labels per class, each once, from numbers, shares, "10%", "all" or None."""
    parts = labels.split(",") if isinstance(labels, str) else labels
    words: Sequence[Shots | str] = parts if isinstance(parts, Sequence) else [parts]
    try:
        found = tuple(dict.fromkeys(_parse_one(word) for word in words))
    except ValueError:
        found = ()
    if not found:
        wanted = "numbers, shares or all, such as 1,2,5,10%,all"
        raise ValueError(f"got {labels!r} as labels per class, wanted {wanted}")
    return found


def _parse_one(word: Shots | str) -> Shots:
    if isinstance(word, str):
        word = word.strip()
        if word in ("all", "100%"):
            return None
        if not word.endswith("%"):
            return _parse_one(int(word) if word.isdecimal() else float("nan"))
        word = float(word[:-1]) / 100
        if word >= 1:
            raise ValueError(word)
    if word is None or 0 < word < 1:
        return word
    if not word >= 1 or word != int(word):
        raise ValueError(word)
    return int(word)


def compare(  # noqa: PLR0913 - a front door: each is one thing that people decide
    model: Models,
    train: Any,
    test: Any = None,
    *,
    labels_per_class: Shots | str | Sequence[Shots | str] = (1, 2, 5, "all"),
    draws: int = 5,
    strategies: Sequence[str] = (),
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Comparison:
    """Compare a model with reference rows at several numbers of labels per class.

    All rows see the same draws of labelled training series and all labelled test series. The rest
    of ``train`` serves every row in the same way; no row sees ``test`` before it is judged.

    Args:
        model: that is compared, or its folder; None pretrains one on ``train``; several in a list
            or by name.
        train: series to draw labelled ones from, whatever :func:`selftime.read` takes.
        test: series whose labelled ones are judged; channels are matched by name. None holds
            out a third of the labelled series of ``train`` (:func:`selftime.hold_out`).
        labels_per_class: numbers, shares of all labels such as 0.05 or "5%", and "all", which
            means all of ``train`` with one draw; or all of these in one text, "1,2,5%,all".
        draws: number of draws of labels, each with a seed of its own (0, 1, …).
        strategies: further ways to use the model, each a row: names in
            :data:`selftime.tasks.transfer.strategies.STRATEGIES`, or "auto". They take minutes.
        seed: of the pretraining, where there is no model.
        progress: shows a bar where None and on a terminal, or is called with each step.

    Raises:
        SeriesError: no labels, a single class, or test has classes that train lacks.
        ValueError: an unknown strategy, or labels per class that cannot be read.

    Example:
        >>> import selftime as st
        >>> train, test = (st.sample("JapaneseVowels", p)[:60:3] for p in ("train", "test"))
        >>> found = st.compare(None, train, test, labels_per_class=1, draws=1)
        >>> print(found.verdict()[0])  # doctest: +ELLIPSIS
        With 1 label per class: ... % right; self-supervision ... points against ...
    """
    all_shots, models = parse_shots(labels_per_class), models_by_name(model)
    kind = next((own.kind for own in models.values() if own), Measurements())
    train = read(train, kind=kind_for(train, kind))
    if test is None:
        train, test = hold_out(train, seed=seed)
    else:
        test = match_kind(read(test, kind=kind_for(test, train.kind)), train.kind)
    makers = makers_of(models, strategies, rows_of(train.kind))
    labelled, test = check_labels(train, match_channels(test, train.channels))
    labels, truth = np.asarray(labelled.labels), np.asarray(test.labels)
    all_shots = reachable(all_shots, labels)
    rows, n_labels = list[Row](), dict[Shots, int]()
    hits: dict[str, dict[Shots, Hits]] = {}
    with open_progress(progress) as show:
        first = next(iter(models.values())) or pretrain(train, seed=seed, progress=show)
        for done, (name, make) in enumerate(makers.items()):
            show(f"comparing ({name})", done, len(makers) + len(all_shots))
            row = make(first, train, test)
            rows.append(row._replace(name=name, train=row.train[train.labelled]))
            hits[name] = {}
        for done, shots in enumerate(all_shots, start=len(makers)):
            show(f"comparing ({labels_in_words(shots)})", done, len(makers) + len(all_shots))
            picks = draw_labels(labels, shots, draws)
            n_labels[shots] = len(picks[0])
            for row in rows:
                hits[row.name][shots] = row_hits(row, labels, truth, picks)
    leaks = [find_leaks(own or first, labelled, test) for own in models.values()]
    return Comparison(all_shots, hits, n_labels, max(leaks, key=lambda it: it.seen or 0), first)


COMPARISON_ROWS: dict[str, Maker] = {
    OWN: model_row,
    UNTRAINED: untrained_row,
    "raw values": raw_values_row,
    "MiniRocket + ridge": minirocket_ridge,
    "supervised from scratch": from_scratch,
}
"""The rows of every comparison of what has a size."""
_OF_SIZES = ("raw values", "MiniRocket + ridge")
"""Rows that add up values, which symbols of a text have none of."""


def rows_of(kind: Signal) -> dict[str, Maker]:
    """Return the rows of a comparison of series of a kind, the model first."""
    own = {
        name: make
        for name, make in COMPARISON_ROWS.items()
        if kind.symbols is None or name not in _OF_SIZES
    }
    return own | MORE_ROWS.get(kind.name, {})


def models_by_name(model: Models) -> dict[str, Model | None]:
    """Return models by the names of their rows: a single one is called selftime."""
    found: dict[str, ModelOrFolder | None]
    if isinstance(model, Mapping):
        found = dict(model)
    elif model is None or isinstance(model, Model | str | os.PathLike):
        found = {OWN: model}
    else:
        found = {f"model {k}" if k > 1 else OWN: own for k, own in enumerate(model, 1)}
    reserved = {*COMPARISON_ROWS, *(name for rows in MORE_ROWS.values() for name in rows)}
    taken = [name for name in found if name in reserved and name != OWN]
    if not found or taken:
        raise ValueError(f"got models {list(found)}, wanted one or several, named unlike {taken}")
    return {name: None if own is None else model_at(own) for name, own in found.items()}


def reachable(all_shots: Sequence[Shots], labels: np.ndarray) -> tuple[Shots, ...]:
    """Return numbers of labels with "all" in the place of those that no class has; say so."""
    most = int(np.unique(labels, return_counts=True)[1].max())
    beyond = [int(shots) for shots in all_shots if shots is not None and shots > most]
    if beyond:
        asked = ", ".join(map(str, beyond))
        tell([f"no class has {asked} labels to draw from, at most {most}: that is all of them"])
    return tuple(dict.fromkeys(None if shots in beyond else shots for shots in all_shots))


def draw_labels(labels: np.ndarray, shots: Shots, draws: int) -> list[np.ndarray]:
    """Draw rows of labelled training series, an array for each draw."""
    if shots is None:
        return [np.arange(len(labels))]
    rngs = [np.random.default_rng(seed) for seed in range(draws)]
    if shots < 1:
        return [draw_share(labels, shots, rng) for rng in rngs]
    return [draw_per_class(labels, int(shots), rng) for rng in rngs]


def row_hits(row: Row, labels: np.ndarray, truth: np.ndarray, picks: list[np.ndarray]) -> Hits:
    """Return the test series that are right (R,M), the head fitted anew on each draw."""
    with keep_neighbours():  # those of the test series are the same for every head
        heads = [clone(row.head).fit(row.train[pick], labels[pick]) for pick in picks]
        return np.stack([head.predict(row.test) == truth for head in heads])


def check_labels(train: SeriesSet, test: SeriesSet) -> tuple[SeriesSet, SeriesSet]:
    """Return the labelled series of both parts, and say where there are others."""
    for part, name in (train, "train"), (test, "test"):
        tell(share_in_words(part.labelled, name, part.notes))
    train, test = labelled_part(train, "train"), labelled_part(test, "test")
    known = np.unique(np.asarray(train.labels))
    if len(known) < 2:
        raise SeriesError(f"train has one class only ({known[0]}), wanted at least 2")
    if len(strange := np.setdiff1d(np.asarray(test.labels), known)):
        raise SeriesError(f"test has classes that train lacks: {', '.join(map(str, strange))}")
    return train, test


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """Return the figures, and beneath them a bit for each test series: right or wrong."""
    return comparison.to_dict() | {
        "labels_per_class": list(comparison.labels_per_class),
        "hits": {
            name: [pack_hits(by_shots[shots]) for shots in comparison.labels_per_class]
            for name, by_shots in comparison.hits.items()
        },
    }


def comparison_from_dict(content: Mapping[str, Any]) -> Comparison:
    """Return the comparison that :func:`comparison_to_dict` wrote."""
    try:
        all_shots, M = tuple(content["labels_per_class"]), int(content["test_series"])
        hits = {
            name: {b: unpack_hits(text, M) for b, text in zip(all_shots, texts, strict=True)}
            for name, texts in content["hits"].items()
        }
        counts = dict(zip(all_shots, content["labels"].values(), strict=True))
        leaks = Leaks.from_dict(content["leaks"]) if content.get("leaks") else None
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"the comparison lacks or garbles {error}: compare again") from None
    return Comparison(all_shots, hits, counts, leaks)


def pack_hits(hits: Hits) -> list[str]:
    """Return a text per draw: its hits as bits, eight to a byte, in base64."""
    return [b64encode(np.packbits(row).tobytes()).decode("ascii") for row in hits]


def unpack_hits(texts: list[str], M: int) -> Hits:
    """Return the hits of M test series in every draw (R,M)."""
    rows = [np.frombuffer(b64decode(text, validate=True), np.uint8) for text in texts]
    if not rows or any(len(row) != -(-M // 8) for row in rows):
        raise ValueError(f"the comparison holds hits that are not of {M} series: compare again")
    return np.stack([np.unpackbits(row, count=M).astype(bool) for row in rows])
