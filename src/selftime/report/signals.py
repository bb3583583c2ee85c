"""Facts of pictures, texts, sounds and films, in words: sizes, symbols, seconds and frames."""

import numpy as np

from selftime.data.series import SeriesSet
from selftime.data.signals import Film, Images, Measurements, Signal, Sound, Text, Wave

_SHOWN = 12
"""Symbols that are listed by name, the commonest."""
_WINDOWS = {"text": 128, "film": 16}
"""Steps of windows for one long text or film; a second of a sound."""
LONG_TEXT = 1024
"""Symbols of a text beyond which learning takes long."""
_BLANKS = {" ": "blank", "\n": "line end", "\t": "tab", "\r": "return"}
_LEAST = 8
"""Windows that a single recording should give."""


def facts_of_kind(series: SeriesSet) -> list[tuple[str, str]]:
    """Return facts of series that are no measurements, each with its name; none of others.

    Example:
        >>> import selftime as st
        >>> facts_of_kind(st.sample("Digits"))
        [('pictures', '1,797 of 8 x 8 pixels, grey, as 16 patches of 2 x 2')]
    """
    kind, N = series.kind, f"{len(series):,}"
    if isinstance(kind, Images):
        return [("pictures", f"{N} of {_look(kind)}, {_patches(series, kind)}")]
    if isinstance(kind, Film):
        films = ("films", f"{N} of {_lengths(series, 'frames')}, {_seconds(series)}")
        return [films, ("frames", f"{_look(kind)}, {kind.rate:g} a second")]
    if isinstance(kind, Text):
        texts = ("texts", f"{N} of {_lengths(series, 'symbols')}")
        return [texts, ("vocabulary", f"{len(kind.vocabulary):,} {kind.level}"), _commonest(series)]
    if isinstance(kind, Sound | Wave):
        sounds = ("sounds", f"{N}, {_seconds(series)}")
        steps = f"{kind.per_second:,g} a second"
        if isinstance(kind, Wave):
            return [sounds, ("samples", steps)]
        return [sounds, ("frames", f"{steps}, {kind.bands} mel bands, from {kind.rate:,} Hz")]
    return []


def _look(kind: Images | Film) -> str:
    colours = "grey" if kind.colours == 1 else "in colour"
    return f"{kind.height:,} x {kind.width:,} pixels, {colours}"


def _patches(series: SeriesSet, kind: Images) -> str:
    return f"as {int(series.lengths.max()):,} patches of {kind.patch} x {kind.patch}"


def _lengths(series: SeriesSet, what: str) -> str:
    low, high = int(series.lengths.min()), int(series.lengths.max())
    return f"{low:,} {what}" if low == high else f"{low:,} to {high:,} {what}"


def _seconds(series: SeriesSet) -> str:
    rate = series.kind.per_second or 1.0
    total = f"{len(series.steps) / rate:,.1f} seconds"
    if len(series) == 1:
        return total
    low, high = series.lengths.min() / rate, series.lengths.max() / rate
    each = f"{low:.2g} to {high:.2g} each" if low < high else f"{low:.3g} each"
    return f"{total} in all ({each})"


def _commonest(series: SeriesSet) -> tuple[str, str]:
    """Return the commonest symbols and the share of each."""
    kind, symbols = series.kind, series.steps[:, 0]
    if series.observed is not None:
        symbols = symbols[series.observed[:, 0]]
    words = kind.vocabulary if isinstance(kind, Text) else ()
    counts = np.bincount(symbols.astype(np.int64), minlength=len(words))
    first = np.argsort(-counts, kind="stable")[: min(_SHOWN, int((counts > 0).sum()))]
    shares = [f"{_word(words[i])} {counts[i] / len(symbols):.1%}" for i in first]
    return "commonest", ", ".join(shares)


def _word(symbol: str) -> str:
    """Return a symbol as it can be read in a list; ``Ġ`` is the blank before a subword."""
    return _BLANKS.get(symbol, symbol if symbol.isprintable() else repr(symbol)[1:-1])


def windows_of_kind(kind: Signal, length: int) -> int | None:
    """Return steps of windows for a single long text, sound or film; None where it is short."""
    if isinstance(kind, Measurements | Images):
        return None
    usual = _WINDOWS.get(kind.name, round(kind.per_second or 1))
    return min(usual, length // _LEAST) or None
