"""Small sets of series of every kind, made without files: two classes that a look tells apart."""

from dataclasses import replace

import numpy as np
import torch

import selftime as st
from selftime.data.pixels import frames_to_steps, pixels_to_patches
from selftime.data.signals import Film, Images, Signal, Sound, Text, Wave

LETTERS = " abcdefghij"
PICTURE = Images(height=8, width=8, patch=2)
FILM = Film(height=8, width=8, rate=10.0)
NAMES = np.array(["left", "right"])


def series_of(name: str, count: int = 16, *, seed: int = 0) -> st.SeriesSet:
    """Series of a kind, half of them of each class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    values, kind = MAKERS[name](labels, rng)
    return replace(st.SeriesSet.of(values.astype(np.float32), NAMES[labels]), kind=kind)


def pictures(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Signal]:
    """A bright bar at the left or at the right."""
    pixels = 0.3 * rng.normal(size=(len(labels), 1, 8, 8))
    for row, side in enumerate(labels):
        pixels[row, :, :, 1 + 4 * side : 3 + 4 * side] += 2
    return np.asarray(pixels_to_patches(torch.from_numpy(pixels).float(), PICTURE)), PICTURE


def texts(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Signal]:
    """Words of the first letters, or of the last."""
    letters = rng.integers(1, 6, (len(labels), 1, 32)) + 5 * labels[:, None, None]
    return np.where(rng.random(letters.shape) < 0.2, 0, letters), Text(vocabulary=tuple(LETTERS))


def sounds(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Signal]:
    """Energy in low or in high bands."""
    bands = np.arange(8) // 4 == labels[:, None]
    values = 2.0 * bands[:, :, None] + rng.normal(size=(len(labels), 8, 40))
    return values, Sound(rate=8000, bands=8)


def waves(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Signal]:
    """A low or a high tone."""
    turns = np.arange(3200) * (0.01 + 0.03 * labels[:, None]) + rng.random((len(labels), 1))
    noise = 0.1 * rng.normal(size=(len(labels), 1, 3200))
    return np.sin(2 * np.pi * turns)[:, None] + noise, Wave(rate=8000)


def films(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Signal]:
    """A bar that walks to the left or to the right."""
    frames = 0.2 * rng.normal(size=(len(labels), 12, 1, 8, 8))
    for row, side in enumerate(labels):
        places = (int(rng.integers(8)) + np.arange(12) * (2 * side - 1)) % 8
        frames[row, np.arange(12), 0, :, places] += 2
    return np.asarray(frames_to_steps(torch.from_numpy(frames).float())), FILM


MAKERS = {"images": pictures, "text": texts, "sound": sounds, "wave": waves, "film": films}
"""Kinds other than measurements."""
