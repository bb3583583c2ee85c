"""Distance to the nearest window by what it looks like in a few plain statistics."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.neighbours import nearest
from selftime.tasks.anomaly.record import Record


def statistics(record: Record) -> Float[np.ndarray, "T"]:
    """Nearest other window by seven statistics, each divided by its spread over the windows.

    Amplitude, spread and roughness of a window stay as they are, which distances between
    normalised shapes cannot see.
    """
    width = record.width
    starts = record.starts(width)
    found = described(record.windows(width, starts))
    usual = found[record.usual(starts, width)]
    spread = np.maximum(usual.std(axis=0), 1e-3 * np.abs(usual).max() + 1e-9)
    vectors = (found - usual.mean(axis=0)) / spread
    return record.over_steps(nearest(vectors, starts, width, record), starts, width)


def described(windows: Float[np.ndarray, "W L"]) -> Float[np.ndarray, "W 7"]:
    """Mean, spread, least, greatest, roughness, change of halves, and last less first."""
    half = windows.shape[1] // 2
    steps = np.abs(np.diff(windows, axis=1, append=windows[:, -1:]))
    return np.stack(
        [
            windows.mean(axis=1),
            windows.std(axis=1),
            windows.min(axis=1),
            windows.max(axis=1),
            steps.mean(axis=1),
            windows[:, half:].mean(axis=1) - windows[:, : max(half, 1)].mean(axis=1),
            windows[:, -1] - windows[:, 0],
        ],
        axis=1,
    )
