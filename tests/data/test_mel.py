"""Sound becomes frames of log-mel energy or a waveform, at one rate."""

import math
import warnings

import numpy as np
import pytest
from media_material import tone, wav

from selftime.data.mel import FLOOR, log_mel, mel_bands, sound_kind
from selftime.data.readers import read
from selftime.data.series import SeriesError
from selftime.data.signals import Sound, Wave


def loop_of(samples, rate, bands, window, hop):
    """Log-mel energies by plain loops, from the definition."""
    size = 1
    while size < window:
        size *= 2
    mel = lambda f: 2595 * math.log10(1 + f / 700)  # noqa: E731
    edges = [700 * (10 ** (k * mel(rate / 2) / (bands + 1) / 2595) - 1) for k in range(bands + 2)]
    taper = [0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)]
    out = []
    for start in range(0, len(samples) - window + 1, hop):
        frame = [float(samples[start + n]) * taper[n] for n in range(window)]
        row = []
        power = []
        for k in range(size // 2 + 1):
            z = sum(x * complex(math.cos(-2 * math.pi * k * n / size),
                                math.sin(-2 * math.pi * k * n / size))
                    for n, x in enumerate(frame))  # fmt: skip
            power.append(abs(z) ** 2 / sum(taper) ** 2)
        for b in range(bands):
            low, centre, high = edges[b : b + 3]
            energy = 0.0
            for k, p in enumerate(power):
                f = k * rate / size
                up, down = (f - low) / (centre - low), (high - f) / (high - centre)
                energy += p * max(0.0, min(up, down))
            row.append(math.log(energy + FLOOR))
        out.append(row)
    return np.array(out)


def test_log_mel_equals_a_plain_loop():
    kind = Sound(rate=2000, bands=6, hop=20, window=50)
    samples = np.random.default_rng(0).uniform(-1, 1, 130).astype(np.float32)
    wanted = loop_of(samples, 2000, 6, 50, 20)
    assert log_mel(samples, kind).shape == (5, 6)
    assert np.allclose(log_mel(samples, kind), wanted, atol=1e-5)  # 32 bits of numbers below 20


@pytest.mark.parametrize("rate", [16000, 8000, 44100, 2000, 800, 100, 3])
def test_no_band_is_empty(rate):
    kind = sound_kind(rate)
    assert (mel_bands(rate, kind.bands, kind.window) > 0).any(axis=1).all()
    assert kind.bands == (64 if rate >= 8000 else kind.bands) and 1 <= kind.bands <= 64
    if rate >= 800:
        assert (kind.window, kind.hop) == (round(rate / 40), round(rate / 100))


def test_a_tone_is_loudest_in_its_band_and_silence_is_finite():
    kind = sound_kind(16000)
    energy = log_mel(tone(1000, 16000).astype(np.float32) / 32768, kind)
    centre = 2595 * math.log10(1 + 1000 / 700) / (2595 * math.log10(1 + 8000 / 700)) * 65 - 1
    assert abs(energy.mean(axis=0).argmax() - centre) < 1
    silent = log_mel(np.zeros(1600, np.float32), kind)
    assert np.allclose(silent, math.log(FLOOR))
    parts = [log_mel(np.tile(tone(500), 800).astype(np.float32) / 32768, sound_kind(8000))]
    assert parts[0].shape == (1 + (800 * 800 - 200) // 80, 64)  # more than a block of frames


def test_wavs_as_series_sound_and_wave(tmp_path):
    for i in range(4):
        (tmp_path / f"{'ab'[i % 2]}_{i}.wav").write_bytes(wav(tone(300 + i)))
    plain = read(tmp_path)
    assert plain.kind.name == "series" and plain.shape == (4, 1, 800)
    assert any("kind='sound' reads frames of its spectrum" in note for note in plain.notes)
    waves = read(tmp_path, kind="wave", label="name")
    assert waves.kind == Wave(rate=8000) and waves.labels.tolist() == ["a", "a", "b", "b"]
    assert np.array_equal(waves.steps, plain.steps) and np.array_equal(waves.times, plain.times)
    sound = read(tmp_path, kind="sound")
    assert sound.kind == Sound(rate=8000, bands=64, hop=80, window=200)
    assert sound.shape == (4, 64, 8) and sound.times[:3].tolist() == [0, 0.01, 0.02]
    assert np.array_equal(read(waves, kind="sound").steps, sound.steps)
    assert len(read(tmp_path, kind="wave", windows="50ms")) == 8
    half = read(tmp_path / "a_0.wav", kind="wave", windows=400)
    assert half.kind == waves.kind and half.lengths.tolist() == [400, 400]


def test_channels_are_averaged_and_rates_brought_to_that_of_most(tmp_path):
    pytest.importorskip("soxr")
    for i in range(3):
        (tmp_path / f"{i}.wav").write_bytes(wav(tone(200, seconds=0.2)))
    both = np.stack([tone(200, 16000, 0.2), tone(200, 16000, 0.2) * 0], axis=1)
    (tmp_path / "odd.wav").write_bytes(wav(both, 16000))
    x = read(tmp_path, kind="wave")
    assert x.kind == Wave(rate=8000) and x.lengths.tolist() == [1600] * 4
    middle = slice(400, 1200)  # the filter of the resampler sees no end
    assert np.abs(2 * x.series(3)[0, middle] - x.series(0)[0, middle]).max() < 2e-3
    assert "1 of 4 sounds, at 16,000 Hz, are resampled to 8,000 Hz" in " ".join(x.notes)
    assert read(tmp_path, kind="wave", rate=4000).lengths.tolist() == [800] * 4
    assert read(x, rate=4000).kind == Wave(rate=4000)
    alike = read(tmp_path / "odd.wav", kind=sound_kind(8000))
    assert alike.kind.rate == 8000 and alike.shape == (1, 64, 18)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_packed_sounds(suffix, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    samples = np.stack([tone(440, 16000, 0.5) / 32768] * 2, axis=1)
    soundfile.write(tmp_path / f"a.{suffix}", samples, 16000)
    x = read(tmp_path / f"a.{suffix}")
    assert x.kind.name == "sound" and x.kind.rate == 16000
    energy = x.series(0)[:, 10]
    assert abs(int(energy.argmax()) - 12) <= 2
    wave = read(tmp_path / f"a.{suffix}", kind="wave")
    if suffix == "flac":
        assert np.abs(wave.series(0)[0] - samples[:, 0]).max() < 1e-4


def test_short_and_silent_sounds_are_mended_and_said(tmp_path):
    (tmp_path / "silent.wav").write_bytes(wav(np.zeros(800, np.int16)))
    (tmp_path / "short.wav").write_bytes(wav(tone(100)[:10]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = read(tmp_path, kind="sound")
    assert x.lengths.tolist() == [1, 8] and np.isfinite(x.steps).all()
    assert "silent.wav is silent throughout" in x.notes
    assert "short.wav is shorter than a frame, and followed by silence" in x.notes


def test_samples_as_arrays():
    ints = np.stack([tone(100), tone(200)])
    x = read(ints, kind="wave", rate=8000, labels=["a", "b"])
    assert x.kind == Wave(rate=8000) and np.array_equal(x.series(1)[0], ints[1] / np.float32(32768))
    assert read(ints.astype(float), kind="wave", rate=8000).notes[0].endswith("by 32,768")
    assert read([ints[0], ints[1, :400]], kind="sound", rate=8000).lengths.tolist() == [8, 3]
    assert read({"u": ints[0]}, kind="wave", rate=8000).ids.tolist() == ["u"]
    for given, asked, message in [
        (ints, {}, "got samples without a rate, wanted how many a second: rate=16000"),
        (ints[None], {"rate": 8000}, r"sound 0 has shape \(2, 800\) of int16, wanted samples"),
    ]:
        with pytest.raises(SeriesError, match=message):
            read(given, kind="wave", **asked)
