"""Values for gaps, in arrays and in batches: straight lines between measured neighbours."""

import numpy as np
import torch
from jaxtyping import Float

from selftime.data.graph import latest
from selftime.shapes import Observed, Values


def fill_gaps(values: Float[np.ndarray, "T *C"], *, past_only: bool = False) -> np.ndarray:
    """Fill values (T,) or (T,C) that are not finite by straight lines; 0 if nothing is finite.

    Both ends are held. With ``past_only`` the last finite value is held throughout, so that no
    step depends on a later one.
    """
    if np.isfinite(values).all():
        return np.asarray(values, np.float64)
    if values.ndim > 1:
        columns = [fill_gaps(column, past_only=past_only) for column in values.T]
        return np.stack(columns, axis=1)
    valid, steps = np.flatnonzero(np.isfinite(values)), np.arange(len(values))
    if len(valid) == 0:
        return np.zeros(len(values))
    if past_only:
        latest = np.searchsorted(valid, steps, side="right") - 1
        return np.asarray(values[valid[np.maximum(latest, 0)]], np.float64)
    return np.asarray(np.interp(steps, valid, values[valid].astype(np.float64)))


def bridge_gaps(values: Values, observed: Observed) -> Values:
    """Draw straight lines between the observed neighbours of missing steps; ends are held."""
    T = values.shape[2]
    steps = torch.arange(T, device=values.device).expand_as(observed)
    left = latest(observed)  # last observed step, or -1
    right = T - 1 - latest(observed.flip(2)).flip(2)  # next, or T
    never = ~observed.any(dim=2, keepdim=True)
    first = torch.where(left < 0, right, left).clamp(0, T - 1)
    second = torch.where(right >= T, left, right).clamp(0, T - 1)
    a, b = values.gather(2, first), values.gather(2, second)
    share = (steps - first) / (second - first).clamp(min=1)
    return torch.where(observed, values, a + share * (b - a)).masked_fill(never, 0.0)
