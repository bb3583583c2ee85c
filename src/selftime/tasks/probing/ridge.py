"""Ridge regression in closed form (Hoerl and Kennard 1970, equation 2.1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve


def solve_ridge(
    xx: Float[np.ndarray, "D D"], xy: Float[np.ndarray, "D K"], penalty: float
) -> Float[np.ndarray, "D K"]:
    """Return weights (XᵀX + λI)⁻¹XᵀY from the moments XᵀX and XᵀY."""
    if not len(xx):
        return xy
    penalised = xx + penalty * np.eye(len(xx))
    factor = cho_factor(penalised, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, xy, check_finite=False))


def mean_variance(xx: Float[np.ndarray, "D D"]) -> float:
    """Return the unit of a penalty: the mean second moment of a feature, above 0."""
    return max(float(np.trace(xx)) / max(len(xx), 1), 1e-30)


def residual_maps(
    xx: Float[np.ndarray, "D D"], groups: int, penalty: float
) -> Float[np.ndarray, "G n D"]:
    """Return maps to what ridge regression on all other groups of features leaves of each group.

    Features come in groups of n = D / G. With P = (XᵀX + λI)⁻¹, cut into blocks, the map of group g
    is P_gg⁻¹ P_g: 1 on the group itself, minus the weights on the others (inverse of a partitioned
    matrix), so that one inverse leaves out each group in turn.
    """
    n = len(xx) // groups
    inverse = np.linalg.inv(xx + penalty * np.eye(len(xx)))
    own = inverse.reshape(groups, n, groups, n)[np.arange(groups), :, np.arange(groups)]
    return np.linalg.solve(own, inverse.reshape(groups, n, -1))


def ridge_leave_one_out(
    Z: Float[np.ndarray, "n D"], Y: Float[np.ndarray, "n K"], penalty: float
) -> tuple[Float[np.ndarray, "K D"], Float[np.ndarray, "n K"]]:
    """Return weights for centred cases Z and targets Y, and the score of each case left out.

    The penalty is a share of the mean squared length of the cases. The smaller of the two spaces,
    cases or features, is solved. Left-out scores follow from residuals and leverage (Allen 1974);
    the 1/n in it is that of the intercept.
    """
    n, D = Z.shape
    added = penalty * max(float(np.einsum("nd,nd->", Z, Z)) / n, 1e-12)
    if n < D:
        inverse = solve_ridge(Z @ Z.T, np.eye(n), added)
        weights = Z.T @ (inverse @ Y)
        leverage = 1 - added * np.diag(inverse)
    else:
        inverse = solve_ridge(Z.T @ Z, np.eye(D), added)
        weights = inverse @ (Z.T @ Y)
        leverage = np.einsum("nd,nd->n", Z @ inverse, Z)
    residual = Y - Z @ weights
    return weights.T, Y - residual / (1 - leverage - 1 / n).clip(min=1e-6)[:, None]


def ridge_with_intercept(
    X: Float[np.ndarray, "n D"], Y: Float[np.ndarray, "n K"], penalty: float
) -> tuple[Float[np.ndarray, "K D"], Float[np.ndarray, "K"], Float[np.ndarray, "n K"]]:
    """Return weights, offsets and left-out scores for cases and targets as they are."""
    Xm, Ym = X.mean(axis=0), Y.mean(axis=0)
    weights, held_out = ridge_leave_one_out(X - Xm, Y - Ym, penalty)
    return weights, Ym - weights @ Xm, held_out + Ym


class RidgeFit(NamedTuple):
    """A penalty, and what :func:`ridge_with_intercept` returns for it."""

    penalty: float
    weights: Float[np.ndarray, "K D"]
    offsets: Float[np.ndarray, "K"]
    left_out: Float[np.ndarray, "n K"]


def ridge_of_least_error(
    X: Float[np.ndarray, "n D"], Y: Float[np.ndarray, "n K"], penalties: Iterable[float]
) -> RidgeFit:
    """Return the fit with the least mean squared error on cases left out, the first of equals."""
    fits = [RidgeFit(penalty, *ridge_with_intercept(X, Y, penalty)) for penalty in penalties]
    return min(fits, key=lambda fit: float(np.square(fit.left_out - Y).mean()))


def class_signs(index: Int[np.ndarray, "n"], classes: int) -> Float[np.ndarray, "n K"]:
    """Return targets of least-squares classification: 1 for the class and -1 for the rest."""
    return np.where(index[:, None] == np.arange(classes), 1.0, -1.0)


@dataclass(frozen=True)
class RidgePath:
    """The weights of every penalty from one eigendecomposition."""

    values: Float[np.ndarray, "D"]  # eigenvalues of XᵀX
    basis: Float[np.ndarray, "D D"]  # from eigenvectors to features
    targets: Float[np.ndarray, "D K"]  # eigenvectors times XᵀY

    @classmethod
    def of(cls, xx: Float[np.ndarray, "D D"], xy: Float[np.ndarray, "D K"]) -> "RidgePath":
        """Return the path of the moments XᵀX and XᵀY."""
        values, basis = np.linalg.eigh(xx)
        return cls(np.maximum(values, 0.0), basis, basis.T @ xy)

    def weights(self, penalty: float) -> Float[np.ndarray, "D K"]:
        """Return the weights of one penalty."""
        return np.asarray(self.basis @ (self.targets / (self.values + penalty)[:, None]))

    def errors(
        self, held_out: Float[np.ndarray, "M M"], penalties: Float[np.ndarray, "A"]
    ) -> Float[np.ndarray, "A"]:
        """Return the mean squared error of each penalty on cases known by their moments alone.

        E|y − Wᵀx|² = tr E yyᵀ − 2 tr WᵀE xyᵀ + tr WᵀE xxᵀW, with W = basis · diag(f) · targets.
        ``held_out`` are second moments of features and, after them, targets.
        """
        D = len(self.values)
        xx = self.basis.T @ held_out[:D, :D] @ self.basis
        cross = np.einsum("dk,dk->d", self.targets, self.basis.T @ held_out[:D, D:])
        both = xx * (self.targets @ self.targets.T)
        f = 1 / (self.values + penalties[:, None])  # (A,D)
        fitted = np.einsum("ad,de,ae->a", f, both, f, optimize=True)
        return np.asarray((np.trace(held_out[D:, D:]) - 2 * f @ cross + fitted) / len(held_out[D:]))
