"""Graphs of nearest neighbours among directions, and labels that spread over them."""

import numpy as np
from jaxtyping import Bool, Float


def are_nearest(cosines: Float[np.ndarray, "n M"], k: int) -> Bool[np.ndarray, "n M"]:
    """Which k others are nearest to each (n,M), and all that are as near as the last of them."""
    k = min(k, cosines.shape[1])
    last = np.partition(cosines, -k, axis=1)[:, -k]
    near: np.ndarray = cosines >= last[:, None]
    return near


def likeness_of(cosines: Float[np.ndarray, "n M"]) -> Float[np.ndarray, "n M"]:
    """exp(-|a - b|²) of directions, 1 for equal ones."""
    return np.asarray(np.exp(2 * (cosines - 1)))


def graph_of(known: Float[np.ndarray, "N D"], k: int) -> Float[np.ndarray, "N N"]:
    """Likeness of vectors of which one is among the k nearest of the other; 0 elsewhere."""
    cosines = known @ known.T
    np.fill_diagonal(cosines, -np.inf)
    near = are_nearest(cosines, min(k, len(known) - 1))
    return np.asarray(np.where(near | near.T, likeness_of(cosines), 0))


def spread_out(
    graph: Float[np.ndarray, "N N"], Y: Float[np.ndarray, "N K"], alpha: float
) -> Float[np.ndarray, "N K"]:
    """F = (1 - α)(I - αS)⁻¹Y, S the graph over the roots of the sums of both its ends."""
    root = np.sqrt(graph.sum(axis=1))
    S = graph / root[:, None] / root
    return np.asarray((1 - alpha) * np.linalg.solve(np.eye(len(S)) - alpha * S, Y))
