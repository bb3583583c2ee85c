"""Small series for the tests of forecasting."""

import numpy as np


def waves(T: int, C: int = 1, seed: int = 0, season: int = 12) -> np.ndarray:
    """(T,C) seasonal channels with levels that wander and noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(T)[:, None]
    level = np.cumsum(rng.normal(size=(T, C)), axis=0) * 0.05
    return (
        np.sin(2 * np.pi * (t / season + rng.uniform(size=C)))
        + level
        + 0.2 * rng.normal(size=(T, C))
    )
