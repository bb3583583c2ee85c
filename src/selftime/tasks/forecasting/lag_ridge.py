"""Ridge regression from past to future steps: every strength from one eigendecomposition."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

ALPHAS = 10.0 ** np.arange(-4.5, 2.01, 0.25)
"""Strengths that are tried, in units of the mean variance of a past step."""


@dataclass(frozen=True)
class LagRidge:
    """Ridge from ``look_back`` steps, the last value subtracted, to the steps after them.

    The penalty on the weight of a step grows with its distance d from the last one, in seasons:
    (1 + d)^decay, so that long look-backs do no harm: what is long ago must prove its use.

    Attributes:
        values: (L,) eigenvalues of the penalised second moments, in units of their mean.
        basis: (L,L) from eigenvectors to steps, penalty included.
        targets: (L,H) covariance of eigenvectors and future steps, in the same units.
    """

    values: Float[np.ndarray, "L"]
    basis: Float[np.ndarray, "L L"]
    targets: Float[np.ndarray, "L H"]

    def errors(self, held_out: Float[np.ndarray, "M M"]) -> Float[np.ndarray, "A"]:
        """Mean squared error of each of :data:`ALPHAS` on windows known by their moments alone.

        E|y − Wᵀx|² = tr E yyᵀ − 2 tr WᵀE xyᵀ + tr WᵀE xxᵀW, with W = basis · diag(f) · targets.

        Args:
            held_out: as :meth:`WindowGram.from_last_value` gives them.
        """
        L = len(self.values)
        xx = self.basis.T @ held_out[:L, :L] @ self.basis
        cross = np.einsum("lh,lh->l", self.targets, self.basis.T @ held_out[:L, L:])
        both = xx * (self.targets @ self.targets.T)
        f = 1 / (self.values + ALPHAS[:, None])  # (A,L)
        fitted = np.einsum("al,lm,am->a", f, both, f, optimize=True)
        return np.asarray((np.trace(held_out[L:, L:]) - 2 * f @ cross + fitted) / len(held_out[L:]))


def lag_ridge(
    moments: Float[np.ndarray, "M M"], look_back: int, *, decay: float, season: int
) -> LagRidge:
    """The ridge of the windows with these moments (:meth:`WindowGram.from_last_value`).

    Args:
        moments: mean of v vᵀ over windows of ``look_back`` past steps and the future ones.
        look_back: L, at least 1.
        decay: how fast the penalty grows; 0 for plain ridge.
        season: steps in which the distance is measured.
    """
    xx, xy, prior = _scaled(moments, look_back, decay, season)
    values, vectors = np.linalg.eigh(xx)
    return LagRidge(np.maximum(values, 0.0), prior[:, None] * vectors, vectors.T @ xy)


def ridge_weights(
    moments: Float[np.ndarray, "M M"], look_back: int, alpha: float, *, decay: float, season: int
) -> Float[np.ndarray, "L H"]:
    """The weights of one strength: what a forecast is made of.

    Solves (K + αI) w = k (Hoerl and Kennard 1970, equation 2.1). The last value is subtracted from
    the past and added again, so that the columns add up to 1.

    Args:
        moments: as :func:`lag_ridge` takes them.
        look_back: L, at least 1.
        alpha: strength, above 0; where it is infinite the last value is repeated.
        decay: how fast the penalty grows; 0 for plain ridge.
        season: steps in which the distance is measured.
    """
    if np.isinf(alpha):
        return np.eye(look_back)[:, -1:].repeat(len(moments) - look_back, axis=1)
    xx, xy, prior = _scaled(moments, look_back, decay, season)
    xx[np.diag_indices(look_back)] += alpha
    factor = cho_factor(xx, overwrite_a=True, check_finite=False)
    w = prior[:, None] * cho_solve(factor, xy, check_finite=False)
    w[-1] += 1 - w.sum(axis=0)
    return np.asarray(w)


def _scaled(
    moments: np.ndarray, look_back: int, decay: float, season: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments of penalised steps among themselves and with future ones, and the penalty's root."""
    distance = np.arange(look_back)[::-1] / season
    prior = (1 + distance) ** (-decay / 2)  # root of the prior variance of a weight
    xx = prior[:, None] * moments[:look_back, :look_back] * prior
    unit = max(float(np.trace(xx)) / look_back, 1e-30)
    return xx / unit, prior[:, None] * moments[:look_back, look_back:] / unit, prior
