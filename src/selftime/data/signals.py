"""Signals: what the steps of a series are, so that each kind can be read, scaled and shown."""

from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.records import unpack

Scaled = Literal["channels", "together", "none"]
"""Each channel by its own mean and deviation, all channels by the same ones, or none at all."""
Level = Literal["characters", "bytes", "subwords"]
"""What a symbol of a text is."""


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Says what the steps and channels of a set of series are.

    Objectives never ask for it. What differs from kind to kind is a part: the embedder that makes
    tokens, the head that says what a hidden token was, the views that change a series.
    """

    name: ClassVar[str]
    """As people type it: ``kind="images"``."""
    step: ClassVar[str]
    """What one step is, in a word."""
    scaled: ClassVar[Scaled] = "channels"
    """How values are scaled before they are learned from."""
    in_time: ClassVar[bool] = True
    """True where steps follow one another in an order that can be walked."""
    in_rows: ClassVar[bool] = True
    """True where steps are samples of a curve, each a row of a table, which can be forecast.

    Else a step stands for itself, such as a patch or a symbol, and a table has a row a series.
    """

    @property
    def symbols(self) -> int | None:
        """V, of the symbols 0 to V − 1 that values are; None where values are measurements."""
        return None

    @property
    def columns(self) -> int | None:
        """Steps in a row, where they lie in rows on a grid; None where they follow in time."""
        return None

    @property
    def per_second(self) -> float | None:
        """Steps a second; None where they do not follow in seconds."""
        return None

    @property
    def words(self) -> str:
        """Say what series are, in a few words."""
        return self.name

    @property
    def channels(self) -> int | None:
        """C, where the kind fixes it."""
        return None

    def check(self, steps: np.ndarray) -> None:
        """Check that steps (S,C) can be of the kind.

        Raises:
            SeriesError: another number of channels, or values that are none of its symbols.
        """
        if self.channels not in (None, steps.shape[1]):
            raise SeriesError(
                f"got {steps.shape[1]} channels, wanted {self.channels} of {self.words}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; :func:`signal_from` reads them."""
        return {"name": self.name} | {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, kw_only=True)
class Measurements(Signal):
    """Measurements over time, one step after another: what series are unless said otherwise."""

    name: ClassVar[str] = "series"
    step: ClassVar[str] = "step"


@dataclass(frozen=True, kw_only=True)
class Images(Signal):
    """Pictures as patches in raster order: a step is a patch, its channels are the pixels in it.

    Channels run over colours, then over rows and columns of the patch (Dosovitskiy et al. 2021,
    section 3.1). Height and width are whole patches.

    Attributes:
        height: pixels.
        width: pixels.
        colours: 1 for grey, 3 for red, green and blue.
        patch: pixels of a side of a patch.
    """

    height: int
    width: int
    colours: int = 1
    patch: int = 4
    name: ClassVar[str] = "images"
    step: ClassVar[str] = "patch"
    scaled: ClassVar[Scaled] = "together"
    in_time: ClassVar[bool] = False
    in_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_sizes(self, ("height", "width", "colours", "patch"))
        if self.height % self.patch or self.width % self.patch:
            raise ValueError(
                f"got pictures of {self.height} x {self.width} pixels and patches of "
                f"{self.patch}, wanted whole patches: use a patch that divides both"
            )

    @property
    def columns(self) -> int:
        """Patches in a row of a picture."""
        return self.width // self.patch

    @property
    def channels(self) -> int:
        """Pixels of a patch, in all colours."""
        return self.colours * self.patch**2

    @property
    def words(self) -> str:
        """Say how large pictures are."""
        return (
            f"pictures of {size_in_pixels(self.height, self.width)}, {_colours_in_words(self)}, "
            f"in patches of {self.patch} x {self.patch}"
        )


@dataclass(frozen=True, kw_only=True)
class Text(Signal):
    """Text as symbols: one channel whose values are places in the vocabulary.

    Attributes:
        vocabulary: the symbols.
        level: what a symbol is.
        rules: pairs that are joined to subwords, in their order, as JSON; else empty.
    """

    vocabulary: tuple[str, ...]
    level: Level = "characters"
    rules: str = ""
    name: ClassVar[str] = "text"
    step: ClassVar[str] = "symbol"
    in_rows: ClassVar[bool] = False
    scaled: ClassVar[Scaled] = "none"

    def __post_init__(self) -> None:
        if not self.vocabulary or len(set(self.vocabulary)) != len(self.vocabulary):
            raise ValueError(
                f"got a vocabulary of {len(self.vocabulary)} symbols, wanted at least one, and "
                "each once"
            )
        letters = 256 if self.level == "bytes" else 1 << 21
        if self.level != "subwords" and not all(
            len(symbol) == 1 and ord(symbol) < letters for symbol in self.vocabulary
        ):
            raise ValueError(f"got a vocabulary that is not of single {self.level}")

    def __repr__(self) -> str:
        return f"Text({len(self.vocabulary)} {self.level})"

    @property
    def symbols(self) -> int:
        """V, the size of the vocabulary."""
        return len(self.vocabulary)

    @property
    def channels(self) -> int:
        """One, of symbols."""
        return 1

    def check(self, steps: np.ndarray) -> None:
        """Check that each value is a place in the vocabulary."""
        super().check(steps)
        low, high = (steps.min(), steps.max()) if len(steps) else (0, 0)
        if low < 0 or high >= self.symbols or (steps != np.rint(steps)).any():
            raise SeriesError(
                f"got symbols from {low:g} to {high:g}, wanted whole numbers from 0 to "
                f"{self.symbols - 1}, places in the vocabulary"
            )

    @property
    def words(self) -> str:
        """Say of how many symbols texts are."""
        return f"text of {len(self.vocabulary):,} different {self.level}"


