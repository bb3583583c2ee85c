"""Sound files (``.wav``)."""

import io
from dataclasses import replace

import numpy as np

from selftime.data.arrays import SeriesError, concatenate_steps
from selftime.data.formats.text import decoding
from selftime.data.series import SeriesSet


def read_wav(data: bytes) -> SeriesSet:
    """Read one series, with the channels of the sound and times in seconds.

    Whole numbers are scaled to [-1, 1): 16-bit values are divided by 32768, 8-bit values are
    shifted by 128 first, as they are stored without a sign. Floats stay as they are.
    """
    from scipy.io import wavfile  # takes a quarter of a second to import, and few read sound

    with decoding("wav", "save it as uncompressed PCM"):
        rate, samples = wavfile.read(io.BytesIO(data))
    if rate < 1 or samples.size == 0:
        raise SeriesError(f"has {samples.size} samples at {rate} Hz, wanted at least 1 at 1 Hz")
    columns = samples[:, None] if samples.ndim == 1 else samples  # (T,C)
    steps, lengths = concatenate_steps(_scaled(columns).T[None])
    return replace(SeriesSet.from_steps(steps, lengths), times=np.arange(len(steps)) / rate)


def _scaled(samples: np.ndarray) -> np.ndarray:
    if samples.dtype.kind == "f":
        return samples
    info = np.iinfo(samples.dtype)
    middle = 0 if info.min < 0 else (info.max + 1) // 2
    return (samples.astype(np.float64) - middle) / ((info.max - info.min + 1) // 2)
