"""The folders of docs/signals.md: pictures, texts, sounds and films, from bundled samples."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.io import wavfile

import selftime as st
from selftime.data.pixels import patches_to_pixels, steps_to_frames
from selftime.data.symbols import decode

WORDS = {"0": "zero", "1": "one", "2": "two"}
CLIP, LETTERS = 12, 60
"""Frames of a film and letters of a text."""


def make_pictures(folder: Path) -> None:
    """A folder a digit with 12 pictures each, and 8 of each digit under ``new``."""
    series = st.sample("Digits")
    pixels = patches_to_pixels(torch.from_numpy(series.values), series.kind)[:, 0].numpy()
    for digit, word in WORDS.items():
        rows = np.flatnonzero(series.labels.astype(str) == digit)[:20]
        for k, i in enumerate(rows):
            place = folder / ("digits" if k < 12 else "new") / word / f"{k:02}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            grey = np.rint(255 * pixels[i] / pixels.max()).astype(np.uint8)
            Image.fromarray(grey).save(place)


def make_texts(folder: Path) -> None:
    """Texts as they run and letter by letter backwards, a folder each; others under ``unread``."""
    series = st.sample("Text")
    text = decode(series.series(0)[0], series.kind)
    for k in range(20):
        part = text[LETTERS * k : LETTERS * (k + 1)]
        for name, shown in (("forwards", part), ("backwards", part[::-1])):
            place = folder / ("texts" if k < 12 else "unread") / name / f"{k:02}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(shown, encoding="utf8")


def make_sounds(folder: Path) -> None:
    """Spoken digits in a folder each, those of other takes under ``heard``."""
    for split, name in (("train", "spoken"), ("test", "heard")):
        series = st.sample("Speech", split)
        for i, label in enumerate(series.labels.astype(str)):
            if label not in WORDS:
                continue
            place = folder / name / WORDS[label] / f"{i:03}.wav"
            place.parent.mkdir(parents=True, exist_ok=True)
            samples = np.rint(32767 * np.clip(series.series(i)[0], -1, 1)).astype(np.int16)
            wavfile.write(place, series.kind.rate, samples)


def make_films(folder: Path) -> None:
    """Clips as they ran and backwards, a folder each; those of the end under ``later``."""
    series = st.sample("Film")
    film = torch.from_numpy(series.series(0)[None].astype(np.float32))
    frames = steps_to_frames(film, series.kind)[0, :, 0].numpy()
    grey = np.rint(255 * frames / frames.max()).astype(np.uint8)
    starts = range(0, len(grey) - CLIP, 6)
    for k, start in enumerate(starts):
        clip = grey[start : start + CLIP]
        part = "clips" if start + CLIP <= 90 else "later" if start >= 90 else ""
        for name, shown in (("forwards", clip), ("backwards", clip[::-1])):
            if part:
                place = folder / part / name / f"{k:02}.mp4"
                place.parent.mkdir(parents=True, exist_ok=True)
                write_film(place, shown)


def write_film(place: Path, frames: np.ndarray) -> None:
    """Write grey frames (T,H,W) as a film of 25 a second."""
    import av

    with av.open(str(place), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            shown = av.VideoFrame.from_ndarray(np.repeat(frame[:, :, None], 3, axis=2), "rgb24")
            file.mux(stream.encode(shown))
        file.mux(stream.encode())


def make_signals(folder: Path) -> None:
    """All of them."""
    for make in (make_pictures, make_texts, make_sounds, make_films):
        make(folder)
