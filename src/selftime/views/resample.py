"""Reading series at other moments: one gather, whatever moved the moments."""

import torch
from jaxtyping import Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.shapes import Observed

Positions = Float[Tensor, "B T"]
"""For every step of the result, the (fractional) step of the source it is read at."""


def identity_positions(x: Batch) -> Positions:
    """Every step read at itself: where deformations of time begin."""
    B, _, T = x.values.shape
    return torch.arange(T, device=x.values.device, dtype=torch.float32).expand(B, T)


def resample(x: Batch, places: Positions) -> Batch:
    """Every series read at ``places``, by straight lines between its observed values.

    Places before the first or after the last step of a series read that step; all channels of a
    series share its places, and its padding stays padding. A step of the result counts as
    observed where the source step nearest to its place was. The last step of a series stays
    observed as it was, because it carries the length.

    Args:
        x: the series.
        places: (B,T) fractional source steps; what they say in the padding has no meaning.
    """
    last = (x.lengths - 1).clamp(min=0)[:, None]  # (B,1)
    places = places.clamp(min=0).minimum(last)
    left = places.long()  # (B,T)
    source = x.filled()
    a = gather_steps(source, left)  # (B,C,T)
    b = gather_steps(source, (left + 1).minimum(last))
    share = (places - left)[:, None].to(a.dtype)
    values = torch.lerp(a, b, share).to(x.values.dtype)
    return Batch(values, resampled_mask(x.observed, places, last))


def resampled_mask(observed: Observed, places: Positions, last: Tensor) -> Observed:
    """Where the nearest source step was observed; the last step (B,1) of a series as it was."""
    if bool(observed.all()):
        return observed
    steps = torch.arange(observed.shape[2], device=observed.device)
    valid = gather_steps(observed, (places + 0.5).long()) & (steps <= last)[:, None]
    return valid | (observed & (steps == last)[:, None])


def gather_steps(source: Tensor, steps: Tensor) -> Tensor:
    """Whole steps (B,T) of every channel of a source (B,C,T)."""
    return source.gather(2, steps[:, None].expand_as(source))
