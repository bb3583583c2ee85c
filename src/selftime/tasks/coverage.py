"""Coverage: few series that together stand for all others in the space that a model learned."""

import numpy as np
from jaxtyping import Float, Float32, Int64

from selftime.tasks.cohort import unit


def likeness(
    vectors: Float32[np.ndarray, "M D"], known: Float32[np.ndarray, "L D"] | None
) -> tuple[Float32[np.ndarray, "M M"], Float32[np.ndarray, "M"]]:
    """Cosines between series, centred on their mean, and the largest to a labelled one, or -1."""
    centre = vectors.mean(axis=0)
    units = unit(vectors - centre)
    if known is None:
        return units @ units.T, np.full(len(units), -1, np.float32)
    return units @ units.T, (units @ unit(known - centre).T).max(axis=1)


def facility_location(
    alike: Float[np.ndarray, "M M"],
    n: int,
    *,
    weight: Float[np.ndarray, "M"],
    covered: Float[np.ndarray, "M"],
) -> Int64[np.ndarray, "n"]:
    """Rows S that greedily maximise Σᵢ wᵢ · max(coveredᵢ, max over s in S of alikeᵢₛ).

    Each step takes the row that adds most, of equals the first. Gains only shrink, so a row whose
    last known gain is below a fresh one need not be looked at (Minoux 1978); the greedy sum is at
    least 1 - 1/e of the best one (Nemhauser, Wolsey & Fisher 1978).

    Args:
        alike: likeness of series i to series j.
        n: how many rows.
        weight: how much each series counts, not below 0.
        covered: likeness of each series to what is chosen already.
    """
    best, bound = np.array(covered, np.float64), np.full(len(alike), np.inf)
    chosen: list[int] = []
    for _ in range(n):
        fresh = np.zeros(len(alike), bool)
        while not fresh[j := int(bound.argmax())]:
            bound[j] = weight @ np.maximum(alike[:, j] - best, 0)
            fresh[j] = True
        chosen.append(j)
        best = np.maximum(best, alike[:, j])
        bound[j] = -np.inf
    return np.array(chosen, np.int64)


def nearest_counts(
    alike: Float[np.ndarray, "M n"], covered: Float[np.ndarray, "M"]
) -> Int64[np.ndarray, "n"]:
    """How many series are nearer to each chosen one than to another or to a labelled one."""
    nearest, near = alike.argmax(axis=1), alike.max(axis=1) >= covered
    return np.bincount(nearest[near], minlength=alike.shape[1])
