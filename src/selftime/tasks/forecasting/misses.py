"""What a forecaster misses in windows that it was not fitted on."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.tasks.forecasting.blocks import Blocks
from selftime.tasks.forecasting.intervals import spread_of
from selftime.tasks.forecasting.linear import LinearForecaster, fitted_maps
from selftime.tasks.forecasting.setting import Forecasting, Setting, windows_between

MOST = 8000
"""About how many held-out windows of the training part are looked at."""


class Misses(NamedTuple):
    """Residuals of windows that nothing was fitted on.

    Attributes:
        residuals: (N,C,H) truth less forecast, in scaled units.
        spread: (N,C) how much each channel moved within the window.
        every: every how-many-th window these are.
    """

    residuals: Float[np.ndarray, "N C H"]
    spread: Float[np.ndarray, "N C"]
    every: int = 1

    def ratios(self, h: int) -> Float[np.ndarray, "N C"]:
        """Residuals of step ``h`` (from 0) in units of the spread."""
        return np.asarray(self.residuals[:, :, h] / self.spread)

    def then(self, later: "Misses") -> "Misses":
        """These windows, then others."""
        residuals = np.concatenate([self.residuals, later.residuals])
        return Misses(residuals, np.concatenate([self.spread, later.spread]), self.every)


def misses_of(
    forecaster: Forecasting, setting: Setting, horizon: int, first: int, stop: int | None = None
) -> Misses:
    """Every window whose future lies within ``first`` and ``stop``, the end of the series if None.

    Nothing from ``first`` on was fitted on.
    """
    stop = setting.borders.end if stop is None else stop
    residuals, spread = [], []
    for past, future in windows_between(setting, first, stop, forecaster.look_back, horizon):
        residuals.append((future - forecaster.predict(past)).astype(np.float32))
        spread.append(spread_of(past))
    return Misses(np.concatenate(residuals), np.concatenate(spread))


def in_blocks(chosen: LinearForecaster, blocks: Blocks, season: int) -> Misses:
    """Windows of every block of the training part, by the same options fitted without that block.

    Cross-conformal residuals (Vovk 2015; Barber et al. 2021, CV+): they tell of all seasons that
    the training part has, where the validation part tells of one. The linear map alone makes them;
    what features correct is left out.
    """
    held = [k for k in range(blocks.count) if blocks.edges[0][k] < blocks.fit_end[0]]
    places = [blocks.origins(blocks.held(k)) for k in held]
    every = max(1, sum(map(len, places)) // MOST)
    residuals, spread = [], []
    maps = fitted_maps(blocks, chosen.options, chosen.pools, season, held)
    for fitted, origins in zip([m.single() for m in maps], places, strict=True):
        past, future = blocks.windows(origins[::every])
        residuals.append(future - fitted.predict(past))
        spread.append(spread_of(past[:, :, -fitted.look_back :]))
    return Misses(np.concatenate(residuals), np.concatenate(spread), every)
