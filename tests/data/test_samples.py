"""Bundled samples: of the size they say, attributed, and equal to their sources."""

import csv
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from selftime.data.pixels import patches_to_pixels
from selftime.data.readers import read
from selftime.data.samples import SAMPLES, Sample, sample, samples
from selftime.data.series import SeriesError, SeriesSet, names_of_channels
from selftime.data.signals import Film, Wave
from selftime.data.symbols import decode

BUNDLED = files("selftime.data") / "bundled"
SPLIT = ("JapaneseVowels", "PenDigits")


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def cases_of(path: Path) -> tuple[list[np.ndarray], list[str]]:
    """Series (C,T) and labels of a ``.ts`` file."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
    parts = [line.split(":") for line in lines]
    series = [np.array([np.array(d.split(","), float) for d in dims]) for *dims, _ in parts]
    return series, [label for *_, label in parts]


@pytest.mark.parametrize("about", samples(), ids=lambda about: about.name)
def test_samples_are_what_they_say(about: Sample) -> None:
    series = sample(about.name)
    assert len(series) == about.series
    assert series.channels == (about.channels or names_of_channels(series.n_channels))
    assert series.kind.name == about.kind
    assert (series.lengths.min(), series.lengths.max()) == about.steps
    assert series.observed is None
    assert series.steps.flags.c_contiguous
    assert (series.labels is not None) == (bool(about.splits) or about.name == "Digits")
    assert all(0 <= a < b <= about.steps[1] for a, b in about.anomalies)


@pytest.mark.parametrize(
    ("name", "split", "count", "classes"),
    [
        ("JapaneseVowels", "train", 270, 9),
        ("JapaneseVowels", "test", 370, 9),
        ("PenDigits", "train", 7494, 10),
        ("PenDigits", "test", 3498, 10),
    ],
)
def test_official_splits(name: str, split: str, count: int, classes: int) -> None:
    part = sample(name, split)
    assert len(part) == count
    assert part.ids[0] == f"{split}-0"
    assert part.labels is not None
    assert len(np.unique(part.labels)) == classes


@pytest.mark.parametrize("name", SPLIT)
def test_splits_end_to_end_are_everything(name: str) -> None:
    parts = sample(name, "train"), sample(name, "test")
    np.testing.assert_array_equal(
        np.concatenate([part.steps for part in parts]), sample(name).steps
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SPLIT)
@pytest.mark.parametrize("split", ["train", "test"])
def test_classification_sets_equal_their_source(name: str, split: str, data_root: Path) -> None:
    series, labels = cases_of(data_root / "uea" / name / f"{name}_{split.upper()}.ts")
    part, source = sample(name, split), SeriesSet.of(series)
    np.testing.assert_array_equal(part.steps, source.steps)
    np.testing.assert_array_equal(part.offsets, source.offsets)
    assert part.labels is not None
    assert part.labels.tolist() == labels


def test_ecg_equals_its_source(data_root: Path) -> None:
    path = data_root / "streams" / "ecg_mitbih208_5min" / "ecg.npz"
    with np.load(path, allow_pickle=False) as source:
        np.testing.assert_array_equal(sample("ECG").steps[:, 0], source["ecg"].astype(np.float32))


def test_taxi_equals_its_source(data_root: Path) -> None:
    nab = data_root / "anomaly" / "nab"
    times, values = zip(*rows_of(nab / "data" / "realKnownCause" / "nyc_taxi.csv"), strict=True)
    series = sample("NYCTaxi")
    assert series.steps[:, 0].tolist() == [float(value) for value in values]
    assert series.times is not None
    np.testing.assert_array_equal(series.times, np.array(times, "datetime64[s]"))
    windows = json.loads((nab / "labels" / "combined_windows.json").read_text())
    named = [
        [times[a] + ".000000", times[b - 1] + ".000000"] for a, b in SAMPLES["NYCTaxi"].anomalies
    ]
    assert named == windows["realKnownCause/nyc_taxi.csv"]


def test_daphnet_equals_its_source(data_root: Path) -> None:
    rows = rows_of(data_root / "streams" / "daphnet" / "S06R02E0.csv")
    series = sample("Daphnet")
    np.testing.assert_array_equal(series.steps, np.array([row[1:10] for row in rows], np.float32))
    assert series.times is not None
    np.testing.assert_array_equal(
        series.times, np.array([row[0] for row in rows], "datetime64[ms]")
    )


def test_digits_equal_their_source(data_root: Path) -> None:
    series = sample("Digits")
    path = data_root / "modalities" / "images" / "digits.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    pixels = patches_to_pixels(series.values, series.kind)
    np.testing.assert_array_equal(pixels.reshape(1797, 64) * 16, table[:, :64])
    assert series.labels is not None and series.labels.tolist() == table[:, 64].tolist()


def test_speech_equals_its_source(data_root: Path) -> None:
    series = sample("Speech", "test")
    assert (len(series), series.kind) == (80, Wave(rate=8000))
    for i in (0, 79):
        path = data_root / "modalities" / "audio_fsdd" / f"{series.ids[i]}.wav"
        samples = wavfile.read(path)[1] / np.float32(32768)
        np.testing.assert_array_equal(series.series(i)[0], samples)
        assert path.name.startswith(f"{series.labels[i]}_{series.groups[i]}_")
    assert {str(id)[-1] for id in series.ids} == {"0", "1"}
    assert {str(id)[-1] for id in sample("Speech", "train").ids} == {"5", "6"}
    assert series.times is not None and series.times[8] == 0.001


def test_text_and_film_equal_their_sources(data_root: Path) -> None:
    text, film = sample("Text"), sample("Film")
    whole = (data_root / "modalities" / "text" / "tinyshakespeare.txt").read_text()
    assert decode(text.series(0)[0], text.kind) == whole[:200_375]
    video = read(data_root / "modalities" / "video" / "bigbuckbunny.mp4", kind=film.kind)
    assert np.abs(video.steps - film.steps).max() <= 0.5 / 255 + 1e-6
    assert isinstance(film.kind, Film) and film.kind.per_second == 25


def test_bundle_is_small_and_attributed() -> None:
    archives = [entry for entry in BUNDLED.iterdir() if entry.name.endswith(".npz")]
    assert sorted(entry.name for entry in archives) == sorted(f"{name}.npz" for name in SAMPLES)
    assert sum(len(entry.read_bytes()) for entry in archives) < 1_850_000
    notices = (BUNDLED / "LICENCES.md").read_text(encoding="utf-8")
    for about in samples():
        line = next(line for line in notices.splitlines() if f"`{about.name}.npz`" in line)
        assert about.licence in line


def test_errors_say_what_there_is() -> None:
    with pytest.raises(SeriesError, match="got sample 'Iris', wanted one of JapaneseVowels, Pen"):
        sample("Iris")
    with pytest.raises(SeriesError, match="sample 'PenDigits', wanted none or 'train' or 'test'$"):
        sample("PenDigits", "dev")
    with pytest.raises(SeriesError, match="got split 'test' of sample 'ECG', wanted none$"):
        sample("ECG", "test")
