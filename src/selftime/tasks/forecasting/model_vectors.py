"""The frozen representation of a pretrained model as features of windows."""

import numpy as np
import torch
from jaxtyping import Float, Float32

from selftime.data.batch import Batch
from selftime.data.series import SeriesError
from selftime.engine.model import Model

_STD_FLOOR = 0.01
"""Added to the spread of a window, in scaled units: one that hardly moves is not blown up."""


class ModelVectors:
    """The frozen representation of a model as features of windows.

    Attributes:
        model: what embeds.
        apart: whether each channel is embedded by itself.
        steps: how many of the last steps it is shown: as many as its longest series had.
    """

    def __init__(self, model: Model, channels: int) -> None:
        """Check that the model suits so many channels.

        Raises:
            SeriesError: it was made for another number of channels, and not for one.
        """
        if len(model.channels) not in (1, channels):
            raise SeriesError(
                f"got a model of {len(model.channels)} channels for series of {channels}, wanted 1 "
                f"or {channels}: pretrain on the same channels, or on single ones"
            )
        self.model, self.apart = model, len(model.channels) == 1
        self.steps = pretraining_length(model)

    def of(self, past: Float32[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C D"]:
        """Vectors of the last steps of each channel, in units of the spread of the channel.

        The model is shown windows at mean 0 and deviation 1, which is how its encoder knows series,
        whatever the units of those it learned from. Where it takes all channels at once, each
        channel is given the vector of all.
        """
        recent = past if self.steps is None else past[:, :, -self.steps :]
        N, C, L = recent.shape
        rows = recent.reshape(N * C, 1, L) if self.apart else recent
        spread = rows.std(axis=2, keepdims=True) + np.float32(_STD_FLOOR)
        x = torch.from_numpy(
            np.ascontiguousarray((rows - rows.mean(axis=2, keepdims=True)) / spread)
        )
        with torch.inference_mode():
            batch = Batch(x.float(), torch.ones_like(x, dtype=torch.bool))
            vectors: Float[np.ndarray, "R D"] = self.model.encoder.embed(batch).numpy()
        if self.apart:
            vectors = vectors.reshape(N, C, -1)
        else:
            vectors = np.repeat(vectors[:, None], C, axis=1)
        return np.asarray(vectors * spread.reshape(N, C, 1), np.float32)


def pretraining_length(model: Model) -> int | None:
    """Steps of the longest series that a model learned from; None where its card does not say."""
    longest = model.card.get("data", {}).get("longest")
    return None if longest is None else int(longest)
