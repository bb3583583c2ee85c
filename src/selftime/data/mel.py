"""Sound as series: the waveform itself, or frames of log-mel energy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.arrays import SeriesError
from selftime.data.formats.sound import Recording, resample
from selftime.data.forms import Form
from selftime.data.series import SeriesSet
from selftime.data.signals import Sound, Wave
from selftime.data.steps import series_of_steps
from selftime.door import option

_WINDOW, _HOP, _BANDS = 0.025, 0.010, 64
"""Seconds of a window, seconds from one to the next, and mel bands at most."""
FLOOR = 1e-10
"""Energy added to each band, a sine of full scale having .25: silence is finite, in any file.

It is about the rounding of 16-bit samples: 1 in 100 energies of spoken digits lies below it.
"""
_BLOCK = 4096
"""Frames that are transformed at a time."""


def sound_kind(rate: int) -> Sound:
    """Return frames of 25 ms every 10 ms, in 64 mel bands; fewer where some would be empty."""
    window, hop = max(round(_WINDOW * rate), 4), max(round(_HOP * rate), 1)
    bands = _BANDS
    while bands > 1 and not (mel_bands(rate, bands, window) > 0).any(axis=1).all():
        bands -= 1
    return Sound(rate=rate, bands=bands, hop=hop, window=window)


def mel_bands(rate: int, bands: int, window: int) -> Float64[np.ndarray, "bands bins"]:
    """Return triangles that are evenly spaced on the mel scale, 2595 log₁₀(1 + f / 700).

    Each rises from the centre of the one before to 1 at its own, and falls to that of the next
    (Young et al., *The HTK Book*, section 5.4).
    """
    hertz = np.fft.rfftfreq(_size(window), 1 / rate)
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    return np.maximum(0, np.minimum(rise, fall))


def _size(window: int) -> int:
    """Return the points of the Fourier transform: the power of two that holds a window."""
    return 1 << (window - 1).bit_length()


def log_mel(samples: Float32[np.ndarray, "T"], kind: Sound) -> Float32[np.ndarray, "frames bands"]:
    """Return the logarithm of the energy of each frame in each band.

    Frames lie within the sound, weighted by a Hann window and measured by the square of its sum; a
    sound that is shorter than one is followed by silence.
    """
    window, weights = kind.window, mel_bands(kind.rate, kind.bands, kind.window).T
    samples = np.pad(samples, (0, max(window - len(samples), 0)))
    frames = sliding_window_view(samples, window)[:: kind.hop]
    taper = np.hanning(window + 1)[:-1]
    out = np.empty((len(frames), kind.bands), np.float32)
    for i in range(0, len(frames), _BLOCK):
        spectrum = np.fft.rfft(frames[i : i + _BLOCK] * taper, _size(window))
        energy = (spectrum.real**2 + spectrum.imag**2) / taper.sum() ** 2
        out[i : i + _BLOCK] = np.log(energy @ weights + FLOOR)
    return out


def sounds_of(recordings: Sequence[Recording], form: Form, name: str) -> SeriesSet:
    """Return each recording as a series of frames ("sound") or samples ("wave")."""
    kind, notes = _kind_of(recordings, form, name)
    parts, silent, short = [], [], []
    for recording in recordings:
        samples = resample(recording.samples(), recording.rate, kind.rate)
        if not samples.any():
            silent.append(recording.name)
        if isinstance(kind, Sound) and len(samples) < kind.window:
            short.append(recording.name)
        parts.append(log_mel(samples, kind) if isinstance(kind, Sound) else samples[:, None])
    if silent:
        notes.append(f"{_some_of(silent)} silent throughout")
    if short:
        notes.append(f"{_some_of(short)} shorter than a frame, and followed by silence")
    return replace(series_of_steps(parts, kind), notes=tuple(notes))


def _some_of(names: Sequence[str]) -> str:
    return f"{names[0]} is" if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more are"


def _kind_of(
    recordings: Sequence[Recording], form: Form, name: str
) -> tuple[Sound | Wave, list[str]]:
    """Return the kind for all, at the rate asked for, else that of most; and notes."""
    counts = Counter(recording.rate for recording in recordings)
    if isinstance(form.like, Sound | Wave):
        kind: Sound | Wave = form.like
    else:
        usual = max(counts, key=lambda each: (counts[each], each))
        rate = usual if form.rate is None else max(round(form.rate), 1)
        kind = sound_kind(rate) if name == "sound" else Wave(rate=rate)
    counts.pop(kind.rate, None)
    if not counts:
        return kind, []
    others = ", ".join(f"{rate:,}" for rate in sorted(counts)[:4])
    said = f"{sum(counts.values()):,} of {len(recordings):,} sounds, at {others} Hz, are resampled"
    wish = "" if form.like or form.rate else f"; {option('rate')} takes another"
    return kind, [f"{said} to {kind.rate:,} Hz{wish}"]


def recordings_of(series: SeriesSet) -> list[Recording]:
    """Return series of waveforms as recordings; what is missing is silent."""
    if not isinstance(series.kind, Wave):
        raise SeriesError(f"got {series.kind.name}, wanted wave: samples of a sound")
    rate, rows = series.kind.rate, np.split(series.steps[:, 0], series.offsets[1:-1])
    return [Recording(str(id), rate, x.copy) for id, x in zip(series.ids, rows, strict=True)]
