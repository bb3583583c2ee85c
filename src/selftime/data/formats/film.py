"""Films (mp4, avi, mov, mkv, webm) by PyAV, frame by frame; and folders of pictures as films."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.formats.bounds import check_memory
from selftime.data.formats.pictures import Pictures, Pixels, centre_of, open_picture, resize
from selftime.data.formats.text import UNPACKERS, decoding, naming, read_bytes

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
"""Endings of films."""
_BYTES = 16
"""Bytes of memory for a value of a frame: as it is decoded, as a number, and once more."""


def open_film(path: Path) -> Pictures:
    """Open a film; its frames are decoded when they are drawn.

    Raises:
        SeriesError: PyAV is not installed, it is no film, or it has no picture.
    """
    with _stream_of(path) as (_, stream):
        height, width = stream.codec_context.height, stream.codec_context.width
        rate = stream.average_rate or stream.guessed_rate
    if height < 1 or width < 1:
        raise SeriesError(f"has frames of {height} x {width} pixels, wanted at least 1 x 1")

    def draw(height: int, width: int) -> tuple[Pixels, tuple[str, ...]]:
        with naming(path):
            return _draw(path, height, width)

    return Pictures(height, width, draw, float(rate) if rate else None)


@contextmanager
def _stream_of(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield a film and its first stream of pictures; only this file is opened."""
    try:
        import av
    except ImportError:
        raise SeriesError(
            "needs the package av: pip install 'selftime[video]', or save its frames as pictures"
        ) from None
    packed = path.suffix.lower() in UNPACKERS
    source: Any = io.BytesIO(read_bytes(path)) if packed else path.open("rb")
    with decoding("film"), source as file, av.open(file) as film:
        if not film.streams.video:
            raise SeriesError("holds no pictures, wanted a film: is it cut, or sound alone?")
        yield film, film.streams.video[0]


def _draw(path: Path, height: int, width: int) -> tuple[Pixels, tuple[str, ...]]:
    with _stream_of(path) as (film, stream):
        stored = path.stat().st_size
        size = _BYTES * height * width * 3
        promised = max(stream.frames, 0)
        check_memory(size * promised, stored, f"has {promised:,} frames")
        frames: list[Pixels] = []
        notes: tuple[str, ...] = ()
        try:
            for frame in film.decode(stream):
                frames.append(_pixels_of(frame, height, width))
                check_memory(size * len(frames), stored, f"has {len(frames):,} frames and more")
        except SeriesError:
            raise
        except Exception as error:  # on broken films decoders raise anything
            if not frames:
                raise
            reason = str(error).split("\n")[0] or type(error).__name__
            notes = (
                f"{path.name} is broken after {len(frames):,} frames ({reason}), which are read",
            )
        if not frames:
            raise SeriesError("has no frame that can be read, wanted at least one: copy it again")
        if not notes and len(frames) < promised:
            notes = (f"{path.name} is cut: {len(frames):,} of {promised:,} frames are read",)
        return np.stack(frames), notes


def _pixels_of(frame: Any, height: int, width: int) -> Pixels:
    """Return a frame (height, width, 3) in a size, upright."""
    turns = int(getattr(frame, "rotation", 0) or 0) // 90 % 4
    given = (frame.width, frame.height)
    upright = given[::-1] if turns % 2 else given
    box = centre_of(upright, (width, height))
    share = min(width / (box[2] - box[0]), height / (box[3] - box[1]))
    sides = zip(upright, (width, height), strict=True)
    whole = [max(round(side * share), least) for side, least in sides]
    wide, high = whole[::-1] if turns % 2 else whole
    plain = frame.reformat(width=wide, height=high, format="rgb24").to_ndarray()
    plain = np.rot90(plain, turns)
    return np.asarray(resize(np.ascontiguousarray(plain)[None], height, width)[0])


def film_of_pictures(paths: Sequence[Path]) -> Pictures:
    """Return a film whose frames are pictures, in the order of the paths."""
    opened = []
    for path in paths:
        with naming(path):
            opened.append(open_picture(path))

    def draw(height: int, width: int) -> tuple[Pixels, tuple[str, ...]]:
        size, stored = _BYTES * height * width * 3, sum(path.stat().st_size for path in paths)
        check_memory(size * len(paths), stored, f"has {len(paths):,} frames")
        drawn = [picture.draw(height, width) for picture in opened]
        frames = [np.broadcast_to(frame, (1, height, width, 3)) for frame, _ in drawn]
        notes = dict.fromkeys(note for _, notes in drawn for note in notes)
        return np.concatenate(frames), tuple(notes)

    return Pictures(opened[0].height, opened[0].width, draw)
