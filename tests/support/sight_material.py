"""A few small series of every kind, made of plain loops, to be shown."""

from dataclasses import replace

import numpy as np

import selftime as st
from selftime.data.signals import Film, Images, Measurements, Signal, Sound, Text, Wave
from selftime.engine.guesses import Guesses

HOSTILE_TEXT = "</script><img src=x onerror=alert(1)>\n{{ 7 * 7 }} "
LETTERS = tuple(sorted(set(HOSTILE_TEXT)))
KINDS: dict[str, Signal] = {
    "series": Measurements(),
    "images": Images(height=4, width=6, colours=3, patch=2),
    "text": Text(vocabulary=LETTERS),
    "sound": Sound(rate=8000, bands=5, hop=80, window=200),
    "wave": Wave(rate=100),
    "film": Film(height=3, width=4, colours=3, rate=10.0),
}


def shape_of(kind: Signal) -> tuple[int, int]:
    """Channels and steps of a series of this kind."""
    if isinstance(kind, Images):
        return kind.colours * kind.patch**2, kind.height * kind.width // kind.patch**2
    if isinstance(kind, Film):
        return kind.colours * kind.height * kind.width, 9
    if isinstance(kind, Sound):
        return kind.bands, 40
    return 1, 400 if isinstance(kind, Wave) else 40


def series_of_kind(name: str, n: int = 6, *, gap: bool = False) -> st.SeriesSet:
    """``n`` series of two classes, of the first of which a step is missing if there is a gap."""
    kind, rng = KINDS[name], np.random.default_rng(0)
    x = rng.normal(size=(n, *shape_of(kind)))
    if kind.symbols:
        x = rng.integers(0, kind.symbols, x.shape).astype(float)
        x[1, 0] = [LETTERS.index(letter) for letter in HOSTILE_TEXT[: x.shape[2]]]
    if gap:
        x[0, :, 2] = np.nan
    made = st.SeriesSet.of(
        x, [f"class {i % 2}" for i in range(n)], ids=[f"it {i}" for i in range(n)]
    )
    return replace(made, kind=kind, source=name)


def guesses_of_kind(name: str, n: int = 3) -> Guesses:
    """A quarter of the steps hidden, of which every second guess is right."""
    whole = series_of_kind(name, n)
    values = whole.values
    made = np.full_like(values, np.nan)
    made[:, :, ::4] = values[:, :, ::4]
    off = (values[:, :, ::8] + 1) % whole.kind.symbols if whole.kind.symbols else 0.0
    made[:, :, ::8] = off
    return Guesses(whole=whole, made=replace(st.SeriesSet.of(made), kind=whole.kind))
