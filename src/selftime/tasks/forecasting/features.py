"""Features of what a window just did, and what they add to a linear forecaster where blocked folds say so."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64

from selftime.data.batch import Batch
from selftime.data.principal import principal_axes
from selftime.data.series import SeriesError
from selftime.engine.model import Model
from selftime.tasks.forecasting.folds import BlockedFolds
from selftime.tasks.forecasting.linear_map import LinearMap
from selftime.tasks.probing.ridge import RidgePath, mean_variance

_STD_FLOOR = 0.01
"""Added to the spread of a window, in scaled units: one that hardly moves is not blown up."""


class ModelVectors:
    """The frozen representation of a model as features of windows.

    Attributes:
        model: what embeds.
        apart: whether each channel is embedded by itself.
        steps: how many of the last steps it is shown: as many as its longest series had.
    """

    def __init__(self, model: Model, channels: int) -> None:
        """Check that the model suits so many channels.

        Raises:
            SeriesError: it was made for another number of channels, and not for one.
        """
        if len(model.channels) not in (1, channels):
            raise SeriesError(
                f"got a model of {len(model.channels)} channels for series of {channels}, wanted 1 "
                f"or {channels}: pretrain on the same channels, or on single ones"
            )
        self.model, self.apart = model, len(model.channels) == 1
        self.steps = pretraining_length(model)

    def of(self, past: Float32[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C D"]:
        """Vectors of the last steps of each channel, in units of the spread of the channel.

        The model is shown windows at mean 0 and deviation 1, which is how its encoder knows series,
        whatever the units of those it learned from. Where it takes all channels at once, each
        channel is given the vector of all.
        """
        recent = past if self.steps is None else past[:, :, -self.steps :]
        N, C, L = recent.shape
        rows = recent.reshape(N * C, 1, L) if self.apart else recent
        spread = rows.std(axis=2, keepdims=True) + np.float32(_STD_FLOOR)
        x = torch.from_numpy(
            np.ascontiguousarray((rows - rows.mean(axis=2, keepdims=True)) / spread)
        )
        with torch.inference_mode():
            batch = Batch(x.float(), torch.ones_like(x, dtype=torch.bool))
            vectors: Float[np.ndarray, "R D"] = self.model.encoder.embed(batch).numpy()
        if self.apart:
            vectors = vectors.reshape(N, C, -1)
        else:
            vectors = np.repeat(vectors[:, None], C, axis=1)
        return np.asarray(vectors * spread.reshape(N, C, 1), np.float32)


def pretraining_length(model: Model) -> int | None:
    """Steps of the longest series that a model learned from; None where its card does not say."""
    longest = model.card.get("data", {}).get("longest")
    return None if longest is None else int(longest)


LATENTS = 16
"""Linear latents of a patch."""
PATCH_WAVES = 200
"""Random waves of the latents of each patch."""
_WAVE_WIDTH = 2.0
"""Typical distance, in standard deviations of the latents, over which a wave turns once."""
FAINT = 1e-3
"""Share of the largest latent below which one counts as rounding and is not blown up."""
_SHAPE_FLOOR = 0.01
"""Added to the spread of a window: one that hardly moves has no shape to speak of."""


@dataclass(frozen=True, eq=False)
class Patch:
    """The last steps of a window and what is made of them.

    Attributes:
        basis: (P,q) from steps to latents.
        waves: (q,F) frequencies.
        phases: (F,) where each wave begins.
    """

    basis: Float32[np.ndarray, "P q"]
    waves: Float32[np.ndarray, "q F"]
    phases: Float32[np.ndarray, "F"]

    def of(self, shape: Float32[np.ndarray, "N L"]) -> Float32[np.ndarray, "N F"]:
        """Waves of the latents of windows, whose last value is 0 and whose spread is 1."""
        return np.asarray(
            np.cos(shape[:, -len(self.basis) :] @ self.basis @ self.waves + self.phases)
        )


@dataclass(frozen=True, eq=False)
class PatchFeatures:
    """Features of windows that move with their level and scale, for a ridge on what is left.

    Random Fourier features (Rahimi and Recht 2007, algorithm 1) of the latents of patches of
    several lengths, all of which end at the last step. The latents are the principal components of
    the patches: of all linear maps they give back what a patch is most exactly.

    Attributes:
        patches: from short to long.
    """

    patches: tuple[Patch, ...]

    @property
    def reach(self) -> int:
        """Past steps that are looked at."""
        return max(len(patch.basis) for patch in self.patches)

    def of(self, past: Float32[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C F"]:
        """Features in units of the spread of each window, each channel by itself."""
        N, C, L = past.shape
        shape, spread = shapes_of(past.reshape(N * C, L))
        found = np.concatenate([patch.of(shape) for patch in self.patches], axis=1)
        return np.asarray((found * spread).reshape(N, C, -1))


def shapes_of(
    past: Float32[np.ndarray, "N L"],
) -> tuple[Float32[np.ndarray, "N L"], Float32[np.ndarray, "N 1"]]:
    """Windows less their last value, in units of their spread, and that spread."""
    spread = past.std(axis=1, keepdims=True) + np.float32(_SHAPE_FLOOR)
    return (past - past[:, -1:]) / spread, spread


def patch_features(
    past: Float32[np.ndarray, "N L"],
    lengths: tuple[int, ...],
    rng: np.random.Generator,
    *,
    learned: bool = True,
) -> PatchFeatures:
    """Features whose latents are learned from windows without a look at what follows them.

    Args:
        past: windows of a training part.
        lengths: steps of the patches.
        rng: draws frequencies and phases.
        learned: False draws the latents at random too, for the row that shows what they are worth.
    """
    shape, _ = shapes_of(past)
    return PatchFeatures(tuple(_patch(shape[:, -P:], rng, learned) for P in lengths))


def patch_lengths(season: int, look_back: int) -> tuple[int, ...]:
    """One, two and seven seasons, and the whole window; what does not fit is left out."""
    unit = season if season > 1 else max(look_back // 16, 4)
    fitting = {P for P in (unit, 2 * unit, 7 * unit) if look_back > P}
    return (*sorted(fitting), look_back)


def principal_directions(x: Float32[np.ndarray, "N P"], q: int) -> Float[np.ndarray, "P q"]:
    """The q directions in which rows are largest: the best linear code of so many numbers."""
    products = (x.T @ x).astype(np.float64) / len(x)
    return principal_axes(products)[1][:, :q]


def _patch(x: np.ndarray, rng: np.random.Generator, learned: bool) -> Patch:
    q = min(LATENTS, x.shape[1])
    basis = (
        principal_directions(x, q)
        if learned
        else rng.normal(size=(x.shape[1], q)) / x.shape[1] ** 0.5
    )
    size = np.sqrt(np.mean((x @ basis) ** 2, axis=0))  # standard deviation of each latent
    size = size + FAINT * size.max() + 1e-6
    share = np.sqrt(size / size.mean()) if learned else np.ones(q)  # large latents count more
    waves = rng.normal(size=(q, PATCH_WAVES)) * (share / size)[:, None] / (_WAVE_WIDTH * np.sqrt(2))
    phases = rng.uniform(0, 2 * np.pi, PATCH_WAVES)
    return Patch(*(part.astype(np.float32) for part in (basis, waves, phases)))


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
