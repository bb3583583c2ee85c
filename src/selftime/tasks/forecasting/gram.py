"""Sums of products of all steps of all windows, without making a window."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class WindowGram(NamedTuple):
    """Sums over windows v (M,) of one channel, or of several alike.

    Sums add: those of two parts are those of the whole, and what is left out is subtracted.

    Attributes:
        products: (M,M) sum of v vᵀ.
        total: (M,) sum of v.
        windows: how many there are.
    """

    products: Float[np.ndarray, "M M"]
    total: Float[np.ndarray, "M"]
    windows: int

    def plus(self, other: "WindowGram", sign: int = 1) -> "WindowGram":
        """The sums of both parts; with ``sign`` -1 those without the other."""
        return WindowGram(
            self.products + sign * other.products,
            self.total + sign * other.total,
            self.windows + sign * other.windows,
        )

    def last(self, length: int) -> "WindowGram":
        """The same of the last ``length`` steps of each window."""
        return WindowGram(self.products[-length:, -length:], self.total[-length:], self.windows)

    def from_last_value(self, look_back: int) -> Float[np.ndarray, "M M"]:
        """Mean of v vᵀ where the last of the ``look_back`` steps is subtracted from the window."""
        g = self.products / max(self.windows, 1)
        level = g[look_back - 1]
        return np.asarray(g - level - level[:, None] + level[look_back - 1])


def window_gram(pieces: Sequence[Float[np.ndarray, "_"]], length: int) -> WindowGram:
    """The sums over all windows of so many steps of all pieces; none crosses from one to the next.

    Neighbours share all steps but one: G[i+1,j+1] is G[i,j] with the window that begins one step
    earlier left out and the one that ends one step later taken in, so one row of lagged products
    gives the rest. Costs M² and M products a step, where windows themselves would cost M² a step.

    Args:
        pieces: stretches of one channel; those shorter than ``length`` give nothing.
        length: M, steps of a window.
    """
    long = [piece for piece in pieces if len(piece) >= length]
    if not long:
        return WindowGram(np.zeros((length, length)), np.zeros(length), 0)
    starts = np.stack([piece[: length - 1] for piece in long])  # (P,M-1): what windows leave behind
    ends = np.stack([piece[len(piece) - length + 1 :] for piece in long])  # what they come upon
    turns = ends.T @ ends - starts.T @ starts
    products = np.empty((length, length))
    products[0] = sum(np.correlate(p, p[: len(p) - length + 1], "valid") for p in long)
    for i in range(length - 1):
        products[i + 1, i + 1 :] = products[i, i:-1] + turns[i, i:]
    below = np.tril_indices(length, -1)
    products[below] = products.T[below]
    return WindowGram(products, _totals(long, length), sum(len(p) - length + 1 for p in long))


def _totals(pieces: list[np.ndarray], length: int) -> np.ndarray:
    """Sum of the windows themselves (M,)."""
    total = np.zeros(length)
    for piece in pieces:
        summed = np.cumsum(np.concatenate([[0.0], piece]))
        n = len(piece) - length + 1
        total += summed[n:][:length] - summed[:length]
    return total
