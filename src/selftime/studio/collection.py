"""The collection: recordings, the entries that are labelled, their vectors, and how they look."""

import json
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt16

from selftime.data.arrays import SeriesError
from selftime.data.files import whole_file, write_json
from selftime.data.recordings import cut_recordings
from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.engine.solve import sample_of
from selftime.progress import Progress
from selftime.report.page.charts import outline
from selftime.report.page.pointmap import pack_values
from selftime.report.page.sights import MOST_PIXELS, legend_of, sight_of
from selftime.report.pictures.maps import principal_plane
from selftime.report.pictures.signals import channel_ranges, extent_of, is_curve, ranges_of
from selftime.tasks.search.index import SeriesIndex
from selftime.texts import visible

THUMB_POINTS, CURVE_POINTS = 96, 1_600
"""Points through which a series is drawn: among others, and by itself."""
THUMB_PIXELS, THUMB_SYMBOLS, CURVE_SYMBOLS = 4_000, 60, 2_000
CHANNELS_DRAWN = 12
"""Channels of a series that are drawn."""
_RANGED = 4_096
"""Series that say between which values all are drawn."""
_TICKS = 5
VECTORS, PLANE, ABOUT = "vectors.npy", "plane.npy", "vectors.json"


class Collection:
    """Recordings and the entries that are labelled: these as wholes, or their windows.

    Args:
        model: whose vectors say what is alike.
        recordings: as they were read.
        windows: steps or a duration of windows; None where each recording is one entry.
        stride: from one window to the next; a window when None.

    Attributes:
        entries: (N,) what is labelled.
        owners: (N,) the recording that each entry is of.
        firsts: (N,) the step of its recording at which each begins.
        vectors: (N,D) once they are there; see :meth:`embed`.
        plane: (N,2) places on the map, from 0 to 65535.

    Raises:
        SeriesError: channels or a kind that the model was not made for, or windows that do not fit.
    """

    def __init__(
        self,
        model: Model,
        recordings: SeriesSet,
        windows: int | str | None = None,
        stride: int | str | None = None,
    ) -> None:
        if stride is not None and windows is None:
            raise SeriesError("got a stride without windows, wanted both: say how long they are")
        self.model, self.recordings = model, recordings
        self.windows = windows
        self.entries = recordings
        self.owners = np.arange(len(recordings))
        self.firsts = np.zeros(len(recordings), np.int64)
        if windows is not None:
            cut = cut_recordings(recordings, windows, stride)
            self.entries = replace(cut, source=recordings.source)
            number = {name: i for i, name in enumerate(recordings.ids.tolist())}
            assert cut.recordings is not None and cut.starts is not None
            self.owners = np.array([number[name] for name in cut.recordings.tolist()], np.int64)
            self.firsts = cut.starts
        model.check(self.entries[:1])
        self.names = [visible(str(name)) for name in self.entries.ids.tolist()]
        self.vectors: Float32[np.ndarray, "N D"] | None = None
        self.plane: UInt16[np.ndarray, "N 2"] | None = None

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def index(self) -> SeriesIndex:
        """The entries, to be searched; the vectors must be there."""
        assert self.vectors is not None
        return SeriesIndex.of(self.model, self.entries, self.vectors)

    @cached_property
    def ranges(self) -> Float[np.ndarray, "R 2"]:
        """The ends between which all series are drawn."""
        some = self.entries[sample_of(len(self), 0, _RANGED)]
        return channel_ranges(some) if is_curve(some.kind) else ranges_of(some)

    def embed(self, folder: Path, progress: Progress) -> None:
        """Bring in vectors and the map: from a folder that has those of this model and data.

        Else they are computed and kept there. They are those of the model if the first ones are
        equal to the bit.
        """
        head = self.model.embed(self.entries[:2], progress=False)
        own = {"entries": len(self), "head": sha256(head.tobytes()).hexdigest()}
        try:
            stored = json.loads((folder / ABOUT).read_text(encoding="utf8"))
            if stored != own:
                raise ValueError("of another model")
            vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
            plane = np.load(folder / PLANE, allow_pickle=False)
            if vectors.shape != (len(self), self.model.dim) or plane.shape != (len(self), 2):
                raise ValueError("of other data")
        except (OSError, ValueError):  # not there, damaged, or of another model
            (folder / ABOUT).unlink(missing_ok=True)
            vectors = self.model.embed(self.entries, progress=progress)
            progress("drawing the map", 0, 1)
            plane = map_places(principal_plane(vectors)[0])
            for name, array in ((VECTORS, vectors), (PLANE, plane)):
                with whole_file(folder / name) as file:
                    np.save(file, array, allow_pickle=False)
            write_json(folder / ABOUT, own)
        self.plane, self.vectors = plane, vectors

    def about(self) -> dict[str, Any]:
        """Return what there is, as plain values."""
        kind, recordings = self.entries.kind, self.recordings
        C = self.entries.n_channels
        return {
            "entries": len(self),
            "recordings": len(recordings),
            "source": visible(recordings.source or "arrays"),
            "windows": None if self.windows is None else str(self.windows),
            "longest": int(recordings.lengths.max()),
            "kind": kind.name,
            "curves": is_curve(kind),
            "legend": legend_of(kind) if not is_curve(kind) else "",
            "channels": [visible(str(name)) for name in self.entries.channels[:CHANNELS_DRAWN]],
            "more_channels": max(C - CHANNELS_DRAWN, 0) if is_curve(kind) else 0,
            "ranges": short_numbers(self.ranges[:CHANNELS_DRAWN]),
            "dim": self.model.dim,
        }

    def thumbs(self, rows: Int64[np.ndarray, "M"]) -> list[dict[str, Any]]:
        """Return how each of some entries looks, small."""
        return [
            {"row": row, "name": self.names[row]}
            | self._look(self.entries, row, THUMB_POINTS, THUMB_PIXELS, THUMB_SYMBOLS)
            for row in rows.tolist()
        ]

    def _look(
        self, series: SeriesSet, i: int, points: int, pixels: int, symbols: int
    ) -> dict[str, Any]:
        """Return the curves, the picture or the text of a series."""
        values = series.series(i)
        if is_curve(series.kind):
            return curves_of(values[:CHANNELS_DRAWN], points)
        found = sight_of(values, series.kind, self.ranges, name="", pixels=pixels, symbols=symbols)
        return {"picture": found.picture, "look": found.look, "text": found.text}

    def entry(self, row: int) -> dict[str, Any]:
        """Return an entry by itself: its name, its place in its recording, and how it looks."""
        i, first = int(self.owners[row]), int(self.firsts[row])
        length = int(self.entries.lengths[row])
        facts = {
            "row": row,
            "name": self.names[row],
            "recording": i,
            "recording_name": visible(str(self.recordings.ids[i])),
            "recording_length": int(self.recordings.lengths[i]),
            "first": first,
            "length": length,
            "extent": extent_of(self.entries.kind, length),
        }
        if not is_curve(self.entries.kind):
            return facts | self._look(self.entries, row, 0, MOST_PIXELS, CURVE_SYMBOLS)
        return facts

    def curve(self, i: int, start: int, stop: int, points: int = CURVE_POINTS) -> dict[str, Any]:
        """Return a part of a recording, with marks of its times, and the entries that lie there."""
        T = int(self.recordings.lengths[i])
        start = min(max(start, 0), T - 1)
        stop = min(max(stop, start + 1), T)
        values = self.recordings.series(i)[:CHANNELS_DRAWN, start:stop]
        own = np.flatnonzero(self.owners == i)
        ends = self.firsts[own] + self.entries.lengths[own]
        inside = own[(self.firsts[own] < stop) & (ends > start)][:5_000]
        return curves_of(values, points) | {
            "start": start,
            "stop": stop,
            "ticks": self._ticks(i, start, stop),
            "entries": [
                [row, int(self.firsts[row]), int(self.entries.lengths[row])]
                for row in inside.tolist()
            ],
        }

    def _ticks(self, i: int, start: int, stop: int) -> list[tuple[int, str]]:
        """Return a few steps of a part of a recording, and what the clock or the count shows."""
        steps = np.unique(np.linspace(start, stop - 1, _TICKS).round().astype(np.int64))
        series = self.recordings
        if series.times is not None:
            words = series.stamps.words(series.times[series.offsets[i] + steps])
            return list(zip(steps.tolist(), short_times(words), strict=True))
        rate = series.kind.per_second
        texts = [f"{step / rate:.3g} s" if rate else f"{step:,}" for step in steps.tolist()]
        return list(zip(steps.tolist(), texts, strict=True))

    def find(self, text: str, most: int = 20) -> list[dict[str, Any]]:
        """Return entries whose names hold a text: those that are equal first, then as they come."""
        wanted = text.casefold()
        rows = [i for i, name in enumerate(self.names) if wanted in name.casefold()]
        rows.sort(key=lambda i: self.names[i].casefold() != wanted)
        return [{"row": i, "name": self.names[i]} for i in rows[:most]]