@dataclass(frozen=True, kw_only=True)
class Sound(Signal):
    """Sound as frames of log-mel energy: a step is a frame, its channels are bands.

    Attributes:
        rate: samples a second of the waveform.
        bands: mel bands, from low to high.
        hop: samples from one frame to the next.
        window: samples that a frame is made of.
    """

    rate: int
    bands: int = 64
    hop: int = 160
    window: int = 400
    name: ClassVar[str] = "sound"
    step: ClassVar[str] = "frame"

    def __post_init__(self) -> None:
        _check_sizes(self, ("rate", "bands", "hop", "window"))

    @property
    def per_second(self) -> float:
        """Frames a second."""
        return self.rate / self.hop

    @property
    def channels(self) -> int:
        """Mel bands."""
        return self.bands

    @property
    def words(self) -> str:
        """Say how many bands frames have."""
        return f"sound at {self.rate:,} Hz in {self.bands} mel bands"


@dataclass(frozen=True, kw_only=True)
class Wave(Signal):
    """Sound as its waveform: a step is a sample.

    Attributes:
        rate: samples a second.
    """

    rate: int
    name: ClassVar[str] = "wave"
    step: ClassVar[str] = "sample"

    def __post_init__(self) -> None:
        _check_sizes(self, ("rate",))

    @property
    def per_second(self) -> float:
        """Samples a second."""
        return float(self.rate)

    @property
    def channels(self) -> int:
        """One."""
        return 1

    @property
    def words(self) -> str:
        """Say at what rate samples follow."""
        return f"sound at {self.rate:,} Hz as its waveform"


@dataclass(frozen=True, kw_only=True)
class Film(Signal):
    """Film as frames: a step is a frame, its channels are the pixels of colours, rows, columns.

    Attributes:
        height: pixels.
        width: pixels.
        colours: 1 for grey, 3 for red, green and blue.
        rate: frames a second.
    """

    height: int
    width: int
    colours: int = 1
    rate: float = 25.0
    name: ClassVar[str] = "film"
    step: ClassVar[str] = "frame"
    in_rows: ClassVar[bool] = False
    scaled: ClassVar[Scaled] = "together"

    def __post_init__(self) -> None:
        _check_sizes(self, ("height", "width", "colours", "rate"))

    @property
    def per_second(self) -> float:
        """Frames a second."""
        return self.rate

    @property
    def channels(self) -> int:
        """Pixels of a frame, in all colours."""
        return self.colours * self.height * self.width

    @property
    def words(self) -> str:
        """Say how large frames are."""
        size = size_in_pixels(self.height, self.width)
        return f"film of {size}, {_colours_in_words(self)}, {self.rate:g} frames a second"


SIGNALS: dict[str, type[Signal]] = {
    signal.name: signal for signal in (Measurements, Images, Text, Sound, Wave, Film)
}
"""Signals by the names that people type and that a stored model may hold."""


def size_in_pixels(height: int, width: int) -> str:
    """Return ``8 x 8 pixels``: height, then width."""
    return f"{height:,} x {width:,} pixels"


def _colours_in_words(signal: Images | Film) -> str:
    return "grey" if signal.colours == 1 else "in colour"


def _check_sizes(signal: Signal, names: tuple[str, ...]) -> None:
    for name in names:
        if not getattr(signal, name) > 0:
            raise ValueError(f"got {name}={getattr(signal, name)}, wanted at least 1")


def signal_from(stored: Any) -> Signal:
    """Read what :meth:`Signal.to_dict` wrote; it may be anything.

    Raises:
        ValueError: an unknown kind, or settings that it does not have.
    """
    name = stored.get("name") if isinstance(stored, dict) else None
    if not isinstance(name, str) or name not in SIGNALS:
        raise ValueError(f"got a kind {str(name)[:60]!r}, wanted one of {', '.join(SIGNALS)}")
    given = {key: value for key, value in stored.items() if key != "name"}
    known: dict[str, Any] = {f.name: f.type for f in fields(SIGNALS[name])}
    if unknown := set(given) - set(known):
        raise ValueError(f"a kind {name!r} has no setting {', '.join(sorted(unknown))[:60]}")
    if lost := [
        f.name for f in fields(SIGNALS[name]) if f.default is MISSING and f.name not in given
    ]:
        raise ValueError(f"a kind {name!r} needs {', '.join(lost)}")
    return SIGNALS[name](**{key: unpack(value, known[key], {}, {}) for key, value in given.items()})
