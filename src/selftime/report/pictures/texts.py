"""Texts as they are shown: cut, broken into lines, and in pieces with guesses marked."""

from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes

from selftime.data.signals import Text
from selftime.data.symbols import decode, spellings
from selftime.texts import visible

MOST_SYMBOLS = 2000
"""Symbols of a text that a picture may hold."""


class Piece(NamedTuple):
    """A part of a text, and what is said of it: "", "hidden", "right" or "wrong"."""

    text: str
    kind: str = ""


def text_of(values: Float[np.ndarray, "T"], kind: Text, most: int) -> str:
    """Return a text of at most so many symbols, ``▁`` where one is missing; "…" ends a cut one."""
    text = visible(decode(values[:most], kind), lines=True)
    return f"{text}…" if len(values) > most else text


def pieces_of(values: Float[np.ndarray, "T"], kind: Text, most: int) -> list[Piece]:
    """Write a text, hidden symbols apart; one of more than ``most`` symbols ends in "…"."""
    found, known = list[Piece](), np.isfinite(values[:most])
    for run in np.split(np.arange(len(known)), np.flatnonzero(np.diff(known)) + 1):
        text = visible(decode(values[run], kind), lines=True)
        found.append(Piece(text, "" if known[run[0]] else "hidden"))
    return found + [Piece("…")] * (len(values) > most)


def guessed_text(
    whole: Float[np.ndarray, "T"],
    filled: Float[np.ndarray, "T"],
    hidden: Bool[np.ndarray, "T"],
    kind: Text,
    most: int,
) -> list[Piece]:
    """Write a text with its guesses in brackets: "[a]" where right, "[b≠a]" in place of an a."""
    found, letters = list[Piece](), [_plain(letter) for letter in spellings(kind)]
    ends = np.flatnonzero(hidden[:most]).tolist()
    for begin, at in zip([0, *(i + 1 for i in ends)], [*ends, min(most, len(whole))], strict=True):
        if at > begin:
            found += pieces_of(whole[begin:at], kind, most)
        if at in ends:
            true, made = (letters[int(values[at])] for values in (whole, filled))
            right = true == made
            marked = f"[{made}]" if right else f"[{made}≠{true}]"
            found.append(Piece(marked, "right" if right else "wrong"))
    return found + [Piece("…")] * (len(whole) > most)


def _plain(symbol: str) -> str:
    """Return a symbol that is seen within brackets."""
    return visible(symbol.translate({ord("\n"): "↵", ord(" "): "␣", ord("\t"): "⇥"}))


LETTERS = "DejaVu Sans Mono"
"""All of its letters are equally wide."""
_SIZE, _WIDE, _HIGH = 7.5, 0.602, 1.3
"""Size of a letter in points, and the room that it takes across and down, in sizes."""


def draw_text(axes: Axes, text: str) -> None:
    """Write as much of a text as there is room for."""
    figure: Any = axes.figure
    box = axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted())  # inches
    columns = max(4, int((72 * box.width - 4) / (_WIDE * _SIZE)))
    lines = max(1, int(72 * box.height / (_HIGH * _SIZE)))
    style: Any = {"va": "center", "ha": "left", "transform": axes.transAxes, "family": LETTERS}
    axes.text(2 / (72 * box.width), 0.5, fit_text(text, columns, lines), size=_SIZE, **style)


_WORDS = 20
"""Shorter lines are broken within words."""


def fit_text(text: str, columns: int, lines: int) -> str:
    """Break a text into lines of so many letters; what does not fit is cut and ends in "…"."""
    plain = " ".join(text.split())
    if columns >= _WORDS:
        return "\n".join(wrap(plain, columns, max_lines=lines, placeholder="…"))
    room = columns * lines
    shown = plain if len(plain) <= room else f"{plain[: room - 1]}…"
    return "\n".join(shown[i : i + columns].strip() for i in range(0, len(shown), columns))
