"""Small collections for the tests of the studio: waves of three speeds, long recordings, names."""

import time
from typing import Any

import numpy as np

import selftime as st

HOSTILE = ("<script>alert(1)</script>", "a\"b'c", "=1+1", "ünï ✓", "two\nlines", "{{7*7}}", "../up")
TOKEN = "a-token-of-the-tests"
HEADS = {"Authorization": f"Bearer {TOKEN}"}
SPEEDS = {"slow": 1.0, "middle": 2.0, "fast": 3.5}


def waves(each: int = 20, steps: int = 48, channels: int = 1, seed: int = 0) -> st.SeriesSet:
    """Noisy waves of three speeds, ``each`` of one, without labels; speeds take turns."""
    rng = np.random.default_rng(seed)
    speed = np.tile(list(SPEEDS.values()), each)
    phase = rng.uniform(0, 6, (len(speed), channels, 1))
    t = np.linspace(0, 2 * np.pi, steps)
    values = np.sin(speed[:, None, None] * t + phase) + 0.1 * rng.normal(
        size=(len(speed), channels, steps)
    )
    ids = [f"wave-{i:03}" for i in range(len(speed))]
    return st.SeriesSet.of(values.astype(np.float32), ids=ids)


def speed_of(row: int) -> str:
    """The class of a wave."""
    return list(SPEEDS)[row % len(SPEEDS)]


def recording(steps: int = 1200, odd: int = 700, **given: Any) -> st.SeriesSet:
    """One long recording: a wave that stops for a while."""
    x = np.sin(np.arange(steps) / 5) + 0.05 * np.random.default_rng(1).normal(size=steps)
    x[odd : odd + 40] = 0
    return st.SeriesSet.of(x[None, None].astype(np.float32), ids=["pump"], **given)


def awkward() -> st.SeriesSet:
    """Series of unequal lengths and two channels, with gaps, under hostile names."""
    rng = np.random.default_rng(2)
    parts = [rng.normal(size=(2, 12 + 5 * i)) for i in range(len(HOSTILE))]
    parts[1][0, 3:7] = np.nan
    parts[2][1] = np.nan
    channels = ["<b>heat</b>", "force"]
    return st.SeriesSet.of(parts, ids=list(HOSTILE), channels=channels)


def until(client, holds, seconds=30):
    """The state of a studio once something holds of it."""
    end = time.monotonic() + seconds
    state = client.get("/api/news").json()
    while not holds(state):
        assert time.monotonic() < end, state
        state = client.get("/api/news", params={"since": state["news"]}).json()
    return state
