"""Texts as symbols: characters, bytes, or subwords that are learned on the texts themselves."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from selftime.data.arrays import SeriesError
from selftime.data.forms import Form
from selftime.data.series import SeriesSet
from selftime.data.signals import Text
from selftime.data.steps import series_of_steps

MISSING = "▁"
"""Stands in decoded text where a symbol is missing."""
SUBWORDS = 1000
"""Size of a vocabulary of subwords: 256 bytes, and the most frequent pairs."""
_BYTES = tuple(map(chr, range(256)))


def texts_of(texts: Sequence[str], form: Form) -> SeriesSet:
    """Return each text as a series of symbols; of a given vocabulary, or one made of them all.

    Symbols that a given vocabulary does not have are missing, and counted in a note.
    """
    texts = [text.encode("utf-8", "replace").decode() for text in texts]  # no half characters
    given = form.like if isinstance(form.like, Text) else None
    kind = given or vocabulary_of(texts, form)
    series = series_of_steps([encode(text, kind)[:, None] for text in texts], kind)
    lost = 0 if series.observed is None else int((~series.observed).sum())
    return replace(series, notes=_strange_in_words(lost, len(series.steps), kind))


def _strange_in_words(lost: int, count: int, kind: Text) -> tuple[str, ...]:
    if lost < 1:
        return ()
    known = f"the vocabulary of {len(kind.vocabulary):,} {kind.level}"
    return (f"{lost:,} of {count:,} symbols are not in {known}: they count as missing",)


def vocabulary_of(texts: Sequence[str], form: Form) -> Text:
    """Return the kind of these texts: their characters in order, all bytes, or subwords."""
    level = form.symbols or "characters"
    if level == "characters":
        return Text(vocabulary=tuple(sorted(set[str]().union(*texts))))
    if level == "bytes":
        return Text(vocabulary=_BYTES, level="bytes")
    return _learn_subwords(texts)


def _learn_subwords(texts: Sequence[str]) -> Text:
    """Learn subwords by joining the most frequent pairs (Sennrich et al. 2016, section 3.2).

    They are pairs of bytes, so that no text is unknown.
    """
    lib = _tokenizers()
    learned = _with_bytes(lib.models.BPE())
    trainer = lib.trainers.BpeTrainer(
        vocab_size=SUBWORDS,
        show_progress=False,
        initial_alphabet=sorted(lib.pre_tokenizers.ByteLevel.alphabet()),
    )
    learned.train_from_iterator(texts, trainer)
    places, model = learned.get_vocab(), json.loads(learned.to_str())["model"]
    return Text(
        vocabulary=tuple(sorted(places, key=lambda word: places[word])),
        level="subwords",
        rules=json.dumps(model["merges"], ensure_ascii=False),
    )


def _with_bytes(model: Any) -> Any:
    """Return a tokenizer that takes text for bytes, so that it loses nothing."""
    lib = _tokenizers()
    made = lib.Tokenizer(model)
    made.pre_tokenizer = lib.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = lib.decoders.ByteLevel()
    return made


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise SeriesError(
            "subwords need the package tokenizers: pip install 'selftime[text]', or take "
            "characters or bytes"
        ) from None
    return tokenizers


def encode(text: str, kind: Text) -> Float32[np.ndarray, "T"]:
    """Return the symbols of a text as places in the vocabulary; NaN for those that it has not.

    Example:
        >>> encode("abca", Text(vocabulary=("a", "b"))).tolist()
        [0.0, 1.0, nan, 0.0]
    """
    if kind.level == "characters":
        codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)
        known = np.array([ord(symbol) for symbol in kind.vocabulary], np.uint32)
        return _places(codes, known)
    if kind.level == "bytes":
        codes = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
        return _places(codes, np.array([ord(symbol) for symbol in kind.vocabulary], np.uint32))
    return np.array(_tokenizer_of(kind).encode(text).ids, np.float32)


def _places(codes: np.ndarray, known: np.ndarray) -> Float32[np.ndarray, "T"]:
    """Return the place of each code among those that are known, NaN where it is not there."""
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known[order], codes), len(known) - 1)
    found = order[at].astype(np.float32)
    found[known[order][at] != codes] = np.nan
    return found


@lru_cache(maxsize=8)
def _tokenizer_of(kind: Text) -> Any:
    """Return the tokenizer of a vocabulary of subwords, which may come from a stranger's file."""
    words = {word: place for place, word in enumerate(kind.vocabulary)}
    lib = _tokenizers()
    if lost := set(lib.pre_tokenizers.ByteLevel.alphabet()) - set(words):
        raise SeriesError(f"a vocabulary of subwords lacks {len(lost)} of the 256 bytes")
    try:
        pairs = [(str(first), str(second)) for first, second in json.loads(kind.rules)]
        return _with_bytes(lib.models.BPE(vocab=words, merges=pairs))
    except Exception as error:  # the library raises bare ones
        raise SeriesError(f"the rules of the subwords are damaged: {str(error)[:100]}") from None


