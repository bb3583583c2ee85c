"""The form in which series reach views, encoders and objectives."""

from typing import NamedTuple

import torch
from torch import Tensor

from selftime.data.gaps import bridge_gaps
from selftime.data.graph import is_whole
from selftime.shapes import Lengths, Observed, Values


class Batch(NamedTuple):
    """Series of one batch, padded at the end to a common length: finite ``values``, and a mask.

    Missing is a mask, not a number: what stands in ``values`` where ``observed`` is False
    carries no meaning, and nothing in the package lets it change a result.
    """

    values: Values
    observed: Observed

    @property
    def lengths(self) -> Lengths:
        """Steps of each series: up to the last one at which any channel was observed."""
        valid = self.observed.any(dim=1)  # (B,T)
        steps = torch.arange(1, valid.shape[1] + 1, device=valid.device)
        return (valid * steps).amax(dim=1)  # (B,)

    def to(self, device: torch.device | str) -> "Batch":
        """Return the same series on another device."""
        return Batch(self.values.to(device), self.observed.to(device))

    def filled(self) -> Tensor:
        """Return values (B,C,T) with gaps bridged by straight lines; 0 after the last step.

        Before the first and after the last observed value of a channel that value is held; a
        channel that was never observed is 0.
        """
        steps = torch.arange(self.values.shape[2], device=self.values.device)
        within = steps < self.lengths[:, None]  # (B,T)
        if is_whole(self.observed == within[:, None]):
            return self.values.masked_fill(~self.observed, 0.0)
        return bridge_gaps(self.values, self.observed).masked_fill(~within[:, None], 0.0)
