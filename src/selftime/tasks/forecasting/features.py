"""Features of the last steps of windows, and corrections by them where blocked folds agree."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from selftime.data.batch import Batch
from selftime.data.principal import principal_axes
from selftime.data.series import SeriesError
from selftime.engine.model import Model
from selftime.tasks.forecasting.folds import BlockedFolds, Spans
from selftime.tasks.forecasting.linear import LinearMap
from selftime.tasks.probing.ridge import RidgePath, mean_variance

_STD_FLOOR = 0.01
"""Added to the std of a window, in scaled units: one that hardly moves is not blown up."""


class ModelVectors:
    """The frozen representation of a model as features of windows.

    Raises:
        SeriesError: the model was made for another number of channels, and not for one.
    """

    def __init__(self, model: Model, channels: int) -> None:
        if len(model.channels) not in (1, channels):
            raise SeriesError(
                f"got a model of {len(model.channels)} channels for series of {channels}, wanted 1 "
                f"or {channels}: pretrain on the same channels, or on single ones"
            )
        self.model, self.channels, self.apart = model, channels, len(model.channels) == 1
        self.steps = pretraining_length(model)

    def of(self, past: Float32[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C D"]:
        """Return vectors of the last steps of each channel, in units of the std of the channel.

        The model is shown windows at mean 0 and deviation 1, as long as its longest series, which
        is how its encoder knows series, whatever the units of those it learned from. Where it takes
        all channels at once, each channel is given the vector of all.
        """
        recent = past if self.steps is None else past[:, :, -self.steps :]
        N, C, L = recent.shape
        rows = recent.reshape(N * C, 1, L) if self.apart else recent
        std = rows.std(axis=2, keepdims=True) + np.float32(_STD_FLOOR)
        x = torch.from_numpy(np.ascontiguousarray((rows - rows.mean(axis=2, keepdims=True)) / std))
        with torch.inference_mode():
            batch = Batch(x.float(), torch.ones_like(x, dtype=torch.bool))
            vectors: Float[np.ndarray, "R D"] = self.model.encoder.embed(batch).numpy()
        if self.apart:
            vectors = vectors.reshape(N, C, -1)
        else:
            vectors = np.repeat(vectors[:, None], C, axis=1)
        return np.asarray(vectors * std.reshape(N, C, 1), np.float32)


def pretraining_length(model: Model) -> int | None:
    """Return the steps of the longest series in pretraining; None where its card does not say."""
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


@dataclass(frozen=True, eq=False)
class Patch:
    """The last steps of a window: from steps to latents, and random waves of these."""

    basis: Float32[np.ndarray, "P q"]
    waves: Float32[np.ndarray, "q F"]
    phases: Float32[np.ndarray, "F"]

    def of(self, shape: Float32[np.ndarray, "N L"]) -> Float32[np.ndarray, "N F"]:
        """Return waves of the latents of windows, whose last value is 0 and whose std is 1."""
        return np.asarray(
            np.cos(shape[:, -len(self.basis) :] @ self.basis @ self.waves + self.phases)
        )


@dataclass(frozen=True, eq=False)
class PatchFeatures:
    """Features of windows that move with their mean and scale, for a ridge on residuals.

    Random Fourier features (Rahimi and Recht 2007, algorithm 1) of the latents of patches of
    several lengths, all of which end at the last step. The latents are the principal components of
    the patches: of all linear maps they give back a patch most exactly.
    """

    patches: tuple[Patch, ...]

    def of(self, past: Float32[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C F"]:
        """Return features in units of the std of each window, each channel by itself."""
        N, C, L = past.shape
        shape, std = shapes_of(past.reshape(N * C, L))
        found = np.concatenate([patch.of(shape) for patch in self.patches], axis=1)
        return np.asarray((found * std).reshape(N, C, -1))


def shapes_of(
    past: Float32[np.ndarray, "N L"],
) -> tuple[Float32[np.ndarray, "N L"], Float32[np.ndarray, "N 1"]]:
    """Return windows less their last value, in units of their std, and that std."""
    std = past.std(axis=1, keepdims=True) + np.float32(_STD_FLOOR)
    return (past - past[:, -1:]) / std, std


def patch_features(
    past: Float32[np.ndarray, "N L"],
    lengths: tuple[int, ...],
    rng: np.random.Generator,
    *,
    learned: bool = True,
) -> PatchFeatures:
    """Learn latents of patches of these lengths from windows of a training part.

    Nothing after the windows is seen. Latents are random too where ``learned`` is False, for the
    row that shows what learning is worth.
    """
    shape, _ = shapes_of(past)
    return PatchFeatures(tuple(_patch(shape[:, -P:], rng, learned) for P in lengths))


def patch_lengths(season: int, look_back: int) -> tuple[int, ...]:
    """Return one, two and seven seasons, and the whole window; what does not fit is left out."""
    unit = season if season > 1 else max(look_back // 16, 4)
    fitting = {P for P in (unit, 2 * unit, 7 * unit) if look_back > P}
    return (*sorted(fitting), look_back)


def principal_directions(x: Float32[np.ndarray, "N P"], q: int) -> Float[np.ndarray, "P q"]:
    """Return the q directions in which rows are largest: the best linear code of that size."""
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
    """A ridge from features to the residuals of a linear forecaster in the nearest R steps.

    Weights are 0 in bands that were not accepted; ``gains`` are the held-out ones of each band, in
    percent of its error.
    """

    features: FeatureMap
    weights: Float32[np.ndarray, "F R"]
    look_back: int
    gains: tuple[float, ...]

    @property
    def accepted(self) -> bool:
        """True where any step is corrected."""
        return bool(self.weights.any())

    def apply(
        self, past: Float[np.ndarray, "N C L"], forecast: Float[np.ndarray, "N C H"]
    ) -> Float[np.ndarray, "N C H"]:
        """Add the correction to forecasts."""
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
        """Return the sums of both parts."""
        return ResidualSums(
            self.features + other.features,
            self.cross + other.cross,
            self.squares + other.squares,
            self.count + other.count,
        )


def fit_correction(folds: BlockedFolds, linear: LinearMap, features: FeatureMap) -> Correction:
    """Accept features in those bands of future steps in which held-out folds agree they help.

    A band is accepted when the mean gain over held-out folds is above its standard error: one
    season alone may mislead.
    """
    parts, rest = residual_sums(folds, linear, features)
    curves = np.array([_gains(parts, k) for k in range(len(parts))])  # (K,A,bands)
    weighed = curves.mean(axis=0) @ _widths(linear.horizon)
    at = int(weighed.argmax())
    mean = curves[:, at].mean(axis=0)
    error = curves[:, at].std(axis=0, ddof=1) / np.sqrt(len(curves))
    weights = _path(rest if rest.count else parts[0]).weights(float(_FEATURE_STRENGTHS[at]))
    kept = np.repeat(mean > error, _widths(linear.horizon))
    gains = tuple(float(100 * (1 - np.exp(-gain))) for gain in mean)
    return Correction(features, np.asarray(weights * kept, np.float32), folds.look_back, gains)


def residual_sums(
    folds: BlockedFolds, linear: LinearMap, features: FeatureMap
) -> tuple[list[ResidualSums], ResidualSums]:
    """Return the sums of every fold, and of all windows that may be fitted on."""
    origins = sum(max(high - low, 0) for low, high in folds.training_spans())
    stride = max(1, origins * folds.n_channels // _MAX_FITTED_WINDOWS)
    single = linear.single()
    spans = [*map(folds.fold_spans, range(folds.count)), folds.training_spans()]
    *held, rest = [_sums(folds, some, single, features, stride) for some in spans]
    return held, rest


def _sums(
    folds: BlockedFolds, spans: Spans, linear: LinearMap, features: FeatureMap, stride: int
) -> ResidualSums:
    total: ResidualSums | None = None
    origins = folds.origins(spans)[::stride]
    for first in range(0, len(origins), FEATURE_CHUNK):
        past, future = folds.windows(origins[first : first + FEATURE_CHUNK])
        found = features(past)
        left = (future - linear.predict(past))[..., :_MAX_CORRECTED_STEPS]
        part = _moments(found.reshape(-1, found.shape[-1]), left.reshape(-1, left.shape[-1]))
        total = part if total is None else total.plus(part)
    return total or ResidualSums(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), 0)


def _moments(x: Float32[np.ndarray, "N F"], y: Float32[np.ndarray, "N R"]) -> ResidualSums:
    """Multiply in 32-bit numbers, which are summed up in 64."""
    xx, xy = (x.T @ x).astype(np.float64), (x.T @ y).astype(np.float64)
    squares = np.einsum("nr,nr->r", y, y, dtype=np.float64)
    return ResidualSums(xx, xy, np.asarray(squares), len(x))


def _gains(parts: list[ResidualSums], k: int) -> Float[np.ndarray, "A bands"]:
    """Return log errors without less those with features on fold ``k``, fitted on the others."""
    fit, *others = [part for j, part in enumerate(parts) if j != k and part.count]
    held = parts[k]
    for part in others:
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
    """Return the steps of each band."""
    R = min(horizon, _MAX_CORRECTED_STEPS)
    return np.diff(np.append(_band_starts(R), R))
