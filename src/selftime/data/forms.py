"""Forms of signals: the kind, size, symbols and rate that are asked for in reading."""

import re
from typing import Any, NamedTuple

from selftime.data.arrays import SeriesError
from selftime.data.signals import SIGNALS, Level, Signal
from selftime.door import option

Size = int | str | tuple[int, int]
"""Pixels of the longer side, or height and width, which may be text such as "48x64"."""


class Form(NamedTuple):
    """The form in which signals are asked for; the data decide what is None.

    Attributes:
        name: of the kind.
        patch: pixels of a side of a patch.
        size: (height, width) in pixels, or (longer side,).
        symbols: what a symbol of a text is.
        rate: samples or frames a second.
        like: a kind that is complete, and that new series are to be of.
    """

    name: str | None = None
    patch: int | None = None
    size: tuple[int, ...] | None = None
    symbols: Level | None = None
    rate: float | int | None = None
    like: Signal | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Return the options that were given, by name."""
        named = {name: getattr(self, name) for name in _KINDS_OF_OPTIONS}
        if self.size is not None and len(self.size) == 1:
            named["size"] = self.size[0]
        return {name: value for name, value in named.items() if value is not None}

    def idle_for(self, name: str) -> tuple[str, ...]:
        """Return a note where options were given that a kind does not have."""
        idle = [
            option(what, value)
            for what, value in self.given.items()
            if name not in _KINDS_OF_OPTIONS[what]
        ]
        return (f"{', '.join(idle)}: left aside, since it is not for {name}",) if idle else ()


_KINDS_OF_OPTIONS: dict[str, tuple[str, ...]] = {
    "patch": ("images",),
    "size": ("images", "film"),
    "symbols": ("text",),
    "rate": ("sound", "wave", "film"),
}
"""Kinds for which an option of :func:`selftime.read` is."""
LARGEST_SIDE = 4096
"""Pixels of a side that can be asked for."""


def form_of(
    kind: str | Signal | None,
    *,
    patch: int | None = None,
    size: Size | None = None,
    symbols: Level | None = None,
    rate: float | int | None = None,
) -> Form:
    """Return the form that options of :func:`selftime.read` ask for.

    Raises:
        SeriesError: an unknown kind, or an option out of range; or options beside a kind that is
            complete.
    """
    if isinstance(kind, Signal):
        found = Form(kind.name, patch, None, symbols, rate, kind)
        if found.given or size is not None:
            raise SeriesError(
                f"got a complete kind ({kind}) and other options beside it, wanted one of both: "
                "leave them out, or give the name of the kind"
            )
        return found
    if kind is not None and kind not in SIGNALS:
        raise SeriesError(f"got {option('kind', kind)}, wanted one of {', '.join(SIGNALS)}")
    if patch is not None and not 1 <= patch <= LARGEST_SIDE:
        raise SeriesError(f"got {option('patch', patch)}, wanted 1 to {LARGEST_SIDE:,} pixels")
    if symbols is not None and symbols not in _LEVELS:
        raise SeriesError(f"got {option('symbols', symbols)}, wanted one of {', '.join(_LEVELS)}")
    if rate is not None and not 1e-3 <= rate <= 1e9:
        raise SeriesError(f"got {option('rate', rate)}, wanted samples or frames a second")
    name = kind or ("images" if patch is not None else "text" if symbols is not None else None)
    return Form(name, patch, _size_of(size), symbols, rate)


_LEVELS = ("characters", "bytes", "subwords")


def _size_of(size: Size | None) -> tuple[int, ...] | None:
    if size is None:
        return None
    parts = re.split(r"\s*[x,]\s*", size.strip()) if isinstance(size, str) else size
    parts = [parts] if isinstance(parts, int) else parts
    try:
        sides = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        sides = ()
    if len(sides) not in (1, 2) or not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise SeriesError(
            f"got {option('size', size)}, wanted pixels of the longer side such as 64, or height "
            f"and width such as 48x64, at most {LARGEST_SIDE:,} each"
        )
    return sides
