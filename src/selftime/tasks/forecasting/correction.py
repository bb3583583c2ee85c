"""What features add to a linear forecaster, where blocked folds say that they add something."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from selftime.tasks.forecasting.blocks import BlockedFolds
from selftime.tasks.forecasting.linear_map import LinearMap
from selftime.tasks.ridge import RidgePath, mean_variance

FeatureMap = Callable[[Float32[np.ndarray, "N C L"]], Float32[np.ndarray, "N C F"]]
"""From past steps to features, each channel by itself."""

_FEATURE_STRENGTHS = 10.0 ** np.arange(-4.0, 1.01, 0.5)
"""Of the ridge, in units of the mean variance of a feature."""
_MAX_CORRECTED_STEPS = 192
"""Future steps that may be corrected: what just happened says little about those further away."""
BANDS = (0, 6, 12, 24, 48, 96, _MAX_CORRECTED_STEPS)
"""Steps at which bands of future steps begin; each is accepted or left alone."""
_MAX_FITTED_WINDOWS = 12_000
"""About how many windows (of one channel) are learned from: more cost time and change little."""
FEATURE_CHUNK = 1024
"""Windows whose features are held at a time."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A ridge from features to what a linear forecaster got wrong.

    Attributes:
        features: of past steps.
        weights: (F,R) onto the nearest R future steps; 0 in bands that were not accepted.
        look_back: past steps the features see.
        gains: held-out gain of each band, in percent of its error, accepted or not.
    """

    features: FeatureMap
    weights: Float32[np.ndarray, "F R"]
    look_back: int
    gains: tuple[float, ...]

    @property
    def accepted(self) -> bool:
        """Whether anything is corrected."""
        return bool(self.weights.any())

    def apply(
        self, past: Float[np.ndarray, "N C L"], forecast: Float[np.ndarray, "N C H"]
    ) -> Float[np.ndarray, "N C H"]:
        """Forecasts with the correction added."""
        if not self.accepted:
            return forecast
        recent = np.asarray(past[..., -self.look_back :], np.float32)
        near = forecast[..., : self.weights.shape[1]] + self.features(recent) @ self.weights
        return np.concatenate([near, forecast[..., self.weights.shape[1] :]], axis=-1)


@dataclass(frozen=True)
class ResidualSums:
    """Second moments of features (F,F), with residuals (F,R), of residuals (R,), and the count."""

    features: Float[np.ndarray, "F F"]
    cross: Float[np.ndarray, "F R"]
    squares: Float[np.ndarray, "R"]
    count: int

    def plus(self, other: "ResidualSums") -> "ResidualSums":
        """The sums of both parts."""
        return ResidualSums(
            self.features + other.features,
            self.cross + other.cross,
            self.squares + other.squares,
            self.count + other.count,
        )


def fit_correction(blocks: BlockedFolds, linear: LinearMap, features: FeatureMap) -> Correction:
    """Accept features in those bands of future steps in which held-out blocks agree they help.

    A band is accepted when the mean gain over held-out blocks is above its standard error: one
    season alone may mislead.

    Args:
        blocks: windows, with as many past steps as the forecaster needs.
        linear: what was fitted on them.
        features: what may be of use.
    """
    parts, rest = residual_sums(blocks, linear, features)
    curves = np.array([_gains(parts, k) for k in range(len(parts))])  # (K,A,bands)
    weighed = curves.mean(axis=0) @ _widths(linear.horizon)
    at = int(weighed.argmax())
    mean = curves[:, at].mean(axis=0)
    error = curves[:, at].std(axis=0, ddof=1) / np.sqrt(len(curves))
    fitted = rest if rest.count else parts[0]
    weights = _path(fitted).weights(float(_FEATURE_STRENGTHS[at]))
    kept = np.repeat(mean > error, _widths(linear.horizon))
    gains = tuple(float(100 * (1 - np.exp(-gain))) for gain in mean)
    return Correction(features, np.asarray(weights * kept, np.float32), blocks.look_back, gains)


def residual_sums(
    blocks: BlockedFolds, linear: LinearMap, features: FeatureMap
) -> tuple[list[ResidualSums], ResidualSums]:
    """The sums of every block, and of all windows that may be fitted on."""
    stride = _stride(blocks)
    single = linear.single()
    held = [_sums(blocks, blocks.held(k), single, features, stride) for k in range(blocks.count)]
    return held, _sums(blocks, blocks.fitted(), single, features, stride)


def _sums(
    blocks: BlockedFolds,
    spans: list[tuple[int, int]],
    linear: LinearMap,
    features: FeatureMap,
    stride: int,
) -> ResidualSums:
    total: ResidualSums | None = None
    origins = blocks.origins(spans)[::stride]
    for first in range(0, len(origins), FEATURE_CHUNK):
        past, future = blocks.windows(origins[first : first + FEATURE_CHUNK])
        found = features(past)
        left = (future - linear.predict(past))[..., :_MAX_CORRECTED_STEPS]
        part = _moments(found.reshape(-1, found.shape[-1]), left.reshape(-1, left.shape[-1]))
        total = part if total is None else total.plus(part)
    return total or ResidualSums(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), 0)


def _moments(x: Float32[np.ndarray, "N F"], y: Float32[np.ndarray, "N R"]) -> ResidualSums:
    """Products in 32-bit numbers, which are summed up in 64."""
    xx, xy = (x.T @ x).astype(np.float64), (x.T @ y).astype(np.float64)
    squares = np.einsum("nr,nr->r", y, y, dtype=np.float64)
    return ResidualSums(xx, xy, np.asarray(squares), len(x))


def _gains(parts: list[ResidualSums], k: int) -> Float[np.ndarray, "A bands"]:
    """Logarithm of error without over error with features on block ``k``, fitted on the others."""
    others = [part for j, part in enumerate(parts) if j != k and part.count]
    fit, held = others[0], parts[k]
    for part in others[1:]:
        fit = fit.plus(part)
    starts = _band_starts(len(held.squares))
    before = np.add.reduceat(held.squares, starts)
    path, gains = _path(fit), []
    for weights in map(path.weights, _FEATURE_STRENGTHS):
        change = ((held.features @ weights - 2 * held.cross) * weights).sum(axis=0)  # (R,)
        after = np.add.reduceat(held.squares + change, starts)
        gains.append(np.log((before + 1e-12) / (np.maximum(after, 0.0) + 1e-12)))
    return np.array(gains)


def _path(sums: ResidualSums) -> RidgePath:
    unit = mean_variance(sums.features)
    return RidgePath.of(sums.features / unit, sums.cross / unit)


def _band_starts(R: int) -> Int64[np.ndarray, "bands"]:
    return np.array([start for start in BANDS if start < R])


def _widths(horizon: int) -> Int64[np.ndarray, "bands"]:
    """Steps of each band."""
    R = min(horizon, _MAX_CORRECTED_STEPS)
    return np.diff(np.append(_band_starts(R), R))


def _stride(blocks: BlockedFolds) -> int:
    """Every how-many-th window is learned from."""
    origins = sum(max(high - low, 0) for low, high in blocks.fitted())
    return max(1, origins * blocks.n_channels // _MAX_FITTED_WINDOWS)


def _corrected_steps(correction: Correction) -> Bool[np.ndarray, "R"]:
    """Which of the nearest future steps are corrected."""
    return np.asarray(correction.weights.any(axis=0))
