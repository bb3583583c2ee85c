"""Autoregressions: every step from those before it, by ridge regression, and their residuals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import oaconvolve

from selftime.tasks.imputation.holes import Holes
from selftime.tasks.probing.ridge import RidgePath, mean_variance, solve_ridge

ALPHAS = 10.0 ** np.arange(-9, 0.1, 1)
"""Penalties that are tried, in units of the mean variance of a regressor."""
_MOST_ROWS = 20_000
"""Steps that are regressed, spread evenly."""
_HELD_OUT = 4
"""The last of so many parts of the steps judges the penalties."""
_FLOOR = 1e-9
"""Least variance of residuals, in units of the variance of the values."""


_LEAST_UNIT = 1e-6
"""Least variance of series in their units, of those that never vary."""


class Autoregression(NamedTuple):
    """Residuals rₜ = Σₖ Wₖ xₜ₋ₖ of steps, W₀ the identity, and their precision.

    Attributes:
        weights: (p+1,C,C).
        precision: (C,C) inverse covariance of the residuals.
    """

    weights: Float[np.ndarray, "P1 C C"]
    precision: Float[np.ndarray, "C C"]

    @property
    def order(self) -> int:
        """Steps before each that it is regressed on."""
        return len(self.weights) - 1

    @property
    def channels(self) -> int:
        """Channels of a step."""
        return int(self.weights.shape[1])

    @property
    def is_apart(self) -> bool:
        """True where every channel is regressed on its own past alone."""
        off = self.weights * (1 - np.eye(self.channels))
        return not off.any()

    def residuals(self, steps: Float[np.ndarray, "S C"]) -> Float[np.ndarray, "S C"]:
        """Return the residual of every step; those of the first p have no meaning."""
        S = len(steps)
        if self.is_apart:
            own = np.diagonal(self.weights, axis1=1, axis2=2)
            return np.asarray(oaconvolve(steps, own, axes=0)[:S])
        out = np.zeros_like(steps)
        for k in range(min(self.order, S - 1) + 1):
            out[k:] += steps[: S - k] @ self.weights[k].T
        return out

    def back(self, residuals: Float[np.ndarray, "S C *D"]) -> Float[np.ndarray, "S C *D"]:
        """Return Σₖ Wₖᵀ rₜ₊ₖ, the transpose of :meth:`residuals`."""
        S, p = len(residuals), self.order
        if self.is_apart:
            own = np.diagonal(self.weights, axis1=1, axis2=2)[::-1]
            kernel = own.reshape(own.shape + (1,) * (residuals.ndim - 2))
            return np.asarray(oaconvolve(residuals, kernel, axes=0)[p : p + S])
        out = np.zeros_like(residuals)
        for k in range(min(p, S - 1) + 1):
            out[: S - k] += np.einsum("dc,sd...->sc...", self.weights[k], residuals[k:])
        return out

    def products(self) -> Float[np.ndarray, "P1 P2 C C"]:
        """Return sums of Wₖᵀ Λ Wₖ₋ⱼ over k below m, for every lag j and every m up to p + 1."""
        p, C = self.order, self.channels
        out = np.zeros((p + 1, p + 2, C, C))
        right = np.einsum("cd,kde->kce", self.precision, self.weights)
        for j in range(p + 1):
            each = np.matmul(self.weights[j:].transpose(0, 2, 1), right[: p + 1 - j])
            np.cumsum(each, axis=0, out=out[j, j + 1 :])
        return out


def fit_autoregression(
    holes: Holes, order: int, *, joint: bool = False, level: bool = True
) -> Autoregression:
    """Fit on series without holes.

    Args:
        holes: series without holes, of more than ``order`` steps some.
        order: steps before each.
        joint: whether a channel is regressed on the past of all, or on its own.
        level: whether steps are counted from the last one, so that a level that was never seen
            goes on as it is.
    """
    C = holes.steps.shape[1]
    rows = np.flatnonzero(holes.positions >= order)
    rows = rows[:: -(-len(rows) // _MOST_ROWS)]
    groups = [np.arange(C)] if joint else [np.array([c]) for c in range(C)]
    weights = np.zeros((order + 1, C, C))
    for group in groups:
        windows = sliding_window_view(holes.steps[:, group], order + 1, axis=0)[rows - order]
        weights[np.ix_(np.arange(order + 1), group, group)] = _regress(
            windows[..., ::-1].transpose(0, 2, 1), level=level
        )
    found = Autoregression(weights, np.eye(C))
    residuals = found.residuals(holes.steps)[rows]
    spread = np.square(holes.steps).mean(axis=0)
    return found._replace(precision=precision_of(residuals, spread))


def _regress(windows: Float[np.ndarray, "n P1 G"], *, level: bool) -> Float[np.ndarray, "P1 G G"]:
    """Return the weights of the residuals of the first steps of windows on those before them."""
    n, P1, G = windows.shape
    first = 2 if level else 1
    x = windows - windows[:, 1:2] if level else windows
    features = np.ascontiguousarray(x[:, first:].reshape(n, -1))
    both = np.concatenate([features, x[:, 0]], axis=1)
    cut, D = n - n // _HELD_OUT, features.shape[1]
    fit, held = both[:cut].T @ both[:cut], both[cut:].T @ both[cut:]
    out = np.zeros((P1, G, G))
    out[0] = np.eye(G)
    if D:
        unit = mean_variance(fit[:D, :D])
        whole = fit + held
        alpha = ALPHAS[-1]
        if n // _HELD_OUT:
            path = RidgePath.of(fit[:D, :D] / unit, fit[:D, D:] / unit)
            alpha = float(ALPHAS[path.errors(held, ALPHAS).argmin()])
        own = mean_variance(whole[:D, :D])
        w = solve_ridge(whole[:D, :D] / own, whole[:D, D:] / own, alpha)
        out[first:] = -w.reshape(P1 - first, G, G).transpose(0, 2, 1)
    if level:
        out[1] = -out[2:].sum(axis=0) - np.eye(G)
    return out


def precision_of(
    residuals: Float[np.ndarray, "n C"], spread: Float[np.ndarray, "C"]
) -> Float[np.ndarray, "C C"]:
    """Return the inverse covariance, shrunk towards channels that are independent.

    The less there are residuals to a channel, the more; no variance is below a share of ``spread``.
    """
    n, C = residuals.shape
    covariance = residuals.T @ residuals / max(n, 1)
    floor = _FLOOR * spread + 1e-12
    shrunk = C / (n + C)
    own = np.diag(np.diagonal(covariance))
    found = (1 - shrunk) * covariance + shrunk * own + np.diag(floor)
    root = 1 / np.sqrt(np.diagonal(found))
    return np.asarray(np.linalg.inv(found * root[:, None] * root) * root[:, None] * root)


def first_precision(holes: Holes, order: int) -> Float[np.ndarray, "K K"]:
    """Return the precision of the first ``order`` steps of a series, of any level."""
    C = holes.steps.shape[1]
    rows: Int64[np.ndarray, _] = np.flatnonzero(holes.positions >= order - 1)
    rows = rows[:: -(-len(rows) // _MOST_ROWS)]
    windows = sliding_window_view(holes.steps, order, axis=0)[rows - order + 1]
    flat = windows.transpose(0, 2, 1).reshape(len(rows), -1)
    products = flat.T @ flat / len(flat)
    unit = max(mean_variance(products), _LEAST_UNIT)
    any_level = 100 * unit * np.kron(np.ones((order, order)), np.eye(C))
    return np.linalg.inv(products + any_level + 1e-3 * unit * np.eye(order * C))
