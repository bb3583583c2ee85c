"""Every file of the open data is read with the sizes its README gives."""

import numpy as np
import pytest

from selftime.data.readers import read
from selftime.data.series import SeriesError

# name: cases in TRAIN and TEST, shortest and longest series, channels, classes
CLASSIFICATION = {
    "ucr/Adiac": (390, 391, 176, 176, 1, 37),
    "ucr/ArrowHead": (36, 175, 251, 251, 1, 3),
    "ucr/CBF": (30, 900, 128, 128, 1, 3),
    "ucr/Computers": (250, 250, 720, 720, 1, 2),
    "ucr/DodgerLoopDay": (78, 80, 288, 288, 1, 7),
    "ucr/ECG5000": (500, 4499, 140, 140, 1, 5),
    "ucr/ECGFiveDays": (23, 861, 136, 136, 1, 2),
    "ucr/FaceAll": (560, 1690, 131, 131, 1, 14),
    "ucr/GunPoint": (50, 150, 150, 150, 1, 2),
    "ucr/ItalyPowerDemand": (67, 1029, 24, 24, 1, 2),
    "ucr/MoteStrain": (20, 1252, 84, 84, 1, 2),
    "ucr/OSULeaf": (200, 242, 427, 427, 1, 6),
    "ucr/PhalangesOutlinesCorrect": (1800, 858, 80, 80, 1, 2),
    "ucr/PickupGestureWiimoteZ": (50, 50, 29, 361, 1, 10),
    "ucr/Strawberry": (613, 370, 235, 235, 1, 2),
    "ucr/SwedishLeaf": (500, 625, 128, 128, 1, 15),
    "ucr/SyntheticControl": (300, 300, 60, 60, 1, 6),
    "ucr/ToeSegmentation1": (40, 228, 277, 277, 1, 2),
    "ucr/Trace": (100, 100, 275, 275, 1, 4),
    "ucr/TwoPatterns": (1000, 3999, 128, 128, 1, 4),
    "uea/BasicMotions": (40, 40, 100, 100, 6, 4),
    "uea/ERing": (30, 270, 65, 65, 4, 6),
    "uea/JapaneseVowels": (270, 370, 7, 29, 12, 9),
    "uea/NATOPS": (180, 180, 51, 51, 24, 6),
    "uea/PenDigits": (7494, 3498, 8, 8, 2, 10),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_classification_sets(name, data_root):
    train, test, shortest, longest, channels, classes = CLASSIFICATION[name]
    x = read(data_root / name)
    in_train = np.char.find(x.ids, "_TRAIN.ts") >= 0  # .ts and .tsv
    assert in_train.sum() == train
    assert len(x) == train + test
    assert (x.lengths.min(), x.lengths.max()) == (shortest, longest)
    assert x.n_channels == channels
    assert len(np.unique(x.labels)) == classes
    assert x.labels.dtype.kind == ("i" if ".tsv" in x.ids[0] else "U")
    assert x.observed is None


def test_values_stand_where_the_lines_have_them(data_root):
    path = data_root / "uea" / "JapaneseVowels" / "JapaneseVowels_TRAIN.ts"
    line = path.read_text().strip().split("\n")[-1]
    *channels, label = line.split(":")
    x = read(path)
    wanted = np.array([[float(cell) for cell in channel.split(",")] for channel in channels])
    assert np.array_equal(x.series(len(x) - 1), wanted.astype(np.float32))
    assert x.labels[-1] == label


@pytest.mark.parametrize(
    ("name", "steps", "channels", "first"),
    [
        ("ETTh1.csv.gz", 17420, 7, "2016-07-01"),
        ("ETTm1.csv.gz", 69680, 7, "2016-07-01"),
        ("exchange_rate.csv", 7588, 8, "1990-01-01"),
        ("national_illness.csv", 966, 7, "2002-01-01"),
    ],
)
def test_forecasting_tables(name, steps, channels, first, data_root):
    x = read(data_root / "forecasting" / name)
    assert x.steps.shape == (steps, channels)
    assert x.channels[-1] == "OT"
    assert x.times[0] == np.datetime64(first)
    assert (np.diff(x.times) > np.timedelta64(0)).all()


def test_numenta_files_and_the_four_with_repeated_times(data_root):
    files = sorted((data_root / "anomaly" / "nab" / "data").rglob("*.csv"))
    repeated = []
    for path in files:
        x, rows = read(path), len(path.read_text().strip().split("\n")) - 1
        if x.notes:
            repeated.append(path.stem)
            with pytest.raises(SeriesError, match="twice in one series, .* wanted each once"):
                read(path, repeated="refuse")
            assert len(read(path, time="none", channels=["value"]).steps) == rows
        n = len(np.unique(x.times))
        assert len(x.steps) == n
        assert (n < rows) == any(f"{rows - n} row" in note for note in x.notes)
    assert len(files) == 18
    assert sorted(repeated) == [
        "ec2_request_latency_system_failure",
        "exchange-2_cpc_results",
        "machine_temperature_system_failure",
        "occupancy_t4013",
    ]


def test_anomaly_archive_is_one_value_a_line(data_root):
    folder = data_root / "anomaly" / "ucr_anomaly"
    x = read(folder)
    assert len(x) == 26
    length = dict(zip(x.ids, x.lengths, strict=True))
    assert length["109_UCR_Anomaly_1sddb40_35000_52000_52620.txt.gz"] == 79795
    assert length["212_UCR_Anomaly_Italianpowerdemand_8913_29480_29504.txt"] == 29931


def test_streams(data_root):
    watch = read(data_root / "streams" / "shoulder_watch" / "watch.npz")
    assert repr(watch) == "SeriesSet(140 series, 6 channels, 947 to 2618 steps)"
    assert len(watch.steps) == 244_102
    assert len(np.unique(watch.groups)) == 10
    assert np.unique(watch.labels, return_counts=True)[1].tolist() == [20] * 7
    ecg = read(data_root / "streams" / "ecg_mitbih208_5min" / "ecg.npz")
    assert ecg.steps.shape == (108_000, 1)
    gait = read(data_root / "streams" / "daphnet" / "S06R02E0.csv")
    assert gait.steps.shape == (7040, 10)  # nine accelerations and is_anomaly
    assert gait.times[1] - gait.times[0] == np.timedelta64(15, "ms")


def test_telemetry_with_two_arrays_is_refused_with_the_mend(data_root):
    with pytest.raises(SeriesError, match="A-1.npz: holds train, test, wanted an array named x"):
        read(data_root / "anomaly" / "smap_msl" / "A-1.npz")


@pytest.mark.late
def test_spoken_digits(data_root):
    x = read(data_root / "modalities" / "audio_fsdd")
    assert len(x) == 320
    assert np.abs(x.steps).max() <= 1
    assert x.times[1] == 1 / 8000


def test_digits_without_column_names(data_root):
    path = data_root / "modalities" / "images" / "digits.csv.gz"
    x = read(path, layout="wide", label="64")
    assert len(x) == 1797
    assert x.lengths.max() == 64
    assert np.unique(x.labels).tolist() == list(range(10))


def test_prose_is_read_as_symbols(data_root):
    x = read(data_root / "modalities" / "text" / "tinyshakespeare.txt")
    assert x.lengths.tolist() == [1_115_394] and x.kind.symbols == 65
    with pytest.raises(SeriesError, match="line 1: got 2 values, wanted one a line"):
        read(data_root / "modalities" / "text" / "tinyshakespeare.txt", kind="series")