def decode(symbols: Float[np.ndarray, "T"], kind: Text) -> str:
    """Return the text that symbols make, with ``▁`` where one is missing (NaN).

    Example:
        >>> decode(np.array([0, 1, np.nan]), Text(vocabulary=("a", "b")))
        'ab▁'

    Raises:
        SeriesError: symbols beyond the vocabulary.
    """
    words = _tokenizer_of(kind) if kind.level == "subwords" else None
    return "".join(
        MISSING * len(run) if places is None else _run(places, kind, words)
        for run, places in _runs_of(np.asarray(symbols, np.float64), kind)
    )


def _runs_of(symbols: np.ndarray, kind: Text) -> Iterator[tuple[np.ndarray, list[int] | None]]:
    """Yield runs of symbols that are there, with their places, and of missing ones, with None."""
    known = ~np.isnan(symbols)
    places = np.where(known, symbols, 0).round().astype(np.int64)
    if len(places) and not 0 <= places.min() <= places.max() < len(kind.vocabulary):
        raise SeriesError(
            f"got symbols {places.min()} to {places.max()}, wanted 0 to {len(kind.vocabulary) - 1}"
        )
    ends = [0, *np.flatnonzero(np.diff(known)) + 1, len(symbols)]
    for first, last in pairwise(ends):
        run = slice(first, last)
        if last > first:
            yield symbols[run], places[run].tolist() if known[first] else None


def _run(places: list[int], kind: Text, words: Any) -> str:
    if words is not None:
        return str(words.decode(places, skip_special_tokens=False))
    text = "".join(kind.vocabulary[place] for place in places)
    return text if kind.level == "characters" else text.encode("latin-1").decode("utf-8", "replace")


def spellings(kind: Text) -> list[str]:
    """Return each symbol of the vocabulary as text by itself; parts of a letter are "\ufffd".

    Example:
        >>> spellings(Text(vocabulary=("a", "b")))
        ['a', 'b']
    """
    words = _tokenizer_of(kind) if kind.level == "subwords" else None
    return [_run([place], kind, words) for place in range(len(kind.vocabulary))]


def recode(series: SeriesSet, kind: Text) -> SeriesSet:
    """Return texts in another vocabulary; what it does not have is missing, which is said.

    Times and labels of steps stay only where every symbol still is one.
    """
    own = series.kind
    if not isinstance(own, Text):
        raise SeriesError(f"got {own.name}, wanted text: it alone has symbols")
    words = _tokenizer_of(own) if own.level == "subwords" else None
    parts = [
        np.concatenate(
            [
                run if places is None else encode(_run(places, own, words), kind)
                for run, places in _runs_of(series.series(i)[0], own)
            ]
        )[:, None]
        for i in range(len(series))  # texts are few and long
    ]
    made = series_of_steps(parts, kind)
    lost = [0 if x.observed is None else int((~x.observed).sum()) for x in (series, made)]
    note = _strange_in_words(lost[1] - lost[0], len(made.steps), kind)
    found = replace(made, notes=(*series.notes, *note), **_names_of(series))
    if not np.array_equal(made.offsets, series.offsets):
        return found
    return replace(found, step_labels=series.step_labels, starts=series.starts)


def _names_of(series: SeriesSet) -> dict[str, Any]:
    """Return what is said of whole series, by name."""
    kept = ("ids", "labels", "groups", "recordings", "source", "columns")
    return {name: getattr(series, name) for name in kept}
