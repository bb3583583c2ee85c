"""Features of what a window just did: patches, their linear latents, random waves of these."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from selftime.data.principal import principal_axes

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
    basis = principal_directions(x, q) if learned else rng.normal(size=(x.shape[1], q)) / x.shape[1] ** 0.5
    size = np.sqrt(np.mean((x @ basis) ** 2, axis=0))  # standard deviation of each latent
    size = size + FAINT * size.max() + 1e-6
    share = np.sqrt(size / size.mean()) if learned else np.ones(q)  # large latents count more
    waves = rng.normal(size=(q, PATCH_WAVES)) * (share / size)[:, None] / (_WAVE_WIDTH * np.sqrt(2))
    phases = rng.uniform(0, 2 * np.pi, PATCH_WAVES)
    return Patch(*(part.astype(np.float32) for part in (basis, waves, phases)))
