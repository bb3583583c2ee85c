"""One recording in every format gives the same values, channels and times through `read`."""

import datetime as dt
import io
import lzma

import numpy as np
import pytest

import selftime as st

VALUES = np.array([[0.5, 1.25, -2.0, 1234.5], [1.0, 2.0, 3.0, 4.0]])
STAMPS = [dt.datetime(2024, 1, 31, 22) + dt.timedelta(hours=i) for i in range(4)]


def lines(separator, form, decimal, head=("ds", "u", "v")):
    rows = [[f"{t:{form}}", *(f"{v}".replace(".", decimal) for v in pair)]
            for t, pair in zip(STAMPS, VALUES.T.tolist(), strict=True)]  # fmt: skip
    return "\n".join(separator.join(row) for row in [head, *rows])


def workbook():
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [("ds", "u", "v"), *zip(STAMPS, *VALUES.tolist(), strict=True)]:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


FILES = {
    "a.csv": lambda: lines(",", "%Y-%m-%d %H:%M", ".").encode(),
    "german.csv": lambda: lines(";", "%d.%m.%Y %H:%M", ",").encode("utf-16"),
    "american.csv": lambda: lines(",", "%m/%d/%Y %I:%M %p", ".").encode(),
    "a.csv.xz": lambda: lzma.compress(lines(",", "%d %b %Y %H:%M", ".").encode()),
    "a.tsv": lambda: lines("\t", "%Y-%m-%dT%H:%M", ",").encode(),
    "a.txt": lambda: lines("  ", "%Y-%m-%d %H:%M", ".").encode(),
    "a.dat": lambda: lines("|", "%Y/%m/%d %H:%M", ".").encode("cp1252"),
    "epochs.csv": lambda: "\n".join(
        ["ds,u,v", *(f"{t.replace(tzinfo=dt.UTC).timestamp():.0f},{u},{v}"
                     for t, u, v in zip(STAMPS, *VALUES.tolist(), strict=True))]
    ).encode(),
    "a.xlsx": workbook,
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_recording_is_the_same_in_every_format(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name]())
    series = st.read(tmp_path / name)
    assert series.channels == ("u", "v")
    assert np.array_equal(series.values[0], VALUES)
    stamps = np.array(STAMPS, "M8[ns]")
    if name == "epochs.csv":  # they go out as the numbers that came in
        stamps = stamps.astype("M8[s]").astype(np.int64)
    assert series.times.tolist() == stamps.tolist()
    assert series.stamps.zone is None


def test_what_was_decided_is_in_the_notes(tmp_path):
    (tmp_path / "a.csv").write_bytes(FILES["german.csv"]())
    notes = " ".join(st.read(tmp_path / "a.csv").notes)
    for said in ("UTF-16", "semicolons", "'0,5' are read as 0.5", "days first"):
        assert said in notes


def test_offsets_of_stamps_become_the_zone(tmp_path):
    (tmp_path / "a.csv").write_text(
        "ds,y\n2024-01-01T00:00:00+02:00,1\n2024-01-01T01:00:00+02:00,2\n"
    )
    series = st.read(tmp_path / "a.csv")
    assert series.stamps.zone == "+02:00"
    assert series.times[0] == np.datetime64("2023-12-31T22:00")
