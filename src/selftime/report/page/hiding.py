"""Hidden parts of a few series, and the guesses that an objective filled them in with."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.data.signals import Signal, Text
from selftime.engine.guesses import Guesses
from selftime.report.page.charts import trace_path
from selftime.report.page.sights import Sight, legend_of, sight_of
from selftime.report.pictures.signals import Ranges, count_in_words, is_curve, plural, ranges_of
from selftime.report.pictures.texts import guessed_text

_CHANNELS, _STEPS = 3, 240
"""Channels of a curve that are drawn, and steps through which it is."""
_PIXELS, _SYMBOLS = 12_000, 280
"""Of a picture and of a text."""


class HiddenLane(NamedTuple):
    """Paths of a channel: what was seen, what was hidden, and the guess."""

    seen: str
    hidden: str
    guess: str


class HiddenRow(NamedTuple):
    """A series with what was hidden of it."""

    id: str
    lanes: list[HiddenLane]  # of a curve
    sights: list[tuple[str, Sight]]  # of other kinds: a title and what is seen


class HiddenParts(NamedTuple):
    """The section, ready to be drawn."""

    lead: str
    figure: str  # how good the guesses are
    rows: list[HiddenRow]
    look: str  # "curve", "text", "strip" or "picture"


def hidden_parts(found: Guesses) -> HiddenParts:
    """Show each series as it is, as it was seen, and filled in."""
    kind, ranges = found.whole.kind, ranges_of(found.whole)
    rows = [_row(found, i, kind, ranges) for i in range(len(found.whole))]
    share = np.mean([found.hidden(i).mean() for i in range(len(rows))])
    count = "a series" if len(rows) == 1 else f"{len(rows)} series"
    return HiddenParts(
        lead=f"Of {count} {100 * share:.0f} % was hidden, as in learning, and filled in by the "
        f"network as it was when learning ended. {legend_of(kind)}".strip(),
        figure=_right(found, kind) if isinstance(kind, Text) else _error(found, kind),
        rows=rows,
        look=_look_of(kind),
    )


def _look_of(kind: Signal) -> str:
    if is_curve(kind):
        return "curve"
    return {"text": "text", "film": "strip"}.get(kind.name, "picture")


def _row(found: Guesses, i: int, kind: Signal, ranges: Ranges) -> HiddenRow:
    name = str(found.whole.ids[i])
    whole, seen, filled = found.whole.series(i), found.seen(i), found.filled(i)
    hidden = found.hidden(i)
    if is_curve(kind):
        return HiddenRow(name, _lanes(whole, hidden, filled), [])
    shown = [
        (title, sight_of(values, kind, ranges, name=f"{name} {title}", **_BOUNDS))
        for title, values in (("as it is", whole), ("as it was seen", seen), ("filled in", filled))
    ]
    if isinstance(kind, Text):
        guess = guessed_text(whole[0], filled[0], hidden[0], kind, _SYMBOLS)
        shown = [shown[1], ("filled in", Sight(f"{name} filled in", pieces=guess))]
    return HiddenRow(name, [], shown)


_BOUNDS = {"pixels": _PIXELS, "symbols": _SYMBOLS}


def _lanes(
    whole: Float[np.ndarray, "C T"],
    hidden: Bool[np.ndarray, "C T"],
    filled: Float[np.ndarray, "C T"],
) -> list[HiddenLane]:
    """Draw the first channels, each in the range of its own values and guesses."""
    lanes = []
    for truth, gone, guess in zip(whole[:_CHANNELS], hidden, filled, strict=False):
        both = np.concatenate([truth, guess])
        low, high = np.nanmin(both), np.nanmax(both)
        span = (high - low) or 1.0
        parts = (np.where(gone, np.nan, truth), np.where(gone, truth, np.nan),
                 np.where(gone, guess, np.nan))  # fmt: skip
        paths = (trace_path(0.04 + 0.92 * (part - low) / span, _STEPS) for part in parts)
        lanes.append(HiddenLane(*paths))
    return lanes


def _error(found: Guesses, kind: Signal) -> str:
    """Say how far guesses are from the truth, beside the mean of each channel, if it varies."""
    N = len(found.whole)
    whole = np.concatenate([found.whole.series(i) for i in range(N)], axis=1)
    made = np.concatenate([found.made.series(i) for i in range(N)], axis=1)
    hidden = np.isfinite(made) & np.isfinite(whole)
    mean = np.nanmean(np.where(hidden, np.nan, whole), axis=1, keepdims=True)
    plain = np.square(np.where(hidden, whole - np.where(np.isfinite(mean), mean, 0), 0))
    error = np.square(np.where(hidden, whole - made, 0))
    if kind.scaled == "channels":  # in units of their own
        weight = 1 / np.maximum(plain.sum(axis=1, keepdims=True), 1e-30)
        plain, error = plain * weight, error * weight
    if not plain.sum() > 0:
        return ""
    ratio = error.sum() / plain.sum()
    return (
        f"The squared error of the guesses is {ratio:.2g} times that of the mean of the visible "
        f"{plural(kind.step)} in their place, over these series."
    )


def _right(found: Guesses, kind: Text) -> str:
    """Say how many hidden symbols were guessed, beside the most frequent symbol in their place."""
    N = len(found.whole)
    whole = np.concatenate([found.whole.series(i)[0] for i in range(N)])
    made = np.concatenate([found.made.series(i)[0] for i in range(N)])
    hidden = np.isfinite(made) & np.isfinite(whole)
    counts = np.bincount(whole[~hidden & np.isfinite(whole)].astype(int), minlength=1)
    right = int((whole[hidden] == made[hidden]).sum())
    plain = int((whole[hidden] == counts.argmax()).sum())
    return (
        f"Of {hidden.sum():,} hidden symbols {right:,} are guessed right; the most frequent symbol "
        f"in their place would be right {count_in_words(plain, 'time')}."
    )
