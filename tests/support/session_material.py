"""The files of docs/your-data.md: small, seeded, as machines and people leave them behind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from scipy.io import wavfile

START = datetime(2024, 3, 1, 6, 0)


def stamps(n: int, seconds: float, start: datetime = START) -> list[str]:
    """So many stamps, at equal steps."""
    times = [start + timedelta(seconds=seconds * i) for i in range(n)]
    return [f"{time:%Y-%m-%d %H:%M:%S}" for time in times]


def write_rows(path: Path, head: str, rows: list, sep: str = ",") -> None:
    """Write a table as text."""
    lines = [head, *(sep.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")


def vibration(rng: np.random.Generator, n: int, worn: bool) -> np.ndarray:
    """A rotating part: a tone, and a second one where it is worn."""
    t = np.arange(n) + rng.uniform(0, 60)
    extra = 0.7 * np.sin(2 * np.pi * t / 7.3 + rng.uniform(0, 6)) if worn else 0.0
    return np.sin(2 * np.pi * t / 24) + extra + rng.normal(scale=0.15, size=n)


def make_plant(folder: Path, rng: np.random.Generator) -> None:
    """Session 1: a file a pump, labels of some of them, and six files of today."""
    rows = []
    for i in range(1, 31):
        n, worn = int(rng.integers(80, 100)), i % 3 == 0
        current = 12 + (1.5 if worn else 0) + rng.normal(scale=0.2, size=n)
        columns = zip(stamps(n, 60), vibration(rng, n, worn), current, strict=True)
        table = [(time, f"{a:.3f}", f"{b:.2f}") for time, a, b in columns]
        place = folder / ("plant" if i <= 24 else "today")
        place.mkdir(exist_ok=True)
        write_rows(place / f"pump-{i:02}.csv", "time,vibration,current", table)
        rows += [(f"pump-{i:02}.csv", "worn" if worn else "normal")] * (i <= 9)
    write_rows(folder / "labels.csv", "file,state", [*rows, ("pump-77.csv", "worn")])


def make_presses(folder: Path, rng: np.random.Generator) -> None:
    """Session 2: one parquet, a row a machine and minute."""
    names = [f"press {i}" for i in range(1, 13)]
    n = 200
    times = [START + timedelta(minutes=i) for i in range(n)]
    columns = {
        "asset_id": [name for name in names for _ in range(n)],
        "timestamp": times * len(names),
        "force": np.concatenate([40 + 5 * vibration(rng, n, i % 4 == 0) for i in range(12)]),
        "oil_temp": np.concatenate([55 + np.cumsum(rng.normal(size=n)) / 9 for _ in names]),
        "plant": ["north"] * (12 * n),
    }
    parquet.write_table(pa.table(columns), folder / "presses.parquet")


def make_parts(folder: Path, rng: np.random.Generator) -> None:
    """Session 3: a row a part with its curve of forces; some results are not in yet."""
    rows = []
    for i in range(70):
        bad = i % 5 == 4
        ramp = np.clip((np.arange(60) - 12 - rng.uniform(0, 6)) / 20, 0, 1) ** 2
        curve = 8 * ramp - (2.5 * np.exp(-(((np.arange(60) - 35) / 4) ** 2)) if bad else 0)
        cells = [f"{v:.2f}" for v in curve + rng.normal(scale=0.1, size=60)]
        result = "" if i % 4 == 1 else "NOK" if bad else "OK"
        rows.append((f"A{7000 + i}", result, *cells))
    steps = [f"f{i}" for i in range(60)]
    write_rows(folder / "parts.csv", ",".join(["part_number", "result", *steps]), rows[:50])
    new = [(row[0], *row[2:]) for row in rows[50:]]
    write_rows(folder / "new.csv", ",".join(["part_number", *steps]), new)


def make_spindle(folder: Path, rng: np.random.Generator) -> None:
    """Session 4: one long recording, and what was going on in it from when to when."""
    states = ["idle", "milling", "idle", "drilling", "milling", "idle", "drilling"] * 2
    power, events, n = [], [], 120
    for i, state in enumerate(states):
        t = np.arange(n)
        wave = {"idle": 0 * t, "milling": np.sin(t / 2), "drilling": (t % 40 < 20) * 2.0}[state]
        power.append(1 + (state != "idle") + wave + rng.normal(scale=0.1, size=n))
        first, last = START + timedelta(seconds=n * i), START + timedelta(seconds=n * (i + 1) - 1)
        if i < 7:
            events.append((f"{first:%Y-%m-%d %H:%M:%S}", f"{last:%Y-%m-%d %H:%M:%S}", state))
    values = np.concatenate(power)
    table = zip(stamps(len(values), 1), (f"{v:.3f}" for v in values), strict=True)
    write_rows(folder / "spindle.csv", "time,power", list(table))
    write_rows(folder / "events.csv", "start,end,activity", events)


def make_load(folder: Path, rng: np.random.Generator) -> None:
    """Session 5: a frame of pandas with stamps in Berlin, up to the night of the clock change."""
    n = 24 * 30 + 3
    hours = pd.date_range("2024-03-01", periods=n, freq="h", tz="Europe/Berlin", name="hour")
    day = 8 * np.sin(2 * np.pi * (np.arange(n) - 9) / 24)
    load = 40 + day + rng.normal(scale=0.4, size=n)
    pd.DataFrame({"load": load.round(2)}, index=hours).to_parquet(folder / "load.parquet")


def make_ward(folder: Path, rng: np.random.Generator) -> None:
    """Session 6: heart rates of patients, read with polars."""
    rows = []
    for patient in (1041, 1007, 1092):
        rate = 70 + 4 * np.sin(np.arange(400) / 9) + rng.normal(scale=0.5, size=400)
        if patient == 1007:
            rate[300:304] += 30
        rows += list(zip([patient] * 400, stamps(400, 60), rate.round(1), strict=True))
    write_rows(folder / "ward.csv", "patient,time,heart_rate", rows)


def make_sounds(folder: Path, rng: np.random.Generator) -> None:
    """Session 7: sounds whose names say what they are."""
    (folder / "sounds").mkdir()
    for i in range(1, 31):
        worn = i % 3 == 0
        sound = 0.3 * vibration(rng, 200, worn)
        name = f"{'worn' if worn else 'normal'}_{i:03}.wav"
        wavfile.write(folder / "sounds" / name, 800, (sound * 20000).astype(np.int16))


def make_export(folder: Path, rng: np.random.Generator) -> None:
    """Session 8: an export in German dress, in Latin-1, with one day that is not as usual."""
    n = 1500
    day = 2 * np.sin(2 * np.pi * np.arange(n) / 96)
    heat = 61 + day + rng.normal(scale=0.2, size=n)
    heat[1200:1212] += 4
    times = [START + timedelta(minutes=15 * i) for i in range(n)]
    lines = ["Anlage: Ofen 3", "Export vom 02.04.2024", "", "Zeit;Temperatur [°C];Druck [bar]"]
    for time, a, b in zip(times, heat, rng.normal(1.02, 0.004, size=n), strict=True):
        cells = (f"{a:.2f}".replace(".", ","), f"{b:.3f}".replace(".", ","))
        lines.append(";".join([f"{time:%d.%m.%Y %H:%M}", *cells]))
    (folder / "oven3.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))


def make_shops(folder: Path, rng: np.random.Generator) -> None:
    """Session 9: sales of 50 shops month by month; holidays are known a year ahead."""
    months = [f"{2016 + i // 12}-{i % 12 + 1:02}-01" for i in range(108)]
    holidays = 1 + rng.integers(0, 4, size=108)
    past, ahead = [], []
    for shop in range(1, 51):
        level, season = rng.uniform(200, 900), rng.uniform(20, 60)
        year = season * np.sin(2 * np.pi * (np.arange(108) + shop % 3) / 12)
        sold = level + year + 30 * holidays + rng.normal(scale=8, size=108)
        rows = list(zip(months, np.rint(sold).astype(int), holidays.tolist(), strict=True))
        past += [(f"S{shop:02}", *row) for row in rows[:96]]
        ahead += [(f"S{shop:02}", month, free) for month, _, free in rows[96:]]
    write_rows(folder / "sales.csv", "shop,month,sales,holidays", past)
    write_rows(folder / "ahead.csv", "shop,month,holidays", ahead)


def make_stream(folder: Path, rng: np.random.Generator) -> None:
    """Session 10: what a machine sent while all was well, and what it sends now."""
    normal = [(f"{v:.3f}",) for v in vibration(rng, 600, False)]
    write_rows(folder / "normal.csv", "vibration", normal)
    now = vibration(rng, 120, False)
    now[80:] += 2 * np.sin(np.arange(40))
    write_rows(folder / "now.csv", "vibration", [(f"{v:.3f}",) for v in now])


MAKERS: tuple[Callable[[Path, np.random.Generator], None], ...] = (
    *(make_plant, make_presses, make_parts, make_spindle, make_load, make_ward),
    *(make_sounds, make_export, make_shops, make_stream),
)


def make_files(folder: Path) -> None:
    """Write the files of all sessions into a folder."""
    for seed, make in enumerate(MAKERS):
        make(folder, np.random.default_rng(seed))
