"""Sound files: wav by SciPy; flac, ogg and mp3 by soundfile; other rates by soxr."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from selftime.data.arrays import SeriesError, concatenate_steps
from selftime.data.formats.bounds import check_memory
from selftime.data.formats.text import decoding, naming, read_bytes, suffix_of
from selftime.data.series import SeriesSet
from selftime.door import option

SUFFIXES = (".flac", ".ogg", ".mp3")
"""Endings that are sound and nothing else."""
_BLOCK = 1 << 18
_MEND = "save it as uncompressed PCM"


class Recording(NamedTuple):
    """A sound before it is decoded.

    Attributes:
        name: for messages.
        rate: samples a second.
        samples: gives the samples (T,), channels averaged, from -1 to 1.
    """

    name: str
    rate: int
    samples: Callable[[], Float32[np.ndarray, "T"]]


def read_wav(data: bytes) -> SeriesSet:
    """Read one series, with the channels of the sound and times in seconds.

    Whole numbers are scaled to [-1, 1): 16-bit values are divided by 32768, 8-bit values are
    shifted by 128 first, as they are stored without a sign. Floats stay as they are.
    """
    rate, samples = _read_samples(data)
    steps, lengths = concatenate_steps(samples.T[None])
    note = (
        f"each sample is a step; {option('kind', 'sound')} reads frames of its spectrum, "
        f"{option('kind', 'wave')} a waveform"
    )
    series = replace(SeriesSet.from_steps(steps, lengths), notes=(note,))
    return replace(series, times=np.arange(len(steps)) / rate)


def _read_samples(data: bytes) -> tuple[int, Float[np.ndarray, "T C"]]:
    from scipy.io import wavfile  # takes a quarter of a second to import, and few read sound

    with decoding("wav", _MEND):
        rate, samples = wavfile.read(io.BytesIO(data))
    if rate < 1 or samples.size == 0:
        raise SeriesError(f"has {samples.size} samples at {rate} Hz, wanted at least 1 at 1 Hz")
    columns = samples[:, None] if samples.ndim == 1 else samples
    return int(rate), scaled_samples(columns)


def scaled_samples(samples: np.ndarray) -> np.ndarray:
    """Return whole numbers as shares of the largest that their type holds; floats as they are."""
    if samples.dtype.kind == "f":
        return samples
    info = np.iinfo(samples.dtype)
    middle = 0 if info.min < 0 else (info.max + 1) // 2
    return np.asarray((samples.astype(np.float64) - middle) / ((info.max - info.min + 1) // 2))


def open_recording(path: Path) -> Recording:
    """Open a sound; its samples are decoded when they are asked for.

    Raises:
        SeriesError: soundfile is not installed, it is no sound, or it holds no sample.
    """
    data, is_wav = read_bytes(path), suffix_of(path) == ".wav"
    if is_wav:
        rate, _ = _read_samples(data)
    else:
        with decoding("sound"), _open_sound(data) as file:
            rate = int(file.samplerate)

    def decode() -> Float32[np.ndarray, "T"]:
        with naming(path):
            data = read_bytes(path)
            return _mono(_read_samples(data)[1]) if is_wav else _decode(data)

    return Recording(path.name, rate, decode)


def _open_sound(data: bytes) -> Any:
    try:
        import soundfile
    except ImportError:
        raise SeriesError(
            "needs the package soundfile: pip install 'selftime[audio]', or save it as .wav"
        ) from None
    return soundfile.SoundFile(io.BytesIO(data))


def _decode(data: bytes) -> Float32[np.ndarray, "T"]:
    """Decode block by block: headers may promise any number of samples."""
    parts, count = [], 0
    with decoding("sound"), _open_sound(data) as file:
        while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            parts.append(_mono(block))
            count += len(block)
            check_memory(16 * count, len(data), f"has {count:,} samples and more")
    if not count:
        raise SeriesError("has no sample that can be read, wanted at least one: copy it again")
    return np.concatenate(parts)


def _mono(samples: Float[np.ndarray, "T C"]) -> Float32[np.ndarray, "T"]:
    mean = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    return np.nan_to_num(mean.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)


def resample(
    samples: Float32[np.ndarray, "T"], given: int, wanted: int
) -> Float32[np.ndarray, "U"]:
    """Return samples at another rate.

    Raises:
        SeriesError: soxr is not installed.
    """
    if given == wanted:
        return samples
    try:
        import soxr
    except ImportError:
        raise SeriesError(
            f"needs the package soxr to go from {given:,} to {wanted:,} Hz: pip install "
            "'selftime[audio]', or give sounds of one rate"
        ) from None
    found = np.asarray(soxr.resample(samples, given, wanted), np.float32)
    return found if len(found) else np.zeros(1, np.float32)
