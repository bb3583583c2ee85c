"""Where the open data sets are, and which."""

import os
from pathlib import Path

from selftime.data.readers import read
from selftime.data.series import SeriesSet

UCR = (
    *("Adiac", "ArrowHead", "CBF", "Computers", "DodgerLoopDay", "ECG5000", "ECGFiveDays"),
    *("FaceAll", "GunPoint", "ItalyPowerDemand", "MoteStrain", "OSULeaf"),
    *("PhalangesOutlinesCorrect", "PickupGestureWiimoteZ", "Strawberry", "SwedishLeaf"),
    *("SyntheticControl", "ToeSegmentation1", "Trace", "TwoPatterns"),
)
UEA = ("BasicMotions", "ERing", "JapaneseVowels", "NATOPS", "PenDigits")


def root() -> Path:
    """The folder of open data.

    Raises:
        SystemExit: it is not there.
    """
    given = os.environ.get("SELFTIME_DATA")
    folder = Path(given or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        raise SystemExit(f"open data not found at {folder}: set SELFTIME_DATA to its folder")
    return folder


def load(name: str) -> tuple[SeriesSet, SeriesSet]:
    """The official training and test part of a classification set."""
    folder = root() / ("ucr" if name in UCR else "uea") / name
    train, test = (next(folder.glob(f"*_{part}.*")) for part in ("TRAIN", "TEST"))
    return read(train), read(test)