def curves_of(values: Float[np.ndarray, "C T"], points: int) -> dict[str, Any]:
    """Return channels as bytes between their ends, gaps apart."""
    ends, levels = pack_values(outline(values.astype(np.float64), points))
    return {"ends": ends, "levels": levels}


def map_places(points: Float[np.ndarray, "N 2"]) -> UInt16[np.ndarray, "N 2"]:
    """Return places from 0 to 65535: each direction fills the map, the second one upwards."""
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    shares = np.where(span > 0, (points - low) / np.where(span > 0, span, 1), 0.5)
    shares[:, 1] = 1 - shares[:, 1]
    return np.asarray(np.rint(65535 * shares), np.uint16)


def short_times(words: list[str]) -> list[str]:
    """Return times without the day where all are of one, and without seconds where all are 0."""
    if not all("T" in word for word in words):
        return words
    if all(word[16:19] == ":00" for word in words):
        words = [word[:16] + word[19:] for word in words]
    if len({word[:10] for word in words}) == 1:
        return [words[0].replace("T", " "), *(word[11:] for word in words[1:])]
    if all(word[11:16] == "00:00" and len(word) == 16 for word in words):
        return [word[:10] for word in words]
    return [word.replace("T", " ") for word in words]


def short_numbers(values: Float[np.ndarray, "..."]) -> Any:
    """Return numbers of 5 digits as plain values, None where there is none."""
    flat = [float(f"{v:.5g}") if np.isfinite(v) else None for v in np.ravel(values).tolist()]
    return np.array(flat, object).reshape(np.shape(values)).tolist()
